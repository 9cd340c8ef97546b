import { X402Error } from "./index.js";

/** A JWK set (RFC 7517); keys that are not Ed25519 are passed over. */
export interface KeySet {
  keys: readonly { kty?: string; crv?: string; kid?: string; x?: string }[];
}

export interface PaymentContextOptions {
  /**
   * The keys of the gate: a set, or the address it is fetched from (https; http for this machine only) and remembered as
   * its `Cache-Control` says. Default: `issuer` and `/.x402/jwks.json`.
   */
  jwks?: KeySet | string | URL;
  /** The gate's `publicOrigin`. A context of another issuer, or of none, is refused; nothing said, it is not looked at. */
  issuer?: string;
  /** The URL that must have been paid for, as the gate's clients see it, without its query; or several of them. */
  audience: string | URL | readonly (string | URL)[];
  /** Unix seconds. Default: now. Five seconds of difference between two clocks are allowed for. */
  now?: number;
}

/** What a gate says of a paid request. */
export interface PaymentContext {
  /** When it was signed, and between when it is valid: Unix seconds. */
  iat: number;
  nbf?: number;
  exp: number;
  /** The URL that is paid for, without its query. */
  aud: string | string[];
  /** The scheme of the payment, such as `exact`. */
  scheme: string;
  /** The price in atomic units; under the scheme `upto`, the most that can be charged. */
  amount: string;
  /** The gate's `publicOrigin`. */
  iss?: string;
  /** The request, as it is called in the gate's log and in the answer's `x-request-id`. */
  jti?: string;
  /** The network by its CAIP-2 name, the token, who is paid and who pays. */
  network?: string;
  asset?: string;
  payTo?: string;
  payer?: string;
  /** The method of the request. */
  method?: string;
  /** What the payment is called in the gate's ledger. The same payment is served once, or again for lack of an answer. */
  payment?: string;
  /** `true` where that payment was made before, and a pass opened the page again: not to be counted twice. */
  pass?: boolean;
  [claim: string]: unknown;
}

/**
 * Checks the header `PAYMENT-CONTEXT` of a request that came through a gate.
 *
 * Rejects with an `X402Error` whose code is `origin_context_missing`, `…_invalid`, `…_signature`, `…_expired`, `…_audience`
 * or `…_issuer`: the request is not paid; `origin_keys_unavailable` (`retryable`): nobody can say; `origin_invalid_options`.
 */
export function verifyPaymentContext(
  header: string | null | undefined,
  options: PaymentContextOptions,
): Promise<PaymentContext>;

export { X402Error };
