// Browsers, with or without a bundler: the module is fetched beside this file when it is first needed.
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
  later: () => new URL("../wasm/x402_wasm_bg.wasm", import.meta.url),
  keystore: () => import("./keystore.js"),
});
