// Budgets in real tabs over one IndexedDB: two that hammer one budget, and one that is killed in the middle of a payment.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startSeller } from "./seller.mjs";

// Anvil's first account, worth nothing anywhere else.
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

describe("budgets in tabs", () => {
  let world;
  let url;
  const paid = [];
  /** Whoever waits for a payment to arrive, and whether payments are answered. */
  let arrived;
  let answers = true;

  before(async () => {
    world = await startSeller({
      paid(payment) {
        paid.push(payment);
        arrived?.();
        return answers;
      },
    });
    url = world.url;
  });
  after(() => world.stop());

  const tab = (context) => world.tab(context);
  /** Calls many times at once in a tab; what came of each. */
  const hammer = (opened, count, max, init) =>
    opened.evaluate(([address, secret, calls, limit, more]) => globalThis.hammer(address, secret, calls, limit, more), [url, KEY, count, max, init]);

  test("S-275 two tabs that hammer one budget spend it to the cent", async () => {
    const context = await world.browser.newContext();
    paid.length = 0;
    const tabs = await Promise.all([tab(context), tab(context)]);
    const outcomes = (await Promise.all(tabs.map((opened) => hammer(opened, 40, "$0.30")))).flat();
    const count = (wanted) => outcomes.filter((outcome) => outcome === wanted).length;
    assert.deepEqual([count("200"), count("payer_over_budget"), outcomes.length], [30, 50, 80]);
    assert.equal(new Set(paid).size, 30);
    // It is spent in a tab that is opened later, too; the log is one and whole.
    const later = await tab(context);
    assert.deepEqual(await hammer(later, 1, "$0.30"), ["payer_over_budget"]);
    const { left, verified, payments } = await later.evaluate(([secret, limit]) => globalThis.look(secret, limit), [KEY, "$0.30"]);
    assert.deepEqual([left, payments], ["0", 30]);
    assert.equal(verified, 30 * 3 + 51);
    await context.close();
  });

  test("S-276, F-65 a tab that is killed in the middle of a payment leaves its budget spent, and the payment to present", async () => {
    const context = await world.browser.newContext();
    paid.length = 0;
    answers = false;
    const killed = await tab(context);
    const arrival = new Promise((resolve) => (arrived = resolve));
    const order = { headers: { "idempotency-key": "order-1" } };
    hammer(killed, 1, "$0.01", order).catch(() => {}); // it will not live to tell
    await arrival;
    const session = await context.newCDPSession(killed);
    const crashed = killed.waitForEvent("crash");
    session.send("Page.crash").catch(() => {});
    await crashed;
    answers = true;
    const reopened = await tab(context);
    assert.deepEqual(await hammer(reopened, 1, "$0.01"), ["payer_over_budget"]);
    assert.deepEqual(await hammer(reopened, 1, "$0.01", order), ["200"]);
    assert.equal(new Set(paid).size, 1, "the same payment, presented again");
    await context.close();
  });
});
