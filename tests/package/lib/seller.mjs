// Servers under the tests' control: each answers as it is told and remembers what it was asked.
import { createServer } from "node:http";
import { once } from "node:events";
import { decodePayment, encodePaymentRequired, encodeSettlement, verifyPayment } from "x402-wasm";

export const PAYEE = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
export const USDC = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";

/** An honest offer of one cent on Base Sepolia, with changes. */
export const offer = (changes = {}) => ({
  scheme: "exact",
  network: "eip155:84532",
  amount: "10000",
  asset: USDC,
  payTo: PAYEE,
  maxTimeoutSeconds: 60,
  extra: { name: "USDC", version: "2" },
  ...changes,
});

export const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64");

/** The terms of a 402; what the package would refuse to write is written anyway. */
export function terms(accepts, more = {}) {
  return { x402Version: 2, error: "Payment required", resource: { url: "http://seller.example/data" }, accepts, ...more };
}

/**
 * Starts a server.
 * @param {(request: {method, url, headers, body, count}, response) => unknown} answer
 * @returns {Promise<{url: string, origin: string, requests: object[], stop: () => Promise<void>}>}
 */
export async function serve(answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    try {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const seen = { method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks) };
      requests.push(seen);
      await answer({ ...seen, count: requests.length }, response);
    } catch {
      response.destroy(); // a caller that hangs up
    }
  });
  server.keepAliveTimeout = 0; // a test that computes for long finds its connection as it left it
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `${origin}/data`, origin, requests, stop };
}

/** Answers 402 with terms, given as an object or as a raw header. */
export function challenge(response, required, headers = {}) {
  const header = typeof required === "string" ? required : base64(required);
  response.writeHead(402, { "payment-required": header, "content-type": "application/json", ...headers }).end("{}");
}

/** A seller that keeps to the protocol: terms, then a check of the payment by this package, then the goods. */
export function honest(accepted = offer(), { status = 200, settlement, more } = {}) {
  return (request, response) => {
    const header = request.headers["payment-signature"];
    if (header === undefined) return challenge(response, encodePaymentRequired(terms([accepted], more)));
    const payment = decodePayment(header);
    const verdict = verifyPayment(payment, accepted);
    if (!verdict.isValid) return challenge(response, terms([accepted], { error: verdict.invalidReason }));
    const settled = settlement ?? {
      success: true, payer: verdict.payer, transaction: `0x${"ab".repeat(32)}`, network: accepted.network,
    };
    const receipt = typeof settled === "string" ? settled : encodeSettlement(settled);
    const headers = receipt === "" ? {} : { "payment-response": receipt };
    return response.writeHead(status, headers).end(`${request.method} ${request.body}`);
  };
}

/** The payments a server was sent. */
export const payments = (server) =>
  server.requests.filter(({ headers }) => headers["payment-signature"] ?? headers["x-payment"]);
