// What nodes say, with real chains: enough to pay with or not, and whether a payment moved as the server says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFunctionData, parseAbi } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { createPayer, decodePayment } from "x402-wasm";
import { memoryStore } from "x402-wasm/stores";
import { transact } from "../support/chain.mjs";
import { world as fromEnv } from "../support/world.mjs";
import { freshKey } from "../workerd/lib/gate.mjs";
import { startPrivate } from "../workerd/lib/private.mjs";
import { goods, TARGET, unpaid } from "./lib/hostile.mjs";
import { base64, challenge, honest, offer, payments, serve, terms, USDC } from "./lib/seller.mjs";
import { counting, provider } from "./lib/signer.mjs";

const { gate, rpc, network } = fromEnv();
const { payer: { privateKey } } = fromEnv();
const TRANSFER = parseAbi(["function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"]);
/** The same token on another chain, which only the policy knows. */
const ELSEWHERE = "eip155:31337";
const token = { network: ELSEWHERE, address: USDC, symbol: "USDC", name: "USDC", version: "2", decimals: 6, dollar: true };
const dearer = offer({ network: ELSEWHERE, amount: "20000" });

test("of two offers the one is taken that the account can pay, cheapest first", async (t) => {
  const [here, there] = [await startPrivate(), await startPrivate(31337)];
  t.after(() => Promise.all([here.stop(), there.stop()]));
  const poorHere = await there.payer();
  const seller = await serve((request, response) => (request.headers["payment-signature"] ? response.end() : challenge(response, terms([offer(), dearer]))));
  t.after(() => seller.stop());
  const pay = async (key, nodes) => {
    const payer = await createPayer({ wallet: { privateKey: key }, rpc: nodes, policy: { assets: [token] } });
    const told = await payer.explain(seller.url);
    await payer.fetch(seller.url);
    const entries = await payer.audit.entries();
    assert.equal(entries[0].network, told.offers[told.chosen].network, "what is explained is what is done");
    return entries[0];
  };
  const both = { [network]: here.rpc, [ELSEWHERE]: there.rpc };
  const taken = await pay(poorHere, both);
  assert.deepEqual([taken.network, taken.amount], [ELSEWHERE, "20000"]);
  assert.equal(taken.rules.find(({ rule }) => rule === "balance").sentence, "1 USDC are there, 0.02 are needed");
  assert.equal((await pay(await here.payer(), both)).network, network, "rich in both or in the cheaper one");
  assert.equal((await pay(poorHere, {})).network, network, "nobody was asked");
  assert.equal((await pay(poorHere, { [network]: "http://127.0.0.1:1" })).network, network, "a node that is down says nothing");
  // A node of another chain knows nothing of this one: not what is there, and not what was never used.
  const wrong = { [network]: there.rpc };
  assert.equal((await pay(await here.payer(), wrong)).network, network);
  const payer = await createPayer({ wallet: { privateKey: poorHere }, rpc: wrong });
  await payer.fetch(seller.url);
  await assert.rejects(payer.reconcile(), { code: "payer_chain_fault", message: /another chain/ });
});

test("an account with too little signs nothing, and is told so by name", async (t) => {
  const chain = await startPrivate();
  t.after(() => chain.stop());
  const key = await chain.payer(9_999n);
  const wallet = provider({}, privateKeyToAccount(key));
  const seller = await serve(honest());
  t.after(() => seller.stop());
  const payer = await createPayer({ wallet, rpc: { [network]: chain.rpc } });
  await assert.rejects(payer.fetch(seller.url), (error) => {
    assert.equal(error.code, "payer_insufficient_funds");
    assert.match(error.message, /0\.009999 USDC are there/);
    return true;
  });
  assert.equal(wallet.count("eth_signTypedData_v4"), 0);
  assert.deepEqual((await payer.audit.entries()).map(({ event, code }) => [event, code]), [["refused", "payer_insufficient_funds"]]);
  const told = await payer.explain(seller.url);
  assert.deepEqual([told.wouldPay, told.reason, told.offers[0].rules.at(-1).rule], [false, "payer_insufficient_funds", "balance"]);
  // One unit more is enough.
  const enough = await createPayer({ wallet: { privateKey: await chain.payer(10_000n) }, rpc: { [network]: chain.rpc } });
  assert.equal((await enough.fetch(seller.url)).status, 200);
});

test("I9: what was paid for already is presented again, whatever the account has by now", async (t) => {
  const chain = await startPrivate();
  t.after(() => chain.stop());
  const [key, store] = [await chain.payer(10_000n), memoryStore()];
  let lose = true;
  const seller = await serve((request, response) => {
    const payment = request.headers["payment-signature"];
    if (!payment) return challenge(response, terms([offer()]));
    return lose ? response.destroy() : response.end("goods");
  });
  t.after(() => seller.stop());
  const payer = await createPayer({ wallet: { privateKey: key }, store, rpc: { [network]: chain.rpc } });
  const order = { method: "POST", body: "x", headers: { "idempotency-key": "order-1" } };
  await assert.rejects(payer.fetch(seller.url, order), { code: "payer_network_fault" });
  // It settled, and the account is empty now.
  const { payload: { authorization: of, signature } } = decodePayment(payments(seller)[0].headers["payment-signature"]);
  const args = [of.from, of.to, BigInt(of.value), BigInt(of.validAfter), BigInt(of.validBefore), of.nonce, signature];
  await transact(chain.rpc, { to: USDC, data: encodeFunctionData({ abi: TRANSFER, args }) });
  lose = false;
  assert.equal(await (await payer.fetch(seller.url, order)).text(), "goods");
  assert.equal(new Set(payments(seller).map(({ headers }) => headers["payment-signature"])).size, 1);
  await assert.rejects(payer.fetch(seller.url), { code: "payer_insufficient_funds" });
});

test("a node that is down keeps no other from telling what became of payments", async (t) => {
  const chain = await startPrivate();
  t.after(() => chain.stop());
  const silent = await serve((request, response) => (request.headers["payment-signature"] ? response.end() : challenge(response, terms([offer()]))));
  t.after(() => silent.stop());
  const dead = { "eip155:8453": "http://127.0.0.1:1" };
  const payer = await createPayer({ wallet: { privateKey: await chain.payer() }, rpc: { ...dead, [network]: chain.rpc }, policy: { budgets: [{ max: "$0.01", per: "ever" }] } });
  await payer.fetch(silent.url);
  await chain.own("anvil_mine", "0x64", "0x3c");
  await assert.rejects(payer.reconcile(), { code: "payer_chain_fault" });
  assert.equal((await payer.spent())[0].left, "0.01");
});

test("S-277 a receipt is held against its transaction on the chain", async () => {
  const payer = await createPayer({ wallet: { privateKey }, rpc: { [network]: rpc } });
  const response = await payer.fetch(`${gate}/quote`);
  assert.equal(await payer.confirm(response), "confirmed");
  const { id, transaction } = payer.receipt(response);
  const last = (await payer.audit.entries()).at(-1);
  assert.deepEqual([last.event, last.id, last.transaction], ["confirmed", id, transaction]);
  assert.equal(await payer.reconcile(), 0, "the chain was asked already");
  assert.equal(await payer.confirm(await payer.fetch(`${gate}/free`)), undefined, "nothing was paid");
  await payer.audit.verify();

  // A seller that names somebody else's transaction, and one that names none that there is.
  const settled = (changes) => ({ success: true, transaction, network, ...changes });
  const lying = async (settlement) => {
    const seller = await serve(honest(offer(), { settlement }));
    const answer = await payer.fetch(seller.url);
    await seller.stop();
    return answer;
  };
  const claimed = await lying(settled());
  assert.deepEqual([payer.receipt(claimed).success, payer.receipt(claimed).consistent], [true, true], "its words fit");
  assert.equal(await payer.confirm(claimed), "contradicted");
  const invented = await lying(settled({ transaction: `0x${"cd".repeat(32)}` }));
  assert.equal(await payer.confirm(invented, { seconds: 0 }), "unseen");
  // Who names none is asked about by the authorization itself.
  const silent = await lying({ success: false, errorReason: "no", transaction: "", network });
  assert.equal(await payer.confirm(silent, { seconds: 0 }), "unseen");

  const blind = await createPayer({ wallet: { privateKey } });
  await assert.rejects(blind.confirm(await blind.fetch(`${gate}/quote`)), { code: "payer_invalid_options" });
});

test("S-277 reconcile holds every claim in the log against the chain, once", async () => {
  const store = memoryStore();
  const payer = await createPayer({ wallet: { privateKey }, store, rpc: { [network]: rpc } });
  const first = await payer.fetch(`${gate}/quote`);
  await payer.fetch(`${gate}/quote`);
  const { transaction } = payer.receipt(first);
  const seller = await serve(honest(offer(), { settlement: { success: true, transaction, network } }));
  await payer.fetch(seller.url);
  await seller.stop();
  assert.equal(payments(seller).length, 1);
  assert.equal(await payer.reconcile(), 3);
  const said = (await payer.audit.entries()).filter(({ event }) => event === "confirmed" || event === "contradicted");
  assert.deepEqual(said.map(({ event }) => event), ["confirmed", "confirmed", "contradicted"]);
  const sums = (await payer.audit.summary()).map(({ payments, amount, confirmed }) => [payments, amount, confirmed]);
  assert.deepEqual(sums, [[2, "20000", "20000"], [1, "10000", "0"]]);
  assert.equal(await payer.reconcile(), 0);
  await payer.audit.verify();
});

test("S-278 a payment that moved behind a refusal is found by its authorization", async (t) => {
  const refusing = await serve(async (request, response) => {
    const payment = request.headers["payment-signature"];
    const answer = await fetch(`${gate}/quote`, payment ? { headers: { "payment-signature": payment } } : {});
    const required = answer.headers.get("payment-required");
    await answer.arrayBuffer();
    if (!payment) return challenge(response, required);
    return response.writeHead(200, { "payment-response": base64({ success: false, errorReason: "no", transaction: "", network }) }).end();
  });
  t.after(() => refusing.stop());
  const payer = await createPayer({ wallet: { privateKey }, rpc: { [network]: rpc } });
  const response = await payer.fetch(refusing.url);
  assert.equal(payer.receipt(response).success, false);
  assert.equal(await payer.confirm(response), "confirmed");
});

test("a node that hangs or lies is not waited for, and holds nothing up", async (t) => {
  const wallet = counting(privateKeyToAccount(freshKey()));
  for (const body of ["", "no", '{"result":"0x"}', '{"result":null}', '{"error":{}}']) {
    const node = await serve((request, response) => response.end(body));
    t.after(() => node.stop());
    const calls = [];
    const send = async (url, init) => (url === node.url ? fetch(url, init) : (calls.push(init), (calls.length === 1 ? unpaid() : goods())({ url: TARGET })));
    const payer = await createPayer({ wallet, fetch: send, rpc: { [network]: node.url } });
    assert.equal((await payer.fetch(TARGET)).status, 200, body);
  }
  // Whoever is not waited for is let go of.
  const gone = Promise.withResolvers();
  const given = new AbortController();
  const hangs = await serve((request, response) => new Promise(() => {
    response.on("close", gone.resolve);
    given.abort(new Error("enough"));
  }));
  t.after(() => hangs.stop());
  const asking = async (url, init) => (url === hangs.url ? fetch(url, init) : unpaid()({ url: TARGET }));
  const patient = await createPayer({ wallet, fetch: asking, rpc: { [network]: hangs.url } });
  await assert.rejects(patient.fetch(TARGET, { signal: given.signal }), { message: "enough" });
  await gone.promise;
  const controller = new AbortController();
  const hanging = async (url) => (url === "https://node.example/" ? (controller.abort(new Error("enough")), new Promise(() => {})) : unpaid()({ url: TARGET }));
  const payer = await createPayer({ wallet, fetch: hanging, rpc: { [network]: "https://node.example/" } });
  const before = wallet.signed.length;
  await assert.rejects(payer.fetch(TARGET, { signal: controller.signal }), { message: "enough" });
  assert.equal(wallet.signed.length, before);
});
