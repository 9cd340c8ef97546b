// What checks payments, in Node, Deno and Bun: the module is read from disk when it is first needed.
import { readFileSync } from "node:fs";
import { face } from "./verify-face.js";

export { X402Error } from "./error.js";
export const {
  init,
  decodePaymentRequired,
  encodePaymentRequired,
  decodePayment,
  encodePayment,
  decodeSettlement,
  encodeSettlement,
  typedData,
  digest,
  recover,
  verifyPayment,
} = face({ now: () => readFileSync(new URL("../verify/x402_verify_bg.wasm", import.meta.url)) });
