// The reference payer as its documentation sets it up: @x402/fetch, the exact EVM scheme, a viem account, and the
// spend controls left as they ship (default assets only, at most $1 a payment).
import { wrapFetchWithPayment, x402Client } from "@x402/fetch";
import { registerExactEvmScheme } from "@x402/evm/exact/client";
import { privateKeyToAccount } from "viem/accounts";
import { client, flags, summary } from "./peer.mjs";

const { url, key, method } = flags({ url: undefined, key: undefined, method: "GET" });

await client(async () => {
  const payer = registerExactEvmScheme(new x402Client(), { signer: privateKeyToAccount(key) });
  const paidFetch = wrapFetchWithPayment(fetch, payer);
  return summary(await paidFetch(url, { method }), ["PAYMENT-RESPONSE", "X-PAYMENT-RESPONSE"]);
});
