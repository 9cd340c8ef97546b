// The package inside a Worker: raw workerd, no bundler, the compiled module imported beside the code.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
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
