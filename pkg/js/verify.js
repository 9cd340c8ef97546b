// What checks payments, in browsers: the module is fetched beside this file by `init`.
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
} = face({ later: () => new URL("../verify/x402_verify_bg.wasm", import.meta.url) });
