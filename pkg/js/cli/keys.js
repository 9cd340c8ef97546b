// The key that pays: from the environment, or from an encrypted keystore. It is never a word of the command, which every
// process on the machine can read.
import { readFile } from "node:fs/promises";

import { openKeystore } from "x402-wasm/keystore";

import { home, secret, Usage } from "./terminal.js";

export const DEFAULT = () => home("wallet.json");

export async function keystore(file) {
  try {
    return await readFile(file, "utf8");
  } catch {
    throw new Usage(`there is no wallet at ${file}: make one with x402-wasm wallet new, or set X402_PRIVATE_KEY`);
  }
}

/** Does `work` with the key, which is wiped after it. */
export async function withKey(file, work) {
  const given = process.env.X402_PRIVATE_KEY;
  if (!file && given) return work(given);
  const path = file ?? DEFAULT();
  const bytes = await openKeystore(await keystore(path), await secret(`Password of ${path}: `, "X402_PASSWORD"));
  try {
    return await work(bytes);
  } finally {
    bytes.fill(0);
  }
}
