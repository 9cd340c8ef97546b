// One paid request with the npm package, told as facts: a line of JSON for `cargo xtask demo`, which prints them.
//
// The steps are seen from outside, in the fetch that the payer is given: what it asked, what came back, and
// the time between. Nothing of the payer is opened up for this.
import { createPayer, wrapFetchWithPayment } from "x402-wasm";

import { world } from "./world.mjs";

const { gate, payer: account, routes } = world();
const route = routes.find(({ method, price }) => method === "GET" && price !== null);
const url = new URL(route.path, gate).href;

const decode = (header) => header && JSON.parse(Buffer.from(header, "base64").toString("utf8"));

/** One entry per request that left: `{ began, ended, status, sent, challenge, settled }`, times in ms. */
const requests = [];
async function watched(...args) {
  const request = new Request(...args);
  const entry = { began: performance.now(), sent: decode(request.headers.get("payment-signature")) };
  requests.push(entry);
  const response = await fetch(request);
  entry.ended = performance.now();
  entry.status = response.status;
  entry.challenge = decode(response.headers.get("payment-required"));
  entry.settled = decode(response.headers.get("payment-response"));
  return response;
}

const loading = performance.now();
const payer = await createPayer({ wallet: { privateKey: account.privateKey } });
const pay = wrapFetchWithPayment(watched, payer);
const loaded = performance.now();

const response = await pay(url);
const headersIn = performance.now();
const body = await response.text();
const ended = performance.now();
const isJson = response.headers.get("content-type")?.startsWith("application/json");

const [asked, paid] = requests;
console.log(
  JSON.stringify({
    url,
    status: response.status,
    body: isJson ? JSON.stringify(JSON.parse(body), null, 2) : body,
    challenge: asked?.challenge ?? null,
    signed: paid?.sent ?? null,
    settled: paid?.settled ?? null,
    receipt: payer.receipt(response) ?? null,
    milliseconds: {
      load: loaded - loading,
      challenge: asked ? asked.ended - asked.began : null,
      sign: asked && paid ? paid.began - asked.ended : null,
      paid: paid ? paid.ended - paid.began : null,
      body: ended - headersIn,
      all: ended - loaded,
    },
  }),
);
