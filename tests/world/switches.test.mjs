// The switches of the local world: they pass on what passes and misbehave exactly as they are told.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { keccak256 } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createPayer } from "x402-wasm";

import { balanceOf, fund, receiptOf, rpc } from "../support/chain.mjs";
import { hits, world } from "../support/world.mjs";

const w = world();
const usual = { node: "normal", origin: "normal", gate: "normal" };

describe("the switches", () => {
  let child, directory, url;
  /** Turns switches; answers the status and what they say. */
  const turn = async (modes) => {
    const response = await fetch(url, { method: "PUT", body: JSON.stringify(modes) });
    return { status: response.status, said: await response.json() };
  };
  // Switches of this test's own, before the world's parts: nobody else is disturbed.
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "x402-switches-"));
    const file = join(directory, "world.json");
    writeFileSync(file, JSON.stringify(w));
    const script = fileURLToPath(new URL("../support/switches.mjs", import.meta.url));
    child = spawn(process.execPath, [script, "--world", file], { stdio: ["ignore", "pipe", "inherit"] });
    const line = await new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
    url = JSON.parse(line).switches;
  });
  afterEach(() => turn(usual));
  after(() => {
    child.kill();
    rmSync(directory, { recursive: true });
  });

  const block = () => rpc(`${url}/node`, "eth_blockNumber");

  test("stand as usual at first, and say what they do not know", async () => {
    assert.deepEqual(await (await fetch(url)).json(), usual);
    assert.deepEqual(await turn({ origin: "down" }), { status: 200, said: { ...usual, origin: "down" } });
    for (const wrong of [{ node: "sideways" }, { chain: "down" }]) assert.equal((await turn(wrong)).status, 400);
    assert.deepEqual(await (await fetch(url)).json(), { ...usual, origin: "down" });
  });

  test("can be turned from a page of another origin", async () => {
    const asked = await fetch(url, { method: "OPTIONS", headers: { origin: w.page, "access-control-request-method": "PUT" } });
    assert.equal(asked.status, 204);
    assert.match(asked.headers.get("access-control-allow-methods"), /PUT/);
    assert.equal((await fetch(url)).headers.get("access-control-allow-origin"), "*");
  });

  test("pass everything on when all is as usual", async () => {
    assert.match(await block(), /^0x/);
    const body = crypto.getRandomValues(new Uint8Array(20_000));
    const report = await fetch(`${url}/origin/report`, { method: "POST", body, headers: { "content-type": "application/x-report" } });
    assert.equal(report.headers.get("content-type"), "application/x-report");
    assert.deepEqual(new Uint8Array(await report.arrayBuffer()), body);
    assert.equal((await fetch(`${url}/gate/quote?a=1`)).status, 402);
    assert.equal((await (await fetch(`${url}/gate/free`)).json()).free, true);
  });

  test("a node that is down answers nobody, a slow one late", async () => {
    await turn({ node: "down" });
    await assert.rejects(block());
    await turn({ node: "slow" });
    const began = performance.now();
    assert.match(await block(), /^0x/);
    assert.ok(performance.now() - began >= 600);
  });

  test("a node whose answers are lost has done what it was asked", async () => {
    await turn({ node: "lose" });
    assert.match(await block(), /^0x/);
    const account = privateKeyToAccount(generatePrivateKey());
    await fund(w.rpc, account.address);
    const raw = await account.signTransaction({ chainId: 84532, to: w.payTo, value: 1n, gas: 21_000n, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n, nonce: 0 });
    await assert.rejects(rpc(`${url}/node`, "eth_sendRawTransaction", [raw]), { name: "TypeError" });
    await assert.rejects(rpc(`${url}/node`, "eth_getTransactionReceipt", [keccak256(raw)]), { name: "TypeError" });
    assert.equal((await receiptOf(w.rpc, keccak256(raw))).status, "0x1");
  });

  test("an origin that fails is not asked, and one that is down does not answer", async () => {
    const before = (await hits(w.origin))["/free"];
    await turn({ origin: "fail" });
    assert.equal((await fetch(`${url}/origin/free`)).status, 503);
    await turn({ origin: "down" });
    await assert.rejects(fetch(`${url}/origin/free`));
    assert.equal((await hits(w.origin))["/free"], before);
  });

  for (const [mode, status, paid] of [["dearer", 402, 0n], ["lose", 200, 10_000n]]) {
    test(`a payee in the mode ${mode} gets one payment at most`, async () => {
      await turn({ gate: mode });
      const payer = await createPayer({ wallet: { privateKey: w.payer.privateKey } });
      const before = await balanceOf(w.rpc, w.asset, w.payer.address);
      const response = await payer.fetch(`${url}/gate/quote`);
      assert.equal(response.status, status);
      if (mode === "dearer") assert.equal((await payer.explain(response)).offers[0].tokens, "0.1");
      assert.equal(before - (await balanceOf(w.rpc, w.asset, w.payer.address)), paid);
    });
  }

  test("a payee with a wrong price asks everybody for it, and gets nothing from who holds it to its word", async () => {
    const terms = async () => {
      const response = await fetch(`${url}/gate/quote`);
      assert.equal(response.status, 402);
      const header = JSON.parse(Buffer.from(response.headers.get("payment-required"), "base64"));
      return [header.accepts.map(({ amount }) => amount), (await response.json()).accepts.map(({ maxAmountRequired }) => maxAmountRequired)];
    };
    const payer = await createPayer({ wallet: { privateKey: w.payer.privateKey } });
    const { offers, chosen } = await payer.explain(`${url}/gate/quote`);
    assert.deepEqual(await terms(), [["10000"], ["10000"]]);
    await turn({ gate: "raised" });
    assert.deepEqual(await terms(), [["100000"], ["100000"]]);
    assert.equal((await (await fetch(`${url}/gate/free`)).json()).free, true);
    const before = [await balanceOf(w.rpc, w.asset, w.payer.address), await hits(w.origin)];
    for (const [wishes, code] of [[{ quote: offers[chosen] }, "payer_quote_changed"], [{ maxPrice: "$0.01" }, "payer_above_max_price"]]) {
      await assert.rejects(payer.fetch(`${url}/gate/quote`, {}, wishes), { code });
    }
    assert.deepEqual((await payer.audit.entries()).map(({ event }) => event), ["refused", "refused"]);
    // Who holds it to nothing signs what the limits allow; the gate behind it takes no more than its own price.
    const response = await payer.fetch(`${url}/gate/quote`);
    assert.equal(response.ok, false);
    assert.deepEqual([await balanceOf(w.rpc, w.asset, w.payer.address), await hits(w.origin)], before);
  });
});
