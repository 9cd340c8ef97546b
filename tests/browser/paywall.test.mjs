// The paywall in a real browser: a person meets it, pays with a wallet, reads, reloads; says no; loses the answer; sees it on
// a phone, in the dark, from right to left, without a wallet, without a mouse.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";

import { balanceOf } from "../support/chain.mjs";
import { world } from "../support/world.mjs";
import { launch, moved, open, sizes, walletOf } from "./browser.mjs";

const w = world();
const url = new URL("/article", w.gate).href;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const TITLE = "The toll that never stops the car";

describe("the paywall", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  async function visit(options, steps) {
    const opened = await open(browser, url, options);
    try {
      await opened.tab.waitForSelector("html[data-ready]", { state: "attached" });
      await steps(opened.tab, opened);
      return opened;
    } finally {
      await opened.close();
    }
  }
  const pay = (tab) => tab.getByRole("button", { name: "Test Wallet" }).click();
  const read = (tab) => tab.getByRole("heading", { name: TITLE }).waitFor();

  test("is paid once, shows the page, and a reload is free", async () => {
    const wallet = walletOf(w);
    const { faults, requests } = await visit({ wallet }, async (tab) => {
      assert.equal(await tab.locator(".sum").innerText(), "$0.02");
      assert.ok((await tab.locator("main").innerText()).includes(w.payTo));
      assert.deepEqual(wallet.calls, [], "nobody is asked before anybody chose");
      const amount = await moved(w, async () => {
        await pay(tab);
        await read(tab);
        await tab.reload();
        await read(tab);
      });
      assert.equal(amount, 20_000n);
      const [cookie] = await tab.context().cookies();
      assert.deepEqual([cookie.name.startsWith("x402-pass-"), cookie.httpOnly, cookie.sameSite], [true, true, "Lax"]);
    });
    assert.equal(wallet.asked("eth_signTypedData_v4").length, 1, "one signature");
    // The bought page has no icon of its own.
    // Asked for once more before anything is signed: another tab may have paid.
    assert.deepEqual(faults.filter((fault) => !fault.endsWith("/favicon.ico")), [`402 ${url}`, `402 ${url}`]);
    assert.deepEqual(requests.filter((asked) => !asked.startsWith("data:") && asked !== url && !asked.endsWith("/favicon.ico")), [], "nobody else is asked");
  });

  test("that is refused by the person moves nothing, and can be paid after all", async () => {
    const wallet = walletOf(w, { refuse: ["eth_signTypedData_v4"] });
    await visit({ wallet }, async (tab) => {
      const amount = await moved(w, async () => {
        await pay(tab);
        await tab.getByRole("alert").getByText("payer_wallet_rejected").waitFor();
      });
      assert.equal(amount, 0n);
      assert.equal(await tab.getByRole("button", { name: "Test Wallet" }).isEnabled(), true);
      assert.equal(await tab.locator("#again").isVisible(), false, "nothing was signed");
    });
  });

  test("whose answer is lost, or that is closed over it, sends the same payment again", async () => {
    const wallet = walletOf(w);
    let sent = [];
    await visit({ wallet }, async (tab) => {
      let lose = true;
      await tab.route(url, async (route) => {
        const header = await route.request().headerValue("payment-signature");
        if (!header) return route.continue();
        sent.push(header);
        if (!lose) return route.continue();
        // The gate is paid; its answer does not arrive.
        await route.fetch();
        return route.abort();
      });
      const amount = await moved(w, async () => {
        await pay(tab);
        await tab.waitForFunction(() => localStorage.length === 1);
        await tab.waitForRequest((request) => request.headers()["payment-signature"] !== undefined);
        await tab.waitForEvent("requestfailed");
        // The tab is loaded anew in the middle of it: the payment is known from before. The test's own hands got the pass.
        await tab.context().clearCookies();
        lose = false;
        await tab.reload();
        await read(tab);
      });
      assert.equal(amount, 20_000n);
    });
    assert.ok(sent.length >= 2);
    assert.equal(new Set(sent).size, 1, "one payment, however often it was sent");
    assert.equal(wallet.asked("eth_signTypedData_v4").length, 1);
  });

  test("that two tabs meet is paid once", async () => {
    const wallet = walletOf(w);
    await visit({ wallet }, async (tab) => {
      const other = await tab.context().newPage();
      await other.goto(url);
      await other.waitForSelector("html[data-ready]", { state: "attached" });
      const amount = await moved(w, async () => {
        await Promise.all([pay(tab), pay(other)]);
        await Promise.all([read(tab), read(other)]);
      });
      assert.equal(amount, 20_000n);
    });
    assert.equal(wallet.asked("eth_signTypedData_v4").length, 1);
  });

  test("whose cookie is not kept offers no second payment, and the page as a file", async () => {
    const wallet = walletOf(w);
    await visit({ wallet }, async (tab) => {
      await tab.route(url, async (route) => {
        const response = await route.fetch();
        const { "set-cookie": lost, ...headers } = response.headers();
        await tab.context().clearCookies();
        return route.fulfill({ response, headers });
      });
      const amount = await moved(w, async () => {
        await pay(tab);
        await tab.getByRole("alert").getByText("keeps no cookie").waitFor();
        assert.equal(await tab.getByRole("button", { name: "Test Wallet" }).isVisible(), false);
        const [file] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("button", { name: "Save the page" }).click()]);
        assert.match(await readFile(await file.path(), "utf8"), new RegExp(TITLE));
      });
      assert.equal(amount, 20_000n);
    });
    assert.equal(wallet.asked("eth_signTypedData_v4").length, 1);
  });

  test("of a payer without money says why, and asks for no second signature", async () => {
    const wallet = walletOf({ ...w, payer: { privateKey: `0x${"42".repeat(32)}` } });
    await visit({ wallet }, async (tab) => {
      await pay(tab);
      await tab.getByRole("alert").getByText("invalid_exact_evm_insufficient_balance").waitFor();
      assert.equal(await tab.evaluate(() => localStorage.length), 0);
    });
    assert.equal(wallet.asked("eth_signTypedData_v4").length, 1);
  });

  test("says what to do without a wallet, and without a script", async () => {
    await visit({}, async (tab) => {
      await tab.getByText("No wallet has announced itself").waitFor();
    });
    const { tab, close } = await open(browser, url, { javaScriptEnabled: false });
    assert.match(await tab.locator("body").innerText(), /Paying takes JavaScript/);
    assert.match(await tab.locator("body").innerText(), /\$0\.02/);
    await close();
  });

  test("is paid with the keyboard alone", async () => {
    await visit({ wallet: walletOf(w) }, async (tab) => {
      const amount = await moved(w, async () => {
        await tab.keyboard.press("Tab");
        assert.equal(await tab.evaluate(() => document.activeElement.textContent), "Test Wallet");
        await tab.keyboard.press("Enter");
        await read(tab);
      });
      assert.equal(amount, 20_000n);
    });
  });

  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      test(`axe finds nothing on a ${size} in ${colorScheme}`, async () => {
        const options = { viewport, colorScheme, wallet: walletOf(w, { refuse: ["eth_requestAccounts"] }), scripts: [axe], bypassCSP: true };
        await visit(options, async (tab) => {
          const clean = async (state) => {
            const found = await tab.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
            assert.deepEqual(found.violations.map(({ id, nodes }) => `${id} ${nodes.map(({ target }) => target)}`), [], state);
            assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth > window.innerWidth), false, `${state}: too wide`);
          };
          await clean("at first");
          await pay(tab);
          await tab.getByRole("alert").getByText("payer_wallet_rejected").waitFor();
          await clean("refused");
          await tab.evaluate(() => (document.documentElement.dir = "rtl"));
          await clean("from right to left");
        });
      });
    }
  }

  test("moves nothing by being looked at", async () => {
    const before = await balanceOf(w.rpc, w.asset, w.payer.address);
    await visit({ wallet: walletOf(w) }, async () => {});
    assert.equal(await balanceOf(w.rpc, w.asset, w.payer.address), before);
  });
});
