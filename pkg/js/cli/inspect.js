// `x402-wasm inspect`: what a URL asks for, whether it would be paid, and what is wrong with how it asks. Nothing is signed.
import { existsSync } from "node:fs";

import { createPayer, decodePaymentRequired, generatePrivateKey } from "x402-wasm";

import { judge } from "./lint.js";
import { help as limits, options, payerOptions } from "./limits.js";
import { oneUrl, plain, print, printable, words } from "./terminal.js";

export const help = `x402-wasm inspect URL

  -X, --request METHOD   the method (default GET)
      --json             everything as JSON

Asks the URL a few times, without paying: as it is, as another page would, with a payment that is none. Ends with 1 when
something is wrong, with 0 when something could be better.

${limits}`;

const MARKS = { wrong: "✗", poor: "!", fine: "✓" };

/** Asks without following, and reads at most the beginning of a body. */
async function ask(url, init) {
  const response = await fetch(url, { redirect: "manual", ...init, signal: AbortSignal.timeout(20_000) }).catch((error) => ({ error }));
  if (response.error) return response;
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > 65_536) break;
  }
  return { response, status: response.status, headers: response.headers, text };
}

export async function run(args) {
  const { values, positionals } = words(args, { request: { type: "string", short: "X" }, json: { type: "boolean" }, ...options }, help);
  const url = oneUrl(positionals, help);
  const method = values.request ?? "GET";
  const page = "https://page.example";
  const [plainly, fromPage, preflight, broken] = await Promise.all([
    ask(url, { method }),
    ask(url, { method, headers: { origin: page } }),
    ask(url, { method: "OPTIONS", headers: { origin: page, "access-control-request-method": method, "access-control-request-headers": "payment-signature" } }),
    ask(url, { method, headers: { "payment-signature": "bm90IGEgcGF5bWVudA==" } }),
  ]);
  if (plainly.error) throw Object.assign(new Error(`${url} does not answer`), { code: "payer_network_fault" });
  const header = plainly.headers.get("payment-required");
  const terms = read(header ?? plainly.text);
  const { store, rpc, ...rest } = payerOptions(values); // whose account it is is not known here, so no node is asked about it
  // A book that is there says what is left of the budgets; none is made for a look.
  const payer = await createPayer({ ...rest, ...(existsSync(store.file) && { store }), wallet: { privateKey: generatePrivateKey() } });
  const decision = terms.error && plainly.status === 402 ? unreadable(terms.error) : await payer.explain(copy(plainly, url));
  const found = judge({ url, method, plainly, fromPage, preflight, broken, terms, header, decision, page });
  if (values.json) print(JSON.stringify({ url, status: plainly.status, terms: terms.value, decision, found }, shown, 2));
  else show(url, plainly, decision, found);
  return found.some(({ level }) => level === "wrong") ? 1 : 0;
}

/** What a server says, without what a terminal would obey. */
const shown = (key, value) => (typeof value === "string" ? printable(value) : value);

/** The terms, or why they cannot be read. */
function read(text) {
  try {
    return { value: decodePaymentRequired(text) };
  } catch (error) {
    return { error };
  }
}

/** What is said of terms that cannot be read: by an answer that asks for none, or by one that asks in vain. */
const unreadable = ({ message }) => ({ wouldPay: false, sentence: `Would not pay: ${message}`, offers: [], unread: 0 });

/** The same response with its body still to be read. */
function copy({ response, text }, url) {
  const again = new Response([101, 204, 205, 304].includes(response.status) ? null : text, { status: Math.max(200, response.status), headers: response.headers });
  return Object.defineProperty(again, "url", { value: response.url || url });
}

function show(url, { status }, decision, found) {
  print(`${plain(url)} answers ${status}`);
  for (const [at, offer] of decision.offers.entries()) {
    const price = offer.tokens ? `${offer.tokens} ${offer.symbol}` : `${offer.amount} atomic units of ${offer.asset}`;
    print(`  ${at + 1}. ${price}, ${offer.scheme} on ${offer.network}, to ${offer.payTo}${offer.allowed ? "" : `: ${offer.sentence}`}`);
  }
  print(plain(decision.sentence));
  print();
  for (const { level, code, sentence } of found) print(`${MARKS[level]} ${plain(sentence)}${level === "fine" ? "" : ` (${code})`}`);
}
