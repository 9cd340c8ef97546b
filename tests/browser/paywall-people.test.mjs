// The paywall for people as they are: with a browser that keeps nothing, in a second tab, with a page from before the price
// changed, listening to it instead of looking, on a small phone, with big letters, with colours of their own.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";

import { world } from "../support/world.mjs";
import { config, embedded, startGate } from "../workerd/lib/gate.mjs";
import { launch, moved, open, walletOf } from "./browser.mjs";

const w = world();
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const TITLE = "The toll that never stops the car";
const SECRETS = { PASS_KEY: "what passes are made with" };
const SIGN = "eth_signTypedData_v4";
const LONG = "Awordthatdoesnotend".repeat(100);

describe("the paywall for everybody", () => {
  let browser, gate, url;
  before(async () => {
    browser = await launch();
    const routes = [
      { match: "GET /article", price: "$0.02", networks: [w.network] },
      { match: "GET /quote", price: "$0.01", description: LONG },
    ];
    const networks = { [w.network]: embedded, "eip155:8453": embedded };
    const paywall = { pass: { key: "secret:PASS_KEY" }, title: LONG, text: LONG, lang: "ar", dir: "rtl" };
    gate = await startGate(config({ url: w.origin }, embedded, routes, { networks, paywall }), SECRETS);
    url = `${gate.url}/article`;
  });
  after(async () => {
    await gate?.stop();
    await browser?.close();
  });

  async function visit(options, steps, address = url) {
    const opened = await open(browser, address, options);
    try {
      await opened.tab.waitForSelector("html[data-ready]", { state: "attached" });
      return await steps(opened.tab);
    } finally {
      await opened.close();
    }
  }
  const wallet = (tab) => tab.getByRole("button", { name: "Test Wallet" });
  const pay = (tab) => wallet(tab).click();
  const read = (tab) => tab.getByRole("heading", { name: TITLE }).waitFor();
  const told = (tab, text) => tab.getByRole("alert").getByText(text).waitFor();
  const focused = (tab) => tab.evaluate(() => document.activeElement.textContent);
  const kept = (tab) => tab.evaluate(() => localStorage.length);
  /** Answers requests with a payment as `other` says, and lets the rest pass. */
  const instead = (tab, other) =>
    tab.route(url, async (route) => ((await route.request().headerValue("payment-signature")) ? other(route) : route.continue()));
  /** What the gate answers, without the cookie: what a browser does that keeps none. */
  const forgetful = async (route) => {
    const response = await route.fetch();
    const { "set-cookie": lost, ...headers } = response.headers();
    await route.request().frame().page().context().clearCookies();
    return route.fulfill({ response, headers });
  };

  test("a browser that keeps nothing at all pays once, and gets the page as a file", async () => {
    const one = walletOf(w);
    const nothing = (tab) =>
      tab.addInitScript(() => {
        Object.defineProperty(globalThis, "localStorage", { get: () => { throw new DOMException("no", "SecurityError"); } });
        navigator.locks.request = async () => { throw new DOMException("no", "SecurityError"); };
      });
    await visit({ wallet: one, before: nothing }, async (tab) => {
      await tab.route(url, forgetful);
      const amount = await moved(w, async () => {
        await pay(tab);
        await told(tab, "keeps no cookie");
        assert.equal(await wallet(tab).isVisible(), false, "nobody is asked for money again");
        assert.equal(await focused(tab), "Save the page", "whose button went away goes on at the other");
        const [file] = await Promise.all([tab.waitForEvent("download"), tab.keyboard.press("Enter")]);
        assert.match(await readFile(await file.path(), "utf8"), new RegExp(TITLE));
        await told(tab, "keeps no cookie");
      });
      assert.equal(amount, 20_000n);
    });
    assert.equal(one.asked(SIGN).length, 1);
  });

  test("a page that was paid for is known again for as long as its time lasts, and not longer", async () => {
    const one = walletOf(w);
    /** What a gate answers when the pass is over: the answer and the receipt, or that it does not know the payment any more. */
    const ends = [
      async (route) => {
        const response = await route.fetch();
        const { "set-cookie": lost, "payment-pass": gone, ...headers } = response.headers();
        return route.fulfill({ response, headers });
      },
      async (route) => ((await route.request().headerValue("payment-signature")) ? route.fulfill({ status: 402 }) : route.continue()),
    ];
    for (const end of ends) {
      await visit({ wallet: one }, async (tab) => {
        let answer = forgetful;
        await tab.route(url, (route) => answer(route));
        const amount = await moved(w, async () => {
          await pay(tab);
          await told(tab, "keeps no cookie");
          await tab.reload();
          await told(tab, "keeps no cookie");
          answer = end;
          await tab.reload();
          await told(tab, "its time is over");
          assert.equal(await wallet(tab).isVisible(), true);
          assert.equal(await kept(tab), 0);
        });
        assert.equal(amount, 20_000n);
      });
    }
    assert.equal(one.asked(SIGN).length, 2);
  });

  test("a second tab says that it waits, and asks no wallet", async () => {
    const one = walletOf(w, { silent: [SIGN] });
    await visit({ wallet: one }, async (tab) => {
      const other = await tab.context().newPage();
      await other.goto(url);
      await pay(tab);
      await tab.getByRole("status").getByText("shows what it is asked to sign").waitFor();
      await pay(other);
      await other.getByRole("status").getByText("Another tab is paying").waitFor();
    });
    assert.equal(one.asked("eth_requestAccounts").length, 1);
  });

  test("a gate that is away for a moment is asked again, and the person told", async () => {
    const one = walletOf(w);
    await visit({ wallet: one }, async (tab) => {
      let away = true;
      await instead(tab, (route) => (away ? route.abort() : route.continue()));
      const amount = await moved(w, async () => {
        await pay(tab);
        await tab.getByRole("status").getByText("No answer yet").waitFor();
        away = false;
        await read(tab);
      });
      assert.equal(amount, 20_000n);
    });
    assert.equal(one.asked(SIGN).length, 1);
  });

  test("a page from before the price changed is loaded anew before anybody is asked", async () => {
    const one = walletOf(w);
    let first = true;
    const before = (tab) =>
      tab.route(url, async (route) => {
        const response = await route.fetch();
        const body = await response.text();
        const old = first ? body.replaceAll("20000", "30000").replace("$0.02", "$0.03") : body;
        first = false;
        return route.fulfill({ response, body: old });
      });
    await visit({ wallet: one, before }, async (tab) => {
      assert.equal(await tab.locator(".sum").innerText(), "$0.03");
      await pay(tab);
      await tab.locator(".sum").getByText("$0.02").waitFor();
      assert.deepEqual(one.calls, []);
    });
  });

  test("a payment that the gate cannot read is not kept, and its reason is told", async () => {
    for (const [answer, reason] of [
      [{ status: 400 }, "HTTP 400"],
      [{ status: 402, headers: { "payment-response": btoa(JSON.stringify({ success: false, errorReason: "invalid_transaction_state" })) } }, "invalid_transaction_state"],
    ]) {
      await visit({ wallet: walletOf(w) }, async (tab) => {
        await instead(tab, (route) => route.fulfill(answer));
        await pay(tab);
        await told(tab, "The payment was refused");
        await told(tab, reason);
        assert.equal(await kept(tab), 0);
      });
    }
  });

  test("a payment whose time was over before its tab came back is said to be over, and not to be free", async () => {
    for (const answer of [{ status: 200, headers: { "payment-response": "e30=" } }, { status: 410 }]) {
      await visit({ wallet: walletOf(w) }, async (tab) => {
        await instead(tab, (route) => route.fulfill(answer));
        await pay(tab);
        await told(tab, "its time is over");
        assert.equal(await kept(tab), 0);
      });
    }
  });

  test("a page that was given away says so at once, and one that settles later is waited for", async () => {
    const one = walletOf(w);
    for (const later of [false, true]) {
      const before = async (tab) => {
        await tab.clock.install();
        if (!later) return;
        await tab.route(url, async (route) => {
          const response = await route.fetch();
          return route.fulfill({ response, body: (await response.text()).replace('"later":false', '"later":true') });
        }, { times: 1 });
      };
      await visit({ wallet: one, before }, async (tab) => {
        let answers = 0;
        await instead(tab, (route) => ((answers += 1) > 9 ? route.continue() : route.fulfill({ status: 200 })));
        await pay(tab);
        if (!later) {
          await told(tab, "given away and not sold");
          assert.deepEqual([answers, await kept(tab)], [1, 0]);
          return;
        }
        const opened = read(tab);
        for (let asked = 1; asked < 10; asked += 1) {
          await tab.getByRole("status").getByText("is being settled").waitFor();
          assert.equal(await kept(tab), 1, "no second one is signed while it may settle");
          const next = tab.waitForResponse(url);
          await tab.clock.runFor(31_000);
          await next;
        }
        await opened;
      });
    }
    assert.equal(one.asked(SIGN).length, 2);
  });

  test("who listens hears what happens, and whose keyboard leads on from where it was", async () => {
    await visit({ wallet: walletOf(w, { refuse: [SIGN] }) }, async (tab) => {
      assert.equal(await tab.getByRole("status").count(), 1, "there before it says something, or it is not heard");
      assert.equal(await tab.getByRole("alert").count(), 1);
      await wallet(tab).focus();
      await tab.keyboard.press("Enter");
      await told(tab, "payer_wallet_rejected");
      assert.equal(await focused(tab), "Test Wallet");
      const headings = await tab.locator("h1, h2").evaluateAll((all) => all.map(({ tagName, textContent }) => `${tagName} ${textContent}`));
      assert.deepEqual(headings, ["H1 This page is paid for", "H2 It costs", "H2 Pay with"]);
    });
  });

  test("who asks again keeps the button, and goes on at a wallet when there is nothing left to ask for", async () => {
    await visit({ wallet: walletOf(w) }, async (tab) => {
      let status = 500;
      await instead(tab, (route) => (status ? route.fulfill({ status }) : new Promise(() => {})));
      await pay(tab);
      await told(tab, "HTTP 500");
      const again = tab.getByRole("button", { name: "Ask again" });
      await again.focus();
      await tab.keyboard.press("Enter");
      await told(tab, "HTTP 500");
      assert.match(await focused(tab), /Ask again/);
      // What is refused has nothing to ask again for.
      status = 402;
      await tab.keyboard.press("Enter");
      await told(tab, "HTTP 402");
      assert.equal(await again.isVisible(), false);
      assert.equal(await focused(tab), "Test Wallet");
    });
  });

  test("a choice of networks is one, by name, and pays where was chosen", async () => {
    const one = walletOf(w, { refuse: [SIGN] });
    await visit({ wallet: one, scripts: [axe], bypassCSP: true }, async (tab) => {
      const group = tab.getByRole("group", { name: "It costs" });
      await group.getByRole("radio", { name: "$0.01 Base Sepolia", exact: true, checked: true }).waitFor();
      await group.getByRole("radio", { name: "$0.01 Base", exact: true }).check();
      await pay(tab);
      await told(tab, "payer_wallet_rejected");
      assert.deepEqual(one.asked("wallet_switchEthereumChain").map(({ params }) => params[0].chainId), ["0x2105"]);
      assert.equal(JSON.parse(one.asked(SIGN)[0].params[1]).domain.chainId, 8453);
      const found = await tab.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      assert.deepEqual(found.violations.map(({ id }) => id), []);
    }, `${gate.url}/quote`);
  });

  test("long words, big letters and a small phone fit, in both directions", async () => {
    for (const viewport of [{ width: 360, height: 640 }, { width: 320, height: 256 }, { width: 640, height: 430 }]) {
      await visit({ wallet: walletOf(w, { refuse: ["eth_requestAccounts"] }), viewport }, async (tab) => {
        await pay(tab);
        await told(tab, "payer_wallet_rejected");
        for (const [dir, size] of [["rtl", ""], ["ltr", ""], ["rtl", "200%"]]) {
          await tab.evaluate(([dir, size]) => Object.assign(document.documentElement, { dir }).style.setProperty("font-size", size), [dir, size]);
          assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth > window.innerWidth), false, `${viewport.width} ${dir} ${size}`);
        }
        const sizes = await tab.locator("#trouble p, button, .site").evaluateAll((all) => all.map((one) => parseFloat(getComputedStyle(one).fontSize)));
        assert.ok(sizes.every((size) => size >= 26), `letters follow the reader's own size: ${sizes}`);
      }, `${gate.url}/quote`);
    }
  });

  test("colours of the reader's own still show what is a fault and what is held", async () => {
    await visit({ wallet: walletOf(w, { refuse: ["eth_requestAccounts"] }), forcedColors: "active" }, async (tab) => {
      await pay(tab);
      await told(tab, "payer_wallet_rejected");
      const style = (place, name) => tab.locator(place).first().evaluate((one, name) => getComputedStyle(one)[name], name);
      assert.equal(await style("#trouble", "borderTopWidth"), "1px", "its ground is gone");
      const free = await style("#list button", "color");
      await tab.locator("#list button").first().evaluate((one) => one.setAttribute("aria-disabled", "true"));
      assert.notEqual(await style("#list button", "color"), free);
    });
  });
});
