// The peers' packages as their users ship them: esbuild, minified, compressed as a network would.
import { build } from "esbuild";
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

/** A browser bundle of some module text, resolved from the tests' packages. */
export async function browserBundle(source) {
  const { outputFiles } = await build({
    ...common,
    stdin: { contents: source, resolveDir: dir, loader: "js" },
    platform: "browser",
  });
  return outputFiles[0].contents;
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
