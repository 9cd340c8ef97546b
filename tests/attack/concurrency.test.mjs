// Many at once, on two isolates of the gate that share the Durable Objects: copies of one payment are one purchase, and
// different payments are as many. The chain is real, the settlement is the gate's own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { gateService } from "../interop/lib/gate.mjs";
import { startWorkerd } from "../interop/lib/workerd.mjs";
import { balanceOf, transactionCount } from "../support/chain.mjs";
import { chain, config, embedded, freshPayer, freshRelayer } from "../workerd/lib/gate.mjs";
import { challenge, decode, payment, present, seconds } from "../workerd/lib/pay.mjs";
import { startNode, startOrigin } from "../workerd/lib/servers.mjs";
import { payers, PRICE } from "./lib/stage.mjs";

const COPIES = 200;
const ROUNDS = 50;
const DIFFERENT = 1000;
const ROUTES = [{ match: "GET /paid", price: "$0.01" }, { match: "POST /paid", price: "$0.01" }];

/** Every other request goes to the other gate. */
const ROUTER = `let turn = 0;
export default { fetch: (request, env) => ((turn += 1) % 2 ? env.FIRST : env.SECOND).fetch(request) }`;

let origin, node, gate, url, relayer;
before(async () => {
  origin = await startOrigin();
  node = await startNode(chain.rpc);
  const key = await freshRelayer();
  relayer = privateKeyToAccount(key).address;
  const vars = { RPC_URL: node.url, RELAYER_KEY: key };
  const named = (name) => ({ ...gateService(config({ url: `${origin.url}` }, embedded, ROUTES), vars), name });
  const services = [
    { name: "router", modules: [{ name: "router.mjs", type: "esModule", text: ROUTER }], services: { FIRST: "first", SECOND: "second" } },
    named("first"),
    { ...named("second"), keeper: "first" },
  ];
  gate = await startWorkerd(services);
  url = `${gate.url}/paid`;
});
after(async () => {
  await gate?.stop();
  await node?.stop();
  await origin?.stop();
});

const read = async (response) => ({ status: response.status, receipt: decode(response.headers.get("payment-response")), text: await response.text() });

/** How many answers of each status there are. */
function tally(answers) {
  const counts = new Map();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} × ${status}`).join(", ");
}


test(`S-128 F-29 ${COPIES} copies of a payment at once are one purchase, ${ROUNDS} times, on two isolates`, async () => {
  const began = Date.now();
  const all = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = await freshPayer();
    const init = round % 2 ? { method: "POST", body: "x" } : {};
    const paid = await payment(await challenge(url, init), key);
    origin.seen.length = node.sent.length = 0;
    const answers = await Promise.all(Array.from({ length: COPIES }, async () => read(await present(url, paid, init))));
    const served = answers.filter(({ status }) => status === 200);
    assert.ok(served.length >= 1, tally(answers));
    for (const { receipt, text } of served) assert.deepEqual([receipt.transaction, text], [served[0].receipt.transaction, "served /paid"]);
    // The others are told that it is being worked on, never to pay anew.
    for (const { status, text } of answers) if (status !== 200) assert.deepEqual([status, JSON.parse(text).error], [409, "duplicate_payment"]);
    assert.deepEqual([origin.seen.length, node.sent.length], [1, 1]);
    assert.equal(await balanceOf(chain.rpc, chain.asset, privateKeyToAccount(key).address), 1_000_000n - PRICE);
    all.push(...answers);
  }
  console.log(`  ${ROUNDS} rounds of ${COPIES}: ${tally(all)}; ${((Date.now() - began) / 1000).toFixed(1)} s`);
});

test(`S-190 F-23 ${DIFFERENT} different payments at once all settle, once each`, async () => {
  const keys = await payers(50);
  const required = await challenge(url);
  const payments = await Promise.all(Array.from({ length: DIFFERENT }, (_, i) =>
    payment(required, keys[i % keys.length], { authorization: { validBefore: String(seconds() + 280) } }),
  ));
  origin.seen.length = node.sent.length = 0;
  const first = Number(await transactionCount(chain.rpc, relayer));
  const began = Date.now();
  const answers = await Promise.all(payments.map(async (paid) => read(await present(url, paid))));
  const took = (Date.now() - began) / 1000;
  // Who had to wait too long asks again with the same payment.
  const ends = await Promise.all(answers.map(async (answer, i) => {
    for (let tries = 0; answer.status !== 200 && tries < 60; tries += 1) {
      assert.notEqual(answer.status, 402);
      answer = await read(await present(url, payments[i]));
    }
    return answer;
  }));
  assert.equal(tally(ends), `${DIFFERENT} × 200`);
  assert.equal(new Set(ends.map(({ receipt }) => receipt.transaction)).size, DIFFERENT);
  const sent = new Set(node.sent).size;
  assert.deepEqual([sent, Number(await transactionCount(chain.rpc, relayer)) - first], [DIFFERENT, DIFFERENT]);
  for (const key of keys) {
    const left = await balanceOf(chain.rpc, chain.asset, privateKeyToAccount(key).address);
    assert.equal(left, 1_000_000n - PRICE * BigInt(DIFFERENT / keys.length));
  }
  console.log(`  ${DIFFERENT} different payments: ${tally(answers)} at once; ${took.toFixed(1)} s, ${origin.seen.length} executions`);
  assert.equal(origin.seen.length, DIFFERENT);
});
