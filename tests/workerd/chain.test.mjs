// Chains and nodes that are late: one that stands still, one whose clock is behind, two nodes that know different things. Each
// part has a chain of its own, whose blocks and seconds are the test's.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, startGate, until } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, present, seconds } from "./lib/pay.mjs";
import { startPrivate } from "./lib/private.mjs";
import { startFacilitator, startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [
  { match: "GET /paid", price: "$0.01" },
  { match: "GET /before", price: "$0.01", settle: "before" },
  { match: "GET /later", price: "$0.01", settle: { optimistic: "$0.05" } },
];
const PRICE = 10_000n;

let origin;
before(async () => {
  origin = await startOrigin();
});
after(() => origin?.stop());
beforeEach(() => {
  origin.seen.length = 0;
  origin.answer = undefined;
});

/** Runs a part with a chain of its own, nodes before it and a gate that settles there. */
async function withChain(part, { more = {}, nodes: count = 1 } = {}) {
  const own = await startPrivate();
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(own.rpc)));
  const names = nodes.map((_, i) => `NODE_${i}`);
  const secrets = Object.fromEntries(nodes.map(({ url }, i) => [names[i], url]));
  const network = { ...embedded, rpc: names.map((name) => `secret:${name}`), ...more };
  const gate = await startGate(config(origin, network, ROUTES), { ...secrets, RELAYER_KEY: await own.relayer() });
  try {
    const key = await own.payer();
    const balance = () => balanceOf(own.rpc, chain.asset, privateKeyToAccount(key).address);
    await part({ own, nodes, gate, url: `${gate.url}/paid`, key, balance });
  } finally {
    for (const server of [gate, ...nodes, own]) await server.stop();
  }
}

const says = async (answer) => [answer.status, (await answer.json()).error];
const has = (calls, method) => calls.some((call) => call.method === method);
/** What a node says of blocks, as if they had stopped so many seconds ago. */
const old = (age) => (replies, calls) =>
  replies.map((reply, i) => (calls[i].method === "eth_getBlockByNumber" ? { ...reply, result: { ...reply.result, timestamp: `0x${(seconds() - age).toString(16)}` } } : reply));

test("S-197 F-26 on a chain that stands still nothing is sold, under no policy, until it goes on", () => withChain(async ({ own, nodes: [node], gate, key, balance }) => {
  node.after = old(605);
  for (const path of ["/paid", "/before", "/later"]) {
    const answer = await buy(gate.url + path, key);
    assert.ok(answer.headers.has("retry-after"), path);
    assert.deepEqual(await says(answer), [503, "gate_chain_fault"], path);
  }
  assert.deepEqual([origin.seen.length, node.sent.length, await balance()], [0, 0, 1_000_000n]);
  // The same payment, presented while it stands and after, buys once.
  const paid = await payment(await challenge(`${gate.url}/paid`), key);
  assert.equal((await present(`${gate.url}/paid`, paid)).status, 503);
  node.after = undefined;
  await own.mine();
  assert.equal((await present(`${gate.url}/paid`, paid)).status, 200);
  assert.deepEqual([node.sent.length, await balance()], [1, 1_000_000n - PRICE]);
}));

test("S-195 F-25 a node that is behind is not believed as far as it is behind, and tells no failure", () => withChain(async ({ nodes: [ahead, behind], url, key, balance }) => {
  // What the owner allows is what a node may be behind.
  ahead.after = old(101);
  assert.deepEqual(await says(await buy(url, key)), [503, "gate_chain_fault"]);
  ahead.after = old(90);
  assert.equal((await buy(url, key)).status, 200);
  ahead.after = undefined;
  // The one that knows of the transaction stops answering once it has it; the other does not know it yet.
  const paid = await payment(await challenge(url), key);
  let sent = false;
  ahead.after = (replies, calls) => {
    sent ||= has(calls, "eth_sendRawTransaction");
    return replies;
  };
  ahead.meddle = (_, response) => (sent ? (response.destroy(), null) : undefined);
  behind.after = (replies, calls) => replies.map((reply, i) => (calls[i].method === "eth_getTransactionReceipt" ? { ...reply, result: null } : reply));
  const answer = present(url, paid);
  await behind.until(() => behind.batches.filter((batch) => batch.includes("eth_getTransactionReceipt")).length >= 3);
  assert.equal(await balance(), 1_000_000n - 2n * PRICE, "it is on the chain");
  // Then the other has caught up.
  behind.after = undefined;
  const got = await answer;
  assert.equal(got.status, 200);
}, { more: { maxBlockAge: 100 }, nodes: 2 }));

test("S-201 a chain whose clock is behind refuses what is not valid there yet before anybody works for it", () => withChain(async ({ own, nodes: [node], url, key }) => {
  const slow = seconds() - 30;
  await own.own("anvil_setTime", slow);
  await own.own("evm_setNextBlockTimestamp", slow + 1).catch(() => {});
  await own.mine();
  const { timestamp } = await own.own("eth_getBlockByNumber", "latest", false);
  assert.ok(seconds() - Number(timestamp) >= 25, "the chain is behind");
  const required = await challenge(url);
  const now = seconds();
  const early = await payment(required, key, { authorization: { validAfter: String(now - 2), validBefore: String(now + 120) } });
  const answer = await present(url, early);
  assert.deepEqual([answer.status, decode(answer.headers.get("payment-required")).error], [402, "invalid_exact_evm_transaction_simulation_failed"]);
  assert.deepEqual([origin.seen.length, node.sent.length], [0, 0]);
  // As payers sign, a minute back, the two clocks agree.
  const honest = await payment(required, key, { authorization: { validAfter: String(now - 60), validBefore: String(now + 120) } });
  assert.equal((await present(url, honest)).status, 200);
}));

test("S-325 F-44 a paid request asks others a bounded number of times, also where a block takes long", () => withChain(async ({ own, nodes: [node], url, key }) => {
  assert.equal((await buy(url, key)).status, 200);
  const usual = node.batches.length;
  assert.ok(usual <= 6, `${usual} batches where a block comes at once`);
  node.batches.length = 0;
  await own.automine(false);
  const paid = await payment(await challenge(url), key);
  const answer = await present(url, paid);
  assert.deepEqual([answer.status, decode(answer.headers.get("payment-response")).errorReason], [503, "settlement_pending"]);
  // The limit is 50 on the smallest plan, and the relayer that waits is not even the request that was made.
  assert.ok(node.batches.length <= 40, `${node.batches.length} batches where no block comes`);
  await own.automine(true);
  await own.mine();
  assert.equal((await until(async () => {
    const again = await present(url, paid);
    await again.arrayBuffer();
    return again.status === 200 && again;
  })).status, 200);
}));

test("S-325 with others that settle a paid request asks each of them once", async () => {
  const facilitators = await Promise.all([1, 2, 3].map(() => startFacilitator()));
  const gate = await startGate(config(origin, { facilitator: facilitators.map(({ url }) => ({ url })) }, ROUTES));
  try {
    for (const broken of facilitators.slice(0, 2)) broken.say["/verify"] = (_body, _request, response) => void response.writeHead(500).end();
    assert.equal((await buy(`${gate.url}/paid`, freshKey())).status, 200);
    assert.deepEqual(facilitators.map(({ asked }) => asked.length), [1, 1, 2]);
    assert.equal(origin.seen.length, 1);
  } finally {
    for (const server of [gate, ...facilitators]) await server.stop();
  }
});
