// Signatures: one form is good, every other form of the same numbers is not. Run through the gate in workerd, in front
// of a facilitator that is content with everything.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { config, freshKey, remote, startGate } from "./lib/gate.mjs";
import { challenge, decode, payment, present } from "./lib/pay.mjs";
import { startFacilitator, startOrigin } from "./lib/servers.mjs";

const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const P = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn;
const KEY = freshKey();

let origin, facilitator, gate, url, required;
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  gate = await startGate(config(origin, remote(facilitator), [{ match: "GET /paid", price: "$0.01" }]));
  url = `${gate.url}/paid`;
  required = await challenge(url);
});
after(async () => {
  await gate?.stop();
  await facilitator?.stop();
  await origin?.stop();
});
beforeEach(() => {
  facilitator.asked.length = 0;
});

const word = (value) => value.toString(16).padStart(64, "0");
const join = ({ r, s, v }) => `0x${word(r)}${word(s)}${v.toString(16).padStart(2, "0")}`;
const parts = (signature) => ({
  r: BigInt(signature.slice(0, 66)),
  s: BigInt(`0x${signature.slice(66, 130)}`),
  v: Number.parseInt(signature.slice(130), 16),
});

/** A good payment whose signature was changed by a function of its parts, or of its text. */
async function changed(change) {
  const good = await payment(required, KEY);
  const { signature } = good.payload;
  return { ...good, payload: { ...good.payload, signature: change(parts(signature), signature) } };
}

async function refused(payment, what, statuses = [402]) {
  const answer = await present(url, payment);
  assert.ok(statuses.includes(answer.status), `${what}: ${answer.status}`);
  if (answer.status === 402) assert.equal(decode(answer.headers.get("payment-required")).error, "invalid_exact_evm_signature", what);
  assert.equal(facilitator.asked.length, 0, what);
}

test("the signature as it was made is good", async () => {
  assert.equal((await present(url, await changed((_, text) => text))).status, 200);
});

test("S-086 a high s is refused", async () => {
  await refused(await changed(({ r, s, v }) => join({ r, s: N - s, v: v === 27 ? 28 : 27 })), "high s");
  await refused(await changed(({ r, s, v }) => join({ r, s: N - s, v })), "high s, v as it was");
});

test("S-088 v is 27 or 28, or 0 or 1 for them, and the right one", async () => {
  for (const v of [2, 3, 26, 29, 35, 37, 255]) await refused(await changed(({ r, s }) => join({ r, s, v })), `v ${v}`);
  await refused(await changed(({ r, s, v }) => join({ r, s, v: v === 27 ? 28 : 27 })), "the other v");
  assert.equal((await present(url, await changed(({ r, s, v }) => join({ r, s, v: v - 27 })))).status, 200);
});

test("S-089 a compact signature is the same payment as the long one", async () => {
  const compact = ({ r, s, v }) => `0x${word(r)}${word(s | (BigInt(v - 27) << 255n))}`;
  const long = await payment(required, KEY);
  const short = { ...long, payload: { ...long.payload, signature: compact(parts(long.payload.signature)) } };
  let release;
  const held = new Promise((resolve) => (release = resolve));
  origin.answer = (request, response) => held.then(() => origin.usual(request, response));
  const first = present(url, long);
  // The first one is with the origin; the other form of it arrives meanwhile.
  while (facilitator.count("/verify") === 0) await fetch(url).then((answer) => answer.arrayBuffer());
  const second = await present(url, short);
  assert.deepEqual([second.status, (await second.json()).error], [409, "duplicate_payment"]);
  release();
  assert.equal((await first).status, 200);
  origin.answer = undefined;
});

test("S-090 other lengths are refused", async () => {
  for (const bytes of [0, 1, 63, 66, 130, 8 * 1024]) {
    const statuses = bytes > 4096 ? [400, 402, 431] : [402];
    await refused(await changed((_, text) => `0x${text.slice(2).repeat(bytes).slice(0, bytes * 2)}`), `${bytes} bytes`, statuses);
  }
  await refused(await changed((_, text) => text.slice(0, -1)), "half a byte", [400]);
});

test("S-091 degenerate numbers are refused", async () => {
  const numbers = { "r = 0": { r: 0n }, "s = 0": { s: 0n }, "r = n": { r: N }, "s = n": { s: N }, "r = p": { r: P }, "all zero": { r: 0n, s: 0n, v: 0 }, "all ones": { r: 2n ** 256n - 1n, s: 2n ** 256n - 1n, v: 255 } };
  for (const [what, change] of Object.entries(numbers)) await refused(await changed((own) => join({ ...own, ...change })), what);
});

test("S-102 the payer is who signed", async () => {
  const from = privateKeyToAccount(freshKey()).address;
  await refused(await payment(required, KEY, { authorization: { from } }), "another from");
});
