// Who cannot see well, cannot point, or holds a phone: axe on every state of the page in both colour schemes and both
// sizes, and the whole way to a paid answer with the keyboard alone.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before, describe, test } from "node:test";

import { world } from "../support/world.mjs";
import { launch, mended, moved, on, openPage, sizes, walletOf } from "./browser.mjs";

const w = world();
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What axe finds wrong, as lines a person can act on. The bought page's frame is not ours. */
async function violations(tab) {
  const found = await tab.evaluate(() => globalThis.axe.run(document, { iframes: false, resultTypes: ["violations"] }));
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`));
}

/** Whether anything is wider than the screen. */
const overflows = (tab) => tab.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);

describe("the page for everybody", () => {
  let browser;
  before(async () => (browser = await launch()));
  afterEach(() => mended(w));
  after(() => browser.close());

  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      test(`axe finds nothing on a ${size} in ${colorScheme}`, async () => {
        const options = { viewport, colorScheme, wallet: walletOf(w), scripts: [axe] };
        const { tab, close } = await openPage(browser, w, options);
        const page = on(tab);
        const clean = async (state) => {
          await page.ended();
          assert.deepEqual(await violations(tab), [], state);
          assert.equal(await overflows(tab), false, `${state}: wider than the screen`);
        };
        try {
          assert.deepEqual(await violations(tab), [], "at first");
          assert.equal(await overflows(tab), false, "at first: wider than the screen");
          await page.choose("Demo key");
          await page.offer();
          await tab.locator(".verdict").waitFor();
          await clean("with an offer");
          await page.hold("the offer");
          await page.turn("The payee", "Wrong price");
          await page.pay();
          await page.refusal().waitFor();
          await clean("refused for what was offered");
          await page.mend();
          await page.pay();
          await page.receipt().waitFor();
          await clean("paid");
          await tab.locator("#part-steps details").evaluateAll((folds) => folds.forEach((fold) => (fold.open = true)));
          await clean("every message unfolded");
          await tab.locator("#entries details").evaluateAll((folds) => folds.forEach((fold) => (fold.open = true)));
          await tab.getByRole("button", { name: "Verify" }).click();
          await tab.locator("#log-said .good").waitFor();
          await clean("the log unfolded and verified");
          await tab.getByRole("button", { name: "Change a copy" }).click();
          await tab.locator("#log-said .bad").first().waitFor();
          await clean("a copy of the log changed");
          await page.fire(25);
          await clean("many paid");
          await page.turn("The payee", "Answer lost");
          await page.pay();
          await tab.locator('[data-step="waiting"].running').waitFor();
          assert.deepEqual(await violations(tab), [], "pending");
          await page.receipt().waitFor();
          await clean("paid after a loss");
          await page.turn("The payee", "Asks again");
          await page.turn("The chain's node", "Slow");
          await page.turn("The origin", "Down");
          await page.pay();
          await page.receipt().waitFor();
          await clean("asked for more, everything broken");
          await page.fire(10);
          await clean("many failed");
          await page.mend();
          await page.budget("1", "an hour");
          await page.pick("/quote");
          await page.fire(10);
          await clean("some above a budget");
          await page.pay();
          await page.refusal().waitFor();
          await clean("refused by a budget");
          await page.budget("50", "a minute");
          await page.pick("/fails");
          await page.pay();
          await page.receipt().waitFor();
          await clean("not confirmed");
          await page.pick("/stream");
          await page.pay();
          await tab.locator('#part-answer[data-state="ended"]').waitFor();
          await clean("with a stream");
          await page.pick("/report");
          await page.limit("nothing");
          await tab.locator("#cap-hint.bad").waitFor();
          await page.limit("$0.01");
          await page.pay();
          await page.refusal().waitFor();
          await clean("refused");
        } finally {
          await close();
        }
      });
    }
  }

  test("the keyboard alone leads to a paid answer, and its place is always seen", async () => {
    const { tab, close } = await openPage(browser, w);
    const page = on(tab);
    /** The focused element: what it is called, and whether it shows that it has the focus. */
    const focused = () =>
      tab.evaluate(() => {
        const element = document.activeElement;
        const shown = [element, element.nextElementSibling, element.parentElement].some((one) => {
          const style = one && getComputedStyle(one);
          return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
        });
        return { id: element.id, name: element.name, text: element.textContent.trim().slice(0, 60), shown };
      });
    /** Presses Tab until the focus is where `there` says, and sees it on every stop. */
    const tabTo = async (what, there) => {
      for (let presses = 0; presses < 40; presses += 1) {
        await tab.keyboard.press("Tab");
        const place = await focused();
        assert.ok(place.shown, `the focus is not seen on ${place.id || place.text}`);
        if (there(place)) return place;
      }
      throw new Error(`Tab does not lead to ${what}`);
    };
    try {
      await tabTo("the skip link", ({ text }) => text.startsWith("Skip"));
      await tabTo("the demo key", ({ text }) => text.includes("Demo key"));
      await tab.keyboard.press("Enter");
      await tab.locator("#account [data-balance]").waitFor();
      assert.ok((await focused()).text.includes("Demo key"), "the choice took the focus away");
      await tabTo("the limit", ({ id }) => id === "cap");
      await tabTo("one cent more", ({ id }) => id === "cap-more");
      await tab.keyboard.press("Space");
      assert.equal(await tab.getByLabel("Most per payment").inputValue(), "$0.11");
      await tabTo("the budget", ({ id }) => id === "budget");
      await tabTo("the routes", ({ name }) => name === "route");
      const amount = await moved(w, async () => {
        await tab.keyboard.press("ArrowDown");
        await tab.keyboard.press("ArrowDown");
        await tabTo("the button that pays", ({ id }) => id === "pay");
        await tab.keyboard.press("Enter");
        await page.receipt().waitFor();
        await page.ended();
      });
      assert.equal(amount, 20_000n);
      assert.equal((await focused()).id, "pay", "paying took the focus away");
      assert.match(await tab.getByRole("status").innerText(), /Paid 0\.02 USDC/);
    } finally {
      await close();
    }
  });

  test("the keyboard alone unfolds a message, breaks something, and fires", async () => {
    const { tab, close } = await openPage(browser, w);
    const page = on(tab);
    const focus = () => tab.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.textContent);
    const tabTo = async (there, key = "Tab") => {
      for (let presses = 0; presses < 60; presses += 1) {
        if ((await focus()) === there) return;
        await tab.keyboard.press(key);
      }
      throw new Error(`Tab does not lead to ${there}`);
    };
    try {
      await page.choose("Demo key");
      await tab.locator("#cap").focus();
      await tabTo("count");
      await tab.keyboard.press("ArrowUp");
      await tab.keyboard.press("ArrowUp");
      await tabTo("gate");
      await tab.keyboard.press("ArrowLeft");
      await tab.locator("#mend").waitFor();
      assert.equal((await (await fetch(w.switches)).json()).gate, "lose");
      await tabTo("mend");
      await tab.keyboard.press("Enter");
      await tab.locator("#mend").waitFor({ state: "hidden" });
      assert.equal(await focus(), "node", "mending took the focus away");
      await tabTo("fire", "Shift+Tab");
      const amount = await moved(w, async () => {
        await tab.keyboard.press("Enter");
        await tab.locator("[data-agrees]").waitFor();
        await page.ended();
      });
      assert.equal(amount, 100_000n);
      assert.equal(await focus(), "fire", "firing took the focus away");
      assert.equal(await tab.getByRole("status").innerText(), "10 paid, 0 refused, 0 failed.");
      await tabTo("pay", "Shift+Tab");
      await tab.keyboard.press("Enter");
      await page.receipt().waitFor();
      await page.ended();
      await tabTo("The terms");
      await tab.keyboard.press("Enter");
      await tab.locator('[data-step="challenge"] pre').waitFor();
    } finally {
      await close();
    }
  });

  test("the keyboard alone holds a payment to its offer, and reads and verifies the log", async () => {
    const { tab, close } = await openPage(browser, w);
    const page = on(tab);
    const focus = () => tab.evaluate(() => document.activeElement.id || document.activeElement.closest("#entries li")?.dataset.seq || document.activeElement.textContent);
    const tabTo = async (there, key = "Tab") => {
      for (let presses = 0; presses < 60; presses += 1) {
        if ((await focus()) === there) return;
        await tab.keyboard.press(key);
      }
      throw new Error(`Tab does not lead to ${there}`);
    };
    try {
      await page.choose("Demo key");
      await tab.locator("#hold").focus();
      await tabTo("offer");
      await tab.keyboard.press("Enter");
      await tab.locator("#part-offer .verdict").waitFor();
      await page.ended();
      assert.equal(await focus(), "offer", "seeing an offer took the focus away");
      await tabTo("hold", "Shift+Tab");
      await tab.keyboard.press("End");
      assert.equal(await tab.locator("#hold").inputValue(), "offer");
      await tabTo("pay");
      const amount = await moved(w, async () => {
        await tab.keyboard.press("Enter");
        await page.receipt().waitFor();
        await page.ended();
      });
      assert.equal(amount, 10_000n);
      await tabTo("3");
      await tab.keyboard.press("Enter");
      await tab.locator("#entries pre").first().waitFor();
      await tabTo("verify");
      await tab.keyboard.press("Enter");
      await tab.locator("#log-said .good").waitFor();
      assert.equal(await focus(), "verify", "verifying took the focus away");
      assert.match(await tab.getByRole("status").innerText(), /^3 entries hold together/);
      // What comes later is put before what is read, and takes neither its place nor the focus.
      await tabTo("3", "Shift+Tab");
      await tab.evaluate(() => document.getElementById("pay").click());
      await tab.locator('#entries li[data-seq="6"]').waitFor({ state: "attached" });
      await page.ended();
      assert.equal(await focus(), "3", "a later entry took the focus away");
      assert.equal(await tab.locator('#entries li[data-seq="3"] details').getAttribute("open"), "");
    } finally {
      await close();
    }
  });

  test("who asked for no motion gets none, and others do", async () => {
    for (const [reducedMotion, expected] of [["reduce", "none"], ["no-preference", "arrive"]]) {
      const { tab, close } = await openPage(browser, w, { reducedMotion });
      const page = on(tab);
      try {
        await page.choose("Demo key");
        await page.pick("/stream");
        await page.pay();
        await tab.locator(".pieces li").first().waitFor();
        const motion = await tab.locator(".pieces li").first().evaluate((line) => getComputedStyle(line).animationName);
        assert.equal(motion, expected);
      } finally {
        await close();
      }
    }
  });
});
