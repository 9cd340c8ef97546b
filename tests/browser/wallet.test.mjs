// A wallet in the page: found by EIP-6963, asked for its account, moved to the chain that is paid on, asked to sign. Every
// payment is cross-origin: the page and the gate have ports of their own.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { authorizationState, receiptOf } from "../support/chain.mjs";
import { hits, world } from "../support/world.mjs";
import { launch, moved, on, openPage, walletOf } from "./browser.mjs";

const w = world();
const asked = (path) => `402 ${new URL(path, w.gate).href}`;

describe("a wallet in the page", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  async function visit(options, steps) {
    const { tab, faults, close } = await openPage(browser, w, options);
    try {
      await steps(tab, on(tab));
      return faults;
    } finally {
      await close();
    }
  }

  test("pays from another origin than the gate's", async () => {
    assert.notEqual(new URL(w.page).origin, new URL(w.gate).origin);
    const wallet = walletOf(w);
    const faults = await visit({ wallet }, async (tab, page) => {
      assert.deepEqual(wallet.calls, [], "the page asked before anybody chose the wallet");
      await page.choose("Test Wallet");
      assert.ok((await tab.locator("#account").innerText()).includes(wallet.address));
      const amount = await moved(w, async () => {
        await page.pick("/article");
        await page.pay();
        await page.receipt().waitFor();
        await page.ended();
      });
      assert.equal(amount, 20_000n);
      const transaction = await page.fact(page.receipt(), "Transaction");
      assert.equal((await receiptOf(w.rpc, transaction)).status, "0x1");
    });
    assert.deepEqual(faults, [asked("/article")]);
    const chain = `0x${Number(w.network.split(":")[1]).toString(16)}`;
    assert.deepEqual(wallet.asked("wallet_switchEthereumChain").map(({ params }) => params), [[{ chainId: chain }]]);
    const [signed, ...more] = wallet.asked("eth_signTypedData_v4");
    assert.deepEqual(more, [], "one payment, one signature");
    const { message, domain, primaryType } = JSON.parse(signed.params[1]);
    assert.equal(primaryType, "TransferWithAuthorization");
    assert.equal(domain.verifyingContract.toLowerCase(), w.asset.toLowerCase());
    assert.equal(message.to.toLowerCase(), w.payTo.toLowerCase());
    assert.equal(BigInt(message.value), 20_000n);
    assert.equal(await authorizationState(w.rpc, w.asset, wallet.address, message.nonce), true);
  });

  test("whose person says no moves nothing and reaches no origin", async () => {
    const wallet = walletOf(w, { refuse: ["eth_signTypedData_v4"] });
    const before = (await hits(w.origin))["/quote"];
    const faults = await visit({ wallet }, async (tab, page) => {
      await page.choose("Test Wallet");
      await page.pick("/quote");
      const amount = await moved(w, async () => {
        await page.pay();
        await page.refusal().waitFor();
        await page.ended();
      });
      assert.equal(amount, 0n);
      const text = await page.refusal().innerText();
      assert.match(text, /payer_wallet_rejected/);
      assert.match(text, /Nothing was signed and nothing moved/);
      assert.match(await tab.getByRole("status").innerText(), /payer_wallet_rejected/);
      assert.equal(await tab.locator("#total").innerText(), "Nothing yet");
    });
    assert.deepEqual(faults, [asked("/quote")]);
    assert.equal(wallet.asked("eth_signTypedData_v4").length, 1);
    assert.equal((await hits(w.origin))["/quote"], before);
  });

  test("whose person refuses to connect is not chosen, and can be chosen again", async () => {
    const wallet = walletOf(w, { refuse: ["eth_requestAccounts"] });
    const faults = await visit({ wallet }, async (tab, page) => {
      await tab.getByRole("button", { name: "Test Wallet" }).click();
      await tab.getByRole("alert").getByText("payer_wallet_rejected").waitFor();
      assert.equal(await tab.getByRole("button", { name: "Test Wallet" }).getAttribute("aria-pressed"), "false");
      await page.choose("Demo key");
      assert.equal(await tab.getByRole("alert").count(), 0);
    });
    assert.deepEqual(faults, []);
  });

  test("that never answers can be stopped, with nothing lost", async () => {
    const wallet = walletOf(w, { silent: ["eth_signTypedData_v4"] });
    const faults = await visit({ wallet }, async (tab, page) => {
      await page.choose("Test Wallet");
      await page.pick("/quote");
      const amount = await moved(w, async () => {
        await page.pay();
        await tab.locator('[data-step="signed"].running').waitFor();
        await tab.getByRole("button", { name: "Stop" }).click();
        await page.refusal().waitFor();
        await page.ended();
      });
      assert.equal(amount, 0n);
      assert.match(await page.refusal().innerText(), /aborted/);
      assert.match(await page.refusal().innerText(), /Nothing was signed and nothing moved/);
      // The next one pays.
      await page.choose("Demo key");
      await page.pay();
      await page.receipt().waitFor();
      await page.ended();
    });
    assert.deepEqual(faults, [asked("/quote"), asked("/quote")]);
  });

  test("that changes its account or goes away is followed", async () => {
    const other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    const wallet = walletOf(w);
    const faults = await visit({ wallet }, async (tab, page) => {
      await page.choose("Test Wallet");
      await tab.evaluate((address) => globalThis.emitFromWallet("accountsChanged", [address]), other);
      await tab.locator("#account").getByText(other).waitFor();
      await tab.evaluate(() => globalThis.emitFromWallet("accountsChanged", []));
      await tab.locator("#account:empty").waitFor({ state: "attached" });
      await page.pick("/quote");
      await page.pay();
      await tab.getByRole("alert").getByText("Choose who pays first").waitFor();
      assert.deepEqual(wallet.asked("eth_signTypedData_v4"), []);
    });
    assert.deepEqual(faults, []);
  });

  test("that comes late is listed, with its name as text and its own icon", async () => {
    const wallet = walletOf(w);
    const name = "<b>Late</b> Wallet";
    const faults = await visit({ wallet, name, late: true }, async (tab) => {
      assert.equal(await tab.locator("#wallets li").count(), 1);
      await tab.evaluate(() => globalThis.announceLate());
      const entry = tab.getByRole("button", { name });
      await entry.waitFor();
      assert.match(await entry.locator("img").getAttribute("src"), /^data:image\/svg\+xml/);
    });
    assert.deepEqual(faults, []);
  });
});
