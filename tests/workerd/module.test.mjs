// The module that runs in the Worker, and the clients that leave it: what it costs, what it keeps, whose is whose, and who owns a
// settlement that its client did not wait for.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { gateService } from "../interop/lib/gate.mjs";
import { startWorkerd } from "../interop/lib/workerd.mjs";
import { balanceOf } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, remote, startGate, until } from "./lib/gate.mjs";
import { base64, challenge, decode, header, payment, present } from "./lib/pay.mjs";
import { startPrivate } from "./lib/private.mjs";
import { content, startFacilitator, startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [
  { match: "GET /paid", price: "$0.01" },
  { match: "POST /paid", price: "$0.01" },
  { match: "GET /of/:whom", price: "$0.01" },
  { match: "POST /before", price: "$0.01", settle: "before" },
];
const MIB = 1024 * 1024;

let origin, facilitator, gate;
before(async () => {
  [origin, facilitator] = [await startOrigin(), await startFacilitator()];
  gate = await startGate(config(origin, remote(facilitator), ROUTES), {}, { change: measured });
});
after(async () => {
  for (const server of [gate, facilitator, origin]) await server?.stop();
});
beforeEach(() => {
  origin.seen.length = facilitator.asked.length = 0;
  origin.answer = undefined;
  facilitator.say = { ...content };
});

/** A gate that also tells how much memory its module has. */
function measured(service) {
  const [entry, glue] = service.modules.map(({ path }) => path && readFileSync(path, "utf8"));
  const [door, ask] = ["  fetch(request, env, context) {\n", '    if (new URL(request.url).pathname === "/__memory") return new Response(String(gate.memory()));\n'];
  assert.equal(entry.split(door).length, 2);
  service.modules[0] = { name: "index.mjs", type: "esModule", text: entry.replace(door, door + ask) };
  service.modules[1] = { name: "build/x402_gate.js", type: "esModule", text: `${glue}\nexport const memory = () => wasm.memory.buffer.byteLength;\n` };
  return service;
}

const memory = async () => Number(await (await fetch(`${gate.url}/__memory`)).text());
const drained = async (answer) => {
  await answer.arrayBuffer();
  return answer.status;
};

test("S-321 sixty-four bodies of a MiB at once: each is served or refused, and so is what comes after", async () => {
  const url = `${gate.url}/paid`;
  const body = "x".repeat(MIB);
  const required = await challenge(url, { method: "POST", body: "" });
  const payments = await Promise.all(Array.from({ length: 64 }, () => payment(required, freshKey())));
  const statuses = await Promise.all(payments.map(async (paid) => drained(await present(url, paid, { method: "POST", body }))));
  for (const status of statuses) assert.ok([200, 413, 503].includes(status), String(status));
  assert.equal(statuses.filter((status) => status === 200).length, origin.seen.length, "who was served is who the origin worked for");
  const large = await present(url, await payment(required, freshKey()), { method: "POST", body: `${body}x` });
  assert.equal(await drained(large), 413);
  const headers = { "payment-signature": "A".repeat(15 * 1024) };
  const many = await Promise.all(Array.from({ length: 200 }, async () => drained(await fetch(url, { headers }))));
  assert.deepEqual([...new Set(many)], [400]);
  assert.equal(await drained(await present(url, await payment(required, freshKey()), { method: "POST", body: "x" })), 200);
  assert.ok((await memory()) <= 128 * MIB);
});

test("S-322 the module's memory does not grow with the number of requests", async () => {
  const url = `${gate.url}/paid`;
  const fresh = await startGate(config(origin, remote(facilitator), ROUTES), {}, { change: measured });
  const held = async () => Number(await (await fetch(`${fresh.url}/__memory`)).text());
  const place = `${fresh.url}/paid`;
  try {
    const required = await challenge(place);
    const deep = base64(`{"more":${"[".repeat(300)}${"]".repeat(300)}}`);
    const bad = await payment(required, freshKey(), { domain: { name: "Evil" } });
    const round = async () => {
      const paid = await payment(required, freshKey());
      const unlike = { "payment-signature": base64({ ...paid, more: "x".repeat(8000) }) };
      const requests = [fetch(place), fetch(`${fresh.url}/nothing`), fetch(place, { method: "PUT" }), fetch(place, { headers: { "payment-signature": deep } }), fetch(place, { headers: { "payment-signature": "A".repeat(16_000) } }), present(place, bad), fetch(place, { headers: unlike }), present(place, paid)];
      await Promise.all(requests.map(async (one) => drained(await one)));
      await drained(await present(place, paid));
      await drained(await present(place, paid, { method: "POST", body: "x".repeat(10_000) }));
      origin.seen.length = facilitator.asked.length = 0;
    };
    // As often as it takes to have met what may come at once.
    for (let i = 0; i < 200; i += 1) await round();
    const settled = await held();
    for (let i = 0; i < 400; i += 1) await round();
    // A page of 64 KiB may be a moment when more came at once; 15 bytes left behind by each request would be more.
    assert.ok((await held()) <= settled + 64 * 1024, `${settled} grew to ${await held()}`);
    assert.ok(settled <= 16 * MIB);
  } finally {
    await fresh.stop();
  }
  assert.equal((await fetch(url)).status, 402);
});

test("S-324 no header costs more than a few signatures", async () => {
  const url = `${gate.url}/paid`;
  const good = await payment(await challenge(url), freshKey());
  const text = JSON.stringify(good);
  const padded = (before, unit, behind) => base64(text.replace("{", `{"more":${before}${unit.repeat((12 * 1024 - text.length - 64) / unit.length)}${behind},`));
  const hostile = {
    letters: "A".repeat(16 * 1024),
    numbers: padded("[", "1,", "1]"),
    escapes: padded('"', "\\ud83d\\ude00", '"'),
    keys: padded("{", '"k":1,', '"z":1}'),
    "different keys": base64(text.replace("{", `{"more":{${Array.from({ length: 1000 }, (_, i) => `"${i.toString(36)}":1`).join()}},`)),
    objects: padded("[", '{"a":[{"b":[]}]},', "1]"),
  };
  // Each takes its turn in every round: whoever else uses this machine slows them all.
  const dear = { "payment-signature": base64(await payment(await challenge(url), freshKey(), { domain: { name: "Evil" } })) };
  const kinds = [["a signature", dear], ...Object.entries(hostile).map(([what, value]) => [what, { "payment-signature": value }])];
  const times = new Map(kinds.map(([what]) => [what, []]));
  for (let round = 0; round < 60; round += 1) {
    for (const [what, headers] of kinds) {
      const began = process.hrtime.bigint();
      const answer = await fetch(url, { headers });
      await answer.arrayBuffer();
      times.get(what).push(Number(process.hrtime.bigint() - began) / 1e6);
      // What is only long is a good payment with more beside it: another test is what becomes of it.
      assert.ok([200, 400, 402, 409].includes(answer.status), `${what}: ${answer.status}`);
    }
  }
  const median = (what) => times.get(what).sort((a, b) => a - b)[30];
  const signature = median("a signature");
  for (const what of Object.keys(hostile)) assert.ok(median(what) < signature * 5, `${what}: ${median(what)} ms beside ${signature} ms`);
});

test("S-326 two payers on one module get each their own, however they come between each other", async () => {
  const payers = [freshKey(), freshKey()].map((key) => ({ key, address: privateKeyToAccount(key).address }));
  origin.answer = async (request, response) => {
    // The second to come is the first to be answered.
    await new Promise((resolve) => (origin.seen.length % 2 ? setImmediate(resolve) : resolve()));
    response.end(`for ${request.url}`);
  };
  facilitator.say["/verify"] = async (body) => {
    await new Promise((resolve) => setImmediate(resolve));
    return content["/verify"](body);
  };
  const required = await Promise.all(payers.map((_, i) => challenge(`${gate.url}/of/${i}`)));
  const requests = Array.from({ length: 400 }, (_, n) => n % 2).map(async (i) => {
    const paid = await payment(required[i], payers[i].key);
    const place = `${gate.url}/of/${i}`;
    const answer = await present(place, paid);
    return [i, answer.status, await answer.text(), decode(answer.headers.get("payment-response"))?.payer, paid, decode(answer.headers.get("payment-response"))?.transaction];
  });
  for (const [i, status, text, payer, paid, transaction] of await Promise.all(requests)) {
    assert.deepEqual([status, text, payer, transaction], [200, `for /of/${i}`, payers[i].address, paid.payload.authorization.nonce]);
  }
  assert.equal(facilitator.count("/settle"), 400);
});

/** A client inside the runtime that goes away when `reached` answers: through a socket it would not be noticed at once. */
const LEAVING = `export default { async fetch(request, env) {
  const gone = new AbortController();
  const answer = env.GATE.fetch("http://gate.test/paid", { method: "POST", body: "order", headers: request.headers, signal: gone.signal });
  const read = answer.then((one) => one.text());
  await Promise.race([fetch(env.REACHED), read.catch(() => {})]);
  gone.abort();
  return new Response(await read.then(() => "answered", () => "gone"));
} }`;

test("S-329 F-31 a client that goes away at any step is charged once for one answer, or not at all", async () => {
  const reached = await startOrigin();
  const services = [
    { name: "client", modules: [{ name: "client.mjs", type: "esModule", text: LEAVING }], services: { GATE: "gate" }, vars: { REACHED: reached.url } },
    gateService(config(origin, remote(facilitator), ROUTES)),
  ];
  const both = await startWorkerd(services, { verbose: true });
  const init = { method: "POST", body: "order" };
  const required = await challenge(`${gate.url}/paid`, init);
  const steps = {
    "the verification": (hold) => (facilitator.say["/verify"] = (body) => hold().then(() => content["/verify"](body))),
    "the origin": (hold) => (origin.answer = (request, response) => void hold().then(() => origin.usual(request, response))),
    "the settlement": (hold) => (facilitator.say["/settle"] = (body) => hold().then(() => content["/settle"](body))),
    "the body": (hold) => (origin.answer = (_, response) => {
      response.writeHead(200);
      response.write("first");
      void hold().then(() => response.end("last"));
    }),
  };
  try {
    for (const [what, set] of Object.entries(steps)) {
      origin.seen.length = facilitator.asked.length = 0;
      [origin.answer, facilitator.say] = [undefined, { ...content }];
      const [at, left] = [Promise.withResolvers(), Promise.withResolvers()];
      set(() => {
        at.resolve();
        return left.promise;
      });
      reached.answer = (request, response) => at.promise.then(() => reached.usual(request, response));
      const paid = await payment(required, freshKey());
      const told = await (await fetch(both.url, { headers: header(paid) })).text();
      left.resolve();
      [origin.answer, facilitator.say] = [undefined, { ...content }];
      // It comes back with the same payment, by way of the same client, until it is answered.
      reached.answer = () => {};
      const again = await until(async () => (await (await fetch(both.url, { headers: header(paid) })).text()) === "answered");
      assert.deepEqual([told, again], ["gone", true], what);
      await until(() => facilitator.settlements(paid) > 0);
      assert.equal(facilitator.settlements(paid), 1, what);
      assert.equal(origin.seen.length, 1, what);
    }
  } finally {
    await both.stop();
    await reached.stop();
  }
});

/** Sends a paid request by hand and hangs up when asked to. */
function hangUp(url, paid) {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {});
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: gate.test\r\nPAYMENT-SIGNATURE: ${Object.values(header(paid))[0]}\r\n\r\n`);
  return () => socket.destroy();
}

test("S-328 F-41 a settlement whose client has hung up is nobody's request: it ends, once", async () => {
  const own = await startPrivate();
  const node = await startNode(own.rpc);
  const relayed = await startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url, RELAYER_KEY: await own.relayer() });
  try {
    const key = await own.payer();
    const url = `${relayed.url}/paid`;
    const paid = await payment(await challenge(url), key);
    await own.automine(false);
    const leave = hangUp(url, paid);
    await node.until(() => node.sent.length > 0);
    leave();
    // Long after a request without a client is ended, its payment is still looked after.
    const looks = () => node.batches.filter((batch) => batch.includes("eth_getTransactionReceipt")).length;
    const before = looks();
    await node.until(() => looks() >= before + 8);
    await own.mine();
    await own.automine(true);
    const got = await until(async () => {
      const answer = await present(url, paid);
      if (answer.status === 200) return answer;
      assert.equal((await answer.json()).error, "settlement_pending");
      return undefined;
    });
    assert.equal(await got.text(), "served /paid");
    assert.equal(await balanceOf(own.rpc, chain.asset, privateKeyToAccount(key).address), 990_000n);
    assert.deepEqual([new Set(node.sent).size, origin.seen.length], [1, 1]);
  } finally {
    for (const server of [relayed, node, own]) await server.stop();
  }
  // With a facilitator that takes its time: the word is heard after the client has gone.
  const [asked, answered] = [Promise.withResolvers(), Promise.withResolvers()];
  facilitator.say["/settle"] = (body) => {
    asked.resolve();
    return answered.promise.then(() => content["/settle"](body));
  };
  origin.seen.length = 0;
  const url = `${gate.url}/paid`;
  const paid = await payment(await challenge(url), freshKey());
  const leave = hangUp(url, paid);
  await asked.promise;
  leave();
  answered.resolve();
  const got = await until(async () => {
    const answer = await present(url, paid);
    await answer.arrayBuffer();
    return answer.status === 200;
  });
  assert.deepEqual([got, facilitator.settlements(paid), origin.seen.length], [true, 1, 1]);
});
