// What a payment consists of, as it passes by: the payer sends with this fetch, which changes nothing and looks at the
// headers of x402. Reading them is the package's work.
import { decodePayment, decodePaymentRequired, decodeSettlement, digest, typedData } from "x402-wasm";

/**
 * A `fetch` for a payer. `see` is told of every message of the protocol as it passes: `{ terms, response }`,
 * `{ payment }`, `{ settlement }`, each `{ header, text, message }`, and for a payment also its `authorization`.
 */
export function watching(see) {
  return async (input, init) => {
    const sent = first(new Headers(init?.headers ?? input?.headers), ["payment-signature", "x-payment"], decodePayment);
    if (sent) see({ payment: { ...sent, authorization: sent.message?.payload?.authorization } });
    const response = await fetch(input, init);
    const terms = first(response.headers, ["payment-required"], decodePaymentRequired);
    if (terms) see({ terms, response });
    const settlement = first(response.headers, ["payment-response", "x-payment-response"], decodeSettlement);
    if (settlement) see({ settlement });
    return response;
  };
}

function first(headers, names, decode) {
  const header = names.find((name) => headers.get(name) !== null);
  if (!header) return undefined;
  const text = headers.get(header);
  try {
    return { header, text, message: decode(text) };
  } catch {
    // What the package does not read is shown as unread; the payer judges it by itself.
    return { header, text };
  }
}

/** The document that was signed for a payment and its hash, made anew from what was sent. */
export function document({ message }) {
  const { accepted, payload } = message;
  return { typed: typedData(accepted, payload.authorization), hash: digest(accepted, payload.authorization) };
}
