// Published values through the package: the same files that the core is held to natively.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as payer from "x402-wasm";
import * as verify from "x402-wasm/verify";
import { checkEip3009, checkSigned } from "./lib/vectors.mjs";

const vector = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));

test("EIP-3009: address, typed data, digest, signature, recovery", () => {
  checkEip3009(payer, vector("eip3009"));
});

test("what is signed is the same to who checks it without a key", () => {
  checkSigned(verify, vector("eip3009"));
});

for (const [entry, x402] of [["x402-wasm", payer], ["x402-wasm/verify", verify]]) {
  test(`${entry}: messages come back as they went in`, () => {
    const { requirements, authorization, signature } = vector("eip3009");
    const required = { x402Version: 2, resource: { url: "https://é.example/€😀" }, accepts: [requirements], extensions: { x: { info: [1] } } };
    assert.deepEqual(x402.decodePaymentRequired(x402.encodePaymentRequired(required)), required);
    assert.equal(Buffer.from(x402.encodePaymentRequired(required), "base64").toString("utf8"), JSON.stringify(required));
    const v1 = { x402Version: 1, accepts: [{ ...requirements, network: "base-sepolia", maxAmountRequired: "1" }] };
    assert.deepEqual(x402.decodePaymentRequired(JSON.stringify(v1)), v1);
    const payment = { x402Version: 2, payload: { authorization, signature }, accepted: requirements };
    assert.deepEqual(x402.decodePayment(x402.encodePayment(payment)), payment);
    const settlement = { success: false, errorReason: "insufficient_funds", transaction: "", network: "eip155:84532" };
    assert.deepEqual(x402.decodeSettlement(x402.encodeSettlement(settlement)), settlement);
  });

  test(`${entry}: a payment is checked without the chain`, () => {
    const { requirements, authorization, signature, address } = vector("eip3009");
    const payment = { x402Version: 2, payload: { authorization, signature }, accepted: requirements };
    const before = Number(authorization.validBefore);
    const verdict = (changed, now = before - 60) => x402.verifyPayment(changed, requirements, now);
    assert.deepEqual(verdict(payment), { isValid: true, payer: address });
    assert.equal(verdict(payment, before).invalidReason, "invalid_exact_evm_payload_authorization_valid_before");
    const other = { ...payment, payload: { authorization: { ...authorization, to: address }, signature } };
    assert.equal(verdict(other).invalidReason, "invalid_exact_evm_signature");
  });
}

test("the entry that checks payments has the payer's functions on messages, and none that knows a key", () => {
  const keyed = ["address", "createPayer", "generatePrivateKey", "injectedWallets", "localKey", "sign", "wrapFetchWithPayment"];
  assert.deepEqual([...Object.keys(verify), ...keyed].toSorted(), Object.keys(payer).toSorted());
  assert.equal(verify.X402Error, payer.X402Error);
  assert.throws(() => verify.recover("0x", "0x"), (error) => error instanceof payer.X402Error && error.code === "invalid_hex");
  assert.throws(() => verify.verifyPayment({ a: 1n }, {}), { name: "X402Error", code: "invalid_payload" });
});

test("fresh keys are keys, and differ", () => {
  const keys = new Set(Array.from({ length: 64 }, () => payer.generatePrivateKey()));
  assert.equal(keys.size, 64);
  for (const key of keys) assert.match(payer.address(key), /^0x[0-9a-fA-F]{40}$/);
  const bytes = Buffer.from(vector("eip3009").privateKey.slice(2), "hex");
  assert.equal(payer.address(new Uint8Array(bytes)), vector("eip3009").address);
});

test("a key that stays inside signs as the function does, and is gone when freed", () => {
  const { privateKey, address, requirements, authorization, signature, digest } = vector("eip3009");
  const key = payer.localKey(privateKey);
  assert.equal(key.address, address);
  assert.equal(key.sign(digest), signature);
  assert.equal(key.signAuthorization(requirements, authorization), signature);
  assert.equal(JSON.stringify(key).includes(privateKey.slice(2)), false);
  key.free();
  assert.throws(() => key.sign(digest), { name: "X402Error", code: "payer_internal" });
});
