// The peers' packages as their users ship them: esbuild, minified, compressed as a network would.
import { build } from "esbuild";
import { relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { pathOf } from "../interop/lib/process.mjs";

const common = { bundle: true, minify: true, format: "esm", write: false, target: "es2022", logLevel: "error", legalComments: "none" };
const dir = pathOf(".", import.meta.url);

/** Brotli at its best level: what a static host serves. */
export const brotli = (bytes) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }).length;

/** Gzip at its best level: what an upload is counted in. */
export const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length;

/**
 * What a browser loads at once of some module text, resolved from the tests' packages. What is imported later stays out; where
 * nothing is, `splitting` would only cost.
 */
export async function browserBundle(source, splitting) {
  const { outputFiles, metafile } = await build({
    ...common,
    stdin: { contents: source, resolveDir: dir, loader: "js", sourcefile: "page.js" },
    platform: "browser",
    splitting,
    metafile: true,
    outdir: pathOf("../../target/bundled", import.meta.url),
    absWorkingDir: dir,
  });
  const { outputs } = metafile;
  const first = new Set(Object.keys(outputs).filter((path) => outputs[path].entryPoint?.endsWith("page.js")));
  for (const path of first) for (const { kind, path: next } of outputs[path].imports) if (kind === "import-statement") first.add(next);
  return Buffer.concat(outputFiles.filter(({ path }) => first.has(relative(dir, path))).map(({ contents }) => contents));
}

/** A Worker bundle of a file, with the conditions Cloudflare's own bundler uses; Node's modules stay imports. */
export async function workerBundle(file) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [pathOf(file, import.meta.url)],
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*", "cloudflare:*"],
    alias: Object.fromEntries(["url", "buffer", "crypto", "fs", "path", "stream", "util"].map((name) => [name, `node:${name}`])),
  });
  return Buffer.from(outputFiles[0].contents);
}
