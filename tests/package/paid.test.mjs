// The package against the real gate, chain and origin: what it says was paid is what moved.
import assert from "node:assert/strict";
import { test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";
import { createPayer, wrapFetchWithPayment } from "x402-wasm";
import { balanceOf, transfersIn } from "../support/chain.mjs";
import { world as fromEnv } from "../support/world.mjs";
import { provider } from "./lib/signer.mjs";

const world = fromEnv();
const { gate, rpc, asset, payTo, payer: { address, privateKey } } = world;
const price = { "/quote": 10_000n, "/report": 50_000n, "/article": 20_000n, "/stream": 30_000n };

/** Runs a call and answers with what it moved from the payer to the seller. */
async function moved(call) {
  const balances = () => Promise.all([address, payTo].map((account) => balanceOf(rpc, asset, account)));
  const before = await balances();
  const outcome = await call();
  const after = await balances();
  assert.equal(before[0] - after[0], after[1] - before[1]);
  return { outcome, amount: after[1] - before[1] };
}

/** The receipt names the one transfer of its transaction. */
async function proven(receipt, amount) {
  assert.deepEqual([receipt.success, receipt.consistent, receipt.amount], [true, true, String(amount)]);
  const same = { asset: asset.toLowerCase(), from: address.toLowerCase(), to: payTo.toLowerCase(), value: amount };
  assert.deepEqual(await transfersIn(rpc, receipt.transaction), [same]);
}

const wallets = {
  "a private key": () => ({ privateKey }),
  "a viem account": () => privateKeyToAccount(privateKey),
  "an EIP-1193 provider": () => provider({}, privateKeyToAccount(privateKey)),
};

for (const [name, wallet] of Object.entries(wallets)) {
  test(`${name} pays for a quote`, async () => {
    const payer = await createPayer({ wallet: wallet() });
    const { outcome, amount } = await moved(() => payer.fetch(`${gate}/quote`));
    assert.equal(outcome.status, 200);
    assert.equal((await outcome.json()).symbol, "ETH-USD");
    assert.equal(amount, price["/quote"]);
    await proven(payer.receipt(outcome), amount);
  });
}

test("a posted body arrives once it is paid for", async () => {
  const payer = await createPayer({ wallet: wallets["a private key"]() });
  const { outcome, amount } = await moved(() => payer.fetch(`${gate}/report`, { method: "POST", body: "é and more" }));
  assert.match(await outcome.text(), /é and more/);
  assert.equal(amount, price["/report"]);
});

test("a wrapped fetch pays, and a body that arrives in pieces is read as it comes", async () => {
  const payer = await createPayer({ wallet: wallets["a private key"]() });
  const { outcome, amount } = await moved(() => wrapFetchWithPayment(fetch, payer)(`${gate}/stream`));
  let pieces = 0;
  for await (const piece of outcome.body) pieces += piece.length > 0;
  assert.ok(pieces > 1);
  assert.equal(amount, price["/stream"]);
  await proven(payer.receipt(outcome), amount);
});

test("what is free costs nothing, and a failure of the origin costs nothing", async () => {
  const payer = await createPayer({ wallet: wallets["a private key"]() });
  const free = await moved(() => payer.fetch(`${gate}/free`));
  assert.deepEqual([free.outcome.status, free.amount, payer.receipt(free.outcome)], [200, 0n, undefined]);
  const failed = await moved(() => payer.fetch(`${gate}/fails`));
  assert.deepEqual([failed.outcome.status, failed.amount], [500, 0n]);
  assert.notEqual(payer.receipt(failed.outcome)?.success, true);
});

test("explain says what fetch then does", async () => {
  const payer = await createPayer({ wallet: wallets["a private key"](), policy: { maxPerPayment: "$0.015" } });
  const told = { cheap: await payer.explain(`${gate}/quote`), dear: await payer.explain(`${gate}/article`), free: await payer.explain(`${gate}/free`) };
  assert.deepEqual([told.cheap.wouldPay, told.dear.wouldPay, told.dear.reason, told.free.wouldPay], [true, false, "payer_over_cap", false]);
  const { amount } = await moved(async () => {
    await assert.rejects(payer.fetch(`${gate}/article`), { code: "payer_over_cap" });
    assert.equal((await payer.fetch(`${gate}/quote`)).status, 200);
  });
  assert.equal(amount, price["/quote"]);
});

test("many payments at once are as many transfers", async () => {
  const payer = await createPayer({ wallet: wallets["a private key"]() });
  const { outcome, amount } = await moved(() => Promise.all(Array.from({ length: 5 }, () => payer.fetch(`${gate}/quote`))));
  assert.deepEqual(outcome.map(({ status }) => status), Array(5).fill(200));
  assert.equal(amount, 5n * price["/quote"]);
  assert.equal(new Set(outcome.map((response) => payer.receipt(response).transaction)).size, 5);
});
