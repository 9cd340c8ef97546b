// A `fetch` that answers as an attacker would, from any address, and remembers what it was asked.
import assert from "node:assert/strict";
import { createPayer, X402Error } from "x402-wasm";
import { base64, offer, terms } from "./seller.mjs";
import { counting } from "./signer.mjs";

export const TARGET = "https://api.example.com/data";

/** An answer that says where it came from, as only the network can. */
function answer(body, { url, redirected = false, ...init }) {
  const response = new Response(body, init);
  return Object.defineProperties(response, { url: { value: url }, redirected: { value: redirected } });
}

/** 402 with terms in the header; `required` may be anything, a string is taken as the raw header. */
export const unpaid = (required = terms([offer()]), { headers, body = "{}", ...more } = {}) => ({ url }) => {
  const header = typeof required === "string" ? required : base64(required);
  return answer(body, { url, status: 402, headers: { "payment-required": header, ...headers }, ...more });
};

/** 200, with a raw settlement header if one is given. */
export const goods = (settlement) => ({ url }) =>
  answer("goods", { url, status: 200, headers: settlement === undefined ? {} : { "payment-response": settlement } });

/** Any other answer. */
export const raw = (body, init) => ({ url }) => answer(body, { url, ...init });

/**
 * A `fetch` that gives these answers in turn, and the last one for ever.
 * @returns {{fetch: typeof fetch, calls: {url: string, payment: object | undefined, header: string | null}[]}}
 */
export function answering(...answers) {
  const calls = [];
  const send = async (input, init) => {
    const request = new Request(input, init);
    const header = request.headers.get("payment-signature") ?? request.headers.get("x-payment");
    const payment = header === null ? undefined : JSON.parse(Buffer.from(header, "base64").toString());
    calls.push({ url: request.url, header, payment });
    return answers[Math.min(calls.length, answers.length) - 1](request);
  };
  return { fetch: send, calls };
}

/** Makes one call to such answers with a wallet that counts. */
export async function attempt(answers, { url = TARGET, wallet = counting(), ...options } = {}) {
  const { fetch, calls } = answering(...answers);
  const payer = await createPayer({ wallet, fetch, ...options });
  const outcome = await payer.fetch(url).then((response) => ({ response }), (error) => ({ error }));
  return { ...outcome, payer, calls, signed: wallet.signed ?? [] };
}

/** The terms must lead to an error with this code, to no signature and to no second request. `from` is `unpaid`'s. */
export async function refused(required, code, { from, ...options } = {}) {
  const { error, calls, signed } = await attempt([unpaid(required, from), goods()], options);
  assert.ok(error instanceof X402Error, `${JSON.stringify(required).slice(0, 300)} was not refused: ${error}`);
  assert.equal(error.code, code);
  assert.deepEqual([signed.length, calls.length], [0, 1]);
  return error;
}

/** The terms must be paid once; gives the payment that was sent. */
export async function accepted(required, { from, ...options } = {}) {
  const { error, calls, signed } = await attempt([unpaid(required, from), goods()], options);
  assert.equal(error, undefined);
  assert.deepEqual([signed.length, calls.length], [1, 2]);
  return calls[1].payment;
}

/** The terms of one offer. */
export const asking = (changes) => terms([offer(changes)]);
