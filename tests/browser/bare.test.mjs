// The package in a page that knows nothing of this repository's page: a bare module script on an origin of its own.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { pathOf, startScript } from "../interop/lib/process.mjs";
import { world } from "../support/world.mjs";
import { launch, moved, open } from "./browser.mjs";

const w = world();
const quote = new URL("/quote", w.gate).href;
const key = w.payer.privateKey;

describe("the package in a bare module script", () => {
  let browser;
  let server;
  let page;
  before(async () => {
    server = await startScript(pathOf("../support/static.mjs", import.meta.url), {
      root: pathOf("bare", import.meta.url),
      pkg: pathOf("../../pkg", import.meta.url),
    });
    browser = await launch();
    page = await open(browser, server.ready.page);
    await page.tab.waitForSelector("html[data-ready]", { state: "attached" });
  });
  after(async () => {
    await browser.close();
    await server.stop();
  });

  test("pays a gate on another origin, unbundled", async () => {
    let outcome;
    const amount = await moved(w, async () => {
      outcome = await page.tab.evaluate(([url, secret]) => globalThis.pay(url, secret), [quote, key]);
    });
    assert.equal(amount, 10_000n);
    assert.equal(outcome.status, 200);
    assert.equal(outcome.body.symbol, "ETH-USD");
    assert.equal(outcome.receipt.success, true);
    assert.equal(outcome.receipt.consistent, true);
    assert.match(outcome.receipt.transaction, /^0x[0-9a-f]{64}$/);
    assert.deepEqual(page.faults.splice(0), [`402 ${quote}`]);
  });

  test("refuses with an error of its own class, and moves nothing", async () => {
    let outcome;
    const amount = await moved(w, async () => {
      outcome = await page.tab.evaluate(([url, secret]) => globalThis.refuse(url, secret), [quote, key]);
    });
    assert.equal(amount, 0n);
    assert.deepEqual(outcome, { error: true, name: "X402Error", code: "payer_over_cap" });
    assert.deepEqual(page.faults.splice(0), [`402 ${quote}`]);
  });

  test("loads one module and its glue, from its own server only", async () => {
    const own = page.requests.filter((url) => new URL(url).origin === new URL(server.ready.page).origin);
    const rest = page.requests.filter((url) => !own.includes(url) && !url.startsWith("data:"));
    assert.deepEqual([...new Set(rest)], [quote]);
    assert.equal(own.filter((url) => url.endsWith(".wasm")).length, 1);
  });
});
