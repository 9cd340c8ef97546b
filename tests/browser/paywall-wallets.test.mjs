// The paywall and wallets that are not as one would wish: on another chain, without the chain, with numbers wrapped in numbers,
// with another account than a moment ago, or with an answer that is none.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { hits, world } from "../support/world.mjs";
import { config, embedded, startGate } from "../workerd/lib/gate.mjs";
import { launch, moved, open, walletOf } from "./browser.mjs";

const w = world();
const TITLE = "The toll that never stops the car";
const CHAIN = `0x${Number(w.network.split(":")[1]).toString(16)}`;
const TOLD = {
  chainName: "A chain of one's own",
  rpcUrls: ["http://127.0.0.1:1/for-everybody"],
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  blockExplorerUrls: ["https://explorer.test"],
};
const ROUTES = [{ match: "GET /article", price: "$0.02", mimeType: "text/html" }];
const fails = (code, data) => Promise.reject(Object.assign(new Error("no"), { code, data }));
const SWITCH = "wallet_switchEthereumChain";
const ADD = "wallet_addEthereumChain";
const SIGN = "eth_signTypedData_v4";

describe("the paywall's wallets", () => {
  let browser, gate, url;
  before(async () => {
    browser = await launch();
    const paywall = { pass: { key: "secret:PASS_KEY" } };
    gate = await startGate(config({ url: w.origin }, { ...embedded, chain: TOLD }, ROUTES, { paywall }), { PASS_KEY: "what passes are made with" });
    url = `${gate.url}/article`;
  });
  after(async () => {
    await gate?.stop();
    await browser?.close();
  });

  async function visit(wallet, steps, address = url) {
    const { tab, close } = await open(browser, address, { wallet });
    try {
      await tab.waitForSelector("html[data-ready]", { state: "attached" });
      return await steps(tab);
    } finally {
      await close();
    }
  }
  const pay = (tab) => tab.getByRole("button", { name: "Test Wallet" }).click();
  const read = (tab) => tab.getByRole("heading", { name: TITLE }).waitFor();
  const told = (tab, text) => tab.getByRole("alert").getByText(text).waitFor();
  const bought = (wallet) =>
    visit(wallet, async (tab) => {
      const amount = await moved(w, async () => {
        await pay(tab);
        await read(tab);
      });
      assert.equal(amount, 20_000n);
      assert.equal(wallet.asked(SIGN).length, 1);
    });
  /** Chooses the wallet, is told this, and nothing moved or is kept; the wallet can be chosen again. */
  const refused = (wallet, text, code, address) =>
    visit(wallet, async (tab) => {
      const amount = await moved(w, async () => {
        await pay(tab);
        await told(tab, text);
        await told(tab, code);
      });
      assert.equal(amount, 0n);
      assert.equal(await tab.evaluate(() => localStorage.length), 0);
      assert.equal(await tab.getByRole("button", { name: "Test Wallet" }).isEnabled(), true);
    }, address);
  /** A wallet without the chain until it was added; its number for that is where `wrap` puts it. */
  const without = (wrap, added = async () => null) => {
    let knows = false;
    return walletOf(w, {
      answers: {
        [SWITCH]: (_, usual) => (knows ? usual() : wrap()),
        [ADD]: async (params) => {
          knows = true;
          return added(params);
        },
      },
    });
  };

  test("that do not know the chain are told of it, and change", async () => {
    for (const wrap of [() => fails(4902), () => fails(-32603, { originalError: { code: 4902 } })]) {
      const wallet = without(wrap);
      await bought(wallet);
      assert.deepEqual(wallet.asked(ADD).map(({ params }) => params), [[{ ...TOLD, chainId: CHAIN }]]);
      assert.equal(wallet.asked(SWITCH).length, 2, "asked again once it knows the chain");
    }
  });

  test("that change by themselves to what was added are not asked again", async () => {
    let on = "0x1";
    const wallet = walletOf(w, {
      answers: {
        eth_chainId: async () => on,
        [SWITCH]: () => fails(4902),
        [ADD]: async () => ((on = CHAIN), null),
        [SIGN]: ([, document]) => privateKeyToAccount(w.payer.privateKey).signTypedData(JSON.parse(document)),
      },
    });
    await bought(wallet);
    assert.equal(wallet.asked(SWITCH).length, 1);
  });

  test("whose person does not want the chain are believed", async () => {
    const wallet = walletOf(w, { refuse: [ADD], answers: { [SWITCH]: () => fails(4902) } });
    await refused(wallet, "You said no in the wallet", "payer_wallet_rejected");
    assert.deepEqual(wallet.asked(SIGN), []);
  });

  test("that cannot be told, or may not, leave it to the person", async () => {
    const deaf = walletOf(w, { answers: { [SWITCH]: () => fails(4902) } });
    await refused(deaf, "The wallet does not know the network", "payer_wallet_failed");
    assert.equal(deaf.asked(ADD).length, 1);
    const untold = walletOf(w, { answers: { [SWITCH]: () => fails(4902) } });
    await refused(untold, "The wallet does not know the network", "payer_wallet_failed", new URL("/article", w.gate).href);
    assert.deepEqual(untold.asked(ADD), [], "the configuration says nothing of it");
    assert.deepEqual([...deaf.asked(SIGN), ...untold.asked(SIGN)], []);
  });

  test("that say they changed and did not are asked for no signature", async () => {
    let added = false;
    const liars = [
      walletOf(w, { answers: { [SWITCH]: async () => null } }),
      walletOf(w, { answers: { [SWITCH]: () => (added ? null : fails(4902)), [ADD]: () => ((added = true), null) } }),
    ];
    for (const wallet of liars) {
      await refused(wallet, "still on another network", "payer_wallet_failed");
      assert.deepEqual(wallet.asked(SIGN), []);
    }
  });

  test("with a question open already say so", async () => {
    await refused(walletOf(w, { answers: { eth_requestAccounts: () => fails(-32002) } }), "has a question open", "payer_wallet_failed");
  });

  test("that answer with what is no answer are asked for nothing more, and nothing is sent", async () => {
    const before = (await hits(w.origin))["/article"];
    const answers = [
      { eth_requestAccounts: async () => null },
      { eth_requestAccounts: async () => ["me"] },
      { eth_chainId: async () => "none" },
      { [SIGN]: async () => null },
      { [SIGN]: async () => "0x" },
      { [SIGN]: async () => "signed" },
      { [SIGN]: async () => `0x${"11".repeat(5000)}` },
      // It is on another account by now.
      { [SIGN]: () => fails(4100) },
    ];
    for (const one of answers) {
      const wallet = walletOf(w, { answers: one });
      await refused(wallet, "did not do what it was asked", "payer_wallet_failed");
      assert.equal(wallet.asked(SIGN).length, one[SIGN] ? 1 : 0);
    }
    assert.equal((await hits(w.origin))["/article"], before);
  });

  test("that sign with another account, or with anything, pay nothing and hold nobody up", async () => {
    const stranger = privateKeyToAccount(`0x${"42".repeat(32)}`);
    const others = [([, document]) => stranger.signTypedData(JSON.parse(document)), async () => `0x${"11".repeat(65)}`, async () => `0x${"ff".repeat(700)}`];
    for (const other of others) {
      let tries = 0;
      const wallet = walletOf(w, { answers: { [SIGN]: (params, usual) => ((tries += 1) === 1 ? other(params) : usual()) } });
      await visit(wallet, async (tab) => {
        const amount = await moved(w, async () => {
          await pay(tab);
          await told(tab, "The payment was refused");
          assert.equal(await tab.evaluate(() => localStorage.length), 0);
          await pay(tab);
          await read(tab);
        });
        assert.equal(amount, 20_000n);
      });
      assert.equal(tries, 2);
    }
  });

  test("on another account than the one that signed are not asked: the payment that was signed is sent", async () => {
    let account;
    const wallet = walletOf(w, { answers: { eth_requestAccounts: (_, usual) => (account ? [account] : usual()) } });
    await visit(wallet, async (tab) => {
      let lose = true;
      const sent = new Set();
      await tab.route(url, async (route) => {
        const header = await route.request().headerValue("payment-signature");
        if (header) sent.add(header);
        // The gate answers with a fault that is its own.
        return header && lose ? route.fulfill({ status: 500 }) : route.continue();
      });
      await pay(tab);
      await told(tab, "HTTP 500");
      lose = false;
      account = privateKeyToAccount(`0x${"42".repeat(32)}`).address;
      const amount = await moved(w, async () => {
        await pay(tab);
        await read(tab);
      });
      assert.equal(amount, 20_000n);
      assert.equal(sent.size, 1);
      assert.equal(wallet.asked(SIGN).length, 1);
    });
  });

  test("thirty-two of them are listed and no more, each with a name", async () => {
    await visit(walletOf(w, { refuse: [SIGN] }), async (tab) => {
      await tab.evaluate(() => {
        for (let number = 0; number < 40; number += 1) {
          const info = { uuid: `w${number}`, name: number % 2 ? "" : `Wallet ${number} ${"x".repeat(100)}`, icon: "https://tracker.test/a.png", rdns: "example.wallet" };
          globalThis.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: { info, provider: { request: async () => null } } }));
        }
      });
      const buttons = await tab.locator("#list button").all();
      assert.equal(buttons.length, 32);
      assert.equal(await tab.locator("#list").getByRole("button", { name: "Browser wallet" }).count(), 15, "one without a name is called something");
      assert.equal(await tab.locator("#list img").count(), 1, "an icon is in the page or nowhere");
      await tab.setViewportSize({ width: 320, height: 640 });
      assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth > window.innerWidth), false);
      await pay(tab);
      await told(tab, "payer_wallet_rejected");
      const { y, height } = await tab.getByRole("alert").boundingBox();
      assert.ok(y >= 0 && y + height <= 640, `what went wrong is seen: ${y}`);
    });
  });
});
