// The clients of the matrix. Each one is asked for the same thing: pay for this URL and say what came back.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { openBrowser } from "./lib/chromium.mjs";
import { pathOf, runScript } from "./lib/process.mjs";

/** The installed version of a package, `major.minor`: the table names what really ran. */
export function versionOf(name) {
  const manifest = createRequire(import.meta.url).resolve.paths(name)
    .map((dir) => `${dir}/${name}/package.json`)
    .find((path) => readable(path));
  return JSON.parse(readFileSync(manifest, "utf8")).version.split(".").slice(0, 2).join(".");
}

const readable = (path) => {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
};

/** A client that is a script of its own: one Node process per payment, as a user would run it. */
const script = (file) => ({ url, world }) =>
  runScript(pathOf(file, import.meta.url), { url, key: world.payer.privateKey });

let browser; // opened by the first cell that needs it

/**
 * @typedef {object} Client
 * @property {string} name
 * @property {number[]} versions protocol versions it can pay
 * @property {(ask: {url: string, world: object}) => Promise<{ok: boolean, status?: number, body?: string, receipt?: object, error?: string}>} pay
 * @property {() => Promise<void>} [close]
 */

/** @type {Client[]} */
export const clients = [
  { name: "x402-wasm in Node", versions: [2, 1], pay: script("ours-node.mjs") },
  {
    name: "x402-wasm in Chromium",
    versions: [2, 1],
    async pay({ url, world }) {
      browser ??= await openBrowser(world);
      return browser.pay(url);
    },
    async close() {
      await browser?.close();
      browser = undefined;
    },
  },
  { name: `@x402/fetch ${versionOf("@x402/fetch")}`, versions: [2, 1], pay: script("peers/reference-client.mjs") },
  { name: `x402-fetch ${versionOf("x402-fetch")}`, versions: [1], pay: script("peers/legacy-client.mjs") },
];
