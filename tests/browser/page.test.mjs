// The page in Chromium against the running world: what it shows is what the chain says.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { receiptOf } from "../support/chain.mjs";
import { hits, world } from "../support/world.mjs";
import { launch, moved, on, open, openPage, walletOf } from "./browser.mjs";

const w = world();
const at = (path) => new URL(path, w.gate).href;
/** Chromium reports every 402 as a failed resource: the one complaint a payment makes. */
const asked = (path) => `402 ${at(path)}`;

describe("the page", () => {
  let browser;
  before(async () => (browser = await launch()));
  after(() => browser.close());

  /** Opens the page for one test, and holds it to complaining about nothing but what is expected. */
  const visit = (options, expected, steps) => async () => {
    const { tab, faults, requests, close } = await openPage(browser, w, options);
    try {
      await steps(tab, on(tab), requests);
      assert.deepEqual(faults, expected);
    } finally {
      await close();
    }
  };

  test(
    "loads without a complaint and asks nobody but this machine",
    visit({}, [], async (tab, _, requests) => {
      assert.equal(await tab.getByRole("group", { name: "Route" }).getByRole("radio").count(), w.routes.length);
      for (const { path, price } of w.routes) {
        const row = tab.locator("label", { has: tab.getByRole("radio", { name: path }) });
        assert.ok((await row.innerText()).includes(price ?? "free"), path);
      }
      assert.equal(await tab.getByRole("button", { name: "Demo key" }).count(), 1);
      assert.match(await tab.locator("#wallets-hint").innerText(), /No browser wallet/);
      const hosts = new Set(requests.map((url) => new URL(url).origin));
      // The page's own server, what the chain's newest block is, and how the switches stand.
      assert.deepEqual([...hosts].sort(), [w.page, w.rpc, w.switches].sort());
    }),
  );

  test(
    "the demo key pays, and the page shows what the chain says",
    visit({}, [asked("/quote")], async (tab, page) => {
      await page.choose("Demo key");
      assert.ok((await tab.locator("#account").innerText()).includes(w.payer.address));
      const amount = await moved(w, async () => {
        await page.pick("/quote");
        await page.pay();
        await page.receipt().waitFor();
        await page.ended();
      });
      assert.equal(amount, 10_000n);
      const receipt = page.receipt();
      assert.match(await receipt.innerText(), /0\.01 USDC\s+Paid/);
      assert.equal(await page.fact(receipt, "To"), w.payTo);
      assert.match(await page.fact(receipt, "Consistent"), /^Yes/);
      const transaction = await page.fact(receipt, "Transaction");
      assert.equal((await receiptOf(w.rpc, transaction)).status, "0x1");
      const answer = JSON.parse(await tab.locator("#part-answer pre").innerText());
      assert.equal(answer.symbol, "ETH-USD");
      const times = await tab.locator("#part-steps li .time").allInnerTexts();
      assert.equal(times.length, 5);
      for (const time of times) assert.match(time, /^[\d.]+ (ms|s)$/);
      assert.match(await tab.getByRole("status").innerText(), /Paid 0\.01 USDC, answered 200/);
      assert.match(await tab.locator("#total").innerText(), /^0\.01 USDC$/);
      assert.equal(await tab.locator("#payments tbody tr").count(), 1);
    }),
  );

  test(
    "an offer is shown without paying or reaching the origin",
    visit({}, [asked("/article")], async (tab, page) => {
      const before = (await hits(w.origin))["/article"];
      const amount = await moved(w, async () => {
        await page.pick("/article");
        await page.offer();
        await page.ended();
      });
      assert.equal(amount, 0n);
      assert.equal((await hits(w.origin))["/article"], before);
      const offer = tab.locator("#part-offer");
      assert.equal(await page.fact(offer, "Price"), "0.02 USDC");
      assert.equal(await page.fact(offer, "Paid to"), w.payTo);
      assert.ok((await page.fact(offer, "Network")).includes(w.network));
      assert.ok((await page.fact(offer, "Asset")).includes(w.asset));
      assert.match(await page.fact(offer, "Holds for"), /^\d+ (seconds|minutes)$/);
      assert.match(await offer.innerText(), /Your limits allow it/);
    }),
  );

  test(
    "a price above the limit is refused, visibly and before anything is signed",
    visit({ wallet: walletOf(w) }, [asked("/report"), asked("/report"), asked("/report")], async (tab, page) => {
      await page.choose("Demo key");
      await page.pick("/report");
      await page.limit("$0.04");
      const amount = await moved(w, async () => {
        await page.pay();
        await page.refusal().waitFor();
        await page.ended();
      });
      assert.equal(amount, 0n);
      const text = await page.refusal().innerText();
      assert.match(text, /payer_over_cap/);
      assert.match(text, /0\.05 USDC/);
      assert.match(text, /Nothing was signed and nothing moved/);
      assert.equal(await tab.locator("#total").innerText(), "Nothing yet");
      await page.offer();
      await page.ended();
      assert.match(await tab.locator("#part-offer").innerText(), /payer_over_cap/);
      // A cent more, and it is paid.
      await tab.getByRole("button", { name: "One cent more" }).click();
      const paid = await moved(w, async () => {
        await page.pay();
        await page.receipt().waitFor();
        await page.ended();
      });
      assert.equal(paid, 50_000n);
    }),
  );

  test(
    "a limit that is none is told at once, in the package's words",
    visit({}, [], async (tab, page) => {
      await page.limit("a lot");
      await tab.locator('#cap[aria-invalid="true"]').waitFor();
      assert.match(await tab.locator("#cap-hint").innerText(), /maxPerPayment/);
      await page.limit("$0.10");
      await tab.locator('#cap[aria-invalid="false"]').waitFor();
    }),
  );

  test(
    "a body goes there and comes back",
    visit({}, [asked("/report")], async (tab, page) => {
      await page.choose("Demo key");
      await page.pick("/report");
      const body = { title: "Wöchentlich – 数字", rows: [1, 2.5, null] };
      await tab.getByLabel("Body to send").fill(JSON.stringify(body));
      await page.pay();
      await page.receipt().waitFor();
      await page.ended();
      assert.deepEqual(JSON.parse(await tab.locator("#part-answer pre").innerText()), body);
      assert.equal(await tab.getByLabel("Body to send").inputValue(), JSON.stringify(body));
    }),
  );

  test(
    "a stream is shown while it comes",
    visit({}, [asked("/stream")], async (tab, page) => {
      await page.choose("Demo key");
      await page.pick("/stream");
      await page.pay();
      const early = await tab.waitForFunction(() => {
        const answer = document.querySelector("#part-answer");
        const pieces = answer?.querySelectorAll(".pieces li").length ?? 0;
        return answer?.dataset.state === "open" && pieces >= 2 && pieces;
      });
      assert.ok((await early.jsonValue()) < 8, "all pieces came at once");
      await tab.locator('#part-answer[data-state="ended"]').waitFor();
      const lines = (await tab.locator(".pieces li span").allInnerTexts()).join("\n").trim().split("\n");
      assert.deepEqual(lines.map((line) => JSON.parse(line).piece), [1, 2, 3, 4, 5, 6, 7, 8]);
    }),
  );

  test(
    "a bought page is shown in a frame that may do nothing",
    visit({}, [asked("/article")], async (tab, page) => {
      await page.choose("Demo key");
      await page.pick("/article");
      await page.pay();
      const frame = tab.locator("#part-answer iframe");
      await frame.waitFor();
      assert.equal(await frame.getAttribute("sandbox"), "");
      const inside = tab.frameLocator("#part-answer iframe");
      await inside.getByRole("heading", { name: "The toll that never stops the car" }).waitFor();
    }),
  );

  test("a page that means harm runs nothing, asks nobody and goes nowhere", async () => {
    const { tab, faults, requests, close } = await openPage(browser, w);
    const page = on(tab);
    // The browser may announce a request before its policy ends it: what counts is that it ends there.
    const stopped = new Set();
    tab.on("requestfailed", (request) => /csp/i.test(request.failure()?.errorText ?? "") && stopped.add(request.url()));
    const answered = [];
    tab.on("response", (response) => answered.push(response.url()));
    const body = `<!doctype html><title>harm</title><h1>Harm</h1>
      <script>top.document.title = "taken"; new Image().src = "${w.origin}/from-script"</script>
      <img src="${w.origin}/from-image" onerror="top.document.title = 'taken'">
      <link rel="stylesheet" href="${w.origin}/from-style">
      <meta http-equiv="refresh" content="0;url=${w.origin}/from-refresh">
      <a href="${w.origin}/from-link" target="_top">A link</a>`;
    await tab.route(at("/free"), (route) =>
      route.fulfill({ contentType: "text/html", headers: { "access-control-allow-origin": "*" }, body }),
    );
    try {
      const title = await tab.title();
      await page.pick("/free");
      await page.pay();
      const inside = tab.frameLocator("#part-answer iframe");
      await inside.getByRole("heading", { name: "Harm" }).waitFor();
      await inside.getByRole("link", { name: "A link" }).click();
      await page.pick("/quote");
      await page.offer();
      await tab.locator(".verdict").waitFor();
      assert.equal(await tab.title(), title);
      assert.deepEqual(requests.filter((url) => url.startsWith(w.origin) && !stopped.has(url)), []);
      assert.deepEqual(answered.filter((url) => url.startsWith(w.origin)), []);
      assert.equal(new URL(tab.url()).origin, w.page);
      // What was tried is what the browser complains of: it blocked it.
      const blocked = /Content Security Policy|sandboxed|Unsafe attempt/;
      assert.deepEqual(faults.filter((fault) => !blocked.test(fault)), [asked("/quote")]);
      assert.ok(faults.some((fault) => /Blocked script execution/.test(fault)), faults.join("\n"));
    } finally {
      await close();
    }
  });

  test(
    "an origin that fails costs nothing, and the page says so",
    visit({}, [asked("/fails"), `500 ${at("/fails")}`], async (tab, page) => {
      await page.choose("Demo key");
      await page.pick("/fails");
      const amount = await moved(w, async () => {
        await page.pay();
        await page.receipt().waitFor();
        await page.ended();
      });
      assert.equal(amount, 0n);
      assert.match(await page.receipt().innerText(), /Signed, not confirmed/);
      assert.match(await tab.locator("#result-title").innerText(), /500/);
      assert.match(await tab.locator("#total").innerText(), /^0\.00\s+and 0\.01 USDC not confirmed$/);
    }),
  );

  test("a payment whose answer is lost is not forgotten", async () => {
    const { tab, faults, close } = await openPage(browser, w);
    const page = on(tab);
    await tab.route(at("/quote"), (route) =>
      route.request().headers()["payment-signature"] ? route.abort("connectionreset") : route.continue(),
    );
    try {
      await page.choose("Demo key");
      await page.pick("/quote");
      await page.pay();
      await page.refusal().waitFor();
      await page.ended();
      const text = await page.refusal().innerText();
      assert.match(text, /payer_network_fault/);
      assert.match(text, /A payment was signed/);
      assert.match(await tab.locator("#payments tbody").innerText(), /not confirmed/);
      assert.match(await tab.locator("#total").innerText(), /and 0\.01 USDC not confirmed/);
      assert.deepEqual(faults.filter((fault) => !fault.includes("ERR_CONNECTION_RESET")), [asked("/quote")]);
    } finally {
      await close();
    }
  });

  test("a page without its world says what to do", async () => {
    const { tab, close } = await open(browser, w.page, { before: (fresh) => fresh.route("**/world.json", (route) => route.fulfill({ status: 404 })) });
    try {
      await tab.getByRole("alert").getByText("cargo xtask serve").waitFor();
    } finally {
      await close();
    }
  });

  test(
    "what is free needs nobody to pay, and what is not says who is missing",
    visit({}, [], async (tab, page) => {
      await page.pick("/free");
      await page.pay();
      await page.ended();
      assert.match(await tab.locator("#part-answer pre").innerText(), /on the house/);
      assert.equal(await page.receipt().count(), 0);
      await page.pick("/quote");
      await page.pay();
      await tab.getByRole("alert").getByText("Choose who pays first").waitFor();
    }),
  );
});
