// The cases that need nothing but a priced URL and a payer: they run against our gate, and with X402_TARGET (a priced URL)
// and X402_PAY (a key that holds what it costs) against any other. One purchase is made; everything else is refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { base64, challenge, decode, header, payment, present, seconds } from "../workerd/lib/pay.mjs";
import { freshKey, raw } from "../workerd/lib/raw.mjs";
import { startOrigin } from "../workerd/lib/servers.mjs";

let { X402_TARGET: url, X402_PAY: key } = process.env;
let origin, gate, required, place;
before(async () => {
  if (!url) {
    const { config, embedded, freshPayer, startGate } = await import("../workerd/lib/gate.mjs");
    origin = await startOrigin();
    gate = await startGate(config(origin, embedded, [{ match: "GET /paid", price: "$0.01" }]));
    url = `${gate.url}/paid`;
    key = await freshPayer();
  }
  place = new URL(url);
  required = await challenge(url);
});
after(async () => {
  await gate?.stop();
  await origin?.stop();
});

/** A request for the target by hand. */
const request = (lines = [], method = "GET", path = place.pathname + place.search) => raw(place.origin, [`${method} ${path} HTTP/1.1`, ...lines], "", place.host);
const code = async (answer) => decode(answer.headers.get("payment-required"))?.error ?? JSON.parse(typeof answer.text === "function" ? await answer.text() : answer.body).error;

/** Not sold: the terms, and nothing of what is sold. */
function sells(answer, what = "") {
  assert.equal(answer.status, 402, what);
  assert.ok(decode(answer.headers.get("payment-required")).accepts.length > 0, what);
  assert.match(answer.headers.get("cache-control"), /no-store/, what);
  assert.equal(answer.headers.get("payment-response"), null, what);
}

async function refused(bend, status, expected, what = expected) {
  const answer = await present(url, typeof bend === "function" ? await bend() : await payment(required, key, bend));
  assert.equal(answer.status, status, what);
  assert.equal(await code(answer), expected, what);
}

test("S-001 HEAD is not free", async () => {
  const answer = await fetch(url, { method: "HEAD" });
  sells(answer);
  assert.equal(await answer.text(), "");
});

test("S-002 no other method is free", async () => {
  for (const method of ["PUT", "DELETE", "PATCH", "PROPFIND"]) {
    const answer = await fetch(url, { method });
    assert.ok([402, 405].includes(answer.status), `${method}: ${answer.status}`);
    await answer.text();
  }
});

test("S-003 a preflight is answered and sells nothing", async () => {
  const headers = { origin: "https://page.test", "access-control-request-method": "GET", "access-control-request-headers": "payment-signature" };
  const answer = await fetch(url, { method: "OPTIONS", headers });
  assert.equal(answer.status, 204);
  assert.match(answer.headers.get("access-control-allow-headers"), /payment-signature/i);
  assert.equal(await answer.text(), "");
});

test("S-014 S-030 no header changes the price, the resource or the answer", async () => {
  const lies = {
    "x-original-url": "/free", "x-rewrite-url": "/free", "x-forwarded-host": "evil.test", "x-forwarded-proto": "gopher", forwarded: "host=evil.test",
    "x-forwarded-prefix": "/free", "x-http-method-override": "OPTIONS", "x-method-override": "OPTIONS", "x-http-method": "OPTIONS", "cf-ipcountry": "T1",
    "cf-connecting-ip": "127.0.0.1", "true-client-ip": "127.0.0.1", "x-real-ip": "127.0.0.1", "accept-language": "xx", cookie: "paid=1; price=0", "settlement-overrides": '{"amount":"0"}',
    "x-gate-verified": "1", "payment-response": "e30=", "payment-context": "e30=",
  };
  const answer = await fetch(url, { headers: lies });
  sells(answer);
  assert.deepEqual(decode(answer.headers.get("payment-required")), required);
});

test("S-019 an upgrade is not free", async () => {
  sells(await request(["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]));
});

test("S-022 a range or a condition is not free", async () => {
  for (const headers of [{ range: "bytes=0-0" }, { range: "bytes=0-0,2-3" }, { "if-none-match": "*" }, { "if-modified-since": "Thu, 01 Jan 2099 00:00:00 GMT" }, { "if-match": '"x"' }]) {
    sells(await fetch(url, { headers }), JSON.stringify(headers));
  }
});

test("S-025 a payment in the wrong place is none", async () => {
  const value = encodeURIComponent(base64(await payment(required, key)));
  const at = new URL(url);
  at.searchParams.set("payment-signature", value);
  for (const answer of [await fetch(at), await fetch(url, { headers: { cookie: `payment-signature=${value}` } }), await fetch(url, { headers: { authorization: `x402 ${value}` } })]) sells(answer);
});

test("S-029 a browser pays as everybody does", async () => {
  for (const headers of [{ "user-agent": "Mozilla/5.0", accept: "text/html" }, { accept: "text/html" }, { "user-agent": "Googlebot/2.1" }]) sells(await fetch(url, { headers }));
});

test("S-032 what is too long is refused, and the next request is answered", async () => {
  for (const [lines, path] of [[[], `${place.pathname}?${"x".repeat(17_000)}`], [[`X-Long: ${"x".repeat(129_000)}`], place.pathname], [[], `/${"x".repeat(60_000)}`]]) {
    const { status } = await request(lines, "GET", path).catch(() => ({ status: 400 }));
    assert.ok((status >= 400 && status < 500) || Number.isNaN(status), String(status));
  }
  sells(await fetch(url));
});

test("S-037 S-040 S-044 S-046 S-048 what cannot be read is a 400, and too much of it a 431", async () => {
  const good = await payment(required, key);
  const text = JSON.stringify(good);
  const bad = {
    "no base64": "%%%",
    "white space": `${base64(text).slice(0, 40)} ${base64(text).slice(40)}`,
    "no JSON": base64("{"),
    "no object": base64("[]"),
    "a number for a string": base64(text.replace(/"value":"(\d+)"/, '"value":$1')),
    "a key twice": base64(text.replace('"x402Version":2', '"x402Version":2,"x402Version":2')),
    deep: base64(text.replace(/}$/, `,"extensions":${"[".repeat(300)}${"]".repeat(300)}}`)),
    "no authorization": base64({ ...good, payload: {} }),
    "a lone surrogate": base64(text.replace(/}$/, ',"more":"\\ud800"}')),
  };
  for (const [what, value] of Object.entries(bad)) {
    const answer = await fetch(url, { headers: { "payment-signature": value } });
    assert.deepEqual([answer.status, await code(answer)], [400, "invalid_payload"], what);
  }
  const large = await request([`PAYMENT-SIGNATURE: ${"A".repeat(20_000)}`]);
  assert.equal(large.status, 431);
});

test("S-039 two payments are one too many", async () => {
  const paid = header(await payment(required, key));
  const answer = await fetch(url, { headers: { ...paid, "x-payment": paid["payment-signature"] } });
  assert.equal(answer.status, 400);
});

test("S-054 nothing of a payment comes back, and no header is made of it", async () => {
  const canary = "<script>canary</script>\r\nx-canary: 1";
  for (const bend of [{ accepted: { network: canary } }, { accepted: { scheme: canary } }, { authorization: { nonce: canary }, signature: "0x00" }, { more: { extensions: { [canary]: canary } } }]) {
    const answer = await present(url, await payment(required, key, { signature: `0x${"11".repeat(65)}`, ...bend }));
    const said = JSON.stringify([...answer.headers]) + (await answer.text()) + Buffer.from(answer.headers.get("payment-required") ?? "", "base64");
    assert.ok(answer.status >= 400 && !said.includes("canary"), said);
  }
});

test("S-059 S-061 S-062 S-064 S-067 S-069 S-070 other terms are not the terms", async () => {
  const [offer] = required.accepts;
  const other = `0x${"11".repeat(20)}`;
  for (const accepted of [{ amount: "1" }, { payTo: other }, { asset: other }, { network: "eip155:1" }, { scheme: "upto" }, { maxTimeoutSeconds: 99_999 }, { amount: String(BigInt(offer.amount) - 1n) }]) {
    const answer = await present(url, await payment(required, key, { accepted }));
    sells(answer, JSON.stringify(accepted));
  }
  await refused({ authorization: { value: "1" } }, 402, "invalid_exact_evm_payload_authorization_value_mismatch");
  await refused({ authorization: { to: other } }, 402, "invalid_exact_evm_recipient_mismatch");
  await refused({ domain: { chainId: 1 } }, 402, "invalid_exact_evm_signature");
});

test("S-072 S-073 S-074 the time of an authorization is now", async () => {
  await refused({ authorization: { validBefore: String(seconds() + 1) } }, 402, "invalid_exact_evm_payload_authorization_valid_before");
  await refused({ authorization: { validAfter: String(seconds() + 60) } }, 402, "invalid_exact_evm_payload_authorization_valid_after");
  await refused({ authorization: { validBefore: String(2n ** 256n - 1n) } }, 402, "invalid_exact_evm_payload_authorization_valid_before");
});

test("S-086 S-090 S-091 S-095 S-102 a signature is the payer's own", async () => {
  const good = await payment(required, key);
  const s = BigInt(`0x${good.payload.signature.slice(66, 130)}`);
  const high = (0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n - s).toString(16).padStart(64, "0");
  const v = good.payload.signature.endsWith("1b") ? "1c" : "1b";
  const personal = await privateKeyToAccount(key).signMessage({ message: JSON.stringify(good.payload.authorization) });
  const strangers = (await payment(required, freshKey(), { authorization: { from: good.payload.authorization.from } })).payload.signature;
  const bad = { "a high s": good.payload.signature.slice(0, 66) + high + v, zeros: `0x${"00".repeat(65)}`, ones: `0x${"ff".repeat(65)}`, "of a message": personal, "a stranger's": strangers };
  for (const [what, signature] of Object.entries(bad)) {
    const answer = await present(url, { ...good, payload: { ...good.payload, signature } });
    assert.deepEqual([answer.status, await code(answer)], [402, "invalid_exact_evm_signature"], what);
  }
});

test("S-127 S-133 S-145 one purchase: copies and repetitions get one answer, no cache has it, a stranger none", async () => {
  const paid = await payment(required, key);
  const answers = await Promise.all(Array.from({ length: 10 }, () => present(url, paid)));
  const served = answers.filter(({ status }) => status === 200);
  assert.ok(served.length > 0, String(answers.map(({ status }) => status)));
  for (const { status } of answers) assert.ok([200, 409, 425].includes(status), String(status));
  const texts = new Set(await Promise.all(served.map((answer) => answer.text())));
  const receipts = new Set(served.map((answer) => decode(answer.headers.get("payment-response")).transaction));
  assert.deepEqual([texts.size, receipts.size], [1, 1]);
  const again = await present(url, paid);
  assert.deepEqual([again.status, await again.text(), decode(again.headers.get("payment-response")).transaction], [200, ...texts, ...receipts]);
  for (const answer of served) assert.match(answer.headers.get("cache-control"), /private.*no-store|no-store/);
  sells(await fetch(url));
  // Elsewhere the same payment buys nothing more.
  const other = new URL(url);
  other.searchParams.set("other", "1");
  const elsewhere = await present(other, paid);
  assert.ok([402, 404, 409].includes(elsewhere.status), String(elsewhere.status));
});

test("S-157 a page may read the terms", async () => {
  const answer = await fetch(url, { headers: { origin: "https://page.test" } });
  assert.match(answer.headers.get("access-control-expose-headers"), /PAYMENT-REQUIRED/i);
  assert.ok(answer.headers.get("access-control-allow-origin") !== "*" || answer.headers.get("access-control-allow-credentials") === null);
});

test("S-159 a challenge is small", async () => {
  const answer = await fetch(url);
  assert.ok(answer.headers.get("payment-required").length + (await answer.text()).length <= 4096);
});
