// What a visitor downloads and what an owner uploads.
import { readFile } from "node:fs/promises";
import { pathOf } from "../interop/lib/process.mjs";
import { brotli, browserBundle, gzip, workerBundle } from "./bundle.mjs";
import { CONFIG } from "./gates.mjs";
import { row } from "./measure.mjs";

const file = (path) => readFile(pathOf(`../../${path}`, import.meta.url));
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The schemes our package carries: the peer's bundle holds the same ones, no more. */
export const SCHEMES = ["exact"];

const PEER_EXPORTS = {
  exact: 'export { registerExactEvmScheme } from "@x402/evm/exact/client";',
  upto: 'export { UptoEvmScheme } from "@x402/evm/upto/client";',
  "batch-settlement": 'export { BatchSettlementEvmScheme } from "@x402/evm/batch-settlement/client";',
};

/** The peer's payer: wrapper, schemes and a local account. */
const peerPayer = (schemes) => browserBundle([
  'export { wrapFetchWithPayment, x402Client } from "@x402/fetch";',
  'export { privateKeyToAccount } from "viem/accounts";',
  ...schemes.map((scheme) => PEER_EXPORTS[scheme]),
].join("\n"), false);

const payer = {
  peer: async () => brotli(await peerPayer(SCHEMES)),
  ours: async () => brotli(await browserBundle('export * from "x402-wasm";', true)) + brotli(await file("pkg/wasm/x402_wasm_bg.wasm")),
};

const upload = {
  peer: async () => gzip(await workerBundle("peers/worker.mjs")),
  ours: async () => {
    const modules = ["worker/index.mjs", "worker/build/x402_gate.js", "worker/build/x402_gate_bg.wasm"];
    return sum((await Promise.all(modules.map(file))).map(gzip)) + gzip(Buffer.from(JSON.stringify(CONFIG)));
  },
};

const bytes = async (sides, part) =>
  Object.fromEntries(await Promise.all(sides.map(async (side) => [side, await part[side]()])));

/** Rows for the download and the upload, and what the peer's payer weighs with every EVM scheme it has. */
export async function size(sides) {
  const rows = [
    row(`payer download, JS and wasm, brotli (${SCHEMES.join(", ")})`, "bytes", await bytes(sides, payer), "less"),
    row("Worker upload, gzip", "bytes", await bytes(sides, upload), "less"),
  ];
  return { rows, note: `the peer's payer with ${Object.keys(PEER_EXPORTS).join(", ")}: ${brotli(await peerPayer(Object.keys(PEER_EXPORTS)))} bytes` };
}
