// Workers: the module comes compiled with the code.
import module from "../wasm/x402_wasm_bg.wasm";
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
} = face({ now: () => module });
