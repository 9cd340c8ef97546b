// The verifier that origins use, as its users get it: against tokens that node:crypto signs, genuine and bent.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { verifyPaymentContext, X402Error } from "x402-wasm/origin";
import { X402Error as OfTheFace } from "x402-wasm";

const NOW = 1_770_000_000;
const AUDIENCE = "https://api.example.com/premium-data";
const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function keyOf(kid) {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "EdDSA" } };
}
const one = keyOf("one");
const two = keyOf("two");
const jwks = { keys: [{ kty: "RSA", kid: "one" }, one.jwk, two.jwk] };

/** What the documentation of the other gate shows, and nothing else. */
const THEIRS = { iat: NOW, nbf: NOW, exp: NOW + 120, aud: AUDIENCE, scheme: "exact", amount: "25000" };

function token(claims = THEIRS, { header = { alg: "EdDSA", typ: "JWT", kid: "one" }, key = one } = {}) {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signBytes(null, Buffer.from(input), key.privateKey).toString("base64url")}`;
}

const check = (header, options = {}) => verifyPaymentContext(header, { jwks, audience: AUDIENCE, now: NOW + 1, ...options });
async function refused(code, header, options) {
  await assert.rejects(check(header, options), (error) => {
    assert.ok(error instanceof X402Error && error instanceof OfTheFace, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

test("a context of either gate is read: with the claims of the other's documentation alone, and with ours beside them", async () => {
  assert.deepEqual(await check(token()), THEIRS);
  const ours = { ...THEIRS, iss: "https://api.example.com", jti: "id", payer: "0x1", method: "GET" };
  assert.deepEqual(await check(token(ours), { issuer: "https://api.example.com" }), ours);
  await check(token(THEIRS, { header: { alg: "Ed25519", kid: "two" }, key: two }));
  await check(token(THEIRS, { header: { alg: "EdDSA" } }), { jwks: { keys: [one.jwk] } });
  await check(token({ ...THEIRS, aud: ["https://other.example", AUDIENCE] }), { audience: [new URL("https://x.example/"), AUDIENCE] });
});

test("a request without a context is not paid", async () => {
  for (const nothing of [undefined, null, ""]) await refused("origin_context_missing", nothing);
});

test("what is signed by nobody, by another, or not as it should be", async () => {
  const [head, claims, signature] = token().split(".");
  const bent = encode({ ...THEIRS, amount: "1" });
  await refused("origin_context_signature", `${head}.${bent}.${signature}`);
  await refused("origin_context_signature", `${head}.${claims}.`);
  await refused("origin_context_signature", token(THEIRS, { key: two }));
  await refused("origin_context_signature", token(THEIRS, { header: { alg: "EdDSA", kid: "three" } }));
  await refused("origin_context_signature", token(THEIRS, { header: { alg: "EdDSA" } }));
  await refused("origin_context_signature", token(), { jwks: { keys: [] } });
  for (const alg of ["none", "HS256", "ES256", undefined]) await refused("origin_context_invalid", token(THEIRS, { header: { alg, kid: "one" } }));
  await refused("origin_context_invalid", token(THEIRS, { header: { alg: "EdDSA", kid: "one", crit: ["exp"] } }));
});

test("what cannot be read", async () => {
  for (const text of ["x", "a.b", "a.b.c.d", "..", `${encode("[]")}.${encode("{}")}.`, `${token()}=`, token().replace(".", ".!")]) {
    await refused("origin_context_invalid", text);
  }
  for (const wrong of [{ exp: undefined }, { exp: "1" }, { iat: undefined }, { nbf: 1.5 }, { scheme: undefined }, { amount: 25000 }, { amount: "" }, { amount: "-1" }]) {
    await refused("origin_context_invalid", token({ ...THEIRS, ...wrong }));
  }
});

test("the time, the resource and the gate must be right", async () => {
  const at = (now) => check(token(), { now });
  await at(NOW - 5);
  await at(NOW + 124);
  for (const now of [NOW - 6, NOW + 125, Number.NaN]) await refused("origin_context_expired", token(), { now });
  await refused("origin_context_expired", token(), { now: undefined });
  for (const audience of ["https://api.example.com/other", "https://api.example.com", `${AUDIENCE}/`]) {
    await refused("origin_context_audience", token(), { audience });
  }
  await refused("origin_context_audience", token({ ...THEIRS, aud: undefined }));
  await refused("origin_context_issuer", token(), { issuer: "https://api.example.com" });
  await refused("origin_context_issuer", token({ ...THEIRS, iss: "https://evil.example" }), { issuer: "https://api.example.com" });
});

test("options that leave the question open are refused", async () => {
  for (const options of [{ jwks: undefined }, { audience: undefined }, { audience: [] }, { jwks: {} }, { jwks: "http://gate.example/keys" }, { jwks: "x" }]) {
    await refused("origin_invalid_options", token(), options);
  }
});

let server, url, asked, answer;
before(async () => {
  server = createServer((request, response) => {
    asked.push(request.url);
    answer(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

test("keys are fetched once, again for a key that is new, and not each time a stranger makes one up", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: NOW * 1000 });
  let set = { keys: [one.jwk] };
  asked = [];
  answer = (response) => response.writeHead(200, { "cache-control": "public, max-age=300" }).end(JSON.stringify(set));
  const ask = (header) => check(header, { jwks: undefined, issuer: url });
  const signed = (kid, key) => token({ ...THEIRS, iss: url }, { header: { alg: "EdDSA", kid }, key });
  await ask(signed("one", one));
  await ask(signed("one", one));
  assert.deepEqual(asked, ["/.x402/jwks.json"]);
  set = { keys: [two.jwk] };
  await assert.rejects(ask(signed("two", two)), { code: "origin_context_signature" });
  assert.equal(asked.length, 1, "within a minute nobody asks again");
  t.mock.timers.tick(61_000);
  await ask(signed("two", two));
  assert.equal(asked.length, 2, "the gate changed its key");
  for (let i = 0; i < 5; i += 1) await assert.rejects(ask(signed("made up", two)), { code: "origin_context_signature" });
  assert.equal(asked.length, 2);
  await assert.rejects(ask(signed("one", one)), { code: "origin_context_signature" }, "the old key is not the gate's any more");
});

test("keys that cannot be had are no verdict", async () => {
  const answers = [
    (response) => response.writeHead(500).end(),
    (response) => response.writeHead(302, { location: "/keys" }).end(),
    (response) => response.end("{}"),
    (response) => response.end("no JSON"),
    (response) => response.destroy(),
  ];
  asked = [];
  for (const [index, one] of answers.entries()) {
    answer = one;
    const fault = await check(token(), { jwks: new URL(`${url}/${index}`) }).catch((error) => error);
    assert.deepEqual([fault.code, fault.retryable], ["origin_keys_unavailable", true]);
  }
  assert.equal(asked.length, answers.length, "no redirect was followed");
});

test("its codes are the project's, and it is small", () => {
  const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");
  const script = read("../../pkg/js/origin.js");
  const codes = read("../../src/error.rs");
  const said = [...script.matchAll(/fail\("(\w+)", "([^"]+)"/g)];
  assert.ok(said.length >= 8);
  for (const [, code] of said) assert.ok(codes.includes(`"${code}"`), code);
  const bytes = gzipSync(script + read("../../pkg/js/error.js"), { level: 9 }).length;
  assert.ok(bytes < 3_500, `${bytes} bytes in gzip`);
});
