// Node, Deno and Bun: the module is read from disk when it is first needed.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { face } from "./face.js";

export { X402Error } from "./error.js";
export const {
  init,
  createPayer,
  wrapFetchWithPayment,
  injectedWallets,
  localKey,
  decodePaymentRequired,
  encodePaymentRequired,
  decodePayment,
  encodePayment,
  decodeSettlement,
  encodeSettlement,
  typedData,
  digest,
  sign,
  recover,
  address,
  verifyPayment,
  generatePrivateKey,
} = face({
  now: () => readFileSync(new URL("../wasm/x402_wasm_bg.wasm", import.meta.url)),
  file: (path) => {
    const whole = resolve(path); // as it is now: a program may go elsewhere
    return async () => (await import("./file.js")).fileStore(whole);
  },
  keystore: () => import("./keystore-node.js"),
});
