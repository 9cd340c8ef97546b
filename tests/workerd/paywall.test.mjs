// The paywall and its passes on the wire: who is shown the page, what a pass opens, whose books revoke it, and what of all
// that an origin gets to see.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";
import { verifyPaymentContext } from "x402-wasm/origin";

import { balanceOf } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, freshPayer, remote, startGate } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, present } from "./lib/pay.mjs";
import { startFacilitator, startOrigin } from "./lib/servers.mjs";

const ADMIN_TOKEN = "the-operator-of-this-gate";
const SECRETS = { ADMIN_TOKEN, PASS_KEY: "what passes are made with", ORIGIN_KEY: "11".repeat(32) };
const ROUTES = [
  { match: "GET /page", price: "$0.01", description: "A page" },
  { match: "GET /other", price: "$0.01" },
  { match: "POST /page", price: "$0.01" },
  { match: "GET /soon", price: "$0.01", settle: { optimistic: "$1" } },
  { match: "GET /free", free: true },
];
const MORE = {
  paywall: { pass: { key: "secret:PASS_KEY" } },
  admin: { token: "secret:ADMIN_TOKEN" },
  originContext: { key: "secret:ORIGIN_KEY" },
};
const browser = { accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" };

let origin, gate;
before(async () => {
  origin = await startOrigin();
  origin.answer = (request, response, record) => {
    response.setHeader("set-cookie", "session=of-the-origin; Path=/");
    return origin.usual(request, response, record);
  };
  gate = await startGate(config(origin, embedded, ROUTES, MORE), SECRETS);
});
after(async () => {
  await gate?.stop();
  await origin?.stop();
});

const token = async (path, key, over = gate) => (await buy(over.url + path, key, { init: { headers: { "payment-pass": "token" } } })).headers.get("payment-pass");
/** What a pass says. */
const claims = (pass) => JSON.parse(Buffer.from(pass.split(".")[0], "base64url"));
const bearer = (pass) => ({ authorization: `Bearer ${pass}` });
const ask = (path, headers, init) => fetch(gate.url + path, { headers, redirect: "manual", ...init });
const status = async (...asked) => (await ask(...asked)).status;
const revoke = (query) => ask(`/.x402/passes?${query}`, { authorization: `Bearer ${ADMIN_TOKEN}` }, { method: "DELETE" });

test("a browser is shown the page, everybody else the terms, and both have them in the header", async (t) => {
  const page = await ask("/page", browser);
  const html = await page.text();
  assert.equal(page.status, 402);
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(page.headers.get("cache-control"), "no-store");
  const nonce = /script-src 'nonce-([\w-]{36})'/.exec(page.headers.get("content-security-policy"))[1];
  assert.equal(html.split(`nonce="${nonce}"`).length, 3, "one style and one script may run");
  assert.notEqual(/nonce="([\w-]+)"/.exec(await (await ask("/page", browser)).text())[1], nonce, "each page has its own");
  t.diagnostic(`the page has ${Buffer.byteLength(html)} bytes`);
  assert.ok(Buffer.byteLength(html) < 60_000, `${Buffer.byteLength(html)} bytes`);
  assert.equal(/(?:src|href)="(?!data:)/.test(html), false, "it asks nobody");
  assert.deepEqual(decode(page.headers.get("payment-required")), await challenge(`${gate.url}/page`));
  for (const headers of [{}, { accept: "*/*" }, { accept: "application/json" }]) {
    assert.equal((await ask("/page", headers)).headers.get("content-type"), "application/json");
  }
  assert.equal((await ask("/page", browser, { method: "POST" })).headers.get("content-type"), "application/json");
});

test("a pass opens its page again, is paid once, and is not the origin's to see", async () => {
  const key = await freshPayer();
  const pass = await token("/page", key);
  const before = origin.seen.length;
  const again = await ask("/page", bearer(pass));
  assert.deepEqual([again.status, await again.text()], [200, "served /page"]);
  assert.equal(again.headers.get("cache-control"), "private, no-store");
  assert.ok(again.headers.get("x-request-id"));
  const { headers } = origin.seen[before];
  assert.equal(headers.authorization, undefined);
  const context = await verifyPaymentContext(headers["payment-context"], { jwks: `${gate.url}/.x402/jwks.json`, audience: "http://gate.test/page" });
  assert.equal(context.payer, privateKeyToAccount(key).address);
  assert.equal(await balanceOf(chain.rpc, chain.asset, privateKeyToAccount(key).address), 990_000n, "one price");
  assert.equal(gate.log().includes(pass), false);
});

test("a pass opens nothing else", async () => {
  const pass = bearer(await token("/page", await freshPayer()));
  assert.equal(await status("/page", pass), 200);
  assert.equal(await status("/page?x=1", pass), 402, "another query");
  assert.equal(await status("/other", pass), 402);
  assert.equal(await status("/page", pass, { method: "POST", body: "x" }), 402);
  assert.equal(await status("/page", bearer(`${pass.authorization.slice(7)}A`)), 402);
});

test("a cookie is set beside the origin's own, opens the page, and goes no further", async () => {
  const answer = await buy(`${gate.url}/page`, await freshPayer(), { init: { headers: { "payment-pass": "cookie" } } });
  assert.equal(answer.headers.get("payment-pass"), "cookie");
  const [session, pass] = answer.headers.getSetCookie();
  assert.equal(session, "session=of-the-origin; Path=/");
  assert.match(pass, /^x402-pass-[0-9a-f]{8}=[\w.-]+; Path=\/page; Max-Age=3600; HttpOnly; SameSite=Lax$/);
  const cookie = `a=1; ${pass.split(";", 1)}; b=2`;
  for (const path of ["/page", "/free"]) {
    assert.equal(await status(path, { cookie, authorization: "Basic of-the-origin" }), 200);
    assert.equal(origin.seen.at(-1).headers.cookie, "a=1; b=2");
    assert.equal(origin.seen.at(-1).headers.authorization, "Basic of-the-origin", "no pass, so it is the origin's");
  }
});

test("what did not settle gives no pass", async () => {
  const poor = await payment(await challenge(`${gate.url}/page`), freshKey());
  const refused = await present(`${gate.url}/page`, poor, { headers: { "payment-pass": "token" } });
  assert.deepEqual([refused.status, refused.headers.get("payment-pass")], [402, null]);
  origin.answer = (request, response) => (response.writeHead(404), response.end());
  const missing = await buy(`${gate.url}/page`, await freshPayer(), { init: { headers: { "payment-pass": "cookie" } } });
  origin.answer = undefined;
  assert.deepEqual([missing.status, missing.headers.get("payment-pass"), missing.headers.getSetCookie()], [404, null, []]);
  const soon = await buy(`${gate.url}/soon`, await freshPayer(), { init: { headers: { "payment-pass": "token" } } });
  assert.deepEqual([soon.status, soon.headers.get("payment-pass")], [200, null], "served, and not settled yet");
});

test("a pass can be revoked by payment and by payer, and a later one stands", async () => {
  const key = await freshPayer();
  const payer = privateKeyToAccount(key).address;
  const [first, second] = [await token("/page", key), await token("/other", key)];
  const { payment } = claims(first);
  assert.equal((await revoke(`payment=${payment}`)).status, 200);
  assert.deepEqual([await status("/page", bearer(first)), await status("/other", bearer(second))], [402, 200]);
  assert.equal((await revoke(`payer=${payer}`)).status, 200);
  assert.deepEqual([await status("/page", bearer(first)), await status("/other", bearer(second))], [402, 402]);

  assert.equal((await revoke("payer=nobody")).status, 400);
  assert.equal((await ask(`/.x402/passes?payer=${payer}`, {}, { method: "DELETE" })).status, 401);
  assert.equal((await ask(`/.x402/passes?payer=${payer}`, { authorization: `Bearer ${ADMIN_TOKEN}` })).status, 405);
});

test("a payment that is presented again gives the same time and no more, and a revoked one nothing", async () => {
  const key = await freshPayer();
  const kept = await payment(await challenge(`${gate.url}/page`), key);
  const passes = [];
  for (let time = 0; time < 2; time += 1) {
    const answer = await present(`${gate.url}/page`, kept, { headers: { "payment-pass": "token" } });
    passes.push(claims(answer.headers.get("payment-pass")));
    assert.equal((await revoke(`payment=${passes[0].payment}`)).status, 200);
    assert.equal(await status("/page", bearer(answer.headers.get("payment-pass"))), 402, "revoked is revoked");
  }
  assert.deepEqual(passes[1], passes[0]);
});

test("a pass names the payment that moved, however the purchase is named", async () => {
  const key = await freshPayer();
  const named = { headers: { "payment-pass": "token", "idempotency-key": "one-purchase" } };
  const [first, second] = [await buy(`${gate.url}/page`, key, { init: named }), await buy(`${gate.url}/page`, key, { init: named })];
  const given = [first, second].map(({ headers }) => claims(headers.get("payment-pass")));
  assert.equal(await balanceOf(chain.rpc, chain.asset, privateKeyToAccount(key).address), 990_000n, "one price");
  assert.equal(given[1].payment, given[0].payment);
});

test("a revocation names a whole payment, or nothing is revoked", async () => {
  const pass = await token("/page", await freshPayer());
  const { payment } = claims(pass);
  for (const query of [`payment=${payment}&reason=x`, `payment=${payment.slice(0, -2)}`, `payment=x:${payment}`, "payment=", `payment=${payment.replace("eip155", "")}`]) {
    assert.equal((await revoke(query)).status, 400, query);
  }
  assert.equal(await status("/page", bearer(pass)), 200);
  assert.equal((await revoke(`payment=${payment.toLowerCase()}`)).status, 200, "in any case of letters");
  assert.equal(await status("/page", bearer(pass)), 402);
});

test("no origin gets a pass, on whichever path and in whichever case of letters", async () => {
  const pass = await token("/page", await freshPayer());
  for (const [path, authorization] of [["/free", `Bearer ${pass}`], ["/free", `bearer ${pass}`], ["/page", `bearer ${pass}`]]) {
    assert.equal(await status(path, { authorization, "payment-pass": "token" }), 200);
    assert.deepEqual([origin.seen.at(-1).headers.authorization, origin.seen.at(-1).headers["payment-pass"]], [undefined, undefined]);
  }
  assert.equal(await status("/free", { authorization: "Bearer of-the-origin" }), 200);
  assert.equal(origin.seen.at(-1).headers.authorization, "Bearer of-the-origin");
});

test("without a paywall nothing is given and nothing is taken", async () => {
  const facilitator = await startFacilitator();
  const plain = await startGate(config(origin, remote(facilitator), ROUTES, { admin: MORE.admin }), SECRETS);
  try {
    const pass = await token("/page", await freshPayer());
    assert.equal((await fetch(`${plain.url}/page`, { headers: bearer(pass) })).status, 402);
    assert.equal((await fetch(`${plain.url}/page`, { headers: browser })).headers.get("content-type"), "application/json");
    assert.equal(await token("/page", freshKey(), plain), null);
    const asked = { method: "DELETE", headers: { authorization: `Bearer ${ADMIN_TOKEN}` } };
    assert.equal((await fetch(`${plain.url}/.x402/passes?payer=${chain.payTo}`, asked)).status, 404);
  } finally {
    await plain.stop();
    await facilitator.stop();
  }
});
