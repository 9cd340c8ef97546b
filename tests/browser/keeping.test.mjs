// What a browser does behind a payer's back: it caches answers, keeps databases for all tabs, or keeps nothing at all.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";

import { pathOf, startScript } from "../interop/lib/process.mjs";
import { base64, offer, terms } from "../package/lib/seller.mjs";
import { launch } from "./browser.mjs";

// Anvil's first account, worth nothing anywhere else.
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "payment-signature",
  "access-control-expose-headers": "payment-required,payment-response",
};
const SETTLED = base64({ success: true, transaction: `0x${"ab".repeat(32)}`, network: "eip155:84532" });

describe("a browser's own ways", () => {
  let browser;
  let page;
  let seller;
  let url;
  const paid = [];

  before(async () => {
    page = await startScript(pathOf("../support/static.mjs", import.meta.url), {
      root: pathOf("bare", import.meta.url),
      pkg: pathOf("../../pkg", import.meta.url),
    });
    seller = createServer((request, response) => {
      if (request.method === "OPTIONS") return response.writeHead(204, CORS).end();
      const payment = request.headers["payment-signature"];
      // A server that lets its 402 be kept, as some do.
      if (payment === undefined) return response.writeHead(402, { ...CORS, "cache-control": "max-age=60", "payment-required": base64(terms([offer()])) }).end();
      paid.push(payment);
      return response.writeHead(200, { ...CORS, "payment-response": SETTLED }).end("goods");
    });
    seller.listen(0, "127.0.0.1");
    await once(seller, "listening");
    url = `http://127.0.0.1:${seller.address().port}/data`;
    browser = await launch();
  });
  after(async () => {
    await browser.close();
    await page.stop();
    seller.closeAllConnections();
    seller.close();
  });

  const tab = async (context, prepare) => {
    const opened = await context.newPage();
    if (prepare) await opened.addInitScript(prepare);
    await opened.goto(page.ready.page);
    await opened.waitForSelector("html[data-ready]", { state: "attached" });
    return opened;
  };
  const plain = (opened, policy) => opened.evaluate(([address, secret, limits]) => globalThis.plain(address, secret, limits), [url, KEY, policy]);

  test("a 402 that the browser keeps is not the answer to a payment", async () => {
    const context = await browser.newContext();
    paid.length = 0;
    const opened = await tab(context);
    for (const _ of [1, 2]) assert.equal((await plain(opened)).outcome, "200");
    assert.equal(new Set(paid).size, 2);
    await context.close();
  });

  test("without a word about it the log is kept for all tabs, and for later", async () => {
    const context = await browser.newContext();
    const first = await tab(context);
    assert.deepEqual((await plain(first)).events, ["reserved", "sent", "receipt"]);
    await first.close();
    assert.equal((await plain(await tab(context))).events.length, 6);
    await context.close();
  });

  test("a browser that keeps nothing pays without budgets, and not with any", async () => {
    const context = await browser.newContext();
    paid.length = 0;
    const broken = () => (indexedDB.open = () => { throw new DOMException("no", "SecurityError"); });
    const denied = () => Object.defineProperty(globalThis, "indexedDB", { get() { throw new DOMException("no", "SecurityError"); } });
    for (const prepare of [broken, denied]) {
      const opened = await tab(context, prepare);
      assert.deepEqual(await plain(opened), { outcome: "200", events: ["reserved", "sent", "receipt"] });
      const held = await plain(opened, { budgets: [{ max: "$1", per: "day" }] });
      assert.deepEqual(held, { outcome: "payer_store_failed", events: "payer_store_failed" });
    }
    assert.equal(paid.length, 2);
    await context.close();
  });
});
