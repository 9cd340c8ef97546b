// Our package's two operations for the crypto rows, as a caller of its functions would write them.
import { digest, localKey, recover } from "x402-wasm";

/** Signing and verifying of one EIP-3009 authorization under these requirements. */
export async function openCrypto(privateKey, requirements) {
  const key = localKey(privateKey);
  const terms = JSON.stringify(requirements);
  return {
    address: key.address,
    sign: async (message) => key.signAuthorization(terms, message),
    // As the peer: hash, recover, compare.
    verify: async (message, signature) => recover(digest(terms, message), signature) === message.from,
  };
}
