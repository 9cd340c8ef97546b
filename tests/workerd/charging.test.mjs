// What is charged, what is delivered, and what never leaves before it is paid. The facilitator stands in for the chain
// and counts settlements; the origin does as each test says.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { gateService } from "../interop/lib/gate.mjs";
import { startWorkerd } from "../interop/lib/workerd.mjs";
import { config, freshKey, raw, remote, startGate } from "./lib/gate.mjs";
import { buy, challenge, decode, header, payment, present } from "./lib/pay.mjs";
import { startFacilitator, startOrigin } from "./lib/servers.mjs";

const KEY = freshKey();
const ROUTES = [
  { match: "GET /free", free: true },
  { match: "GET /paid", price: "$0.01" },
  { match: "POST /echo", price: "$0.01" },
  { match: "GET /under/*", price: "$0.01" },
];

let origin, facilitator, gate, url;
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  gate = await startGate(config(origin, remote(facilitator), ROUTES));
  url = `${gate.url}/paid`;
});
after(async () => {
  await gate?.stop();
  await facilitator?.stop();
  await origin?.stop();
});
beforeEach(() => {
  origin.seen.length = 0;
  origin.answer = undefined;
  facilitator.asked.length = 0;
  facilitator.say["/settle"] = settles;
});

const settles = ({ paymentPayload, paymentRequirements }) => ({
  success: true,
  payer: paymentPayload.payload.authorization.from,
  transaction: paymentPayload.payload.authorization.nonce,
  network: paymentRequirements.network,
});

/** An origin's answer with these parts. */
const answers = (status, headers = {}, body = undefined) => (_, response) => {
  response.writeHead(status, headers);
  response.end(body);
};

test("a paid answer carries the origin's headers and the receipt", async () => {
  origin.answer = answers(201, { "content-type": "text/x-own", "set-cookie": ["a=1", "b=2"], etag: '"e"' }, "bought");
  const answer = await buy(`${url}?a=%20b&c`, KEY);
  assert.deepEqual([answer.status, await answer.text()], [201, "bought"]);
  assert.equal(answer.headers.get("content-type"), "text/x-own");
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(decode(answer.headers.get("payment-response")).success, true);
  assert.equal(origin.seen[0].url, "/paid?a=%20b&c");
});

test("the origin gets the path that was priced, in its normal form", async () => {
  const required = await challenge(`${gate.url}/under/x`);
  const { status } = await raw(gate.url, ["GET /%75nder/a%2fb/../c%7e?q=%2F HTTP/1.1", `PAYMENT-SIGNATURE: ${Object.values(header(await payment(required, KEY)))[0]}`]);
  assert.equal(status, 200);
  assert.equal(origin.seen[0].url, "/under/c~?q=%2F");
});

test("a request's method, body and own headers reach the origin; the payment does not", async () => {
  const body = "x".repeat(200_000);
  const answer = await buy(`${gate.url}/echo`, KEY, { init: { method: "POST", body, headers: { "x-own": "1", authorization: "Bearer own" } } });
  assert.equal(answer.status, 200);
  const [seen] = origin.seen;
  assert.deepEqual([seen.method, seen.body.length, seen.headers["x-own"], seen.headers.authorization], ["POST", body.length, "1", "Bearer own"]);
  for (const name of ["payment-signature", "x-payment"]) assert.equal(seen.headers[name], undefined);
});

test("I1 no byte of a paid answer leaves before it is settled", async () => {
  let settle;
  const settled = new Promise((resolve) => (settle = resolve));
  facilitator.say["/settle"] = (body, _, response) => {
    settled.then(() => response.end(JSON.stringify(settles(body))));
  };
  origin.answer = answers(200, {}, "secret");
  const required = await challenge(url);
  let answered = false;
  const answer = present(url, await payment(required, KEY)).finally(() => (answered = true));
  while (facilitator.count("/settle") === 0) await (await fetch(url)).text();
  // The origin has answered in full; many other requests were answered since.
  for (let i = 0; i < 20; i += 1) await (await fetch(url)).text();
  assert.equal(answered, false);
  settle();
  assert.equal(await (await answer).text(), "secret");
});

test("a settled answer streams as the origin writes it", async () => {
  let more;
  const asked = new Promise((resolve) => (more = resolve));
  origin.answer = (_, response) => {
    response.writeHead(200);
    response.write("first");
    asked.then(() => response.end("second"));
  };
  const answer = await buy(url, KEY);
  const reader = answer.body.getReader();
  assert.equal(Buffer.from((await reader.read()).value).toString(), "first");
  more();
  assert.equal(Buffer.from((await reader.read()).value).toString(), "second");
  assert.equal((await reader.read()).done, true);
});

test("S-145 F-37 a paid answer is for one request: no cache may keep it", async () => {
  origin.answer = answers(200, { "cache-control": "public, max-age=3600", expires: "Thu, 01 Jan 2099 00:00:00 GMT" }, "bought");
  const answer = await buy(url, KEY);
  assert.equal(answer.headers.get("cache-control"), "private, no-store");
  assert.match(answer.headers.get("vary"), /PAYMENT-SIGNATURE/);
  const stranger = await fetch(url);
  assert.equal(stranger.status, 402);
  assert.ok(!(await stranger.text()).includes("bought"));
});

test("S-149 an origin cannot say what was paid", async () => {
  const forged = { "payment-response": "Zm9yZ2Vk", "x-payment-response": "Zm9yZ2Vk", "payment-required": "Zm9yZ2Vk", "settlement-overrides": "{}" };
  origin.answer = answers(200, forged, "x");
  const paid = await buy(url, KEY);
  assert.equal(decode(paid.headers.get("payment-response")).success, true);
  origin.answer = answers(500, forged, "x");
  const failed = await buy(url, KEY);
  const free = await fetch(`${gate.url}/free`);
  for (const name of Object.keys(forged)) {
    assert.equal(failed.headers.get(name), null, name);
    assert.equal(free.headers.get(name), null, name);
    if (name !== "payment-response") assert.equal(paid.headers.get(name), null, name);
  }
});

test("S-150 a failing origin is delivered as it is and not charged", async () => {
  for (const status of [400, 404, 429, 500, 503]) {
    origin.answer = answers(status, { "x-own": "1" }, "sorry");
    const answer = await buy(url, KEY);
    assert.deepEqual([answer.status, await answer.text(), answer.headers.get("x-own")], [status, "sorry", "1"]);
    assert.equal(answer.headers.get("payment-response"), null);
  }
  assert.equal(facilitator.count("/settle"), 0);
});

test("S-150 an origin that ends without an answer is a 502, not charged", async () => {
  origin.answer = (request) => request.socket.destroy();
  const answer = await buy(url, KEY);
  assert.deepEqual([answer.status, (await answer.json()).error], [502, "gate_origin_failed"]);
  assert.equal(facilitator.count("/settle"), 0);
});

test("S-151 an answer without a body is charged if it is a success, and only then", async () => {
  for (const [status, charged] of [[204, 1], [205, 1], [304, 0]]) {
    facilitator.asked.length = 0;
    origin.answer = answers(status);
    const answer = await buy(url, KEY);
    assert.equal(answer.status, status);
    assert.equal(facilitator.count("/settle"), charged, String(status));
    assert.equal(answer.headers.has("payment-response"), charged === 1, String(status));
  }
});

test("S-152 a redirect is delivered, not followed and not charged", async () => {
  origin.answer = answers(302, { location: "https://storage.test/signed" });
  const answer = await buy(url, KEY);
  assert.deepEqual([answer.status, answer.headers.get("location")], [302, "https://storage.test/signed"]);
  assert.deepEqual([facilitator.count("/settle"), origin.seen.length], [0, 1]);
});

test("S-156 a receipt is what the protocol needs of it, however much a facilitator says", async () => {
  const more = { extensions: { receipt: { info: "x".repeat(30_000) } }, errorMessage: "y".repeat(20_000), [`z${"z".repeat(5000)}`]: 1 };
  facilitator.say["/settle"] = (body) => ({ ...settles(body), ...more });
  origin.answer = answers(200, {}, "bought");
  const answer = await buy(url, KEY);
  assert.deepEqual([answer.status, await answer.text()], [200, "bought"]);
  const value = answer.headers.get("payment-response");
  assert.ok(value.length < 8192, `${value.length}`);
  assert.deepEqual(Object.keys(decode(value)).sort(), ["network", "payer", "success", "transaction"]);
});

test("S-157 a page may read the terms and the receipt", async () => {
  const page = { headers: { origin: "https://page.test" } };
  for (const answer of [await fetch(url, page), await buy(url, KEY, { init: page }), await fetch(`${gate.url}/free`, page)]) {
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.equal(answer.headers.get("access-control-allow-credentials"), null);
    const exposed = answer.headers.get("access-control-expose-headers");
    for (const name of ["PAYMENT-REQUIRED", "PAYMENT-RESPONSE", "X-PAYMENT-RESPONSE"]) assert.ok(exposed.includes(name), name);
  }
});

test("S-157 listed pages may, with credentials, and others may not", async () => {
  const listed = await startGate(config(origin, remote(facilitator), ROUTES, { cors: { origins: ["https://page.test"] } }));
  try {
    for (const [page, allowed] of [["https://page.test", "https://page.test"], ["https://evil.test", null]]) {
      for (const path of ["/paid", "/free"]) {
        const answer = await fetch(`${listed.url}${path}`, { headers: { origin: page } });
        assert.equal(answer.headers.get("access-control-allow-origin"), allowed, `${page} ${path}`);
        assert.equal(answer.headers.get("access-control-allow-credentials"), allowed && "true", `${page} ${path}`);
      }
    }
    assert.match((await fetch(`${listed.url}/paid`)).headers.get("vary"), /Origin/);
  } finally {
    await listed.stop();
  }
});

test("an origin that answers pages itself is left to it on free routes", async () => {
  origin.answer = answers(200, { "access-control-allow-origin": "https://own.test" }, "x");
  const answer = await fetch(`${gate.url}/free`, { headers: { origin: "https://page.test" } });
  assert.equal(answer.headers.get("access-control-allow-origin"), "https://own.test");
});

test("an origin that is a Worker is reached by its binding", async () => {
  const worker = `export default { fetch: (request) => new Response(new URL(request.url).pathname + " of " + new URL(request.url).host) }`;
  const terms = { ...config(origin, remote(facilitator), ROUTES), origin: { service: "ORIGIN" } };
  const services = [
    { ...gateService(terms), services: { ORIGIN: "worker" } },
    { name: "worker", modules: [{ name: "worker.mjs", type: "esModule", text: worker }] },
  ];
  const bound = await startWorkerd(services);
  try {
    const answer = await buy(`${bound.url}/paid`, KEY);
    assert.deepEqual([answer.status, await answer.text()], [200, "/paid of gate.test"]);
  } finally {
    await bound.stop();
  }
});

test("I2 a client that goes away while the origin works is not charged, and may come back with its payment", async () => {
  // The client is a Worker in the same runtime: through a socket the runtime would not notice before it answers.
  const client = `export default { async fetch(request, env) {
    const gone = new AbortController();
    const answer = env.GATE.fetch("http://gate.test/paid", { headers: request.headers, signal: gone.signal });
    await fetch(env.REACHED);
    gone.abort();
    return new Response(await answer.then(() => "answered", () => "gone"));
  } }`;
  const reached = await startOrigin();
  const terms = config(origin, remote(facilitator), ROUTES);
  const services = [
    { name: "client", modules: [{ name: "client.mjs", type: "esModule", text: client }], services: { GATE: "gate" }, vars: { REACHED: reached.url } },
    gateService(terms),
  ];
  const both = await startWorkerd(services, { verbose: true });
  try {
    const paid = await payment(await challenge(url), KEY);
    const [atOrigin, asked] = [Promise.withResolvers(), Promise.withResolvers()];
    reached.answer = (request, response) => atOrigin.promise.then(() => reached.usual(request, response));
    origin.answer = (request, response) => {
      atOrigin.resolve();
      asked.promise.then(() => origin.usual(request, response));
    };
    const answer = await fetch(both.url, { headers: header(paid) });
    assert.equal(await answer.text(), "gone");
    asked.resolve();
    while (!both.log().includes("gate_client_gone")) await (await fetch(url)).text();
    assert.equal(facilitator.count("/settle"), 0);
    origin.answer = undefined;
    assert.equal((await present(url, paid)).status, 200);
  } finally {
    await both.stop();
    await reached.stop();
  }
});
