// Whether a payment is for the terms: what is bent in it is refused with the protocol's reason, and never served. The
// facilitator is content with everything: these refusals are the gate's own.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { chain, config, embedded, freshKey, freshPayer, freshRelayer, raw, remote, startGate } from "./lib/gate.mjs";
import { challenge, decode, header, payment, present, seconds, sign } from "./lib/pay.mjs";
import { startFacilitator, startOrigin } from "./lib/servers.mjs";

const KEY = freshKey();
const ADDRESS = privateKeyToAccount(KEY).address;
const OTHER = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
const NO_MATCH = "No matching payment requirements";
const SIGNATURE = "invalid_exact_evm_signature";

let origin, facilitator, gate, url, required;
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  const routes = [
    { match: "GET /paid", price: "$0.01" },
    { match: "GET /dear", price: "$0.02" },
  ];
  gate = await startGate(config(origin, remote(facilitator), routes));
  url = `${gate.url}/paid`;
  required = await challenge(url);
});
after(async () => {
  await gate?.stop();
  await facilitator?.stop();
  await origin?.stop();
});
beforeEach(() => {
  origin.seen.length = 0;
  facilitator.asked.length = 0;
});

/** Refused with the terms and this reason, before anybody was asked. */
async function refused(payment, reason, what, where = url) {
  const answer = await present(where, payment);
  assert.equal(answer.status, 402, what);
  const terms = decode(answer.headers.get("payment-required"));
  assert.equal(terms.error, reason, what);
  assert.equal(terms.accepts.length, 1, what);
  assert.equal(answer.headers.get("payment-response"), null, what);
  assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0], what);
}

const bent = (bend) => payment(required, KEY, bend);
const byAuthorization = (authorization) => bent({ authorization });

test("S-059 the price is paid to the unit", async () => {
  await refused(await bent({ accepted: { amount: "1" }, authorization: { value: "1" } }), NO_MATCH, "own terms");
  for (const value of ["1", "9999", "10001", "0"]) {
    await refused(await byAuthorization({ value }), "invalid_exact_evm_payload_authorization_value_mismatch", value);
  }
});

test("S-061 the recipient is the seller", async () => {
  await refused(await byAuthorization({ to: OTHER }), "invalid_exact_evm_recipient_mismatch", "another recipient");
  await refused(await bent({ accepted: { payTo: OTHER } }), NO_MATCH, "another payTo");
  await refused(await bent({ accepted: { payTo: chain.payTo.toLowerCase() } }), NO_MATCH, "lower-case");
});

test("S-062 the asset is the one offered", async () => {
  await refused(await bent({ accepted: { asset: OTHER } }), NO_MATCH, "another asset");
  await refused(await bent({ domain: { verifyingContract: OTHER } }), SIGNATURE, "signed for another asset");
});

test("S-064 a signature for another chain is none here", async () => {
  await refused(await bent({ domain: { chainId: 8453 } }), SIGNATURE, "chain 8453");
  await refused(await bent({ accepted: { network: "eip155:8453" } }), NO_MATCH, "network 8453");
});

test("S-065 the token's domain is the gate's, not the client's", async () => {
  await refused(await bent({ domain: { name: "Evil" } }), SIGNATURE, "name");
  await refused(await bent({ domain: { version: "1" } }), SIGNATURE, "version");
  const evil = { name: "Evil", version: "9" };
  await refused(await bent({ domain: evil, accepted: { extra: evil } }), NO_MATCH, "own extra");
  await refused(await bent({ domain: { salt: `0x${"11".repeat(32)}` } }), SIGNATURE, "a salt");
});

test("S-067 another scheme's name does not fit", async () => {
  for (const scheme of ["upto", "batch-settlement", "Exact", ""]) {
    await refused(await bent({ accepted: { scheme } }), NO_MATCH, scheme);
  }
});

test("S-069 the timeout is echoed as it was", async () => {
  await refused(await bent({ accepted: { maxTimeoutSeconds: 99_999 } }), NO_MATCH, "longer");
  await refused(await bent({ accepted: { maxTimeoutSeconds: 301 } }), NO_MATCH, "a second longer");
  await refused(await bent({ accepted: { more: 1 } }), NO_MATCH, "one key more");
});

test("extra may be added to, as the reference allows", async () => {
  const answer = await present(url, await bent({ accepted: { extra: { ...required.accepts[0].extra, more: [1] } } }));
  assert.equal(answer.status, 200);
});

test("S-072 what expires soon is expired", async () => {
  for (const left of [-1, 0, 2]) {
    await refused(await byAuthorization({ validBefore: String(seconds() + left) }), "invalid_exact_evm_payload_authorization_valid_before", `${left} s`);
  }
});

test("S-073 what is not valid yet is not valid", async () => {
  await refused(await byAuthorization({ validAfter: String(seconds() + 30) }), "invalid_exact_evm_payload_authorization_valid_after", "in 30 s");
  const window = { validAfter: String(seconds() + 90), validBefore: String(seconds() + 60) };
  await refused(await byAuthorization(window), "invalid_exact_evm_payload_authorization_valid_after", "inverted");
});

test("S-074 validity without an end is refused, and nothing overflows", async () => {
  for (const validBefore of [(2n ** 256n - 1n).toString(), (2n ** 64n).toString(), String(seconds() + 86_400)]) {
    await refused(await byAuthorization({ validBefore }), "invalid_exact_evm_payload_authorization_valid_before", validBefore);
  }
});

test("S-076 nobody, the seller and the relayer are no payers", async () => {
  const relayer = await freshRelayer();
  const own = await startGate(config(origin, embedded, [{ match: "GET /paid", price: "$0.01" }]), { RELAYER_KEY: relayer });
  try {
    const reason = "facilitator_payer_not_allowed";
    await refused(await payment(required, relayer), reason, "the relayer", `${own.url}/paid`);
    const seller = await freshPayer();
    const terms = config(origin, remote(facilitator), [{ match: "GET /paid", price: "$0.01", payTo: privateKeyToAccount(seller).address }]);
    const selling = await startGate(terms);
    try {
      const self = `${selling.url}/paid`;
      await refused(await payment(await challenge(self), seller), reason, "the seller", self);
    } finally {
      await selling.stop();
    }
  } finally {
    await own.stop();
  }
  await refused(await byAuthorization({ from: `0x${"0".repeat(40)}` }), SIGNATURE, "nobody");
});

test("S-078 an address has one form", async () => {
  const good = await bent({});
  const forms = [
    ADDRESS.slice(0, -1) + (ADDRESS.endsWith("0") ? "1" : "0") + "0",
    ADDRESS.slice(0, -1),
    ADDRESS.replace("0x", "0X"),
    ADDRESS.replace("0x", ""),
    ADDRESS.replace(/[a-f]/, (letter) => letter.toUpperCase()),
    "XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS",
  ];
  for (const from of forms) {
    const answer = await present(url, { ...good, payload: { ...good.payload, authorization: { ...good.payload.authorization, from } } });
    assert.equal(answer.status, 400, from);
  }
  const lower = { ...good.payload.authorization, from: ADDRESS.toLowerCase() };
  assert.equal((await present(url, { ...good, payload: { ...good.payload, authorization: lower } })).status, 200);
});

test("S-079 a payment is for its price, wherever it is presented", async () => {
  await refused(await bent({}), NO_MATCH, "the dearer route", `${gate.url}/dear`);
  const dear = await payment(await challenge(`${gate.url}/dear`), KEY);
  await refused(dear, NO_MATCH, "the cheaper route");
});

test("S-083 an offer is matched by its terms, not by a number beside it", async () => {
  for (const acceptIndex of [0, 1, 99, -1, "0", null]) {
    const more = { acceptIndex, offer: { expires: 1, signature: "0x" } };
    await refused(await bent({ accepted: { amount: "1" }, more }), NO_MATCH, String(acceptIndex));
    assert.equal((await present(url, await bent({ more }))).status, 200);
    facilitator.asked.length = origin.seen.length = 0;
  }
});

test("S-015 a payment to one seller is none to another, whatever host it is sent to", async () => {
  const other = config(origin, remote(facilitator), [{ match: "GET /paid", price: "$0.01" }], { payTo: OTHER, publicOrigin: "http://other.test" });
  const theirs = await startGate(other);
  try {
    const place = `${theirs.url}/paid`;
    await refused(await bent({}), NO_MATCH, "as it was made", place);
    await refused(await bent({ accepted: { payTo: OTHER } }), "invalid_exact_evm_recipient_mismatch", "with the other's terms", place);
    await refused(await payment(await challenge(place), KEY), NO_MATCH, "the other way round");
    // A gate is one seller's: whose host a request names changes nothing of what it sells.
    const value = Object.values(header(await bent({})))[0];
    for (const host of ["other.test", "gate.test:80", "127.0.0.1", "evil.test"]) {
      const unpaid = await raw(theirs.url, ["GET /paid HTTP/1.1"], "", host);
      assert.deepEqual(decode(unpaid.headers.get("payment-required")).accepts[0].payTo, OTHER, host);
      const answer = await raw(theirs.url, ["GET /paid HTTP/1.1", `PAYMENT-SIGNATURE: ${value}`], "", host);
      assert.deepEqual([answer.status, decode(answer.headers.get("payment-required")).error], [402, NO_MATCH], host);
    }
    assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0]);
  } finally {
    await theirs.stop();
  }
});

test("S-015 two gates of one seller serve one payment once: the chain knows it", async () => {
  const two = await Promise.all([1, 2].map(() => startGate(config(origin, embedded, [{ match: "GET /paid", price: "$0.01" }]))));
  try {
    const paid = await payment(required, await freshPayer());
    const [first, second] = [await present(`${two[0].url}/paid`, paid), await present(`${two[1].url}/paid`, paid)];
    assert.deepEqual([first.status, second.status], [200, 402]);
    assert.equal(decode(second.headers.get("payment-required")).error, "invalid_exact_evm_nonce_already_used");
    assert.equal(origin.seen.length, 1);
  } finally {
    for (const one of two) await one.stop();
  }
});

test("S-333 no amount and no time is cut to 32 or 64 bits", async () => {
  const highs = [1n << 32n, 1n << 53n, 1n << 64n];
  const routes = highs.map((high, i) => ({ match: `GET /${i}`, price: { amount: String(high + 1n) } }));
  const dear = await startGate(config(origin, remote(facilitator), routes));
  try {
    for (const [i, high] of highs.entries()) {
      const place = `${dear.url}/${i}`;
      const terms = await challenge(place);
      assert.equal(terms.accepts[0].amount, String(high + 1n));
      const tried = (authorization) => payment(terms, KEY, { authorization });
      // Each would be good if the high bits were lost.
      await refused(await tried({ value: "1" }), "invalid_exact_evm_payload_authorization_value_mismatch", "the low bits", place);
      await refused(await tried({ validBefore: String(high + BigInt(seconds() + 60)) }), "invalid_exact_evm_payload_authorization_valid_before", "the end", place);
      await refused(await tried({ validAfter: String(high) }), "invalid_exact_evm_payload_authorization_valid_after", "the start", place);
      assert.equal((await present(place, await tried({}))).status, 200);
      assert.equal(facilitator.asked.at(-1).body.paymentRequirements.amount, String(high + 1n));
      origin.seen.length = facilitator.asked.length = 0;
    }
  } finally {
    await dear.stop();
  }
});

test("S-096 a signature of another type is none", async () => {
  const good = await bent({});
  const signature = await sign(KEY, required.accepts[0], good.payload.authorization, {}, "ReceiveWithAuthorization");
  await refused({ ...good, payload: { ...good.payload, signature } }, SIGNATURE, "ReceiveWithAuthorization");
});
