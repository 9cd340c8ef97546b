// What a relayer does about transactions that are not simply mined: on chains of their own, whose blocks come when the
// test says so. Most of it waits for the relayer's own clock, so everything waits side by side.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { keccak256, parseTransaction, recoverTransactionAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf, fund, snapshot } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, startGate, TOKEN, until } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, present } from "./lib/pay.mjs";
import { startPrivate } from "./lib/private.mjs";
import { startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [{ match: "GET /paid", price: "$0.01" }];
const PRICE = 10_000n;

let origin;
before(async () => {
  origin = await startOrigin();
});
after(() => origin?.stop());

/** Runs a part with a chain, a node in front of it, a gate that settles there, and a payer with a payment. */
async function withRelayer(network, part, { secrets = {}, change } = {}) {
  const own = await startPrivate();
  const node = await startNode(own.rpc);
  const relayer = await own.relayer();
  const all = { RPC_URL: node.url, RELAYER_KEY: relayer, ...secrets };
  const more = { facilitatorApi: { prefix: "/facilitator", token: "secret:FACILITATOR_TOKEN" } };
  const gate = await startGate(config(origin, { ...embedded, ...network }, ROUTES, more), all, { change });
  try {
    const key = await own.payer();
    const payer = privateKeyToAccount(key).address;
    const url = `${gate.url}/paid`;
    const balance = () => balanceOf(own.rpc, chain.asset, payer);
    await part({ own, node, gate, url, key, payer, balance, account: privateKeyToAccount(relayer) });
  } finally {
    await gate.stop();
    await node.stop();
    await own.stop();
  }
}

/** Presents a payment until the gate knows what became of it. */
const served = (url, paid) => until(async () => {
  const answer = await present(url, paid);
  if (answer.status === 200) return answer;
  assert.deepEqual([answer.status, (await answer.json()).error], [503, "settlement_pending"]);
  return undefined;
});

const receiptOf = (answer) => decode(answer.headers.get("payment-response"));
const distinct = (raws) => [...new Set(raws)];

/** A transaction of an account, sent past the relayer. */
async function sendAs(own, account, fields) {
  const fees = { maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 10n ** 10n };
  const raw = await account.signTransaction({ type: "eip1559", chainId: 84532, gas: 200_000n, ...fees, ...fields });
  return own.own("eth_sendRawTransaction", raw);
}

async function replaced() {
  await withRelayer({ bumpAfter: 2 }, async ({ own, node, url, key, balance }) => {
    await own.automine(false);
    const paid = await payment(await challenge(url), key);
    const answer = present(url, paid);
    await node.until(() => distinct(node.sent).length >= 3);
    const [first, second, third] = distinct(node.sent).map((raw) => parseTransaction(raw));
    for (const [one, next] of [[first, second], [second, third]]) {
      assert.deepEqual([next.nonce, next.data, next.to], [one.nonce, one.data, one.to]);
      for (const fee of ["maxFeePerGas", "maxPriorityFeePerGas"]) assert.ok(next[fee] * 8n >= one[fee] * 9n, fee);
    }
    await own.mine();
    const got = await answer;
    assert.equal(got.status, 200);
    const { transaction } = receiptOf(got);
    assert.ok(distinct(node.sent).map((raw) => keccak256(raw)).slice(1).includes(transaction));
    assert.equal(await balance(), 1_000_000n - PRICE);
    // The account goes on behind it.
    await own.automine(true);
    assert.equal((await buy(url, key)).status, 200);
    assert.equal(parseTransaction(node.sent.at(-1)).nonce ?? 0, (first.nonce ?? 0) + 1);
  });
}

async function capped() {
  await withRelayer({ bumpAfter: 1, maxFeePerGas: 4_000_000_000 }, async ({ own, node, url, key, balance }) => {
    await own.automine(false);
    const answer = buy(url, key);
    await node.until(() => node.sent.length >= 12);
    for (const raw of node.sent) assert.ok(parseTransaction(raw).maxFeePerGas <= 4_000_000_000n);
    await own.mine();
    assert.equal((await answer).status, 200);
    assert.equal(await balance(), 1_000_000n - PRICE);
  });
}

async function dropped() {
  await withRelayer({}, async ({ own, node, url, key, balance }) => {
    await own.automine(false);
    const answer = buy(url, key);
    await node.until(() => node.sent.length > 0);
    const [raw] = node.sent;
    await own.pooled(keccak256(raw));
    await own.drop(keccak256(raw));
    await node.until(() => node.sent.length > 1);
    assert.deepEqual(distinct(node.sent), [raw]);
    await own.pooled(keccak256(raw));
    await own.mine();
    assert.equal((await answer).status, 200);
    assert.equal(await balance(), 1_000_000n - PRICE);
  });
}

async function overtaken() {
  await withRelayer({ bumpAfter: 2 }, async ({ own, node, url, key, balance, account }) => {
    await own.automine(false);
    const paid = await payment(await challenge(url), key);
    const answer = present(url, paid);
    await node.until(() => node.sent.length > 0);
    const [raw] = node.sent;
    await own.pooled(keccak256(raw));
    const { nonce = 0 } = parseTransaction(raw);
    await own.drop(keccak256(raw));
    const foreign = await sendAs(own, account, { nonce, to: account.address });
    await own.mine();
    await own.automine(true);
    // A replacement may have come before the foreign one; under the used nonce none of them can be mined.
    assert.equal((await own.receipt(foreign)).status, "0x1");
    await answer;
    const got = await served(url, paid);
    const { transaction } = receiptOf(got);
    const mined = node.sent.find((one) => keccak256(one) === transaction);
    assert.equal(parseTransaction(mined).nonce, nonce + 1);
    assert.deepEqual([await got.text(), await balance()], ["served /paid", 1_000_000n - PRICE]);
    assert.equal((await buy(url, key)).status, 200);
    assert.equal(parseTransaction(node.sent.at(-1)).nonce, nonce + 2);
  });
}

async function preempted() {
  await withRelayer({}, async ({ own, node, url, key, balance }) => {
    await own.automine(false);
    const answer = buy(url, key);
    await node.until(() => node.sent.length > 0);
    const [raw] = node.sent;
    await own.pooled(keccak256(raw));
    const other = privateKeyToAccount(await own.relayer());
    const { data } = parseTransaction(raw);
    const foreign = await sendAs(own, other, { nonce: 0, to: chain.asset, data });
    await own.mine();
    const got = await answer;
    assert.deepEqual([got.status, receiptOf(got).transaction], [200, foreign]);
    assert.equal((await own.receipt(keccak256(raw))).status, "0x0");
    assert.equal(await balance(), 1_000_000n - PRICE);
  });
}

async function confirmed() {
  await withRelayer({ confirmations: 3 }, async ({ own, node, url, key, balance }) => {
    let answered = false;
    const answer = buy(url, key).then((got) => ((answered = true), got));
    await node.until(() => node.sent.length > 0);
    const [raw] = node.sent;
    await own.mined(keccak256(raw));
    const looks = () => node.batches.filter((batch) => batch.includes("eth_getTransactionReceipt")).length;
    const before = looks();
    await node.until(() => looks() >= before + 3);
    await own.mine();
    const after = looks();
    await node.until(() => looks() >= after + 2);
    assert.equal(answered, false);
    await own.mine();
    const got = await answer;
    assert.deepEqual([got.status, receiptOf(got).transaction], [200, keccak256(raw)]);
    assert.deepEqual([distinct(node.sent).length, await balance()], [1, 1_000_000n - PRICE]);
  });
}

async function takenBack() {
  await withRelayer({}, async ({ own, node, url, key, balance }) => {
    const paid = await payment(await challenge(url), key);
    const back = await snapshot(own.rpc);
    const got = await present(url, paid);
    assert.equal(got.status, 200);
    const { transaction } = receiptOf(got);
    await back();
    assert.deepEqual([await own.receipt(transaction), await balance()], [null, 1_000_000n]);
    const sent = node.sent.length;
    await node.until(() => node.sent.length > sent);
    await own.mined(transaction);
    assert.deepEqual([distinct(node.sent).length, await balance()], [1, 1_000_000n - PRICE]);
    const again = await present(url, paid);
    assert.deepEqual([again.status, receiptOf(again).transaction], [200, transaction]);
  });
}

describe("what waits for blocks", { concurrency: true, timeout: 55_000 }, () => {
  const parts = {
    "S-189 a transaction that no block takes is replaced under its nonce, and whichever is mined pays, once": replaced,
    "F-22 a replacement never offers more than the cap": capped,
    "S-188 a transaction that the node dropped is sent again, to the byte": dropped,
    "F-17 a nonce that somebody else used is followed by another for the same authorization, which pays once": overtaken,
    "S-124 an authorization that somebody else settled first is settled, once": preempted,
    "S-187 settled is as many blocks deep as the configuration says": confirmed,
    "F-20 a settlement that the chain takes back is sent again, to the byte": takenBack,
  };
  for (const [name, part] of Object.entries(parts)) test(name, part);
});

/** A gate whose entry also tells how a relayer is doing, as the endpoints of those who run a gate ask for it. */
const telling = (text) => (service) => {
  const entry = "  fetch(request, env, context) {\n";
  assert.equal(text.split(entry).length, 2);
  const ask = `${entry}    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/__status") {
      const [network, relayer] = [searchParams.get("network"), searchParams.get("relayer")];
      const object = env.RELAYER.get(env.RELAYER.idFromName(network + ":" + relayer));
      return object.status(network, relayer).then((status) => new Response(status));
    }
`;
  service.modules[0] = { name: "index.mjs", type: "esModule", text: text.replace(entry, ask) };
  return service;
};

test("S-191 a relayer knows what it holds and what it waits for", async () => {
  const change = telling(await readFile(new URL("../../worker/index.mjs", import.meta.url), "utf8"));
  await withRelayer({ lowBalance: String(10n ** 17n) }, async ({ own, gate, url, key, node, account }) => {
    const query = new URLSearchParams({ network: chain.network, relayer: account.address });
    const status = async () => (await fetch(`${gate.url}/__status?${query}`)).json();
    const idle = await status();
    assert.deepEqual(idle, { address: account.address, balance: String(10n ** 18n), pending: 0, oldest: null, low: false });
    await fund(own.rpc, account.address, 5n * 10n ** 16n);
    assert.equal((await buy(url, key)).status, 200);
    const low = await status();
    assert.deepEqual([low.low, low.balance, low.pending], [true, String(5n * 10n ** 16n), 0]);
    assert.ok(gate.log().includes("relayer_low"), gate.log());
    await own.automine(false);
    const answer = buy(url, key);
    await node.until(() => node.sent.length > 1);
    const waiting = await status();
    assert.deepEqual([waiting.pending, typeof waiting.oldest], [1, "number"]);
    await own.mine();
    assert.equal((await answer).status, 200);
    assert.equal((await status()).pending, 0);
  }, { change });
});

test("several keys share the payments; each payment keeps its own key, and each key its nonces", async () => {
  const second = freshKey();
  const network = { relayer: ["secret:RELAYER_KEY", "secret:SECOND"] };
  await withRelayer(network, async ({ own, node, gate, url, key, account, balance }) => {
    const addresses = [account.address, privateKeyToAccount(second).address];
    await fund(own.rpc, addresses[1]);
    const required = await challenge(url);
    const payments = await Promise.all(Array.from({ length: 24 }, () => payment(required, key)));
    const answers = await Promise.all(payments.map((paid) => present(url, paid)));
    assert.deepEqual(answers.map(({ status }) => status), Array(24).fill(200));
    assert.equal(await balance(), 1_000_000n - 24n * PRICE);
    const nonces = new Map(addresses.map((address) => [address, []]));
    for (const raw of node.sent) {
      nonces.get(await recoverTransactionAddress({ serializedTransaction: raw })).push(parseTransaction(raw).nonce ?? 0);
    }
    for (const [address, used] of nonces) {
      assert.ok(used.length > 2, address);
      assert.deepEqual(used, used.map((_, at) => at));
    }
    const again = await Promise.all(payments.map((paid) => present(url, paid)));
    assert.deepEqual(again.map((answer) => receiptOf(answer).transaction), answers.map((answer) => receiptOf(answer).transaction));
    assert.equal(node.sent.length, 24);
    // Neither may be the payer, and whoever asks may know both.
    const headers = { authorization: `Bearer ${TOKEN}` };
    const { kinds, signers } = await (await fetch(`${gate.url}/facilitator/supported`, { headers })).json();
    assert.deepEqual([signers["eip155:*"], kinds.length], [addresses, 2]);
    const barred = await buy(url, second);
    assert.equal(decode(barred.headers.get("payment-required")).error, "facilitator_payer_not_allowed");
  }, { secrets: { SECOND: second } });
});
