// The package as its users get it: packed, installed from the tarball, imported by name, compiled against, bundled.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
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
import * as verify from "x402-wasm/verify";
const unpaid = await verifyPaymentContext(null, { issuer: "https://x.example", audience: "https://x.example/" }).catch((error) => error);
const vector = ${VECTOR};
const found = digest(vector.requirements, vector.authorization);
if (found !== vector.digest || recover(found, sign(vector.privateKey, found)) !== vector.address) throw new Error("wrong");
const payer = await createPayer({ wallet: { privateKey: vector.privateKey } });
const refused = await payer.fetch("https://x.example", { headers: { "payment-signature": "x" } }).catch((error) => error);
let code;
try { decodePayment(""); } catch (error) { code = error instanceof X402Error && error.code; }
await verify.init();
const signer = verify.recover(verify.digest(vector.requirements, vector.authorization), vector.signature);
export const answer = JSON.stringify([payer.address, refused.code, code, injectedWallets().length, unpaid instanceof X402Error && unpaid.code, signer]);
`;
const WANTED = JSON.stringify([JSON.parse(VECTOR).address, "payer_already_paid", "invalid_payload", 0, "origin_context_missing", JSON.parse(VECTOR).address]);

test("the tarball holds what is needed and nothing else", () => {
  const names = packed.files.map(({ path }) => path).sort();
  const kinds = names.filter((name) => !/^(js|wasm|verify|keystore)\//.test(name));
  const types = ["index.d.ts", "keystore.d.ts", "origin.d.ts", "package.json", "stores.d.ts", "verify.d.ts"];
  assert.deepEqual(kinds, ["LICENSE-APACHE", "LICENSE-MIT", "README.md", ...types]);
  assert.deepEqual(names.filter((name) => name.startsWith("wasm/")), ["wasm/x402_wasm.js", "wasm/x402_wasm_bg.wasm"]);
  assert.deepEqual(names.filter((name) => name.startsWith("verify/")), ["verify/x402_verify.js", "verify/x402_verify_bg.wasm"]);
  assert.deepEqual(names.filter((name) => name.startsWith("keystore/")), ["keystore/wasm/x402_keystore.js", "keystore/wasm/x402_keystore_bg.wasm"]);
  const manifest = JSON.parse(readFileSync(join(app, "node_modules/x402-wasm/package.json")));
  assert.equal(manifest.dependencies, undefined);
  const targets = Object.values(manifest.exports).flatMap((target) => (typeof target === "string" ? target : Object.values(target)));
  for (const target of targets) assert.ok(existsSync(join(app, "node_modules/x402-wasm", target)), target);
});

/** A program that npm brought for this machine, by its places on one and on the other. */
const brought = (name, ...places) => places.map((place) => join(modules, place)).find((file) => existsSync(file)) ?? assert.fail(`npm brought no ${name}`);

for (const [version, folder] of [["20", "node-20-linux"], ["22", "node-22-linux"], ["24", "node-linux"]]) {
  test(`Node ${version} imports it by name`, () => {
    const node = brought(`Node ${version}`, `${folder}-x64/bin/node`, `${folder}-arm64/bin/node`);
    assert.equal(run(node, ["--version"]).slice(1, 3), version);
    write("use.mjs", `${USE}\nconsole.log(answer);`);
    assert.equal(run(node, ["use.mjs"]).trim(), WANTED);
  });
}

test("Deno imports it by name", () => {
  const deno = brought("Deno", "@deno/linux-x64-glibc/deno", "@deno/linux-arm64-glibc/deno");
  write("use.mjs", `${USE}\nconsole.log(answer);`);
  const said = run(deno, ["run", "--allow-read", "--no-prompt", "use.mjs"], { env: { ...process.env, DENO_DIR: join(app, "deno"), DENO_NO_UPDATE_CHECK: "1" } });
  assert.equal(said.trim(), WANTED);
});

test("Bun imports it by name", () => {
  const bun = brought("Bun", "@oven/bun-linux-x64/bin/bun", "@oven/bun-linux-aarch64/bin/bun");
  write("use.mjs", `${USE}\nconsole.log(answer);`);
  assert.equal(run(bun, ["run", "use.mjs"]).trim(), WANTED);
});

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
import * as verify from "x402-wasm/verify";
import type { Payment } from "x402-wasm/verify";
const sent: Payment = verify.decodePayment("");
console.log(verify.verifyPayment(sent, "{}").payer?.length, verify.decodePaymentRequired("").accepts.length, verify.init(new URL("https://x.example")));
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
    `import { sign } from "x402-wasm/verify"; sign("", "");`,
  ]) {
    assert.match(compile(wrong), /error TS/, wrong);
  }
});

/** Serves a folder and answers the title that its page gives itself in Chromium, with everything that went wrong. */
async function titleOf(root, pkg) {
  const server = await startScript(path("../support/static.mjs"), { root, pkg });
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless", "--no-sandbox", "--disable-gpu"] });
  try {
    const page = await browser.newPage();
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    await page.goto(server.ready.page);
    await page.waitForFunction(() => document.title !== "…").catch((error) => assert.fail([...faults, error.message].join("; ")));
    return await page.title();
  } finally {
    await browser.close();
    await server.stop();
  }
}

const PAGE = (source) => `<!doctype html><meta charset="utf-8"><title>…</title><link rel="icon" href="data:,"><script type="module" src="${source}"></script>`;
const MAIN = `import { init } from "x402-wasm";\nawait init();\nconst { answer } = await import("./use.js");\ndocument.title = answer;`;

test("a Vite app bundles it, and the bundle runs in Chromium", async () => {
  write("site/index.html", PAGE("main.js"));
  write("site/main.js", MAIN);
  write("site/use.js", USE);
  run(process.execPath, [join(modules, "vite/bin/vite.js"), "build", "site", "--outDir", "../dist", "--logLevel", "error"]);
  const assets = readdirSync(join(app, "dist/assets"));
  assert.equal(assets.filter((name) => name.endsWith(".wasm")).length, 3, "the payer's module, the verifier's, and the keystore's for who asks for it");
  assert.equal(assets.some((name) => readFileSync(join(app, "dist/assets", name), "utf8").includes("node:fs")), false);
  assert.equal(await titleOf(join(app, "dist"), app), WANTED);
});

test("a webpack app bundles it, and the bundle runs in Chromium", async () => {
  write("packed/main.js", MAIN);
  write("packed/use.js", USE);
  write("packed/out/index.html", PAGE("main.js"));
  write("pack.mjs", `
import webpack from ${JSON.stringify(pathToFileURL(join(modules, "webpack/lib/index.js")).href)};
const options = { mode: "production", context: ${JSON.stringify(join(app, "packed"))}, entry: "./main.js", experiments: { outputModule: true },
  output: { path: ${JSON.stringify(join(app, "packed/out"))}, filename: "main.js", module: true, publicPath: "auto" } };
webpack(options, (error, stats) => {
  if (error || stats.hasErrors()) { console.error(error ?? stats.toString("errors-only")); process.exitCode = 1; }
});`);
  run(process.execPath, ["pack.mjs"]);
  assert.equal(readdirSync(join(app, "packed/out")).filter((name) => name.endsWith(".wasm")).length, 3);
  assert.equal(await titleOf(join(app, "packed/out"), app), WANTED);
});

test("a page without a bundler imports it by its address", async () => {
  const at = "./x402-wasm/js";
  write("plain/index.html", PAGE("main.js"));
  write("plain/main.js", MAIN.replace("x402-wasm", `${at}/index.js`));
  write("plain/use.js", USE.replace('"x402-wasm"', `"${at}/index.js"`).replace('"x402-wasm/origin"', `"${at}/origin.js"`).replace('"x402-wasm/verify"', `"${at}/verify.js"`));
  cpSync(join(app, "node_modules/x402-wasm"), join(app, "plain/x402-wasm"), { recursive: true });
  assert.equal(await titleOf(join(app, "plain"), app), WANTED);
});
