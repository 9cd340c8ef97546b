// The playground against the running world: what a payment consists of, many of them, and what becomes of them when a part
// of the world misbehaves. What counts is the chain: nothing is paid twice, and what is paid arrives.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { hashTypedData, recoverTypedDataAddress } from "viem";

import { hits, world } from "../support/world.mjs";
import { launch, mended, moved, on, openPage } from "./browser.mjs";

const w = world();
const decoded = (header) => JSON.parse(Buffer.from(header, "base64").toString("utf8"));

describe("the playground", () => {
  let browser;
  before(async () => (browser = await launch()));
  afterEach(() => mended(w));
  after(() => browser.close());

  /** Opens the page with the demo key; `payments` are the payments that left it, in order, each header as it was. */
  const play = (steps) => async () => {
    const { tab, close } = await openPage(browser, w);
    const payments = [];
    tab.on("request", (request) => {
      const payment = request.headers()["payment-signature"];
      if (payment) payments.push(payment);
    });
    try {
      const page = on(tab);
      await page.choose("Demo key");
      await steps(tab, page, payments);
    } finally {
      await close();
    }
  };

  /** Pays the chosen route once, to the end. */
  const pay = async (page) => {
    await page.pay();
    await page.receipt().waitFor();
    await page.ended();
  };

  const proof = { Signed: "1", "Paid once": "1", "Paid twice": "0", "Not taken": "0", Lost: "0" };
  const untaken = { ...proof, "Paid once": "0", "Not taken": "1" };

  test(
    "every message of a payment can be read, and is what travelled and what was signed",
    play(async (tab, page, payments) => {
      const answers = [];
      tab.on("response", (response) => answers.push(response));
      await pay(page);
      const [asked, answered] = answers.filter((one) => one.url().endsWith("/quote") && one.request().method() === "GET");
      assert.deepEqual(await page.folded("challenge", "The terms"), decoded(asked.headers()["payment-required"]));
      const [sent] = payments.map(decoded);
      const typed = await page.folded("signed", "What was signed");
      const { domain, types, primaryType, message } = typed;
      const { authorization, signature } = sent.payload;
      const document = { domain, types, primaryType, message };
      assert.equal(await recoverTypedDataAddress({ ...document, signature }), w.payer.address);
      const wire = await tab.locator('[data-step="signed"] .wire').innerText();
      assert.ok(wire.includes(hashTypedData(document)), wire);
      const shown = await page.folded("receipt", "The header sent");
      assert.deepEqual([shown.payload.authorization, shown.accepted], [authorization, sent.accepted]);
      assert.ok(!JSON.stringify(shown).includes(signature.slice(12)), "a whole signature is shown");
      const settlement = await page.folded("receipt", "The settlement");
      assert.deepEqual(settlement, decoded(answered.headers()["payment-response"]));
      assert.equal(settlement.transaction, await page.fact(page.receipt(), "Transaction"));
      assert.deepEqual(await page.counts("#proof"), proof);
    }),
  );

  test(
    "a hundred payments are a hundred payments on the chain",
    play(async (tab, page) => {
      const amount = await moved(w, () => page.fire(100));
      assert.equal(amount, 1_000_000n);
      assert.equal(await tab.locator("[data-agrees]").getAttribute("data-agrees"), "true");
      assert.match(await tab.locator("[data-agrees]").innerText(), /: 1\.00 less\. The receipts say 1\.00\./);
      const figures = await page.counts("#part-many");
      assert.deepEqual([figures.Paid, figures.Refused, figures.Failed], ["100", "0", "0"]);
      const times = ["p50", "p95", "p99"].map((name) => parseFloat(figures[name]));
      assert.deepEqual(times, [...times].sort((a, b) => a - b));
      assert.ok(times[0] > 0);
      assert.equal(await tab.locator("#part-many svg .paid").count(), 100);
      assert.equal(await tab.locator("#part-many svg").count(), 2);
      assert.match(await tab.locator("#part-many svg").first().getAttribute("aria-label"), /^Half of 100 took at most .+, 95 of 100 at most/);
      assert.deepEqual(await page.counts("#proof"), { ...proof, Signed: "100", "Paid once": "100" });
      assert.equal(await tab.locator("#total").innerText(), "1.00 USDC");
      assert.equal(await tab.locator("#payments tbody tr").count(), 8);
      assert.match(await tab.locator("#payments").innerText(), /and 92 before/);
    }),
  );

  test(
    "many that are above the limit are refused one by one, and nothing is signed",
    play(async (tab, page, payments) => {
      await page.limit("$0.005");
      const before = (await hits(w.origin))["/quote"];
      assert.equal(await moved(w, () => page.fire(10)), 0n);
      const figures = await page.counts("#part-many");
      assert.deepEqual([figures.Paid, figures.Refused, figures.Failed], ["0", "10", "0"]);
      assert.match(await tab.locator("#part-many .codes").innerText(), /payer_over_cap × 10/);
      assert.equal(await tab.locator("#part-many svg .refused").count(), 10);
      assert.deepEqual([payments.length, (await hits(w.origin))["/quote"]], [0, before]);
      assert.equal(await tab.locator("#proof").isVisible(), false);
    }),
  );

  test(
    "a budget holds: so much is paid, the rest is refused with its reason, in every tab, until it is begun again",
    play(async (tab, page, payments) => {
      await page.budget("3", "a minute");
      assert.equal(await moved(w, () => page.fire(10)), 30_000n);
      const figures = await page.counts("#part-many");
      assert.deepEqual([figures.Paid, figures.Refused, figures.Failed], ["3", "7", "0"]);
      assert.match(await tab.locator("#part-many .codes").innerText(), /payer_over_budget × 7/);
      assert.equal(payments.length, 3);
      assert.equal(await tab.locator("#spent-said").innerText(), "$0.03 spent, $0.00 left");
      assert.match(await tab.locator("#program").innerText(), /budgets: \[\{ max: "\$0\.03", per: 60 \}\]/);
      // Another tab of this browser, with a budget of its own over the same book.
      const other = await tab.context().newPage();
      await other.goto(w.page);
      await other.waitForSelector("html[data-ready]", { state: "attached" });
      await on(other).choose("Demo key");
      await on(other).budget("3", "an hour");
      assert.equal(await other.locator("#spent-said").innerText(), "$0.03 spent, $0.00 left");
      const refused = await moved(w, async () => {
        await on(other).pay();
        await on(other).refusal().waitFor();
        await on(other).ended();
      });
      assert.equal(refused, 0n);
      assert.match(await on(other).refusal().innerText(), /exceed a budget.+\s+Nothing was signed and nothing moved/);
      assert.match(await on(other).refusal().innerText(), /payer_over_budget/);
      await other.getByRole("button", { name: "Begin again" }).click();
      await other.getByText("$0.00 spent, $0.03 left").waitFor();
      assert.equal(await moved(w, () => pay(on(other))), 10_000n);
    }),
  );

  test(
    "every rule that an offer was held against is told, with the one that refused it",
    play(async (tab, page) => {
      const rules = (step) =>
        tab.locator(`[data-step="${step}"] .rules li`).evaluateAll((list) => list.map((li) => [li.className, li.querySelector(".mono").textContent, li.querySelector("small").textContent]));
      await pay(page);
      const passed = await rules("decision");
      assert.ok(passed.length > 5);
      assert.deepEqual(passed.filter(([outcome]) => outcome !== "passed"), []);
      assert.ok(passed.some(([, rule, sentence]) => rule === "maxPerPayment" && sentence.includes("0.01 USDC")));
      await page.limit("$0.001");
      await page.pay();
      await page.refusal().waitFor();
      await page.ended();
      const broken = (await rules("decision")).filter(([outcome]) => outcome === "broken");
      assert.deepEqual(broken.map(([, rule]) => rule), ["maxPerPayment"]);
      assert.ok((await page.refusal().innerText()).toLowerCase().includes(broken[0][2].toLowerCase()));
      await page.offer();
      await tab.locator("#part-offer .rules .broken").waitFor();
      await page.ended();
      assert.match(await tab.locator("#part-offer .rules .broken").innerText(), /maxPerPayment/);
    }),
  );

  test(
    "a slow node costs time and nothing else",
    play(async (tab, page) => {
      await page.turn("The chain's node", "Slow");
      const began = performance.now();
      assert.equal(await moved(w, () => pay(page)), 10_000n);
      assert.ok(performance.now() - began > 700, "the node was not slow");
      assert.deepEqual(await page.counts("#proof"), proof);
    }),
  );

  for (const [part, mode, status, code, told] of [
    ["The chain's node", "Down", 503, "gate_chain_fault", "The facilitator is down"],
    ["The origin", "Fails", 503, "the origin fails", "nothing is charged"],
    ["The origin", "Down", 502, "gate_origin_failed", "nothing is charged"],
  ]) {
    test(
      `${part}: ${mode} takes nothing, and mended it is paid`,
      play(async (tab, page) => {
        await page.turn(part, mode);
        assert.ok((await tab.locator("#switches .broken").innerText()).includes(told));
        assert.equal(await moved(w, () => pay(page)), 0n);
        assert.match(await tab.locator("#result-title").innerText(), new RegExp(String(status)));
        assert.ok((await tab.locator("#part-answer pre").innerText()).includes(code));
        assert.deepEqual(await page.counts("#proof"), untaken);
        await page.mend();
        assert.equal(await moved(w, () => pay(page)), 10_000n);
        assert.deepEqual(await page.counts("#proof"), { ...proof, Signed: "2", "Not taken": "1" });
      }),
    );
  }

  test(
    "an answer that is lost on its way is asked for with the same payment, and paid once",
    play(async (tab, page, payments) => {
      await page.turn("The payee", "Answer lost");
      const before = (await hits(w.origin))["/quote"];
      assert.equal(await moved(w, () => pay(page)), 10_000n);
      const steps = await tab.locator("#part-steps > ol > li").evaluateAll((list) => list.map((li) => [li.dataset.step, li.className]));
      assert.deepEqual(steps.slice(3), [["receipt", "open"], ["waiting", "done"], ["receipt", "done"], ["read", "done"]]);
      assert.deepEqual([payments.length, new Set(payments).size], [2, 1]);
      assert.equal((await hits(w.origin))["/quote"], before + 1);
      assert.deepEqual(await page.counts("#proof"), proof);
    }),
  );

  test(
    "a settlement whose answers are lost is pending, then the same payment is served: paid once, nothing lost",
    play(async (tab, page, payments) => {
      await page.turn("The chain's node", "Answers lost");
      const amount = await moved(w, async () => {
        await page.pay();
        // The gate says that it does not know; the chain says that it was paid.
        await tab.locator('[data-step="waiting"]').waitFor({ timeout: 60_000 });
        await tab.locator("#proof").waitFor();
        assert.equal((await page.folded("receipt", "The settlement")).errorReason, "settlement_pending");
        assert.deepEqual(await page.counts("#proof"), proof);
        await page.mend();
        await page.receipt().waitFor();
        await page.ended();
      });
      assert.equal(amount, 10_000n);
      assert.match(await page.receipt().innerText(), /0\.01 USDC\s+Paid/);
      assert.ok(payments.length > 1);
      assert.equal(new Set(payments).size, 1);
      assert.deepEqual(await page.counts("#proof"), proof);
    }),
  );

  test(
    "many can be stopped: what has not left is not signed, and what has is counted on the chain",
    play(async (tab, page, payments) => {
      // An origin that is never paid: what is under way when it is stopped moves nothing in the tests that follow.
      await page.pick("/fails");
      await page.turn("The chain's node", "Slow");
      const amount = await moved(w, async () => {
        await tab.getByRole("button", { name: "Fire payments" }).click();
        await tab.locator("#part-many svg .failed").first().waitFor();
        await tab.getByRole("button", { name: "Stop" }).click();
        await tab.locator("[data-agrees]").waitFor();
        await page.ended();
      });
      assert.equal(amount, 0n);
      const counts = await page.counts("#proof");
      assert.equal(Number(counts.Signed), new Set(payments).size);
      assert.ok(Number(counts.Signed) < 100, "nothing was stopped");
      assert.deepEqual(counts, { ...untaken, Signed: counts.Signed, "Not taken": counts.Signed });
      assert.match(await tab.locator("#part-many .codes").innerText(), /aborted × \d/);
    }),
  );

  test(
    "a payee that asks for more once it has a payment gets no second one",
    play(async (tab, page, payments) => {
      await page.turn("The payee", "Asks again");
      assert.equal(await moved(w, () => pay(page)), 0n);
      assert.match(await tab.locator("#part-offer").innerText(), /Now it wants 0\.10 USDC\. One call pays once/);
      assert.equal(payments.length, 1);
      assert.match(await tab.locator("#total").innerText(), /^0\.00\s+and 0\.01 USDC not confirmed$/);
      assert.deepEqual(await page.counts("#proof"), untaken);
    }),
  );

  test(
    "many payments whose first answers are lost are all served and paid once",
    play(async (tab, page, payments) => {
      await page.turn("The payee", "Answer lost");
      assert.equal(await moved(w, () => page.fire(10)), 100_000n);
      assert.equal((await page.counts("#part-many")).Paid, "10");
      assert.deepEqual([payments.length, new Set(payments).size], [20, 10]);
      assert.deepEqual(await page.counts("#proof"), { ...proof, Signed: "10", "Paid once": "10" });
    }),
  );

  test(
    "switches are as the world has them, whoever turned them",
    play(async (tab, page) => {
      await page.turn("The origin", "Fails");
      const other = await openPage(browser, w);
      try {
        assert.equal(await other.tab.getByRole("group", { name: "The origin" }).getByRole("radio", { name: "Fails" }).isChecked(), true);
        await on(other.tab).mend();
      } finally {
        await other.close();
      }
      assert.deepEqual(await (await fetch(w.switches)).json(), { node: "normal", origin: "normal", gate: "normal" });
      assert.equal(await moved(w, () => pay(page)), 10_000n);
    }),
  );
});
