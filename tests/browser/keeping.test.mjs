// What a browser does behind a payer's back: it caches answers, keeps databases for all tabs, or keeps nothing at all.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startSeller } from "./seller.mjs";

// Anvil's first account, worth nothing anywhere else.
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

describe("a browser's own ways", () => {
  let world;
  let url;
  const paid = [];

  before(async () => {
    // A server that lets its 402 be kept, as some do.
    world = await startSeller({ paid: (payment) => paid.push(payment), more: { "cache-control": "max-age=60" } });
    url = world.url;
  });
  after(() => world.stop());

  const tab = (context, prepare) => world.tab(context, prepare);
  const plain = (opened, policy) => opened.evaluate(([address, secret, limits]) => globalThis.plain(address, secret, limits), [url, KEY, policy]);

  test("a 402 that the browser keeps is not the answer to a payment", async () => {
    const context = await world.browser.newContext();
    paid.length = 0;
    const opened = await tab(context);
    for (const _ of [1, 2]) assert.equal((await plain(opened)).outcome, "200");
    assert.equal(new Set(paid).size, 2);
    await context.close();
  });

  test("without a word about it the log is kept for all tabs, and for later", async () => {
    const context = await world.browser.newContext();
    const first = await tab(context);
    assert.deepEqual((await plain(first)).events, ["reserved", "sent", "receipt"]);
    await first.close();
    assert.equal((await plain(await tab(context))).events.length, 6);
    await context.close();
  });

  test("a browser that keeps nothing pays without budgets, and not with any", async () => {
    const context = await world.browser.newContext();
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
