// What checks payments, in Workers: the module comes compiled with the code.
import module from "../verify/x402_verify_bg.wasm";
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
} = face({ now: () => module });
