// The embedded facilitator on a real chain: what it checks before anybody works, how it sends, and what it does when
// the node between it and the chain fails at the worst moment.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { parseTransaction, recoverTransactionAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf, fund, pause, rpc, transactionCount } from "../support/chain.mjs";
import { chain, config, embedded, freshPayer, freshRelayer, startGate } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, paymentV1, present } from "./lib/pay.mjs";
import { startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [{ match: "GET /paid", price: "$0.01" }];
const PRICE = 10_000n;

let origin, node, gate, url, key, payer;
before(async () => {
  origin = await startOrigin();
  node = await startNode(chain.rpc);
  gate = await startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url });
  url = `${gate.url}/paid`;
  key = await freshPayer(10_000_000n);
  payer = privateKeyToAccount(key).address;
});
after(async () => {
  await gate?.stop();
  await node?.stop();
  await origin?.stop();
});
beforeEach(() => {
  origin.seen.length = 0;
  node.sent.length = 0;
  node.batches.length = 0;
  node.meddle = node.after = origin.answer = undefined;
});

const balance = (owner = payer) => balanceOf(chain.rpc, chain.asset, owner);
const has = (calls, method) => calls.some((call) => call.method === method);
const replace = (calls, replies, method, change) => replies.map((reply, i) => (calls[i].method === method ? change(reply) : reply));

test("a payment of either version moves the price, once", async () => {
  for (const make of [
    async () => payment(await challenge(url), key),
    async () => paymentV1(await (await fetch(url)).json(), key),
  ]) {
    const [mine, theirs] = [await balance(), await balance(chain.payTo)];
    const paid = await make();
    const answer = await present(url, paid);
    assert.equal(answer.status, 200);
    assert.deepEqual([await balance(), await balance(chain.payTo)], [mine - PRICE, theirs + PRICE]);
    const receipt = decode(answer.headers.get("payment-response") ?? answer.headers.get("x-payment-response"));
    const mined = await rpc(chain.rpc, "eth_getTransactionReceipt", [receipt.transaction]);
    assert.deepEqual([receipt.success, receipt.payer, mined.status], [true, payer, "0x1"]);
    assert.equal(mined.from, gate.relayer.toLowerCase());
    const again = await present(url, paid);
    assert.deepEqual([again.status, await again.text()], [200, await answer.text()]);
    assert.equal(await balance(), mine - PRICE);
  }
});

test("one batch asks everything, before the origin is asked anything", async () => {
  origin.answer = (request, response) => {
    assert.equal(node.batches.length, 1);
    origin.usual(request, response);
  };
  assert.equal((await buy(url, key)).status, 200);
});

test("what the chain refuses is refused with the protocol's reason, and nobody works for it", async () => {
  const poor = await freshPayer(PRICE - 1n);
  const cases = { invalid_exact_evm_insufficient_balance: () => buy(url, poor) };
  cases.invalid_exact_evm_transaction_simulation_failed = async () => {
    await pause(chain.rpc, chain.asset);
    try {
      return await buy(url, key);
    } finally {
      await pause(chain.rpc, chain.asset, false);
    }
  };
  for (const [reason, attempt] of Object.entries(cases)) {
    const answer = await attempt();
    assert.equal(answer.status, 402, reason);
    assert.equal(decode(answer.headers.get("payment-required")).error, reason);
  }
  assert.deepEqual([origin.seen.length, node.sent.length], [0, 0]);
});

test("S-183 what is no answer of a node is a fault, never a payment", async () => {
  const bad = {
    html: () => "<html>",
    nothing: () => "",
    "no batch": (replies) => replies[0],
    short: (replies) => replies.slice(1),
    "another id": (replies) => replies.map((reply) => ({ ...reply, id: reply.id + 1 })),
    "one id twice": (replies) => replies.map((reply) => ({ ...reply, id: 0 })),
    null: (replies) => replies.map(({ id }) => ({ jsonrpc: "2.0", id, result: null })),
    "no prefix": (replies) => replies.map((reply) => ({ ...reply, result: typeof reply.result === "string" ? reply.result.slice(2) : reply.result })),
    "2^300": (replies, calls) => replace(calls, replies, "eth_getBalance", (reply) => ({ ...reply, result: `0x1${"0".repeat(75)}` })),
    "an error": (replies) => replies.map(({ id }) => ({ jsonrpc: "2.0", id, error: { code: -32005, message: "limit https://node.test/canary" } })),
    large: (replies) => [{ ...replies[0], more: "x".repeat(300_000) }, ...replies.slice(1)],
    "another chain": (replies, calls) => replace(calls, replies, "eth_chainId", (reply) => ({ ...reply, result: "0x1" })),
  };
  for (const [what, change] of Object.entries(bad)) {
    node.after = change;
    const answer = await buy(url, key);
    const text = await answer.text();
    assert.deepEqual([answer.status, JSON.parse(text).error], [503, "gate_chain_fault"], what);
    assert.ok(answer.headers.has("retry-after") && !text.includes("canary") && !gate.log().includes("canary"), what);
  }
  assert.deepEqual([origin.seen.length, node.sent.length], [0, 0]);
});

test("S-183 replies may come in any order", async () => {
  node.after = (replies) => [...replies].reverse();
  assert.equal((await buy(url, key)).status, 200);
});

test("F-15 where the first node fails, the second is asked", async () => {
  const network = { ...embedded, rpc: ["secret:DEAD", "secret:BROKEN", "secret:RPC_URL"] };
  const broken = await startNode(chain.rpc);
  broken.meddle = (_, response) => void response.writeHead(500).end("oops");
  const sure = await startGate(config(origin, network, ROUTES), { DEAD: "http://127.0.0.1:1", BROKEN: broken.url, RPC_URL: node.url });
  try {
    assert.equal((await buy(`${sure.url}/paid`, key)).status, 200);
    assert.ok(broken.batches.length > 0);
    // What was sent went to a node that answered.
    assert.deepEqual([node.sent.length, broken.sent.length], [1, 0]);
  } finally {
    await sure.stop();
    await broken.stop();
  }
});

test("S-191 F-24 a relayer that cannot pay for gas sells nothing", async () => {
  await fund(chain.rpc, gate.relayer, 1n);
  const answer = await buy(url, key);
  assert.deepEqual([answer.status, (await answer.json()).error], [503, "facilitator_relayer_unavailable"]);
  assert.equal(origin.seen.length, 0);
  await fund(chain.rpc, gate.relayer);
  assert.equal((await buy(url, key)).status, 200);
});

test("S-189 F-22 above the fee cap nothing is sold", async () => {
  const capped = await startGate(config(origin, { ...embedded, maxFeePerGas: 1 }, ROUTES), { RPC_URL: node.url });
  try {
    const answer = await buy(`${capped.url}/paid`, key);
    assert.deepEqual([answer.status, (await answer.json()).error], [503, "facilitator_fee_cap"]);
    assert.equal(origin.seen.length, 0);
  } finally {
    await capped.stop();
  }
});

test("S-127 twenty copies at once are sent once and served once", async () => {
  const paid = await payment(await challenge(url), key);
  const before = await balance();
  const answers = await Promise.all(Array.from({ length: 20 }, () => present(url, paid)));
  assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
  assert.equal(new Set(answers.map((answer) => answer.headers.get("payment-response"))).size, 1);
  assert.deepEqual([node.sent.length, origin.seen.length, before - (await balance())], [1, 1, PRICE]);
});

test("S-190 a hundred payments at once are all mined, with consecutive nonces", async () => {
  const first = Number(await transactionCount(chain.rpc, gate.relayer));
  const required = await challenge(url);
  const payments = await Promise.all(Array.from({ length: 100 }, () => payment(required, key)));
  const before = await balance();
  const answers = await Promise.all(payments.map((paid) => present(url, paid)));
  assert.deepEqual(answers.map(({ status }) => status), Array(100).fill(200));
  assert.equal(before - (await balance()), 100n * PRICE);
  const nonces = node.sent.map((raw) => parseTransaction(raw).nonce ?? 0);
  assert.deepEqual(nonces, Array.from({ length: 100 }, (_, i) => first + i));
  assert.equal(new Set(answers.map((answer) => decode(answer.headers.get("payment-response")).transaction)).size, 100);
});

test("the account may be used from elsewhere between two payments", async () => {
  const relayer = await freshRelayer();
  const account = privateKeyToAccount(relayer);
  const own = await startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url, RELAYER_KEY: relayer });
  const spend = async () => {
    const nonce = Number(await transactionCount(chain.rpc, account.address));
    const raw = await account.signTransaction({ type: "eip1559", chainId: 84532, nonce, to: account.address, gas: 21_000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n });
    await rpc(chain.rpc, "eth_sendRawTransaction", [raw]);
  };
  try {
    assert.equal((await buy(`${own.url}/paid`, key)).status, 200);
    await spend();
    assert.equal((await buy(`${own.url}/paid`, key)).status, 200);
    // And between the plan and the sending of one.
    let refused;
    node.meddle = async (calls) => {
      if (!has(calls, "eth_sendRawTransaction") || refused !== undefined) return undefined;
      refused = "";
      await spend();
    };
    node.after = (replies, calls) => {
      if (has(calls, "eth_sendRawTransaction")) refused ||= replies[0].error?.message;
      return replies;
    };
    node.sent.length = 0;
    assert.equal((await buy(`${own.url}/paid`, key)).status, 200);
    assert.match(refused, /nonce too low|underpriced/i);
    assert.equal(node.sent.length, 2);
  } finally {
    await own.stop();
  }
});

test("a transaction that the node refuses leaves no gap", async () => {
  const first = Number(await transactionCount(chain.rpc, gate.relayer));
  node.meddle = (calls) =>
    has(calls, "eth_sendRawTransaction") ? [{ jsonrpc: "2.0", id: 0, error: { code: -32000, message: "txpool is full" } }] : undefined;
  const answer = await buy(url, key);
  assert.deepEqual([answer.status, (await answer.json()).error], [503, "facilitator_relayer_unavailable"]);
  node.meddle = undefined;
  node.sent.length = 0;
  assert.equal((await buy(url, key)).status, 200);
  assert.equal(parseTransaction(node.sent[0]).nonce ?? 0, first);
});

test("F-16 a send without an answer counts as sent", async () => {
  node.meddle = (calls, response) => {
    if (!has(calls, "eth_sendRawTransaction")) return undefined;
    // It arrives; the answer is lost.
    return rpc(chain.rpc, "eth_sendRawTransaction", calls[0].params).then(() => response.destroy()), null;
  };
  const before = await balance();
  assert.equal((await buy(url, key)).status, 200);
  assert.deepEqual([node.sent.length, before - (await balance())], [1, PRICE]);
});

test("S-193 F-28 a transaction that reverts is a definite failure, and the bought answer stays", async () => {
  const poor = await freshPayer(PRICE);
  const account = privateKeyToAccount(poor).address;
  origin.answer = async (request, response) => {
    // Between verification and settlement the money leaves.
    await rpc(chain.rpc, "anvil_impersonateAccount", [account]);
    await fund(chain.rpc, account);
    const data = `0xa9059cbb${chain.payTo.slice(2).padStart(64, "0")}${PRICE.toString(16).padStart(64, "0")}`;
    await rpc(chain.rpc, "eth_sendTransaction", [{ from: account, to: chain.asset, data }]);
    origin.usual(request, response);
  };
  const answer = await buy(url, poor);
  const receipt = decode(answer.headers.get("payment-response"));
  assert.deepEqual([answer.status, receipt.success, receipt.errorReason], [402, false, "invalid_exact_evm_transaction_failed"]);
  assert.equal((await rpc(chain.rpc, "eth_getTransactionReceipt", [receipt.transaction])).status, "0x0");
  assert.ok(!(await answer.text()).includes("served"));
});

test("S-185 F-19 a receipt without the transfer's events is no payment", async () => {
  for (const keep of [() => false, (log) => log.topics.length === 3 && log.data !== "0x", (log) => log.data === "0x"]) {
    node.after = (replies, calls) =>
      replace(calls, replies, "eth_getTransactionReceipt", (reply) =>
        reply.result ? { ...reply, result: { ...reply.result, logs: reply.result.logs.filter(keep) } } : reply);
    const answer = await buy(url, key);
    const receipt = decode(answer.headers.get("payment-response"));
    assert.deepEqual([answer.status, receipt.errorReason], [402, "invalid_exact_evm_transfer_event_mismatch"]);
  }
});

test("S-335 neither key, signature, payment nor node is in an answer or the log", async () => {
  const secret = await freshRelayer();
  const own = await startGate(config(origin, embedded, ROUTES), { RPC_URL: `${node.url}/canary`, RELAYER_KEY: secret });
  try {
    const paid = await payment(await challenge(`${own.url}/paid`), key);
    const answer = await present(`${own.url}/paid`, paid);
    assert.equal(answer.status, 200);
    await recoverTransactionAddress({ serializedTransaction: node.sent.at(-1) });
    const said = JSON.stringify([...answer.headers]) + (await answer.text()) + own.log();
    for (const one of [secret.slice(2), "canary", paid.payload.signature.slice(2, 40), Buffer.from(JSON.stringify(paid)).toString("base64").slice(0, 60)]) {
      assert.ok(!said.includes(one), one);
    }
    assert.ok(own.log().includes('"outcome":"settled"'), own.log());
  } finally {
    await own.stop();
  }
});
