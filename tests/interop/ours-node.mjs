// Our payer in Node, imported by its public name, with a local key and the default policy.
import { createPayer } from "x402-wasm";
import { client, flags, summary } from "./peers/peer.mjs";

const { url, key, method } = flags({ url: undefined, key: undefined, method: "GET" });

await client(async () => {
  const payer = await createPayer({ wallet: { privateKey: key } });
  const response = await payer.fetch(url, { method });
  return { ...(await summary(response, [])), receipt: payer.receipt(response) };
});
