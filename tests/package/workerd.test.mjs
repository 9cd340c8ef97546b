// The package inside a Worker: raw workerd, no bundler, the compiled module imported beside the code.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startWorkerd } from "../interop/lib/workerd.mjs";
import { honest, payments, serve } from "./lib/seller.mjs";
import { ADDRESS, KEY } from "./lib/signer.mjs";

const pkg = new URL("../../pkg/", import.meta.url);
const read = (path, base = pkg) => readFileSync(new URL(path, base), "utf8");

const MAIN = `
import * as x402 from "./js/workerd.js";
import { checkEip3009 } from "./lib/vectors.mjs";
export default {
  async fetch(request) {
    const { vector, url, key } = await request.json();
    try {
      checkEip3009(x402, vector);
      const payer = await x402.createPayer({ wallet: { privateKey: key } });
      const response = await payer.fetch(url, { method: "POST", body: "from a Worker" });
      const refused = await x402.createPayer({ wallet: {} }).catch((error) => [error.name, error.code]);
      return Response.json({ fresh: x402.generatePrivateKey(), receipt: payer.receipt(response), text: await response.text(), refused });
    } catch (error) {
      return Response.json({ error: String(error.stack) });
    }
  },
};`;

const PURSE = `
import { DurableObject } from "cloudflare:workers";
import * as x402 from "./js/workerd.js";
import { durableObjectStore } from "./js/stores.js";
export class Purse extends DurableObject {
  async fetch(request) {
    const { url, key, calls } = await request.json();
    const policy = { budgets: [{ max: "$0.05", per: "day" }] };
    // Two payers in one object, over one storage.
    const make = () => x402.createPayer({ wallet: { privateKey: key }, policy, store: durableObjectStore(this.ctx.storage) });
    const payers = [await make(), await make()];
    const call = (_, place) => payers[place % 2].fetch(url).then(({ status }) => String(status), (error) => error.code ?? String(error.stack));
    const outcomes = await Promise.all(Array.from({ length: calls }, call));
    return Response.json({ outcomes, spent: await payers[0].spent(), entries: await payers[1].audit.verify() });
  }
}
export default { fetch: (request, env) => env.PURSE.get(env.PURSE.idFromName("one")).fetch(request) };`;

test("S-275, S-276 a Durable Object keeps a budget over payers and restarts", async () => {
  const scripts = readdirSync(new URL("js/", pkg)).filter((name) => name.endsWith(".js")).map((name) => ({ name: `js/${name}`, type: "esModule", text: read(`js/${name}`) }));
  const modules = [
    { name: "main.mjs", type: "esModule", text: PURSE },
    ...scripts,
    { name: "wasm/x402_wasm.js", type: "esModule", text: read("wasm/x402_wasm.js") },
    { name: "wasm/x402_wasm_bg.wasm", type: "wasm", path: new URL("wasm/x402_wasm_bg.wasm", pkg) },
  ];
  const storage = await mkdtemp(join(tmpdir(), "purse-"));
  const seller = await serve(honest());
  const run = async (calls) => {
    const worker = await startWorkerd([{ name: "main", modules, objects: { PURSE: "Purse" } }], { storage });
    try {
      const body = JSON.stringify({ url: seller.url, key: KEY, calls });
      return await (await fetch(worker.url, { method: "POST", body })).json();
    } finally {
      await worker.stop();
    }
  };
  try {
    const first = await run(12);
    assert.deepEqual(first.outcomes.toSorted(), [...Array(5).fill("200"), ...Array(7).fill("payer_over_budget")]);
    assert.equal(payments(seller).length, 5);
    const again = await run(1);
    assert.deepEqual([again.outcomes, again.spent[0].left, again.entries], [["payer_over_budget"], "0", first.entries + 1]);
  } finally {
    await seller.stop();
    await rm(storage, { recursive: true, force: true });
  }
});

const VERIFIER = `
import * as x402 from "./js/verify-workerd.js";
import { checkSigned } from "./lib/vectors.mjs";
export default {
  async fetch(request) {
    const { vector, payment, now } = await request.json();
    try {
      checkSigned(x402, vector);
      return Response.json(x402.verifyPayment(payment, vector.requirements, now));
    } catch (error) {
      return Response.json({ error: String(error.stack) });
    }
  },
};`;

test("a Worker checks payments without the payer's module", async () => {
  const scripts = ["error.js", "loading.js", "verify-face.js", "verify-workerd.js"].map((name) => `js/${name}`);
  const worker = await startWorkerd([{
    name: "main",
    modules: [
      { name: "main.mjs", type: "esModule", text: VERIFIER },
      ...[...scripts, "verify/x402_verify.js"].map((name) => ({ name, type: "esModule", text: read(name) })),
      { name: "lib/vectors.mjs", type: "esModule", text: read("lib/vectors.mjs", import.meta.url) },
      { name: "verify/x402_verify_bg.wasm", type: "wasm", path: new URL("verify/x402_verify_bg.wasm", pkg) },
    ],
  }]);
  try {
    const vector = JSON.parse(read("../vectors/eip3009.json", import.meta.url));
    const { authorization, signature, requirements, address } = vector;
    const payment = { x402Version: 2, payload: { authorization, signature }, accepted: requirements };
    const now = Number(authorization.validBefore) - 60;
    const answer = await (await fetch(worker.url, { method: "POST", body: JSON.stringify({ vector, payment, now }) })).json();
    assert.deepEqual(answer, { isValid: true, payer: address });
  } finally {
    await worker.stop();
  }
});

test("vectors and a paid fetch in workerd", async () => {
  const scripts = readdirSync(new URL("js/", pkg)).filter((name) => name.endsWith(".js")).map((name) => ({ name: `js/${name}`, type: "esModule", text: read(`js/${name}`) }));
  const worker = await startWorkerd([{
    name: "main",
    modules: [
      { name: "main.mjs", type: "esModule", text: MAIN },
      ...scripts,
      { name: "lib/vectors.mjs", type: "esModule", text: read("lib/vectors.mjs", import.meta.url) },
      { name: "wasm/x402_wasm.js", type: "esModule", text: read("wasm/x402_wasm.js") },
      { name: "wasm/x402_wasm_bg.wasm", type: "wasm", path: new URL("wasm/x402_wasm_bg.wasm", pkg) },
    ],
  }]);
  const seller = await serve(honest());
  try {
    const vector = JSON.parse(read("../vectors/eip3009.json", import.meta.url));
    const answer = await (await fetch(worker.url, { method: "POST", body: JSON.stringify({ vector, url: seller.url, key: KEY }) })).json();
    assert.equal(answer.error, undefined);
    assert.equal(answer.text, "POST from a Worker");
    assert.deepEqual([answer.receipt.success, answer.receipt.consistent, answer.receipt.payer], [true, true, ADDRESS]);
    assert.deepEqual(answer.refused, ["X402Error", "payer_invalid_options"]);
    assert.match(answer.fresh, /^0x[0-9a-f]{64}$/);
    assert.equal(payments(seller).length, 1);
  } finally {
    await seller.stop();
    await worker.stop();
  }
});
