// The protocol's functions over a module of their own, which neither pays nor knows a key.
import * as core from "../verify/x402_verify.js";
import { loading } from "./loading.js";

/** @param source as `loading` takes it */
export function face(source) {
  const { init, plain } = loading(core, source);
  return {
    init,
    decodePaymentRequired: plain("decodePaymentRequired"),
    encodePaymentRequired: plain("encodePaymentRequired"),
    decodePayment: plain("decodePayment"),
    encodePayment: plain("encodePayment"),
    decodeSettlement: plain("decodeSettlement"),
    encodeSettlement: plain("encodeSettlement"),
    typedData: plain("typedData"),
    digest: plain("digest"),
    recover: plain("recover"),
    verifyPayment: plain("verifyPayment"),
  };
}
