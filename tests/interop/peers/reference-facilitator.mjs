// The reference facilitator: @x402/core + @x402/evm `exact`, v2 and v1, settling with a viem wallet on a local chain.
//
// What it asks of that chain, as observed: eth_getCode (payer, asset), eth_call (the transfer, simulated),
// eth_fillTransaction (or, where a node lacks it: eth_getTransactionCount, eth_estimateGas, eth_getBlockByNumber,
// eth_maxPriorityFeePerGas, eth_chainId), eth_sendRawTransaction, eth_getTransactionReceipt. Instant mining is fine.
// Multicall3 answers only the diagnosis of a failed simulation and not yet deployed smart wallets.
import { createServer } from "node:http";
import { x402Facilitator } from "@x402/core/facilitator";
import { toFacilitatorEvmSigner } from "@x402/evm";
import { registerExactEvmScheme } from "@x402/evm/exact/facilitator";
import { createWalletClient, http, publicActions } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";
import { answer, endWithParent, flags } from "./peer.mjs";

const { rpc, key, network, token, port } = flags({
  rpc: undefined,
  key: undefined,
  network: "eip155:84532",
  token: "", // when given, every call needs `Authorization: Bearer <token>`
  port: "0",
});
const BODY_LIMIT = 256 * 1024;

const account = privateKeyToAccount(key);
const wallet = createWalletClient({
  account,
  chain: baseSepolia,
  transport: http(rpc),
  pollingInterval: 50, // the local chain mines at once; the default second would only slow the tests
}).extend(publicActions);
const signer = toFacilitatorEvmSigner({
  address: account.address,
  readContract: (args) => wallet.readContract(args),
  verifyTypedData: (args) => wallet.verifyTypedData(args),
  writeContract: (args) => wallet.writeContract(args),
  sendTransaction: (args) => wallet.sendTransaction(args),
  waitForTransactionReceipt: (args) => wallet.waitForTransactionReceipt(args),
  getCode: (args) => wallet.getCode(args),
});
const facilitator = new x402Facilitator();
registerExactEvmScheme(facilitator, { signer, networks: network });

/** Reads a JSON body of bounded size. */
async function body(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new Error("body too large");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

const counts = { verify: 0, settle: 0, supported: 0 }; // so that a test can tell who did the work

/** One call: `[status, JSON value]`. */
async function call(request) {
  if (token !== "" && request.headers.authorization !== `Bearer ${token}`) return [401, { error: "unauthorized" }];
  const { pathname } = new URL(request.url, "http://facilitator");
  const name = `${request.method} ${pathname}`;
  if (name === "GET /counts") return [200, counts];
  if (name === "GET /supported") {
    counts.supported += 1;
    return [200, facilitator.getSupported()];
  }
  if (name === "POST /verify" || name === "POST /settle") {
    const { paymentPayload, paymentRequirements } = await body(request);
    if (!paymentPayload || !paymentRequirements) return [400, { error: "missing paymentPayload or paymentRequirements" }];
    const role = name.slice("POST /".length);
    counts[role] += 1;
    return [200, await facilitator[role](paymentPayload, paymentRequirements)];
  }
  return [404, { error: "not found" }];
}

const server = createServer(async (request, response) => {
  let [status, value] = [500, { error: "internal" }];
  try {
    [status, value] = await call(request);
  } catch (error) {
    value = { error: String(error?.message ?? error) };
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v)));
});
server.listen(Number(port), "127.0.0.1", () => {
  answer({ url: `http://127.0.0.1:${server.address().port}`, address: account.address, pid: process.pid });
});
endWithParent();
