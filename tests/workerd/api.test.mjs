// The gate as somebody else's facilitator: POST /verify, POST /settle, GET /supported, against the real chain.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf } from "../support/chain.mjs";
import { chain, config, embedded, freshPayer, raw, startGate, TOKEN } from "./lib/gate.mjs";
import { challenge, payment, paymentV1 } from "./lib/pay.mjs";
import { startNode, startOrigin } from "./lib/servers.mjs";

const API = { facilitatorApi: { prefix: "/facilitator", token: "secret:FACILITATOR_TOKEN" } };

let origin, node, gate, key, payer, required, terms;
before(async () => {
  origin = await startOrigin();
  node = await startNode(chain.rpc);
  gate = await startGate(config(origin, embedded, [{ match: "GET /paid", price: "$0.01" }], API), { RPC_URL: node.url });
  key = await freshPayer();
  payer = privateKeyToAccount(key).address;
  required = await challenge(`${gate.url}/paid`);
  terms = await (await fetch(`${gate.url}/paid`)).json();
});
after(async () => {
  await gate?.stop();
  await node?.stop();
  await origin?.stop();
});
beforeEach(() => {
  node.sent.length = 0;
  node.batches.length = 0;
  node.meddle = node.after = undefined;
});

const call = (endpoint, body, init = {}) =>
  fetch(`${gate.url}/facilitator/${endpoint}`, {
    method: body === undefined ? "GET" : "POST",
    body: typeof body === "string" || body === undefined ? body : JSON.stringify(body),
    ...init,
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...init.headers },
  });

async function message(bend) {
  const paymentPayload = await payment(required, key, bend);
  return { x402Version: 2, paymentPayload, paymentRequirements: required.accepts[0] };
}

async function says(endpoint, body, status, expected) {
  const answer = await call(endpoint, body);
  assert.deepEqual([answer.status, await answer.json()], [status, expected]);
  assert.equal(answer.headers.get("cache-control"), "no-store");
}

test("supported names schemes, networks of both versions and the relayer", async () => {
  await says("supported", undefined, 200, {
    kinds: [
      { x402Version: 2, scheme: "exact", network: chain.network },
      { x402Version: 1, scheme: "exact", network: "base-sepolia" },
    ],
    extensions: [],
    signers: { "eip155:*": [gate.relayer] },
  });
});

test("S-205 without the token nobody is answered", async () => {
  for (const authorization of ["", "Bearer", `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(0, -1)}`, `bearer: ${TOKEN}`, TOKEN]) {
    for (const [endpoint, body] of [["verify", {}], ["settle", {}], ["supported", undefined]]) {
      const answer = await call(endpoint, body, { headers: { authorization } });
      assert.equal(answer.status, 401, `${endpoint} ${authorization}`);
      assert.equal(answer.headers.get("www-authenticate"), "Bearer");
      assert.ok(!(await answer.text()).includes(TOKEN));
    }
  }
  assert.deepEqual(node.batches, []);
});

test("another method or path is none of the endpoints", async () => {
  assert.equal((await call("verify", undefined)).status, 405);
  assert.equal((await call("supported", {})).status, 405);
  assert.equal((await call("elsewhere", {})).status, 404);
});

test("valid and invalid payments are answered alike, and nothing is sent", async () => {
  await says("verify", await message(), 200, { isValid: true, payer });
  const wrong = await message({ authorization: { value: "1" } });
  await says("verify", wrong, 200, { isValid: false, invalidReason: "invalid_exact_evm_payload_authorization_value_mismatch", payer });
  const elsewhere = await message();
  elsewhere.paymentRequirements = { ...elsewhere.paymentRequirements, network: "eip155:8453" };
  await says("verify", elsewhere, 200, { isValid: false, invalidReason: "invalid_network" });
  assert.equal(node.sent.length, 0);
});

test("a payment of version 1 is verified and settled in version 1", async () => {
  const body = { x402Version: 1, paymentPayload: await paymentV1(terms, key), paymentRequirements: terms.accepts[0] };
  await says("verify", body, 200, { isValid: true, payer });
  const settled = await (await call("settle", body)).json();
  assert.deepEqual([settled.success, settled.network, settled.payer], [true, "base-sepolia", payer]);
});

test("a body that cannot be read is a 400 in the shape of its endpoint", async () => {
  const { paymentPayload, ...rest } = await message();
  for (const body of ["", "{", "null", "[]", rest, { ...rest, paymentPayload: null }, { ...rest, paymentPayload: {} }, `{"x402Version":2,"x402Version":2}`]) {
    await says("verify", body, 400, { isValid: false, invalidReason: "invalid_payload" });
    await says("settle", body, 400, { success: false, errorReason: "invalid_payload", transaction: "", network: "" });
  }
  assert.deepEqual(node.batches, []);
});

test("S-212 a large body is refused, also one without a length", async () => {
  assert.equal((await call("verify", "x".repeat(70_000))).status, 413);
  const endless = ["POST /facilitator/verify HTTP/1.1", `Authorization: Bearer ${TOKEN}`, "Transfer-Encoding: chunked"];
  const { status } = await raw(gate.url, endless, `${(70_000).toString(16)}\r\n${"x".repeat(70_000)}\r\n0\r\n\r\n`);
  assert.equal(status, 413);
});

test("S-208 to settle is to verify again", async () => {
  await says("settle", await message({ authorization: { to: payer } }), 200, {
    success: false,
    errorReason: "invalid_exact_evm_recipient_mismatch",
    payer,
    transaction: "",
    network: chain.network,
  });
  const body = await message();
  body.paymentRequirements = { ...body.paymentRequirements, amount: "20000" };
  assert.equal((await (await call("settle", body)).json()).errorReason, "invalid_exact_evm_payload_authorization_value_mismatch");
  assert.equal(node.sent.length, 0);
});

test("S-211 the same settlement asked three times is one transaction and one answer", async () => {
  const body = await message();
  const before = await balanceOf(chain.rpc, chain.asset, payer);
  const answers = [];
  for (let i = 0; i < 3; i += 1) answers.push(await (await call("settle", body)).json());
  assert.equal(answers[0].success, true);
  assert.deepEqual(answers[1], answers[0]);
  assert.deepEqual(answers[2], answers[0]);
  assert.deepEqual([node.sent.length, before - (await balanceOf(chain.rpc, chain.asset, payer))], [1, 10_000n]);
});

test("S-199 F-12 the same settlement asked ten times at once is one transaction", async () => {
  const body = await message();
  const answers = await Promise.all(Array.from({ length: 10 }, async () => (await call("settle", body)).json()));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.deepEqual([answers[0].success, node.sent.length], [true, 1]);
});

test("S-200 S-207 the outcome of a payment is told for that payment only", async () => {
  const body = await message();
  assert.equal((await (await call("settle", body)).json()).success, true);
  // The same payer and nonce, signed for other terms.
  const { nonce } = body.paymentPayload.payload.authorization;
  const other = await payment({ ...required, accepts: [{ ...required.accepts[0], amount: "1" }] }, key, { authorization: { nonce } });
  const answer = await (await call("settle", { x402Version: 2, paymentPayload: other, paymentRequirements: { ...required.accepts[0], amount: "1" } })).json();
  assert.deepEqual([answer.success, answer.errorReason], [false, "invalid_exact_evm_nonce_already_used"]);
  assert.equal(node.sent.length, 1);
});

test("S-214 no URL in a payment or its terms is ever fetched", async () => {
  const trap = await startOrigin();
  try {
    const paid = await payment({ ...required, resource: { url: `${trap.url}/internal`, description: trap.url, iconUrl: `${trap.url}/icon` } }, key, {
      more: { extensions: { bazaar: { info: { input: { type: "http", method: "GET", discoverable: true }, url: `${trap.url}/bazaar` } } } },
    });
    const body = { x402Version: 2, paymentPayload: paid, paymentRequirements: { ...required.accepts[0], resource: trap.url, extra: { ...required.accepts[0].extra, callback: `${trap.url}/callback` } } };
    for (const endpoint of ["verify", "settle"]) assert.equal((await call(endpoint, body)).status, 200, endpoint);
    const again = await payment({ ...required, resource: { url: trap.url } }, key);
    assert.equal((await fetch(`${gate.url}/paid`, { headers: { "payment-signature": Buffer.from(JSON.stringify(again)).toString("base64") } })).status, 200);
    assert.deepEqual(trap.seen, []);
  } finally {
    await trap.stop();
  }
});

test("S-213 a node that fails is a 503 that says only its code", async () => {
  const body = await message();
  node.meddle = () => [{ jsonrpc: "2.0", id: 0, error: { code: -32005, message: "canary" } }];
  await says("verify", body, 503, { isValid: false, invalidReason: "gate_chain_fault", payer });
  await says("settle", body, 503, { success: false, errorReason: "gate_chain_fault", payer, transaction: "", network: chain.network });
});
