// The package as its users get it: packed, installed from the tarball, imported by name, compiled against, bundled.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startScript } from "../interop/lib/process.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const modules = path("../node_modules/");
const app = mkdtempSync(join(tmpdir(), "x402-consumer-"));
after(() => rmSync(app, { recursive: true, force: true }));

const run = (program, args, options = {}) =>
  execFileSync(program, args, { cwd: app, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });
const write = (name, text) => {
  mkdirSync(join(app, name, ".."), { recursive: true });
  writeFileSync(join(app, name), text);
};

const npm = (...args) => run("npm", [...args, "--offline", "--no-audit", "--no-fund", "--loglevel=error"]);
const [packed] = JSON.parse(npm("pack", path("../../pkg"), "--json", "--pack-destination", app));
write("package.json", JSON.stringify({ name: "app", private: true, type: "module" }));
npm("install", join(app, packed.filename));

const VECTOR = readFileSync(path("../vectors/eip3009.json"), "utf8");
const USE = `
import { createPayer, decodePayment, digest, injectedWallets, recover, sign, X402Error } from "x402-wasm";
import { verifyPaymentContext } from "x402-wasm/origin";
const unpaid = await verifyPaymentContext(null, { issuer: "https://x.example", audience: "https://x.example/" }).catch((error) => error);
const vector = ${VECTOR};
const found = digest(vector.requirements, vector.authorization);
if (found !== vector.digest || recover(found, sign(vector.privateKey, found)) !== vector.address) throw new Error("wrong");
const payer = await createPayer({ wallet: { privateKey: vector.privateKey } });
const refused = await payer.fetch("https://x.example", { headers: { "payment-signature": "x" } }).catch((error) => error);
let code;
try { decodePayment(""); } catch (error) { code = error instanceof X402Error && error.code; }
export const answer = JSON.stringify([payer.address, refused.code, code, injectedWallets().length, unpaid instanceof X402Error && unpaid.code]);
`;
const WANTED = JSON.stringify([JSON.parse(VECTOR).address, "payer_already_paid", "invalid_payload", 0, "origin_context_missing"]);

test("the tarball holds what is needed and nothing else", () => {
  const names = packed.files.map(({ path }) => path).sort();
  const kinds = names.filter((name) => !/^(js|wasm)\//.test(name));
  assert.deepEqual(kinds, ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "index.d.ts", "origin.d.ts", "package.json", "stores.d.ts"]);
  assert.deepEqual(names.filter((name) => name.startsWith("wasm/")), ["wasm/x402_wasm.js", "wasm/x402_wasm_bg.wasm"]);
  const manifest = JSON.parse(readFileSync(join(app, "node_modules/x402-wasm/package.json")));
  assert.equal(manifest.dependencies, undefined);
  for (const target of Object.values(manifest.exports["."])) assert.ok(existsSync(join(app, "node_modules/x402-wasm", target)), target);
});

for (const [version, folder] of [["20", "node-20-linux"], ["24", "node-linux"]]) {
  test(`Node ${version} imports it by name`, () => {
    const node = ["x64", "arm64"].map((machine) => join(modules, `${folder}-${machine}/bin/node`)).find((file) => existsSync(file));
    assert.ok(node, `npm brought no Node ${version}`);
    assert.equal(run(node, ["--version"]).slice(1, 3), version);
    write("use.mjs", `${USE}\nconsole.log(answer);`);
    assert.equal(run(node, ["use.mjs"]).trim(), WANTED);
  });
}

test("TypeScript compiles against it, and refuses what is wrong", () => {
  const compile = (text) => {
    write("use.ts", text);
    const args = [join(modules, "typescript/bin/tsc"), "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable", "use.ts"];
    try {
      run(process.execPath, args);
      return "";
    } catch (error) {
      return error.stdout;
    }
  };
  const right = `
import { createPayer, decodePaymentRequired, injectedWallets, localKey, verifyPayment, wrapFetchWithPayment, X402Error } from "x402-wasm";
import type { Payer, Quote, Receipt, Step } from "x402-wasm";
import { verifyPaymentContext, type PaymentContext } from "x402-wasm/origin";
import { durableObjectStore, indexedDbStore, memoryStore } from "x402-wasm/stores";
for (const store of [memoryStore(), indexedDbStore("x"), { file: "book" } as const]) {
  const budgets = [{ max: "$2", per: "day" as const }, { max: "1", per: 90, asset: "0x" }];
  const careful = await createPayer({ wallet: { privateKey: "0x" }, policy: { budgets, prefer: { networks: [] } }, store, owner: "o", task: "t" });
  const [left] = await careful.spent();
  await careful.fetch("https://x.example", {}, { maxPrice: "$1", singleFlight: true });
  console.log(left?.left, (await careful.audit.summary())[0]?.amount, (await careful.audit.entries({ from: 2 }))[0]?.event, typeof durableObjectStore);
}
const paidFor: PaymentContext = await verifyPaymentContext("x", { issuer: "https://x.example", audience: new URL("https://x.example/data") });
console.log(BigInt(paidFor.amount), paidFor.payer?.length);
declare const ethereum: { request(request: { method: string; params?: unknown[] | Record<string, unknown> }): Promise<any> };
const payer: Payer = await createPayer({
  wallet: ethereum,
  policy: { maxPerPayment: "$0.10", networks: ["eip155:8453"], approve: async (quote: Quote) => quote.sentence.length > 0 },
  onStep: (step: Step) => { if (step.step === "receipt") console.log(step.receipt.transaction, step.at); },
});
const response: Response = await payer.fetch(new URL("https://x.example"), { method: "POST", body: "x", signal: AbortSignal.timeout(1) });
const receipt: Receipt | undefined = payer.receipt(response);
const paid: typeof fetch = wrapFetchWithPayment(fetch, payer) as typeof fetch;
const other = wrapFetchWithPayment(fetch, { wallet: { privateKey: new Uint8Array(32) } });
const { wouldPay, offers } = await payer.explain(response);
for (const { info, provider } of injectedWallets((all) => all.length)) await createPayer({ wallet: provider }).then(() => info.icon);
try { decodePaymentRequired("").accepts[0]; } catch (error) { if (error instanceof X402Error) console.log(error.code, error.details.quote?.amount); }
localKey("0x").free();
console.log(receipt?.success, paid, other, wouldPay, offers[0]?.tokens, payer.address, verifyPayment("", "").isValid);
`;
  assert.equal(compile(right), "");
  for (const wrong of [
    `import { createPayer } from "x402-wasm"; await createPayer({ wallet: { privateKey: "0x" }, store: "disk" });`,
    `import { createPayer } from "x402-wasm"; await createPayer({ wallet: { privateKey: "0x" }, policy: { maxPerPayment: 0.1 } });`,
    `import { createPayer } from "x402-wasm"; const { address } = await createPayer({ wallet: { privateKey: "0x" } }); address.length;`,
    `import { pay } from "x402-wasm"; pay();`,
  ]) {
    assert.match(compile(wrong), /error TS/, wrong);
  }
});

test("a Vite app bundles it, and the bundle runs in Chromium", async () => {
  write("site/index.html", '<!doctype html><meta charset="utf-8"><title>…</title><link rel="icon" href="data:,"><script type="module" src="main.js"></script>');
  write("site/main.js", `import { init } from "x402-wasm";\nawait init();\nconst { answer } = await import("./use.js");\ndocument.title = answer;`);
  write("site/use.js", USE);
  run(process.execPath, [join(modules, "vite/bin/vite.js"), "build", "site", "--outDir", "../dist", "--logLevel", "error"]);
  const assets = readdirSync(join(app, "dist/assets"));
  assert.equal(assets.filter((name) => name.endsWith(".wasm")).length, 1);
  assert.equal(assets.some((name) => readFileSync(join(app, "dist/assets", name), "utf8").includes("node:fs")), false);
  const server = await startScript(path("../support/static.mjs"), { root: join(app, "dist"), pkg: app });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  try {
    const page = await browser.newPage();
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    await page.goto(server.ready.page);
    await page.waitForFunction(() => document.title !== "…").catch((error) => assert.fail([...faults, error.message].join("; ")));
    assert.equal(await page.title(), WANTED);
  } finally {
    await browser.close();
    await server.stop();
  }
});
