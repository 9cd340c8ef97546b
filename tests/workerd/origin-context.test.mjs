// The origin contract through a real gate: what its origin is told, what the verifier makes of it, and what the origin may
// say back.
import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { privateKeyToAccount } from "viem/accounts";
import { verifyPaymentContext } from "x402-wasm/origin";

import { chain, config, freshKey, remote, startGate } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, present } from "./lib/pay.mjs";
import { content, startFacilitator, startOrigin } from "./lib/servers.mjs";

const KEY = freshKey();
const ORIGIN_KEY = randomBytes(32).toString("hex");
const PUBLIC = "http://gate.test";
const CONTEXT = { originContext: { key: "secret:ORIGIN_KEY" } };
const ROUTES = [
  { match: "GET /free", free: true },
  { match: "GET /paid", price: "$0.01" },
  { match: "POST /paid", price: "$0.01" },
  { match: "GET /under/*", price: "$0.02" },
  { match: "GET /before", price: "$0.01", settle: "before" },
  { match: "GET /later", price: "$0.01", settle: { optimistic: "$1" } },
];

let origin, facilitator, gate, plain;
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  gate = await startGate(config(origin, remote(facilitator), ROUTES, CONTEXT), { ORIGIN_KEY });
  plain = await startGate(config(origin, remote(facilitator), ROUTES));
});
after(async () => {
  await gate?.stop();
  await plain?.stop();
  await facilitator?.stop();
  await origin?.stop();
});
beforeEach(() => {
  origin.seen.length = facilitator.asked.length = 0;
  origin.answer = undefined;
  facilitator.say = { ...content };
});

const jwks = () => `${gate.url}/.x402/jwks.json`;
const context = () => origin.seen.at(-1).headers["payment-context"];

test("a paid request tells its origin so, in words that the verifier and a JOSE library read", async () => {
  const answer = await buy(`${gate.url}/paid?q=1`, KEY);
  assert.equal(answer.status, 200);
  const options = { jwks: jwks(), issuer: PUBLIC, audience: `${PUBLIC}/paid` };
  const claims = await verifyPaymentContext(context(), options);
  const now = Date.now() / 1000;
  assert.ok(claims.iat > now - 60 && claims.iat <= now + 1 && claims.nbf === claims.iat && claims.exp === claims.iat + 120);
  const [{ body }] = facilitator.asked;
  const { from, nonce } = body.paymentPayload.payload.authorization;
  const { iat, nbf, exp, ...rest } = claims;
  assert.deepEqual(rest, {
    iss: PUBLIC,
    aud: `${PUBLIC}/paid`,
    jti: answer.headers.get("x-request-id"),
    scheme: "exact",
    amount: "10000",
    network: chain.network,
    asset: chain.asset,
    payTo: chain.payTo,
    payer: privateKeyToAccount(KEY).address,
    method: "GET",
    payment: `${chain.network}:${chain.asset}:${from}:${nonce}`,
  });
  const line = gate.log().split("\n").find((text) => text.includes(claims.jti));
  assert.match(line, /"status":200/, "the log calls it the same");
  const { payload, protectedHeader } = await jwtVerify(context(), createRemoteJWKSet(new URL(jwks())), { audience: `${PUBLIC}/paid`, issuer: PUBLIC, algorithms: ["EdDSA"] });
  assert.deepEqual(payload, claims);
  const set = await fetch(jwks());
  assert.equal(set.headers.get("cache-control"), "public, max-age=300");
  const { keys } = await set.json();
  assert.deepEqual(keys.map(({ x, ...key }) => key), [{ kty: "OKP", crv: "Ed25519", use: "sig", alg: "EdDSA", kid: protectedHeader.kid }]);
  assert.ok(keys.every((key) => key.d === undefined));
  await assert.rejects(verifyPaymentContext(context(), { ...options, audience: `${PUBLIC}/other` }), { code: "origin_context_audience" });
});

test("S-016 an origin that wants the gate's word serves nobody who comes past the gate", async () => {
  const options = { jwks: jwks(), issuer: PUBLIC };
  origin.answer = async (request, response) => {
    const audience = PUBLIC + new URL(request.url, PUBLIC).pathname;
    const said = await verifyPaymentContext(request.headers["payment-context"], { ...options, audience }).catch(({ code }) => code);
    if (typeof said === "string") response.writeHead(403).end(said);
    else response.end("content");
  };
  assert.equal(await (await buy(`${gate.url}/paid`, KEY)).text(), "content");
  const good = context();
  const direct = async (path, headers = {}) => {
    const answer = await fetch(origin.url + path, { headers: { ...headers, "x-forwarded-host": "gate.test", "x-gate-verified": "1" } });
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await direct("/paid"), [403, "origin_context_missing"]);
  assert.deepEqual(await direct("/under/x", { "payment-context": good }), [403, "origin_context_audience"], "of another resource");
  const [head, claims, signature] = good.split(".");
  const bent = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, "base64url")), exp: 2 ** 40 })).toString("base64url");
  for (const forged of [`${head}.${bent}.${signature}`, `${head}.${claims}.${Buffer.alloc(64).toString("base64url")}`]) {
    assert.deepEqual(await direct("/paid", { "payment-context": forged }), [403, "origin_context_signature"]);
  }
  for (const nothing of ["e30.e30.", `${head}.${claims}.`]) assert.equal((await direct("/paid", { "payment-context": nothing }))[0], 403);
  // The word of another gate, signed as well as this one's.
  const other = await startGate(config(origin, remote(facilitator), ROUTES, CONTEXT), { ORIGIN_KEY: randomBytes(32).toString("hex") });
  try {
    const refused = await buy(`${other.url}/paid`, KEY);
    assert.deepEqual([refused.status, await refused.text(), refused.headers.get("payment-response")], [403, "origin_context_signature", null]);
  } finally {
    await other.stop();
  }
});

test("S-110 the gate's signature has one form, and no weak point makes another", async () => {
  assert.equal((await buy(`${gate.url}/paid`, KEY)).status, 200);
  const [head, claims, signature] = context().split(".");
  const options = { jwks: jwks(), audience: `${PUBLIC}/paid` };
  await verifyPaymentContext(context(), options);
  const bytes = Buffer.from(signature, "base64url");
  // RFC 8032, section 5.1: the order of the group, and s counts from 0 to it.
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const number = (of) => BigInt(`0x${Buffer.from(of).reverse().toString("hex")}`);
  const little = (value) => Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse();
  const s = number(bytes.subarray(32));
  // Points of small order: the neutral one, in both spellings, and those of order 2, 4 and 8.
  const points = ["0100000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000080", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "0000000000000000000000000000000000000000000000000000000000000000", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"];
  const forged = [Buffer.concat([bytes.subarray(0, 32), little(s + L)]), Buffer.concat([bytes.subarray(0, 32), little(L - s)])];
  for (const point of points) forged.push(Buffer.concat([Buffer.from(point, "hex"), bytes.subarray(32)]), Buffer.concat([Buffer.from(point, "hex"), Buffer.alloc(32)]));
  for (const other of forged) {
    await assert.rejects(verifyPaymentContext(`${head}.${claims}.${other.toString("base64url")}`, options), { code: "origin_context_signature" });
  }
  for (const length of [0, 63, 65, 128]) {
    await assert.rejects(verifyPaymentContext(`${head}.${claims}.${Buffer.alloc(length, 1).toString("base64url")}`, options), ({ code }) => code.startsWith("origin_context_"));
  }
});

test("what is paid for is the path that the origin is asked for", async () => {
  await buy(`${gate.url}/under/%7Ea/b%2Fc/é`, KEY);
  const [{ url }] = origin.seen;
  const claims = await verifyPaymentContext(context(), { jwks: jwks(), audience: `${PUBLIC}${new URL(url, PUBLIC).pathname}` });
  assert.equal(claims.amount, "20000");
});

test("a client's own copy reaches no origin, on no route", async () => {
  const forged = { "payment-context": "a.b.c", "payment-settlement": '{"amount":"0"}' };
  await fetch(`${gate.url}/free`, { headers: forged });
  await buy(`${gate.url}/paid`, KEY, { init: { headers: forged } });
  await buy(`${plain.url}/paid`, KEY, { init: { headers: forged } });
  const [free, paid, unsigned] = origin.seen.map(({ headers }) => headers);
  assert.deepEqual([free["payment-context"], unsigned["payment-context"]], [undefined, undefined], "without a key nothing is said");
  await verifyPaymentContext(paid["payment-context"], { jwks: jwks(), audience: `${PUBLIC}/paid` });
  for (const headers of [free, paid, unsigned]) assert.equal(headers["payment-settlement"], undefined);
  assert.equal((await fetch(`${plain.url}/.x402/jwks.json`)).status, 404);
});

test("an answer that was kept asks no origin and signs nothing", async () => {
  const required = await challenge(`${gate.url}/paid`);
  const paid = await payment(required, KEY);
  const first = await present(`${gate.url}/paid`, paid);
  const again = await present(`${gate.url}/paid`, paid);
  assert.deepEqual([first.status, again.status, origin.seen.length], [200, 200, 1]);
  assert.notEqual(first.headers.get("x-request-id"), again.headers.get("x-request-id"));
});

/** An origin that says what it charges. */
const charges = (said, status = 200) => (_, response) => {
  response.writeHead(status, { "payment-settlement": said, "payment-context": "echo" });
  response.end("content");
};
const buys = async (path, said, { status, init } = {}) => {
  origin.answer = charges(said, status);
  facilitator.asked.length = 0;
  const answer = await buy(gate.url + path, freshKey(), { init });
  for (const name of ["payment-settlement", "payment-context"]) assert.equal(answer.headers.get(name), null, "it is not the client's");
  return { answer, text: await answer.text(), settled: facilitator.count("/settle") };
};

test("I2 an origin that charges nothing is heeded, and one that charges the price too", async () => {
  for (const nothing of ['{"amount":"0"}', '{"amount":0}', Buffer.from('{"amount":"0"}').toString("base64")]) {
    for (const path of ["/paid", "/later"]) {
      const { answer, text, settled } = await buys(path, nothing);
      assert.deepEqual([answer.status, text, settled], [200, "content", 0], `${path} ${nothing}`);
      assert.equal(answer.headers.get("payment-response"), null);
    }
  }
  const whole = await buys("/paid", '{"amount":"10000"}');
  assert.deepEqual([whole.answer.status, whole.settled], [200, 1]);
  assert.equal(decode(whole.answer.headers.get("payment-response")).success, true);
  const failed = await buys("/paid", '{"amount":"10000"}', { status: 404 });
  assert.deepEqual([failed.answer.status, failed.settled], [404, 0], "a failure is not charged, whatever it says");
});

test("an origin that asks for another amount is at fault: nothing is charged, nothing leaves, its owner hears of it", async () => {
  const before = gate.log().split("gate_origin_settlement").length;
  for (const [index, wrong] of ['{"amount":"9999"}', '{"amount":"20000"}', "half", '{"amount":"-1"}'].entries()) {
    const { answer, text, settled } = await buys("/paid", wrong);
    assert.deepEqual([answer.status, JSON.parse(text).error, settled], [502, "gate_origin_failed", 0], wrong);
    assert.equal(gate.log().split("gate_origin_settlement").length, before + index + 1);
    assert.ok(gate.log().includes(`"id":"${answer.headers.get("x-request-id")}"`));
  }
  const post = await buys("/paid", '{"amount":"1"}', { init: { method: "POST", body: "x" } });
  assert.deepEqual([post.answer.status, JSON.parse(post.text).error, post.settled], [502, "ledger_abandoned", 0]);
});

test("S-122 no word of an origin moves more than the price, or less, and none of it reaches the client", async () => {
  const words = ["200%", "-1", "$1e9", "abc", "10001", "9999.5", "1e4", " ", "0x2710", String(2n ** 256n)];
  const forms = words.flatMap((word) => [JSON.stringify({ amount: word }), word]).concat('{"amount":1e4}', "[]", '{"amount":"0","amount":"10000"}', `{"amount":"${"9".repeat(30_000)}"}`);
  for (const said of forms) {
    const { answer, text, settled } = await buys("/paid", said);
    assert.deepEqual([answer.status, JSON.parse(text).error, settled], [502, "gate_origin_failed", 0], said.slice(0, 40));
  }
  // The reference's header for it is nobody's here: what was signed is the price, and that is what settles.
  for (const said of [...words.map((amount) => JSON.stringify({ amount })), "x".repeat(30_000)]) {
    facilitator.asked.length = 0;
    origin.answer = (_, response) => response.writeHead(200, { "settlement-overrides": said }).end("content");
    const answer = await buy(`${gate.url}/paid`, freshKey());
    assert.deepEqual([answer.status, answer.headers.get("settlement-overrides")], [200, null]);
    assert.deepEqual(facilitator.asked.map(({ body }) => body.paymentRequirements.amount), ["10000", "10000"]);
  }
});

test("S-160 a success that tells of an error is charged, unless its origin says that it is not", async () => {
  const answers = { "/paid": 1, "/before": 1 };
  for (const [path, settled] of Object.entries(answers)) {
    facilitator.asked.length = 0;
    origin.answer = (_, response) => response.writeHead(200, { "content-type": "application/json" }).end('{"error":"sorry"}');
    const answer = await buy(gate.url + path, freshKey());
    assert.deepEqual([answer.status, await answer.json(), facilitator.count("/settle")], [200, { error: "sorry" }, settled], path);
  }
  facilitator.asked.length = 0;
  origin.answer = (_, response) => response.writeHead(200, { "payment-settlement": '{"amount":"0"}' }).end('{"error":"sorry"}');
  const free = await buy(`${gate.url}/paid`, freshKey());
  assert.deepEqual([free.status, free.headers.get("payment-response"), facilitator.count("/settle")], [200, null, 0]);
});

test("what settled before the origin was asked has settled: its word changes nothing, and its owner hears of it", async () => {
  const before = gate.log().split("gate_origin_settlement").length;
  for (const said of ['{"amount":"0"}', '{"amount":"1"}', "half"]) {
    const { answer, text, settled } = await buys("/before", said);
    assert.deepEqual([answer.status, text, settled], [200, "content", 1], said);
  }
  assert.equal(gate.log().split("gate_origin_settlement").length, before + 3);
  await buys("/before", '{"amount":"10000"}');
  assert.equal(gate.log().split("gate_origin_settlement").length, before + 3);
});

test("a free route's answer is its origin's, without the words between the two", async () => {
  origin.answer = charges('{"amount":"0"}');
  const answer = await fetch(`${gate.url}/free`);
  assert.deepEqual([answer.headers.get("payment-settlement"), answer.headers.get("payment-context"), await answer.text()], [null, null, "content"]);
});

test("a key in PEM is the same key, and signs the same name", async () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  const hex = Buffer.from(privateKey.export({ format: "jwk" }).d, "base64url").toString("hex");
  const sets = [];
  for (const form of [pem, pem.replaceAll("\n", "\\n"), `0x${hex}`]) {
    const other = await startGate(config(origin, remote(facilitator), ROUTES, CONTEXT), { ORIGIN_KEY: form });
    sets.push(await (await fetch(`${other.url}/.x402/jwks.json`)).text());
    await other.stop();
  }
  assert.deepEqual(new Set(sets).size, 1);
  assert.equal(JSON.parse(sets[0]).keys[0].x, privateKey.export({ format: "jwk" }).x);
});
