// Purchases with a name, by a payment identifier or an idempotency key: done again, they are not bought again.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";

import { config, freshKey, remote, startGate } from "./lib/gate.mjs";
import { challenge, decode, payment, present } from "./lib/pay.mjs";
import { startFacilitator, startOrigin } from "./lib/servers.mjs";

const ROUTES = [
  { match: "POST /order", price: "$0.01", identifier: "optional" },
  { match: "POST /must", price: "$0.01", identifier: "required" },
  { match: "GET /plain", price: "$0.01" },
];
const ORDER = { method: "POST", body: "one of each" };

let origin, facilitator, gate;
before(async () => {
  [origin, facilitator] = await Promise.all([startOrigin(), startFacilitator()]);
  gate = await startGate(config(origin, remote(facilitator), ROUTES));
});
beforeEach(() => {
  origin.answer = undefined;
  origin.seen.length = facilitator.asked.length = 0;
});
after(() => Promise.all([gate?.stop(), origin?.stop(), facilitator?.stop()]));

const at = (path) => `${gate.url}${path}`;
const fresh = () => `pay_${randomUUID().replaceAll("-", "")}`;

/** A payment with a name beside what the server said of names. */
async function named(path, key, id, init = ORDER) {
  const required = await challenge(at(path), init);
  const { info, ...rest } = required.extensions["payment-identifier"];
  return payment(required, key, { more: { extensions: { "payment-identifier": { ...rest, info: { ...info, id } } } } });
}
const said = async (answer) => [answer.status, answer.headers.get("payment-response"), await answer.text()];
const code = async (answer) => [answer.status, (await answer.json()).error];

test("S-082 the terms say whether a name may or must be given", async () => {
  const { extensions } = await challenge(at("/order"), ORDER);
  assert.deepEqual(extensions["payment-identifier"].info, { required: false });
  assert.equal((await challenge(at("/must"), ORDER)).extensions["payment-identifier"].info.required, true);
  assert.equal((await challenge(at("/plain"))).extensions, undefined);
});

test("S-082 another payment under the same name gets the first one's answer and is not charged", async () => {
  const [key, id] = [freshKey(), fresh()];
  const first = await said(await present(at("/order"), await named("/order", key, id), ORDER));
  assert.equal(first[0], 200);
  const again = await said(await present(at("/order"), await named("/order", key, id), ORDER));
  assert.deepEqual(again, first);
  assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [1, 1]);
});

test("S-082 copies under one name at once, each with a payment of its own, buy once", async () => {
  const [key, id] = [freshKey(), fresh()];
  const payments = await Promise.all(Array.from({ length: 10 }, () => named("/order", key, id)));
  const answers = await Promise.all(payments.map(async (paid) => said(await present(at("/order"), paid, ORDER))));
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.deepEqual([answers[0][0], origin.seen.length, facilitator.count("/settle")], [200, 1, 1]);
});

test("S-082 a name is bound to its request", async () => {
  const [key, id] = [freshKey(), fresh()];
  assert.equal((await present(at("/order"), await named("/order", key, id), ORDER)).status, 200);
  const other = { ...ORDER, body: "two of each" };
  const answer = await present(at("/order"), await named("/order", key, id), other);
  assert.deepEqual(await code(answer), [409, "gate_identifier_conflict"]);
  assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [1, 1]);
});

test("S-082 a purchase that came to nothing leaves its name to the next payment", async () => {
  const [key, id] = [freshKey(), fresh()];
  origin.answer = (_, response) => response.writeHead(500).end();
  assert.equal((await present(at("/order"), await named("/order", key, id), ORDER)).status, 500);
  origin.answer = undefined;
  assert.equal((await present(at("/order"), await named("/order", key, id), ORDER)).status, 200);
  assert.equal(facilitator.count("/settle"), 1);
});

test("S-082 a name that must be given, and one that cannot be read", async () => {
  const key = freshKey();
  const bare = await payment(await challenge(at("/must"), ORDER), key);
  assert.deepEqual(await code(await present(at("/must"), bare, ORDER)), [400, "gate_identifier_required"]);
  for (const id of ["a".repeat(15), "a".repeat(129), "with a blank in it", 7, null]) {
    const answer = await present(at("/must"), await named("/must", key, id), ORDER);
    assert.deepEqual(await code(answer), [400, "gate_invalid_identifier"], String(id));
  }
  for (const id of ["a".repeat(16), "a".repeat(128)]) {
    assert.equal((await present(at("/must"), await named("/must", key, id), ORDER)).status, 200);
  }
});

test("S-081 what the server said of its extension comes back as it was, and what it said nothing of is nobody's", async () => {
  const required = await challenge(at("/must"), ORDER);
  const tried = async (extensions) => present(at("/must"), await payment(required, freshKey(), { more: { extensions } }), ORDER);
  const of = (info) => ({ "payment-identifier": { info } });
  for (const bent of [of({ required: false, id: fresh() }), of({ id: fresh() }), of(null), { "payment-identifier": {} }]) {
    const answer = await tried(bent);
    assert.deepEqual([answer.status, decode(answer.headers.get("payment-required")).error], [402, "extension_echo_mismatch"], JSON.stringify(bent));
  }
  assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0]);
  // Our answer to an extension that was not offered is the reference's: it means nothing, and the payment is served.
  assert.equal((await tried({ ...of({ required: true, id: fresh() }), unknown: { info: { pay: "nothing" } } })).status, 200);
});

test("S-140 a name is its payer's own", async () => {
  const id = fresh();
  for (const key of [freshKey(), freshKey()]) {
    assert.equal((await present(at("/order"), await named("/order", key, id), ORDER)).status, 200);
  }
  assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [2, 2]);
});

test("an Idempotency-Key is such a name", async () => {
  const key = freshKey();
  const init = { ...ORDER, headers: { "idempotency-key": "order 17" } };
  const pay = async (path = "/order", with_ = init) => present(at(path), await payment(await challenge(at(path), with_), key), with_);
  const first = await said(await pay());
  assert.equal(first[0], 200);
  assert.deepEqual(await said(await pay()), first);
  assert.deepEqual(await code(await pay("/order", { ...init, body: "other" })), [409, "gate_identifier_conflict"]);
  assert.deepEqual(await code(await pay("/order", { ...ORDER, headers: { "idempotency-key": "k".repeat(256) } })), [400, "gate_invalid_identifier"]);
  assert.equal((await pay("/must", { ...ORDER, headers: { "idempotency-key": "must 1" } })).status, 200);
  assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [2, 2]);
});

test("S-080 one payment, another request", async () => {
  const key = freshKey();
  const paid = await payment(await challenge(at("/order"), ORDER), key);
  assert.equal((await present(at("/order"), paid, ORDER)).status, 200);
  const changed = { ...ORDER, body: "everything" };
  assert.deepEqual(await code(await present(at("/order"), paid, changed)), [409, "gate_payment_conflict"]);
  assert.deepEqual(await code(await present(`${at("/order")}?rush=1`, paid, ORDER)), [409, "gate_payment_conflict"]);
  assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [1, 1]);
});

test("a body that is larger than the gate reads is refused before anything is done", async () => {
  const small = await startGate(config(origin, remote(facilitator), ROUTES, { ledger: { requestBytes: 16 } }));
  try {
    const url = `${small.url}/order`;
    const paid = await payment(await challenge(url, ORDER), freshKey());
    const answer = await present(url, paid, { method: "POST", body: "seventeen letters" });
    assert.deepEqual(await code(answer), [413, "gate_request_too_large"]);
    assert.deepEqual([origin.seen.length, facilitator.count("/verify")], [0, 0]);
  } finally {
    await small.stop();
  }
});
