// The reference gate: @x402/hono on Node, `GET /quote`, one price in the network's default asset.
// It speaks to its facilitator over HTTP: `GET /supported` once, then /verify and /settle per payment.
import { serve } from "@hono/node-server";
import { HTTPFacilitatorClient } from "@x402/core/server";
import { ExactEvmScheme } from "@x402/evm/exact/server";
import { paymentMiddleware, x402ResourceServer } from "@x402/hono";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { answer, endWithParent, flags } from "./peer.mjs";

const { payTo, facilitator, token, network, price, port } = flags({
  payTo: undefined,
  facilitator: undefined,
  token: "", // sent as `Authorization: Bearer <token>` on every facilitator call
  network: "eip155:84532",
  price: "$0.01",
  port: "0",
});

const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
const client = new HTTPFacilitatorClient({
  url: facilitator,
  createAuthHeaders: async () => ({ verify: headers, settle: headers, supported: headers }),
});
const server = new x402ResourceServer(client).register(network, new ExactEvmScheme());
const app = new Hono();
// Set up as a seller with browser customers must: before the payment middleware, with the protocol's headers exposed.
app.use(cors({ origin: "*", exposeHeaders: ["PAYMENT-REQUIRED", "PAYMENT-RESPONSE"] }));
app.use(paymentMiddleware({ "GET /quote": { accepts: { scheme: "exact", network, payTo, price } } }, server));
app.get("/quote", (c) => c.json({ quote: "reference", at: Date.now() }));

serve({ fetch: app.fetch, port: Number(port), hostname: "127.0.0.1" }, ({ port: bound }) => {
  answer({ url: `http://127.0.0.1:${bound}`, pid: process.pid });
});
endWithParent();
