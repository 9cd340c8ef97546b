// The peer on workerd: @x402/hono with one paid route, whose handler answers itself or, like a gate, asks an origin. It is
// built from the first request because a Worker may make no subrequest while it loads. Its facilitator is whatever
// service answers the Worker's `fetch`.
import { HTTPFacilitatorClient } from "@x402/core/server";
import { ExactEvmScheme } from "@x402/evm/exact/server";
import { paymentMiddleware, x402ResourceServer } from "@x402/hono";
import { Hono } from "hono";

function build({ PAY_TO, NETWORK, PRICE, ORIGIN }) {
  const facilitator = new HTTPFacilitatorClient({ url: "http://facilitator.test" });
  const server = new x402ResourceServer(facilitator).register(NETWORK, new ExactEvmScheme());
  const accepts = { scheme: "exact", network: NETWORK, payTo: PAY_TO, price: PRICE };
  const app = new Hono();
  app.use(paymentMiddleware({ "GET /quote": { accepts } }, server));
  app.get("/quote", (c) => (ORIGIN ? ORIGIN.fetch("http://origin.test/quote") : c.json({ quote: "bench" })));
  return app;
}

let app;
export default {
  fetch(request, env, context) {
    app ??= build(env);
    return app.fetch(request, env, context);
  },
};
