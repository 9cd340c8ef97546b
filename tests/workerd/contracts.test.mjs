// Payers and tokens that are contracts: wallets that change their mind or were never made, accounts that are delegated, tokens
// that were written to do harm. The chain is real, and what it says counts only for what was asked.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { encodeAbiParameters, parseTransaction } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf, mint, rpc, setCode } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, freshPayer, startGate, TOKEN } from "./lib/gate.mjs";
import { challenge, decode, payment, present } from "./lib/pay.mjs";
import { startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [{ match: "GET /paid", price: "$0.01" }];
const PRICE = 10_000n;
const API = { facilitatorApi: { prefix: "/facilitator", token: "secret:FACILITATOR_TOKEN" } };
const SIGNATURE = "invalid_exact_evm_signature";
const SIMULATION = "invalid_exact_evm_transaction_simulation_failed";

/** A wallet that calls every signature good (EIP-1271) for as long as its first word of storage is zero. */
const WALLET = "0x631626ba7e60e01b600054150260005260206000f3";

let origin, node, gate, url, required;
before(async () => {
  origin = await startOrigin();
  node = await startNode(chain.rpc);
  gate = await startGate(config(origin, { ...embedded, contractWallets: true }, ROUTES, API), { RPC_URL: node.url });
  url = `${gate.url}/paid`;
  required = await challenge(url);
});
after(async () => {
  for (const server of [gate, node, origin]) await server?.stop();
});
beforeEach(() => {
  origin.seen.length = node.sent.length = node.batches.length = 0;
  origin.answer = undefined;
});

const address = () => privateKeyToAccount(freshKey()).address;
const balance = (owner) => balanceOf(chain.rpc, chain.asset, owner);
const refuses = (wallet, on = true) => rpc(chain.rpc, "anvil_setStorageAt", [wallet, `0x${"0".repeat(64)}`, `0x${"0".repeat(63)}${on ? 1 : 0}`]);

/** A wallet that is deployed and holds a dollar. */
async function freshWallet() {
  const wallet = address();
  await setCode(chain.rpc, wallet, WALLET);
  await mint(chain.rpc, chain.asset, wallet, 1_000_000n);
  return wallet;
}

/** Refused with the terms, for this reason, and nobody worked or sent anything for it. */
async function refused(paid, reason, what) {
  const answer = await present(url, paid);
  assert.deepEqual([answer.status, decode(answer.headers.get("payment-required"))?.error], [402, reason], what);
  assert.deepEqual([origin.seen.length, node.sent.length], [0, 0], what);
}

const byWallet = (from, signature = `0x${"ab".repeat(100)}`) => payment(required, freshKey(), { authorization: { from }, signature });

test("S-099 a wallet that says yes to the verification and no to the settlement is not served", async () => {
  const wallet = await freshWallet();
  assert.equal((await present(url, await byWallet(wallet))).status, 200);
  assert.equal(await balance(wallet), 1_000_000n - PRICE);
  origin.answer = async (request, response) => {
    await refuses(wallet);
    origin.usual(request, response);
  };
  const answer = await present(url, await byWallet(wallet));
  const receipt = decode(answer.headers.get("payment-response"));
  assert.deepEqual([answer.status, receipt.success, receipt.errorReason], [402, false, "invalid_exact_evm_transaction_failed"]);
  assert.ok(!(await answer.text()).includes("served"));
  assert.equal(await balance(wallet), 1_000_000n - PRICE);
  origin.answer = undefined;
  origin.seen.length = node.sent.length = 0;
  await refused(await byWallet(wallet), SIMULATION, "once it says no");
});

test("S-100 S-206 a wallet that was never made is not made here: nobody calls what a payer names", async () => {
  const key = await freshPayer();
  const good = await payment(required, key);
  const magic = "6492".repeat(16);
  const data = `0xa9059cbb${address().slice(2).padStart(64, "0")}${PRICE.toString(16).padStart(64, "0")}`;
  const wrap = (signature) => `${encodeAbiParameters([{ type: "address" }, { type: "bytes" }, { type: "bytes" }], [chain.asset, data, signature])}${magic}`;
  const once = wrap(good.payload.signature);
  const forms = { wrapped: once, "wrapped twice": wrap(once), "nothing but the end": `0x${magic}`, "behind a good one": good.payload.signature + magic };
  for (const [what, signature] of Object.entries(forms)) {
    const paid = { ...good, payload: { ...good.payload, signature } };
    await refused(paid, "eip6492_factory_not_allowed", what);
    // By the endpoints for other people's servers too.
    const answers = ["verify", "settle"].map(async (endpoint) => {
      const body = JSON.stringify({ x402Version: 2, paymentPayload: paid, paymentRequirements: required.accepts[0] });
      const answer = await fetch(`${gate.url}/facilitator/${endpoint}`, { method: "POST", body, headers: { authorization: `Bearer ${TOKEN}` } });
      const { invalidReason, errorReason } = await answer.json();
      return invalidReason ?? errorReason;
    });
    assert.deepEqual(await Promise.all(answers), Array(2).fill("eip6492_factory_not_allowed"), what);
    assert.deepEqual([node.batches.length, node.sent.length], [0, 0], what);
  }
  // Cut short it is a wallet's own business, and there is no wallet: the chain is asked, and nothing is sent.
  await refused({ ...good, payload: { ...good.payload, signature: once.slice(0, -2) } }, SIGNATURE, "cut short");
});

test("S-101 for a delegated account the gate says what the token says", async () => {
  const delegate = await freshWallet();
  const key = await freshPayer();
  const payer = privateKeyToAccount(key).address;
  await setCode(chain.rpc, payer, `0xef0100${delegate.slice(2)}`);
  // Its code answers for it now, its key alone does not.
  assert.equal((await present(url, await payment(required, key))).status, 200);
  assert.equal(await balance(payer), 1_000_000n - PRICE);
  await refuses(payer);
  origin.seen.length = node.sent.length = 0;
  await refused(await payment(required, key), SIMULATION, "its code says no");
  await refuses(payer, false);
  await setCode(chain.rpc, payer, `0xef0100${address().slice(2)}`);
  await refused(await payment(required, key), SIMULATION, "its code is nothing");
  await setCode(chain.rpc, payer, "0x");
  assert.equal((await present(url, await payment(required, key))).status, 200);
});

test("S-210 S-354 a token that was made to do harm costs a question and settles nothing", async () => {
  const key = await freshPayer();
  const tokens = {
    "no contract": ["0x", [200, "asset_not_deployed_contract"]],
    "a loop without end": ["0x5b600056", [503, "gate_chain_fault"]],
    "a MiB of nothing": ["0x621000006000f3", [503, "gate_chain_fault"]],
    "one that ends itself": ["0x6000ff", [200, "invalid_exact_evm_eip3009_not_supported"]],
    "one that says nothing": ["0x00", [200, "invalid_exact_evm_eip3009_not_supported"]],
    "one that says true to everything": ["0x600160005260206000f3", [200, "invalid_exact_evm_nonce_already_used"]],
    "one that says nothing to everything": ["0x60206000f3", [200, "invalid_exact_evm_token_name_mismatch"]],
  };
  for (const [what, [code, expected]] of Object.entries(tokens)) {
    const asset = address();
    await setCode(chain.rpc, asset, code);
    const offer = { ...required.accepts[0], asset };
    const paymentPayload = await payment({ ...required, accepts: [offer] }, key);
    for (const endpoint of ["verify", "settle"]) {
      const body = JSON.stringify({ x402Version: 2, paymentPayload, paymentRequirements: offer });
      const answer = await fetch(`${gate.url}/facilitator/${endpoint}`, { method: "POST", body, headers: { authorization: `Bearer ${TOKEN}` } });
      const said = await answer.json();
      assert.deepEqual([answer.status, said.invalidReason ?? said.errorReason, said.isValid ?? said.success], [...expected, false], `${endpoint}: ${what}`);
    }
    assert.equal(node.sent.length, 0, what);
    // At the gate itself no payer names a token.
    await refused(paymentPayload, "No matching payment requirements", what);
  }
});

test("S-336 the relayer holds gas and nothing else: whoever steals its key steals no more", async () => {
  const key = await freshPayer();
  const paid = await payment(required, key);
  const answer = await present(url, paid);
  assert.equal(answer.status, 200);
  const { transaction } = decode(answer.headers.get("payment-response"));
  const { logs, from } = await rpc(chain.rpc, "eth_getTransactionReceipt", [transaction]);
  assert.equal(from, gate.relayer.toLowerCase());
  assert.equal(await balance(gate.relayer), 0n);
  // Nobody allowed it anything, and it has nothing that another could take.
  const topics = logs.map(({ topics: [event] }) => event);
  assert.ok(!topics.includes("0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"), "an approval");
  const word = (value) => value.slice(2).toLowerCase().padStart(64, "0");
  for (const [owner, spender] of [[privateKeyToAccount(key).address, gate.relayer], [chain.payTo, gate.relayer]]) {
    const data = `0xdd62ed3e${word(owner)}${word(spender)}`;
    assert.equal(BigInt(await rpc(chain.rpc, "eth_call", [{ to: chain.asset, data }, "latest"])), 0n);
  }
  for (const raw of node.sent) assert.deepEqual([parseTransaction(raw).value ?? 0n, parseTransaction(raw).to.toLowerCase()], [0n, chain.asset.toLowerCase()]);
});
