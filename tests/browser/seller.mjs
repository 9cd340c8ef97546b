// A page that knows nothing of this repository's, and a seller on another origin that the tests hold in their hands.
import { createServer } from "node:http";
import { once } from "node:events";

import { pathOf, startScript } from "../interop/lib/process.mjs";
import { base64, offer, terms } from "../package/lib/seller.mjs";
import { launch } from "./browser.mjs";

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "payment-signature,idempotency-key",
  "access-control-expose-headers": "payment-required,payment-response",
};
const SETTLED = base64({ success: true, transaction: `0x${"ab".repeat(32)}`, network: "eip155:84532" });

/**
 * Starts both and a browser. `paid(payment)` is told of every payment and says whether it is answered; `more` are headers of the 402.
 * @returns the seller's `url`, the `browser`, `tab(context, prepare)` that opens the page, and `stop()`
 */
export async function startSeller({ paid, more = {} }) {
  const page = await startScript(pathOf("../support/static.mjs", import.meta.url), {
    root: pathOf("bare", import.meta.url),
    pkg: pathOf("../../pkg", import.meta.url),
  });
  const seller = createServer((request, response) => {
    if (request.method === "OPTIONS") return response.writeHead(204, CORS).end();
    const payment = request.headers["payment-signature"];
    if (payment === undefined) return response.writeHead(402, { ...CORS, ...more, "payment-required": base64(terms([offer()])) }).end();
    if (paid(payment)) response.writeHead(200, { ...CORS, "payment-response": SETTLED }).end("goods");
  });
  seller.listen(0, "127.0.0.1");
  await once(seller, "listening");
  const browser = await launch();
  return {
    url: `http://127.0.0.1:${seller.address().port}/data`,
    browser,
    async tab(context, prepare) {
      const opened = await context.newPage();
      if (prepare) await opened.addInitScript(prepare);
      await opened.goto(page.ready.page);
      await opened.waitForSelector("html[data-ready]", { state: "attached" });
      return opened;
    },
    async stop() {
      await browser.close();
      await page.stop();
      seller.closeAllConnections();
      seller.close();
    },
  };
}
