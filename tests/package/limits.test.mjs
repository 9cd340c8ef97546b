// Where the payer's limits end, to the byte and the second, and that nothing below them is refused by mistake.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import ts from "typescript";
import * as x402 from "x402-wasm";
import { initSync } from "../../pkg/wasm/x402_wasm.js";
import { accepted, answering, asking, attempt, goods, raw, refused, unpaid } from "./lib/hostile.mjs";
import { base64, offer, serve, terms } from "./lib/seller.mjs";
import { counting, KEY } from "./lib/signer.mjs";

const { createPayer, wrapFetchWithPayment } = x402;

test("S-260: https or this very machine, for the URL that was asked and for the one that answered", async () => {
  const far = ["10.0.0.1", "0.0.0.0", "127.0.0.1.example.com", "localhost.example.com", "notlocalhost", "[::2]", "[::ffff:10.0.0.1]"];
  for (const host of far) await refused(asking(), "payer_insecure_url", { url: `http://${host}/data` });
  await refused(asking(), "payer_insecure_url", { from: { url: "http://api.example.com/data", redirected: true } });
  await refused(asking(), "payer_redirected", { from: { url: "https://api.example.com:8443/data", redirected: true } });
  await accepted(asking(), { from: { url: "https://api.example.com:443/other", redirected: true } });
  for (const host of ["localhost:1", "127.0.0.1:1", "127.8.8.8", "[::1]:1", "app.localhost"]) {
    await accepted(asking(), { url: `http://${host}/data` });
  }
});

test("S-262: a price that is said twice is no price", async () => {
  const twice = JSON.stringify(asking()).replace('"amount":"10000"', '"amount":"1","amount":"10000"');
  await refused(base64(twice), "invalid_payment_required");
});

test("S-263: without a cheaper one, the dearest under the cap is paid, and the server's first among equals", async () => {
  const paid = async (...offers) => (await accepted(terms(offers.map(offer)))).accepted;
  assert.equal((await paid({ amount: "100001" }, { amount: "100000" }, { amount: "900000" })).amount, "100000");
  assert.equal((await paid({ maxTimeoutSeconds: 50 }, { maxTimeoutSeconds: 70 })).maxTimeoutSeconds, 50);
});

test("an empty list of what is allowed allows nothing", async () => {
  await refused(asking(), "payer_network_not_allowed", { policy: { networks: [] } });
  await refused(asking(), "payer_pay_to_not_allowed", { policy: { payTo: [] } });
  await refused(asking(), "payer_over_cap", { policy: { maxPerPayment: "0" } });
});

test("limits that an object inherits would be lost, so it is refused", async () => {
  class Limits {
    get maxPerPayment() {
      return "$0.001";
    }
  }
  const wallet = counting();
  for (const policy of [new Limits(), Object.create({ maxPerPayment: "$0.001" }), [], new Map([["maxPerPayment", "$0.001"]])]) {
    await assert.rejects(createPayer({ wallet, policy }), { name: "X402Error", code: "payer_invalid_options" });
  }
  await refused(asking(), "payer_over_cap", { policy: Object.assign(Object.create(null), { maxPerPayment: "$0.001" }) });
});

test("S-279: a body is read no further than terms may reach, in bytes, after decompression and in seconds", async (t) => {
  /** A body without end that counts what was taken of it. */
  const endless = () => {
    const body = { taken: 0, cancelled: false };
    const chunk = new Uint8Array(4096).fill(32);
    const pull = (controller) => {
      body.taken += chunk.length;
      controller.enqueue(chunk);
    };
    body.stream = new ReadableStream({ pull, cancel: () => void (body.cancelled = true) });
    return body;
  };
  const v1 = { policy: { v1: true } };

  await t.test("with terms in the header the body is given up at once", async () => {
    const body = endless();
    const { response, signed } = await attempt([unpaid(asking(), { body: body.stream }), goods()]);
    assert.equal(await response.text(), "goods");
    assert.deepEqual([signed.length, body.cancelled], [1, true]);
    assert.ok(body.taken <= 4 * 4096, `${body.taken} bytes were read`);
  });
  await t.test("without them 64 KiB are read, and the answer is the caller's", async () => {
    const body = endless();
    const { response, signed } = await attempt([raw(body.stream, { status: 402 }), goods()], v1);
    assert.deepEqual([response.status, response.bodyUsed, signed.length], [402, false, 0]);
    assert.ok(body.taken > 64 * 1024 && body.taken <= 72 * 1024 + 4096, `${body.taken} bytes were read`);
    await response.body.cancel();
    assert.equal(body.cancelled, true);
  });
  await t.test("a body that unpacks to 32 MiB", async () => {
    const bomb = gzipSync(Buffer.alloc(32 << 20, " "), { level: 9 });
    const seller = await serve((request, response) => response.writeHead(402, { "content-encoding": "gzip" }).end(bomb));
    const wallet = counting();
    const payer = await createPayer({ wallet, ...v1 });
    const before = process.memoryUsage().arrayBuffers;
    const response = await payer.fetch(seller.url);
    assert.deepEqual([response.status, wallet.signed.length], [402, 0]);
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20);
    await response.body.cancel();
    await seller.stop();
  });
  await t.test("a body that says nothing is given 10 seconds", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
    const asked = Promise.withResolvers();
    const silent = new ReadableStream({ pull: () => (asked.resolve(), new Promise(() => {})) }, { highWaterMark: 0 });
    const outcome = attempt([raw(silent, { status: 402 }), goods()], v1);
    let ended = false;
    outcome.then(() => (ended = true));
    const turn = () => new Promise(setImmediate);
    await asked.promise;
    await turn();
    t.mock.timers.tick(9_999);
    await turn();
    assert.equal(ended, false);
    t.mock.timers.tick(1);
    const { response, signed } = await outcome;
    assert.deepEqual([response.status, signed.length], [402, 0]);
  });
});

test("S-280: a resource that is too long is not echoed either", async () => {
  const resource = { url: "https://api.example.com/data", description: "x".repeat(20 * 1024) };
  assert.equal((await accepted(terms([offer()], { resource }))).resource, undefined);
});

test("a wrapped fetch whose payer could not be made tries again with the next call", async () => {
  const { fetch, calls } = answering(unpaid(), goods());
  let reads = 0;
  const options = {
    get wallet() {
      return (reads += 1) === 1 ? {} : { privateKey: KEY };
    },
  };
  const paying = wrapFetchWithPayment(fetch, options);
  await assert.rejects(paying("https://api.example.com/data"), { code: "payer_invalid_options" });
  assert.equal((await paying("https://api.example.com/data")).status, 200);
  assert.equal((await paying("https://api.example.com/data")).status, 200);
  assert.deepEqual([reads, calls.length], [2, 3]);
  const secretive = { get wallet() { throw new Error(KEY); } };
  await assert.rejects(wrapFetchWithPayment(fetch, secretive)("https://api.example.com/data"), (error) =>
    error.code === "payer_invalid_options" && !String(error.stack).includes(KEY));
});

test("explain reads answers that are not fetch's own", async () => {
  const payer = await createPayer({ wallet: counting() });
  const told = await payer.explain({ status: 402, headers: new Headers({ "payment-required": base64(asking()) }) });
  assert.deepEqual([told.wouldPay, told.offers.length, told.reason], [false, 1, "invalid_url"]);
  assert.match(told.sentence, /does not say what it answers; explain its URL/);
  const made = new Response("{}", { status: 402, headers: { "payment-required": base64(asking()) } });
  assert.equal((await payer.explain(made)).sentence, told.sentence);
});

test("what a payment took is given back: the module's memory does not grow with their number", async () => {
  const wants = (length) => unpaid(terms([offer({ description: "é\n".repeat(length) }), offer({ asset: "0x" })]));
  let turn = 0;
  const fetch = async (input, init) => {
    const request = new Request(input, init);
    turn += 1;
    return (request.headers.has("payment-signature") ? goods("garbage") : wants((turn * 97) % 600))(request);
  };
  const payer = await createPayer({ wallet: { privateKey: KEY }, fetch });
  const poor = await createPayer({ wallet: { privateKey: KEY }, fetch, policy: { maxPerPayment: "$0.001" } });
  const many = async (count) => {
    for (let call = 0; call < count; call += 1) {
      assert.equal((await payer.fetch("https://api.example.com/data")).status, 200);
      await assert.rejects(poor.fetch("https://api.example.com/data"), { code: "payer_nothing_acceptable" });
      x402.localKey(KEY).free();
    }
    // What has been loaded already is handed out as it is.
    return Object.values(initSync()).find((value) => value instanceof WebAssembly.Memory).buffer.byteLength;
  };
  const settled = await many(50);
  assert.equal(await many(1500), settled);
});

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("index.d.ts names what the package exports, no more and no less", () => {
  const source = ts.createSourceFile("index.d.ts", read("pkg/index.d.ts"), ts.ScriptTarget.Latest);
  const values = source.statements.filter((node) => ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node));
  const declared = values.map((node) => node.name.text).sort();
  assert.deepEqual(declared, Object.keys(x402).sort());
});

test("the package's README names every function and limit, and no code that is not given", async () => {
  const readme = read("pkg/README.md");
  for (const name of Object.keys(x402).filter((name) => name !== "X402Error")) assert.ok(readme.includes(`${name}`), name);
  const source = ts.createSourceFile("index.d.ts", read("pkg/index.d.ts"), ts.ScriptTarget.Latest);
  const policy = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === "Policy");
  assert.deepEqual(readme.match(/(?<=^\| `)[a-zA-Z0-9]+(?=` \| (?!when))/gm), policy.members.map((member) => member.name.text));
  const given = ["src/error.rs", "pkg/js/face.js", "pkg/js/options.js"].map(read).join();
  for (const code of new Set(readme.match(/\b(payer|invalid|unsupported|too)_\w+/g))) assert.ok(given.includes(`"${code}"`), code);
});
