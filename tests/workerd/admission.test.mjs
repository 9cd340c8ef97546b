// Which requests are priced: methods, paths, headers. Nothing here pays; nothing here may reach the origin for free.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { chain, config, embedded, raw, startGate, target } from "./lib/gate.mjs";
import { decode } from "./lib/pay.mjs";
import { startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [
  { match: "GET /free", free: true },
  { match: "GET /api/paid", price: "$0.01", description: "Paid", mimeType: "text/plain" },
  { match: "POST /api/paid", price: "$0.02" },
  { match: "GET /api/item/:id", price: "$0.01" },
  { match: "GET /caf\u00e9", price: "$0.01" },
];

let origin, open, gate;
before(async () => {
  origin = await startOrigin();
  gate = await startGate(config(origin, embedded, ROUTES));
  // What no rule speaks for is free here: the harder case.
  open = await startGate(config(origin, embedded, ROUTES, { default: "free" }));
});
after(async () => {
  await gate?.stop();
  await open?.stop();
  await origin?.stop();
});
beforeEach(() => {
  origin.seen.length = 0;
  origin.answer = undefined;
});

/** An answer that sells and gave nothing away. */
function sells(answer, what = "") {
  assert.equal(answer.status, 402, what);
  assert.equal(decode(answer.headers.get("payment-required")).x402Version, 2, what);
  assert.equal(answer.headers.get("cache-control"), "no-store", what);
  assert.deepEqual(origin.seen, [], what);
}

test("a free rule serves and a challenge tells both versions the terms", async () => {
  const free = await fetch(`${gate.url}/free?a=1`);
  assert.deepEqual([free.status, await free.text()], [200, "served /free?a=1"]);
  origin.seen.length = 0;
  const answer = await fetch(`${gate.url}/api/paid`);
  sells(answer);
  const { resource, accepts, error } = decode(answer.headers.get("payment-required"));
  assert.deepEqual(resource, { url: "http://gate.test/api/paid", description: "Paid", mimeType: "text/plain" });
  assert.equal(error, "Payment required");
  assert.equal(accepts[0].amount, "10000");
  const v1 = await answer.json();
  assert.equal(v1.x402Version, 1);
  assert.deepEqual([v1.accepts[0].network, v1.accepts[0].maxAmountRequired], ["base-sepolia", "10000"]);
  assert.equal(v1.accepts[0].resource, "http://gate.test/api/paid");
});

test("what no rule speaks for is denied, or forwarded, as the config says", async () => {
  const denied = await fetch(`${gate.url}/elsewhere`);
  assert.deepEqual([denied.status, (await denied.json()).error], [404, "gate_not_found"]);
  assert.deepEqual(origin.seen, []);
  const forwarded = await fetch(`${open.url}/elsewhere`, { method: "PUT", body: "x" });
  assert.deepEqual([forwarded.status, await forwarded.text()], [200, "served /elsewhere"]);
  assert.deepEqual([origin.seen[0].method, origin.seen[0].body], ["PUT", "x"]);
});

test("S-001 HEAD is sold as GET is", async () => {
  for (const { url } of [gate, open]) {
    const answer = await fetch(`${url}/api/paid`, { method: "HEAD" });
    sells(answer);
    assert.equal(await answer.text(), "");
  }
});

test("S-002 no other method passes on a path with a rule", async () => {
  for (const { url } of [gate, open]) {
    for (const method of ["PUT", "DELETE", "PATCH", "PROPFIND", "TRACE"]) {
      const answer = await target(url, "/api/paid", { method });
      assert.equal(answer.status, method === "TRACE" ? answer.status : 405, method);
      assert.ok([405, 501].includes(answer.status), `${method}: ${answer.status}`);
      if (answer.status === 405) assert.equal(answer.headers.get("allow"), "GET, HEAD, OPTIONS, POST");
    }
    // Methods the runtime's HTTP parser may refuse by itself: any refusal will do.
    for (const method of ["QUERY", "get", "GET2"]) {
      const { status } = await target(url, "/api/paid", { method });
      assert.ok([400, 405, 501].includes(status), `${method}: ${status}`);
    }
    sells(await fetch(`${url}/api/paid`, { method: "POST", body: "x" }));
  }
  assert.deepEqual(origin.seen, []);
});

test("S-003 the gate answers preflights itself", async () => {
  const answer = await fetch(`${gate.url}/api/paid`, {
    method: "OPTIONS",
    headers: {
      origin: "https://page.test",
      "access-control-request-method": "GET",
      "access-control-request-headers": "payment-signature, x-own",
    },
  });
  assert.equal(answer.status, 204);
  const allowed = answer.headers.get("access-control-allow-headers").toLowerCase();
  for (const name of ["payment-signature", "x-payment", "access-control-expose-headers", "x-own"]) assert.ok(allowed.includes(name), name);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.match(answer.headers.get("access-control-allow-methods"), /GET/);
  assert.deepEqual(origin.seen, []);
});

test("S-007 encoded paths are priced or not found", async () => {
  for (const { url } of [gate, open]) {
    for (const path of ["/api/%70aid", "/%61pi/paid", "/api%2Fpaid", "/api%2fpaid", "/api/%2570aid", "/api/paid/", "//api/paid", "/API/paid", "/api/paid%00", "/api/paid%20", "/api/paid;x"]) {
      const answer = await target(url, path);
      assert.ok([402, 404].includes(answer.status), `${path}: ${answer.status}`);
    }
  }
  assert.deepEqual(origin.seen, []);
});

test("S-008 an encoded separator stays inside its parameter", async () => {
  for (const { url } of [gate, open]) {
    for (const id of ["a%2Fb", "a%5Cb", "a\\b", "a%0Ab", "%E2%80%A8", "a%3Fb", "a%23b", "a#b"]) {
      const { status } = await target(url, `/api/item/${id}`);
      assert.ok([402, 404].includes(status), `${id}: ${status}`);
    }
  }
  assert.deepEqual(origin.seen, []);
});

test("S-009 dot segments lead to the rule they lead to", async () => {
  for (const { url } of [gate, open]) {
    for (const path of ["/x/../api/paid", "/x/%2e%2e/api/paid", "/x/%2E./api/paid", "/api/./paid", "/api/%2e/paid", "/../api/paid"]) {
      sells(await target(url, path), path);
    }
    const strange = await target(url, "/x/..;/api/paid");
    assert.ok([400, 404].includes(strange.status), `..;: ${strange.status}`);
    assert.deepEqual(origin.seen, []);
  }
});

test("S-011 Unicode and broken escapes never open", async () => {
  for (const { url } of [gate, open]) {
    sells(await target(url, "/caf%C3%A9"), "NFC");
    for (const path of ["/cafe%CC%81", "/api%EF%BC%8Fpaid", "/api/%EF%BD%90aid", "/api%c0%afpaid", "/api/%ff", "/api/%zz", "/api/paid%", "/api/%u0070aid", "/%c0%ae%c0%ae/api/paid"]) {
      const { status } = await target(url, path);
      assert.ok([400, 402, 404].includes(status), `${path}: ${status}`);
    }
  }
  assert.deepEqual(origin.seen, []);
});

test("S-012 no query is another price: the origin reads it, the gate sells the path", async () => {
  const priced = decode((await fetch(`${gate.url}/api/paid`)).headers.get("payment-required"));
  for (const { url } of [gate, open]) {
    for (const query of ["tier=free&tier=pro", "tier[]=pro", "TIER=pro", "tier=free;tier=pro", "price=0", "amount=1&amount=10000", "%00", "?", "=&=", "#x"]) {
      const answer = await target(url, `/api/paid?${query}`);
      sells(answer, query);
      assert.deepEqual(decode(answer.headers.get("payment-required")), priced, query);
    }
  }
});

test("S-014 headers that rewrite a request have no effect and do not travel", async () => {
  const lies = {
    "x-original-url": "/free",
    "x-rewrite-url": "/free",
    "x-forwarded-prefix": "/free",
    "x-forwarded-host": "evil.test",
    "x-forwarded-proto": "gopher",
    forwarded: "host=evil.test",
    "x-http-method-override": "PUT",
  };
  const answer = await fetch(`${open.url}/api/paid`, { headers: lies });
  sells(answer);
  assert.equal(decode(answer.headers.get("payment-required")).resource.url, "http://gate.test/api/paid");
  await (await fetch(`${open.url}/elsewhere`, { headers: lies })).text();
  for (const name of Object.keys(lies)) assert.equal(origin.seen[0].headers[name], undefined, name);
});

test("S-017 what a client claims in the gate's name is not forwarded", async () => {
  const claims = {
    "x-gate-verified": "1",
    "x-payer": "0x00",
    "settlement-overrides": '{"amount":"0"}',
    "payment-response": "e30=",
    "payment-required": "e30=",
    "x-payment-response": "e30=",
    "payment-context": "x",
    "payment-signature": "e30=",
    "x-payment": "e30=",
  };
  await (await fetch(`${gate.url}/free`, { headers: { ...claims, "x-own": "kept" } })).text();
  for (const name of Object.keys(claims)) assert.equal(origin.seen[0].headers[name], undefined, name);
  assert.equal(origin.seen[0].headers["x-own"], "kept");
});

test("S-019 an unpaid upgrade is a challenge, never a 101", async () => {
  const upgrade = ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
  const { status } = await raw(gate.url, ["GET /api/paid HTTP/1.1", ...upgrade]);
  assert.equal(status, 402);
  assert.deepEqual(origin.seen, []);
});

test("S-025 a payment in the wrong place is no payment", async () => {
  const value = "eyJ4NDAyVmVyc2lvbiI6Mn0=";
  sells(await fetch(`${gate.url}/api/paid?payment-signature=${value}&PAYMENT-SIGNATURE=${value}`));
  sells(await fetch(`${gate.url}/api/paid`, { headers: { cookie: `payment-signature=${value}` } }));
  sells(await fetch(`${gate.url}/api/paid`, { method: "POST", body: value }));
});

test("S-029 a browser is asked to pay as everybody is", async () => {
  for (const headers of [{ "user-agent": "Mozilla/5.0", accept: "text/html" }, { accept: "text/html" }, { "user-agent": "curl/8" }]) {
    sells(await fetch(`${gate.url}/api/paid`, { headers }));
  }
});

test("S-033 an empty payment header is no payment", async () => {
  for (const line of ["PAYMENT-SIGNATURE:", "PAYMENT-SIGNATURE:   ", "X-PAYMENT: "]) {
    sells(await raw(gate.url, ["GET /api/paid HTTP/1.1", line]), line);
  }
});

test("S-159 a challenge is small and asks nobody", async () => {
  const node = await startNode(chain.rpc);
  const alone = await startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url });
  try {
    const answer = await fetch(`${alone.url}/api/paid`);
    sells(answer);
    const body = await answer.text();
    assert.ok(answer.headers.get("payment-required").length + body.length <= 2048);
    assert.deepEqual(node.batches, []);
  } finally {
    await alone.stop();
    await node.stop();
  }
});
