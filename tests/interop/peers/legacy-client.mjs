// The v1 payer: x402-fetch 1.2. It reads the 402's JSON body only, answers with X-PAYMENT, expects
// X-PAYMENT-RESPONSE, and refuses above its own cap of 0.10 USDC.
import { createSigner, wrapFetchWithPayment } from "x402-fetch";
import { client, flags, summary } from "./peer.mjs";

const { url, key, network, method } = flags({
  url: undefined,
  key: undefined,
  network: "base-sepolia",
  method: "GET",
});

await client(async () => {
  // The signer's chain decides which offers the client looks at; signing itself asks no node anything.
  const paidFetch = wrapFetchWithPayment(fetch, await createSigner(network, key));
  return summary(await paidFetch(url, { method }), ["X-PAYMENT-RESPONSE"]);
});
