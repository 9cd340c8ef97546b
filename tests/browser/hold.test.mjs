// A payment that is held to what was seen: a payee who asks for more than it listed or offered gets no signature.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { hits, world } from "../support/world.mjs";
import { launch, mended, moved, on, openPage } from "./browser.mjs";

const w = world();

describe("a payment that is held to its price", () => {
  let browser;
  before(async () => (browser = await launch()));
  afterEach(() => mended(w));
  after(() => browser.close());

  /** Opens the page with the demo key; `payments` are the payments that left it, each header as it was. */
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

  const see = async (tab, page) => {
    await page.offer();
    await tab.locator("#part-offer .verdict").waitFor();
    await page.ended();
  };
  const pay = async (page, end) => {
    await page.pay();
    await end.waitFor();
    await page.ended();
  };
  const choices = (tab) => tab.getByLabel("Hold it to").locator("option").evaluateAll((list) => list.map(({ textContent, disabled, selected }) => [textContent, disabled, selected]));
  const program = (tab) => tab.locator("#program").innerText();

  test(
    "there is an offer to hold it to once one was seen, for its route alone",
    play(async (tab, page) => {
      const unseen = ["the offer: see it first", true, false];
      assert.deepEqual(await choices(tab), [["your limits alone", false, true], ["the price listed, $0.01", false, false], unseen]);
      await see(tab, page);
      assert.deepEqual(await choices(tab), [["your limits alone", false, true], ["the price listed, $0.01", false, false], [`the offer: 0.01 USDC to ${w.payTo.slice(0, 8)}…${w.payTo.slice(-6)}`, false, false]]);
      await page.hold("the offer");
      await page.pick("/article");
      assert.deepEqual((await choices(tab))[0], ["your limits alone", false, true]);
      assert.deepEqual((await choices(tab))[2], unseen);
      assert.doesNotMatch(await program(tab), /quote:/);
      await page.pick("/free");
      assert.deepEqual((await choices(tab))[1], ["the price listed: it is free", true, false]);
      await page.pick("/quote");
      assert.equal((await choices(tab))[2][2], true, "the choice was forgotten");
      // What is above the limits is no offer that could be paid.
      await page.limit("$0.001");
      await see(tab, page);
      assert.deepEqual((await choices(tab))[2], unseen);
    }),
  );

  for (const [words, code, rule, line] of [
    ["the offer", "payer_quote_changed", "quote", (url) => `payer.explain("${w.gate}/quote");   // what you saw\nconst response = await payer.fetch("${url}", {}, { quote: offers[chosen] });`],
    ["the price listed", "payer_above_max_price", "maxPrice", (url) => `payer.fetch("${url}", {}, { maxPrice: "$0.01" });`],
  ]) {
    test(
      `held to ${words}, a price that was raised meanwhile is refused before anything is signed`,
      play(async (tab, page, payments) => {
        await see(tab, page);
        await page.hold(words);
        assert.ok((await program(tab)).includes(line(`${w.gate}/quote`)), await program(tab));
        await page.turn("The payee", "Wrong price");
        assert.ok((await program(tab)).includes(line(`${new URL(w.switches).origin}/gate/quote`)), await program(tab));
        const before = (await hits(w.origin))["/quote"];
        assert.equal(await moved(w, () => pay(page, page.refusal())), 0n);
        assert.deepEqual([payments.length, (await hits(w.origin))["/quote"]], [0, before]);
        const text = await page.refusal().innerText();
        assert.match(text, /Nothing was signed and nothing moved/);
        assert.ok(text.includes(code), text);
        const rules = await tab.locator('[data-step="decision"] .rules li').evaluateAll((list) => list.map((li) => [li.className, li.querySelector(".mono").textContent]));
        assert.ok(rules.length > 5);
        assert.deepEqual(rules.filter(([outcome]) => outcome === "broken"), [["broken", rule]]);
        assert.match(await tab.locator("#entries summary").first().textContent(), new RegExp(`refused.*${code}`));
        assert.equal(await moved(w, () => page.fire(10)), 0n);
        assert.match(await tab.locator("#part-many .codes").innerText(), new RegExp(`${code} × 10`));
        assert.equal(payments.length, 0);
        await page.mend();
        assert.equal(await moved(w, () => pay(page, page.receipt())), 10_000n);
      }),
    );
  }

  test(
    "held to the limits alone, what they allow is signed, and the chain says what became of it",
    play(async (tab, page, payments) => {
      await see(tab, page);
      await page.turn("The payee", "Wrong price");
      assert.equal(await moved(w, () => pay(page, page.receipt())), 0n);
      const [{ payload }] = payments.map((header) => JSON.parse(Buffer.from(header, "base64")));
      assert.equal(payload.authorization.value, "100000");
      assert.match(await page.receipt().innerText(), /0\.10 USDC\s+Signed, not confirmed/);
      const { Signed, "Not taken": untaken } = await page.counts("#proof");
      assert.deepEqual([Signed, untaken], ["1", "1"]);
    }),
  );

  test(
    "an offer that is seen again is the one it is held to",
    play(async (tab, page, payments) => {
      await see(tab, page);
      await page.hold("the offer");
      await page.turn("The payee", "Wrong price");
      await see(tab, page);
      assert.equal(await page.fact(tab.locator("#part-offer"), "Price"), "0.10 USDC");
      assert.match((await choices(tab))[2][0], /^the offer: 0\.10 USDC/);
      await page.mend();
      // What is cheaper than the offer is what one may pay.
      assert.equal(await moved(w, () => pay(page, page.receipt())), 10_000n);
      assert.equal(payments.length, 1);
    }),
  );

  test(
    "a request with a body is explained and paid with it",
    play(async (tab, page) => {
      await page.pick("/report");
      await see(tab, page);
      await page.hold("the offer");
      assert.match(await program(tab), /const init = \{\n  method: "POST",[^]+payer\.explain\("[^"]+\/report", init\);[^]+payer\.fetch\("[^"]+\/report", init, \{ quote: offers\[chosen\] \}\)/);
      assert.equal(await moved(w, () => pay(page, page.receipt())), 50_000n);
    }),
  );
});
