// What a server took and never confirmed, asked of a real chain when it has ended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFunctionData, parseAbi } from "viem";
import { createPayer, decodePayment } from "x402-wasm";
import { memoryStore } from "x402-wasm/stores";
import { authorizationState, transact } from "../support/chain.mjs";
import { startPrivate } from "../workerd/lib/private.mjs";
import { challenge, offer, payments, serve, terms, USDC } from "./lib/seller.mjs";
import { KEY } from "./lib/signer.mjs";

const NETWORK = "eip155:84532";
const ABI = parseAbi(["function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"]);

test("S-278 a payment that was sent in vain is given back by the chain alone, and one that moved in secret is not", async (t) => {
  const chain = await startPrivate();
  t.after(() => chain.stop());
  const privateKey = await chain.payer();
  // A seller that takes payments and says nothing.
  const silent = await serve((request, response) => (request.headers["payment-signature"] ? response.end() : challenge(response, terms([offer()]))));
  t.after(() => silent.stop());
  const payer = await createPayer({
    wallet: { privateKey }, store: memoryStore(), rpc: { [NETWORK]: chain.rpc }, policy: { budgets: [{ max: "$0.02", per: "ever" }] },
  });
  const left = async () => (await payer.spent())[0].left;
  await payer.fetch(silent.url);
  await payer.fetch(silent.url);
  assert.equal(await left(), "0");
  assert.equal(await payer.reconcile(), 0, "the chain has not come to their end");

  // One of them is settled behind the payer's back.
  const { payload: { authorization: of, signature } } = decodePayment(payments(silent)[0].headers["payment-signature"]);
  const args = [of.from, of.to, BigInt(of.value), BigInt(of.validAfter), BigInt(of.validBefore), of.nonce, signature];
  await transact(chain.rpc, { to: USDC, data: encodeFunctionData({ abi: ABI, args }) });

  await chain.own("anvil_mine", "0x1", "0x0");
  assert.equal(await payer.reconcile(), 0);
  await assert.rejects(payer.fetch(silent.url), { code: "payer_over_budget" });
  // A hundred blocks of a minute later both are past their end in a final block.
  await chain.own("anvil_mine", "0x64", "0x3c");
  assert.equal(await payer.reconcile(), 2);
  assert.equal(await left(), "0.01");
  const told = (await payer.audit.entries()).filter(({ event }) => event === "released" || event === "settled");
  assert.deepEqual(told.map(({ event }) => event).sort(), ["released", "settled"]);
  for (const { event, id } of told) {
    assert.equal(id === of.nonce, event === "settled");
    assert.equal(await authorizationState(chain.rpc, USDC, of.from, id), event === "settled");
  }
  assert.equal(await payer.reconcile(), 0);
  await payer.audit.verify();
});

test("a node that does not answer, or not as a node, is a fault of its own and changes nothing", async (t) => {
  const store = memoryStore();
  for (const body of ["", "no", "{}", '{"result":null}', '{"error":{"message":"no"}}']) {
    const node = await serve((request, response) => response.end(body));
    t.after(() => node.stop());
    const payer = await createPayer({ wallet: { privateKey: KEY }, store, rpc: { [NETWORK]: node.url } });
    await assert.rejects(payer.reconcile(), (error) => error.code === "payer_chain_fault");
  }
  const gone = await createPayer({ wallet: { privateKey: KEY }, store, rpc: { [NETWORK]: "http://127.0.0.1:1" } });
  await assert.rejects(gone.reconcile(), (error) => error.code === "payer_chain_fault");
});

