// `x402-wasm fetch`: curl's words, and a payment where one is asked for and allowed.
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { createPayer } from "x402-wasm";

import { withKey } from "./keys.js";
import { help as limits, options, payerOptions } from "./limits.js";
import { agree, input, oneUrl, plain, printable, somebody, tell, Usage, words } from "./terminal.js";

export const help = `x402-wasm fetch URL

  -X, --request METHOD   the method (default GET, or POST with -d)
  -H, --header LINE      a header, such as 'accept: text/csv'; as often as you like
  -d, --data DATA        the body; @FILE for a file's, @- for standard input
  -o, --output FILE      where the answer goes (default standard output)
  -i, --include          the answer's status and headers before it
  -s, --silent           no word about the payment
      --json             the receipt as JSON, on standard error
  -y, --yes              no question before a payment
      --timeout SECONDS  the longest that all of it may take

${limits}
Where somebody sits at the terminal, the price is shown and agreed to before anything is signed. Where nobody can be asked (a pipe, a
timer) it pays without asking, within its limits.
`;

const own = {
  request: { type: "string", short: "X" },
  header: { type: "string", short: "H", multiple: true },
  data: { type: "string", short: "d" },
  output: { type: "string", short: "o" },
  include: { type: "boolean", short: "i" },
  silent: { type: "boolean", short: "s" },
  json: { type: "boolean" },
  yes: { type: "boolean", short: "y" },
  timeout: { type: "string" },
};

async function body(data) {
  if (data === undefined) return undefined;
  if (data === "@-") return input();
  return data.startsWith("@") ? readFile(data.slice(1)) : data;
}

function headers(lines = []) {
  return lines.map((line) => {
    const at = line.indexOf(":");
    if (at < 1) throw new Usage(`a header looks like 'name: value', not ${plain(line)}`);
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
}

/** What was asked, as `fetch` takes it. */
async function request(values) {
  const content = await body(values.data);
  const init = { method: values.request ?? (content === undefined ? "GET" : "POST"), headers: headers(values.header), body: content };
  if (values.timeout !== undefined) {
    const seconds = Number(values.timeout);
    if (!(seconds > 0)) throw new Usage(`--timeout takes seconds, not ${values.timeout}`);
    init.signal = AbortSignal.timeout(seconds * 1000);
  }
  return init;
}

export async function run(args) {
  const { values, positionals } = words(args, { ...own, ...options }, help);
  const url = oneUrl(positionals, help);
  const init = await request(values);
  const ask = somebody() && !values.yes;
  if (ask && values.data === "@-") throw new Usage("with a body that is typed nobody can be asked: say --yes, or -d @FILE");
  const shared = payerOptions(values);
  if (ask) shared.policy.approve = (quote) => agree(`${plain(quote.sentence)}?`);
  let sent = false;
  shared.onStep = ({ step }) => (sent ||= step === "sent");
  const to = await target(values.output); // before anything is paid: what cannot be written is not bought
  const { payer, response, receipt } = await withKey(values.wallet, async (privateKey) => {
    const payer = await createPayer({ ...shared, wallet: { privateKey } });
    const response = await payer.fetch(url, init).catch((error) => {
      if (sent) tell("The payment was sent and may still be taken. Look at x402-wasm audit list before you pay again.");
      else if (error.code === "payer_approval_denied") throw Object.assign(new Error("you said no; nothing was signed"), { code: error.code });
      throw sent ? error : Object.assign(error, { unpaid: true });
    });
    return { payer, response, receipt: payer.receipt(response) };
  });
  if (receipt && values.json) tell(JSON.stringify(receipt));
  else if (receipt && !values.silent) tell(said(receipt));
  await give(response, to, values);
  if (receipt && receipt.network in shared.rpc && !values.silent) {
    // The answer was paid for and given: a node that fails changes neither.
    const chain = await payer.confirm(response, { seconds: 10 }).catch(() => "unknown");
    tell(values.json ? JSON.stringify({ id: receipt.id, chain }) : CHAIN[chain]);
  }
  return response.status >= 400 ? 22 : 0;
}

/** What the chain says of it. */
const CHAIN = {
  confirmed: "The chain confirms it.",
  contradicted: "The chain contradicts it: that transaction did not move what was signed",
  unseen: "The chain does not know it yet: ask again with x402-wasm audit reconcile",
  unknown: "The chain could not be asked: try x402-wasm audit reconcile later",
};

/** What was paid, in a line. */
function said({ success, consistent, tokens, symbol, payTo, network, transaction, errorReason }) {
  const sum = `${tokens} ${symbol} on ${network} to ${payTo}`;
  if (success && consistent) return `Paid ${sum}${transaction ? `, transaction ${transaction}` : ""}`;
  if (success) return `The server says that ${sum} was paid, but not as it was signed: look at the chain`;
  // A server that fails often says nothing: that is no word on whether it will take what it has.
  if (errorReason === "invalid_payment_response") {
    return `Signed for ${sum}. The answer does not say whether it was settled: it may still be taken until it ends. Ask the chain with x402-wasm audit reconcile`;
  }
  return `Signed for ${sum}, and the server says that it did not settle: ${plain(errorReason ?? "no reason")}. It may still be taken until it ends`;
}

/** Where the answer goes; what is in a file stays there until there is one. */
async function target(output) {
  return output === undefined ? undefined : open(output, "a");
}

async function give(response, file, { include }) {
  await file?.truncate(0).catch(() => {}); // a pipe has nothing to lose
  const to = file?.createWriteStream() ?? process.stdout;
  if (include) {
    const lines = [...response.headers].map(([name, value]) => `${name}: ${printable(value)}\n`);
    if (!to.write(`${response.status} ${printable(response.statusText)}\n${lines.join("")}\n`)) await once(to, "drain");
  }
  if (response.body) await pipeline(Readable.fromWeb(response.body), to, { end: to !== process.stdout });
  else if (to !== process.stdout) to.end();
}
