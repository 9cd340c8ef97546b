// The payer's log on the page: it is what the package says and what the chain knows, for all tabs, and it is not changed
// unseen.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, describe, test } from "node:test";

import { keccak256, toBytes } from "viem";

import { receiptOf } from "../support/chain.mjs";
import { world } from "../support/world.mjs";
import { launch, mended, moved, on, openPage } from "./browser.mjs";

const w = world();

describe("the log", () => {
  let browser;
  before(async () => (browser = await launch()));
  afterEach(() => mended(w));
  after(() => browser.close());

  /** Opens the page with the demo key, in a browser that has paid for nothing yet. */
  const play = (steps) => async () => {
    const { tab, faults, close } = await openPage(browser, w);
    try {
      const page = on(tab);
      await page.choose("Demo key");
      await page.logged();
      await steps(tab, page, faults);
    } finally {
      await close();
    }
  };

  const pay = async (page) => {
    await page.pay();
    await page.receipt().waitFor();
    await page.ended();
  };

  /** What the package itself says in this tab: the page's payer and its log, or another one over the same store. */
  const audit = (tab, method, ...values) =>
    tab.evaluate(
      async ([secret, name, args]) => {
        const { createPayer } = await import("/pkg/js/index.js");
        const payer = await createPayer({ wallet: { privateKey: secret }, store: "indexeddb" });
        return payer.audit[name](...args);
      },
      [w.payer.privateKey, method, values],
    );

  /** The entries as they are shown, each line and the whole of it, the oldest first. */
  const shown = async (tab) => {
    const list = await tab.locator("#entries > li").evaluateAll((entries) => entries.map((li) => [li.querySelector("summary").textContent, JSON.parse(li.querySelector("pre").textContent)]));
    return list.reverse();
  };
  const said = (tab) => tab.locator("#log-said");
  const press = (tab, name) => tab.locator("#log").getByRole("button", { name }).click();

  test(
    "the entries are the package's, each with its hash, and name the chain's transaction",
    play(async (tab, page) => {
      assert.equal(await tab.locator("#log-count").innerText(), "Nothing yet");
      assert.equal(await moved(w, () => pay(page)), 10_000n);
      await page.limit("$0.001");
      await page.pay();
      await page.refusal().waitFor();
      await page.ended();
      const list = await shown(tab);
      assert.deepEqual(list.map(([, entry]) => entry), await audit(tab, "entries"));
      assert.deepEqual(list.map(([, { event }]) => event), ["reserved", "sent", "receipt", "refused"]);
      // A payment's later entries do not name its price and path again: the page looks them up.
      for (const [line] of list.slice(0, 3)) assert.match(line, /\/quote.*0\.01 USDC/);
      assert.match(list[3][0], /refused.*payer_over_cap/);
      const { transaction } = list[2][1];
      assert.equal((await receiptOf(w.rpc, transaction)).status, "0x1");
      assert.equal(transaction, await tab.locator("#entries .outcome-of [title]").getAttribute("title"));
      await tab.locator("#entries summary").first().click();
      const wire = await tab.locator("#entries .wire").first().innerText();
      assert.ok(wire.includes(list[3][1].hash) && wire.includes(list[2][1].hash), wire);
      assert.equal(await tab.locator("#log-count").innerText(), "4 entries");
    }),
  );

  test(
    "the files that are saved are the whole log, and its hashes hold without the package",
    play(async (tab, page, faults) => {
      await page.fire(10);
      const kinds = { NDJSON: "ndjson", CSV: "csv" };
      const files = {};
      for (const [name, kind] of Object.entries(kinds)) {
        const download = tab.waitForEvent("download");
        await press(tab, name);
        assert.equal((await download).suggestedFilename(), `x402-log.${kind}`);
        files[kind] = await readFile(await (await download).path(), "utf8");
        assert.equal(files[kind], await audit(tab, "export", kind));
      }
      const lines = files.ndjson.trimEnd().split("\n");
      assert.equal(lines.length, 30);
      assert.equal(files.csv.trimEnd().split("\r\n").length, 31);
      let previous = `0x${"0".repeat(64)}`;
      for (const line of lines) {
        const entry = JSON.parse(line);
        assert.equal(entry.previous, previous);
        assert.equal(keccak256(toBytes(line.replace(`,"hash":"${entry.hash}"`, ""))), entry.hash);
        previous = entry.hash;
      }
      assert.match(await tab.locator("#before").innerText(), /^and 22 before$/);
      assert.deepEqual(faults.filter((fault) => !fault.startsWith("402 ")), []);
    }),
  );

  test(
    "the summary is what left the payer, by day and origin",
    play(async (tab, page) => {
      const row = async (place) => tab.locator("#summary tbody tr").nth(place).locator("td").allInnerTexts();
      const amount = await moved(w, () => page.fire(10));
      assert.equal(amount, 100_000n);
      const [day] = new Date().toISOString().split("T");
      assert.deepEqual(await row(0), [day, w.gate, "10", "0.10 USDC", "0.10 USDC"]);
      // What an origin that fails was sent may still be taken, and nobody has confirmed it.
      await page.pick("/fails");
      await pay(page);
      assert.deepEqual(await row(0), [day, w.gate, "11", "0.11 USDC", "0.10 USDC"]);
      await page.pick("/quote");
      await page.turn("The payee", "Answer lost");
      await pay(page);
      assert.deepEqual(await row(1), [day, new URL(w.switches).origin, "1", "0.01 USDC", "0.01 USDC"]);
      assert.equal(await tab.locator("#summary tbody tr").count(), (await audit(tab, "summary")).length);
    }),
  );

  test(
    "receipts are held against the chain, once, and what it says is in the log",
    play(async (tab, page) => {
      await pay(page);
      await pay(page);
      await press(tab, "Ask the chain");
      await said(tab).getByText("The chain confirms 2 of them and contradicts 0.").waitFor();
      const list = await shown(tab);
      assert.deepEqual(list.slice(-2).map(([, { event }]) => event), ["confirmed", "confirmed"]);
      assert.equal((await receiptOf(w.rpc, list.at(-1)[1].transaction)).status, "0x1");
      assert.match(list.at(-1)[0], /confirmed.*\/quote.*0\.01 USDC/);
      await press(tab, "Ask the chain");
      await said(tab).getByText("The chain says nothing that is not in the log.").waitFor();
      await press(tab, "Verify");
      await said(tab).getByText("8 entries hold together").waitFor();
    }),
  );

  test(
    "verified, it says how many entries hold together; a copy with another digit does not, and the log is as it was",
    play(async (tab, page) => {
      await tab.locator("#verify").press("Enter");
      await tab.getByRole("status").filter({ hasText: "The log is empty." }).waitFor();
      await pay(page);
      await press(tab, "Verify");
      await said(tab).getByText("3 entries hold together").waitFor();
      const before = await audit(tab, "export");
      await press(tab, "Change a copy");
      await said(tab).getByText("payer_log_broken").waitFor();
      const text = await said(tab).innerText();
      assert.match(text, /As it was copied, 3 entries held together\. In entry 1 of the copy, the amount 10000 became 20000/);
      assert.match(text, /entry 1 of the log/);
      assert.equal(await audit(tab, "export"), before);
      await press(tab, "Verify");
      await said(tab).getByText("3 entries hold together").waitFor();
    }),
  );

  test(
    "a log that was changed where it is kept is found out, and nothing is signed until a new book is begun",
    play(async (tab, page) => {
      await pay(page);
      // Whoever sits at this browser may open its store; this is what it takes.
      const change = (seq) =>
        tab.evaluate(async (key) => {
          const asked = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
          const log = (await asked(indexedDB.open("x402"))).transaction("log", "readwrite").objectStore("log");
          await asked(log.put((await asked(log.get(key))).replace('"event":"', '"event":"un'), key));
        }, seq);
      await change(2);
      await press(tab, "Verify");
      await said(tab).getByText("payer_log_broken").waitFor();
      assert.match(await said(tab).innerText(), /entry 2 of the log/);
      await change(3);
      const amount = await moved(w, async () => {
        await page.pay();
        await page.refusal().waitFor();
        await page.ended();
      });
      assert.equal(amount, 0n);
      assert.match(await page.refusal().innerText(), /Nothing was signed and nothing moved.+\s+payer_store_broken/);
      await press(tab, "Verify");
      await said(tab).getByText("payer_log_broken").waitFor();
      await press(tab, "Begin a new book");
      await said(tab).getByText("payer_log_broken").waitFor({ state: "hidden" });
      assert.equal(await moved(w, () => pay(page)), 10_000n);
    }),
  );

  test(
    "it is one log for all tabs, and outlives the page",
    play(async (tab, page) => {
      await pay(page);
      const other = await tab.context().newPage();
      await other.goto(w.page);
      await other.waitForSelector("html[data-ready]", { state: "attached" });
      await on(other).logged();
      assert.equal(await other.locator("#log-count").innerText(), "3 entries");
      await on(other).choose("Demo key");
      await pay(on(other));
      assert.equal(await other.locator("#log-count").innerText(), "6 entries");
      await tab.reload();
      await tab.waitForSelector("html[data-ready]", { state: "attached" });
      await page.logged();
      assert.equal(await tab.locator("#log-count").innerText(), "6 entries");
      await press(tab, "Verify");
      await said(tab).getByText("6 entries hold together").waitFor();
    }),
  );
});
