/**
 * The protocol's functions without a payer, for what checks payments: a module of its own, less than half as large, in which
 * there is no key and nothing that signs. In browsers `await init()` first; elsewhere the functions load the module themselves.
 */
export {
  X402Error,
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
} from "./index.js";
export type { Authorization, Payment, PaymentRequired, PaymentRequirements, PaymentRequirementsV1, Settlement, TypedData } from "./index.js";
