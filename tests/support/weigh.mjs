// Weighs what travels, raw and compressed as a host would: the modules as they were built, the scripts as bundlers
// make them. Prints [{ name, raw, gzip, brotli }, …].
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const common = { bundle: true, format: "esm", target: "es2022", legalComments: "none", write: false, logLevel: "error" };

/** A program, as a bundler serves it: what is loaded with it, and what only when it is asked for. */
async function program(contents, platform = "browser") {
  const { outputFiles, metafile } = await build({
    ...common,
    stdin: { contents, resolveDir: at("tests"), sourcefile: "page.js" },
    platform,
    minify: true,
    splitting: true,
    metafile: true,
    outdir: at("target/weighed"),
    absWorkingDir: at("."),
  });
  const { outputs } = metafile;
  const entry = Object.keys(outputs).find((path) => outputs[path].entryPoint?.endsWith("page.js"));
  const first = new Set([entry]);
  for (const path of first) {
    for (const { kind, path: next } of outputs[path].imports) if (kind === "import-statement") first.add(next);
  }
  const texts = (wanted) => outputFiles.filter(({ path }) => first.has(relative(at("."), path)) === wanted).map(({ contents }) => contents);
  return { first: Buffer.concat(texts(true)), later: Buffer.concat(texts(false)) };
}

/** The gate's script as it is uploaded: not minified; the module and the config travel beside it. */
async function gate() {
  const external = ["cloudflare:*", "node:*", "*.wasm", "*.json"];
  const { outputFiles } = await build({ ...common, entryPoints: [at("worker/index.mjs")], external });
  return outputFiles[0].contents;
}

/** A program that uses the whole of an entry. */
const entry = (name) => program(`export * from "${name}";`);
const whole = async (made) => Buffer.concat(Object.values(await made));

const { first, later } = await entry("x402-wasm");
const parts = {
  "package wasm": readFileSync(at("pkg/wasm/x402_wasm_bg.wasm")),
  "package js": first,
  "when asked for": later,
  "cli js": await whole(program(`import ${JSON.stringify(at("pkg/js/cli/main.js"))};`, "node")),
  "keystore wasm": readFileSync(at("pkg/keystore/wasm/x402_keystore_bg.wasm")),
  "keystore js": await whole(entry("x402-wasm/keystore")),
  "verify wasm": readFileSync(at("pkg/verify/x402_verify_bg.wasm")),
  "verify js": await whole(entry("x402-wasm/verify")),
  "origin js": await whole(entry("x402-wasm/origin")),
  "gate wasm": readFileSync(at("worker/build/x402_gate_bg.wasm")),
  "gate js": await gate(),
};

const weigh = (bytes) => ({
  raw: bytes.length,
  gzip: gzipSync(bytes, { level: 9 }).length,
  brotli: brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  }).length,
});

console.log(JSON.stringify(Object.entries(parts).map(([name, bytes]) => ({ name, ...weigh(bytes) }))));
