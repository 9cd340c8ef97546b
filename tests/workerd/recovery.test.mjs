// What outlives a failure: a settlement whose outcome is not known, a Worker that ends in the middle, a module that
// breaks. The parts that wait for real time do so side by side.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { keccak256 } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf, rpc } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, freshPayer, freshRelayer, remote, startGate, until } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, present } from "./lib/pay.mjs";
import { startFacilitator, startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [{ match: "GET /paid", price: "$0.01" }];
const PRICE = 10_000n;

let origin;
before(async () => {
  origin = await startOrigin();
});
after(() => origin?.stop());

const isSend = (calls) => calls.some(({ method }) => method === "eth_sendRawTransaction");
const receiptOf = (hash) => rpc(chain.rpc, "eth_getTransactionReceipt", [hash]);

/** These two wait for the gate's own clocks. */
describe("what waits for time", { concurrency: true }, () => {
  test("S-172 S-188 F-21 a settlement nobody knows the outcome of is pending, is sent again, and its payer is served when it is known", unknownOutcome);
  test("S-131 a Worker that ends between writing down and sending sends after it starts again, once", cutShort);
});

async function unknownOutcome() {
  const node = await startNode(chain.rpc);
  const gate = await startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url });
  try {
    const key = await freshPayer();
    const payer = privateKeyToAccount(key).address;
    const url = `${gate.url}/paid`;
    const paid = await payment(await challenge(url), key);
    const served = origin.seen.length;
    // The transaction is lost on the way, as often as it is sent.
    let lost = true;
    node.meddle = (calls, response) => (isSend(calls) && lost ? (response.destroy(), null) : undefined);
    const answer = await present(url, paid);
    const receipt = decode(answer.headers.get("payment-response"));
    assert.deepEqual([answer.status, receipt.success, receipt.errorReason], [503, false, "settlement_pending"]);
    assert.ok(answer.headers.has("retry-after"));
    assert.equal(answer.headers.get("payment-required"), null);
    assert.ok(!(await answer.text()).includes("served"));
    assert.equal(receipt.transaction, keccak256(node.sent[0]));
    // Its alarm sends the same bytes again, and again, until they arrive.
    lost = false;
    await until(() => receiptOf(receipt.transaction));
    assert.deepEqual([...new Set(node.sent)], [node.sent[0]]);
    assert.equal(await balanceOf(chain.rpc, chain.asset, payer), 1_000_000n - PRICE);
    // The same payment, not a second one, gets what was paid for; once.
    const again = await present(url, paid);
    assert.equal(again.status, 200);
    assert.equal(decode(again.headers.get("payment-response")).transaction, receipt.transaction);
    assert.equal(await again.text(), "served /paid");
    const third = await present(url, paid);
    assert.deepEqual([third.status, await third.text()], [200, "served /paid"]);
    assert.equal(await balanceOf(chain.rpc, chain.asset, payer), 1_000_000n - PRICE);
    assert.ok(origin.seen.length > served);
  } finally {
    await gate.stop();
    await node.stop();
  }
}

async function cutShort() {
  const node = await startNode(chain.rpc);
  const storage = await mkdtemp(join(tmpdir(), "objects-"));
  const relayer = await freshRelayer();
  const start = () => startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url, RELAYER_KEY: relayer }, { storage });
  let gate = await start();
  try {
    const key = await freshPayer();
    const payer = privateKeyToAccount(key).address;
    const paid = await payment(await challenge(`${gate.url}/paid`), key);
    // The transaction never arrives, and the Worker ends while it waits for the node's answer.
    let sent;
    const reached = new Promise((resolve) => (sent = resolve));
    node.meddle = (calls) => (isSend(calls) ? (sent(), null) : undefined);
    const cut = present(`${gate.url}/paid`, paid).then((answer) => answer.status, () => "cut");
    await reached;
    process.kill(gate.pid, "SIGKILL");
    await gate.stop();
    assert.equal(await cut, "cut");
    assert.equal(await balanceOf(chain.rpc, chain.asset, payer), 1_000_000n);
    node.meddle = undefined;
    gate = await start();
    // Its own alarm finishes what was begun.
    const hash = keccak256(node.sent[0]);
    await until(() => receiptOf(hash));
    // Until the chain has told, the payer is asked to come back, never to pay again.
    const answer = await until(async () => {
      const one = await present(`${gate.url}/paid`, paid);
      if (one.status === 200) return one;
      assert.deepEqual([one.status, (await one.json()).error], [503, "settlement_pending"]);
      return undefined;
    });
    assert.equal(decode(answer.headers.get("payment-response")).transaction, hash);
    assert.deepEqual([[...new Set(node.sent)].length, await balanceOf(chain.rpc, chain.asset, payer)], [1, 1_000_000n - PRICE]);
    // The account goes on from there.
    assert.equal((await buy(`${gate.url}/paid`, key)).status, 200);
  } finally {
    await gate.stop();
    await node.stop();
    await rm(storage, { recursive: true, force: true });
  }
}

test("F-42 a record of another version is not judged", async () => {
  const node = await startNode(chain.rpc);
  const storage = await mkdtemp(join(tmpdir(), "objects-"));
  const relayer = await freshRelayer();
  const start = (change) => startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url, RELAYER_KEY: relayer }, { storage, change });
  const key = await freshPayer();
  // Another version of the object, which keeps its account in a format of its own.
  const other = await readFile(new URL("../../worker/index.mjs", import.meta.url), "utf8");
  const changed = other.replace("  async settle(order) {", `  async settle(order) {
    const said = await this.settled(order);
    this.ctx.storage.sql.exec("UPDATE facts SET body = '{\\"format\\":99}' WHERE name = 'account'");
    return said;
  }
  async settled(order) {`);
  assert.notEqual(changed, other);
  let gate = await start((service) => {
    service.modules[0] = { name: "index.mjs", type: "esModule", text: changed };
    return service;
  });
  try {
    const paid = await payment(await challenge(`${gate.url}/paid`), key);
    assert.equal((await present(`${gate.url}/paid`, paid)).status, 200);
    await gate.stop();
    gate = await start();
    node.sent.length = 0;
    const answer = await buy(`${gate.url}/paid`, key);
    assert.deepEqual([answer.status, (await answer.json()).error], [503, "facilitator_relayer_unavailable"]);
    assert.equal(node.sent.length, 0);
  } finally {
    await gate.stop();
    await node.stop();
    await rm(storage, { recursive: true, force: true });
  }
});

test("a ledger is begun with a number of books, and a gate that knows another sells nothing", async () => {
  const facilitator = await startFacilitator();
  const storage = await mkdtemp(join(tmpdir(), "objects-"));
  const start = (books) => startGate(config(origin, remote(facilitator), ROUTES, { ledger: { books } }), {}, { storage });
  const key = freshKey();
  let gate = await start(64);
  try {
    const paid = await payment(await challenge(`${gate.url}/paid`), key);
    assert.equal((await present(`${gate.url}/paid`, paid)).status, 200);
    const served = origin.seen.length;
    await gate.stop();
    gate = await start(32);
    for (const one of [paid, await payment(await challenge(`${gate.url}/paid`), key)]) {
      const answer = await present(`${gate.url}/paid`, one);
      assert.deepEqual([answer.status, (await answer.json()).error], [503, "gate_book_unavailable"]);
    }
    assert.ok(gate.log().includes("gate_invalid_config"), gate.log());
    assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [served, 1]);
    await gate.stop();
    gate = await start(64);
    assert.equal((await present(`${gate.url}/paid`, paid)).status, 200);
    assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [served, 1]);
  } finally {
    await gate.stop();
    await facilitator.stop();
    await rm(storage, { recursive: true, force: true });
  }
});

/** A service whose glue was changed: a module that breaks on demand, beside the real one's code. */
const breaking = (before, code) => (service) => {
  const glue = readFileSync(service.modules[1].path, "utf8");
  assert.equal(glue.split(before).length, 2, String(before));
  service.modules[1] = { name: "build/x402_gate.js", type: "esModule", text: glue.replace(before, (found) => `${code}\n${found}`) };
  return service;
};

/** A trap as the engine throws it: an allocation that cannot be, in the module that runs. */
const TRAP = "wasm.__wbindgen_malloc(-1, 1);";

/** Runs a part with a gate that breaks there, in front of a facilitator that is content. */
async function withBroken(change, part) {
  const facilitator = await startFacilitator();
  const gate = await startGate(config(origin, remote(facilitator), ROUTES), {}, { change });
  try {
    await part(`${gate.url}/paid`, facilitator);
    assert.ok(gate.log().includes("gate_internal"), gate.log());
  } finally {
    await gate.stop();
    await facilitator.stop();
  }
}

test("S-320 S-321 F-40 a module that breaks in a call answers 500 and is replaced before the next", async () => {
  // An id is drawn for each request that waits for somebody; the third breaks.
  const change = breaking("const ret = arg1.randomUUID();", `if ((globalThis.drawn = (globalThis.drawn ?? 0) + 1) === 3) { ${TRAP} }`);
  await withBroken(change, async (url, facilitator) => {
    const key = freshKey();
    const statuses = [];
    for (let i = 0; i < 5; i += 1) statuses.push((await buy(url, key)).status);
    assert.deepEqual(statuses, [200, 200, 500, 200, 200]);
    assert.equal(facilitator.count("/settle"), 4);
  });
});

test("S-320 F-40 a module that breaks in a task serves none of its neighbours, and is replaced", async () => {
  // An origin's status is read in a task of its own; the one that names itself breaks.
  const change = breaking("const ret = arg0.status;", `if (arg0.headers.has("x-break")) { ${TRAP} }`);
  await withBroken(change, async (url, facilitator) => {
    const [required, key] = [await challenge(url), freshKey()];
    const { "/verify": verify } = facilitator.say;
    const held = [];
    facilitator.say["/verify"] = (body, _, response) => void held.push(() => response.end(JSON.stringify(verify(body))));
    const neighbours = await Promise.all(Array.from({ length: 5 }, () => payment(required, key)));
    const waiting = neighbours.map((paid) => present(url, paid));
    await until(() => held.length === neighbours.length);
    facilitator.say["/verify"] = verify;
    origin.answer = (_, response) => response.writeHead(200, { "x-break": "1" }).end("secret");
    const breaks = await buy(url, key);
    assert.deepEqual([breaks.status, (await breaks.json()).error], [500, "gate_internal"]);
    // What they waited for comes too late for them.
    for (const release of held) release();
    for (const answer of await Promise.all(waiting)) {
      assert.equal(answer.status, 500);
      assert.equal(answer.headers.get("cache-control"), "no-store");
    }
    origin.answer = undefined;
    assert.equal((await buy(url, key)).status, 200);
    // Nobody knows how far a neighbour's request came: nothing was settled, and until its lease ends nobody is served.
    assert.equal(facilitator.count("/settle"), 1);
    const neighbour = await present(url, neighbours[0]);
    assert.deepEqual([neighbour.status, (await neighbour.json()).error], [409, "duplicate_payment"]);
  });
});

test("S-320 F-40 a module that panics is replaced before the next call", async () => {
  // The second challenge is made while the first is being made, which the module takes for impossible.
  const again = 'fetch2(new Request("http://gate.test/paid"), {}, 0, "GET", "http://gate.test/paid");';
  const made = /(?<=new_with_opt_js_u8_array_and_init_[^]{0,120}?)const ret = new Response\(arg0, arg1\);/;
  const change = breaking(made, `if ((globalThis.made = (globalThis.made ?? 0) + 1) === 2) ${again}`);
  await withBroken(change, async (url) => {
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await fetch(url)).status);
    assert.deepEqual(statuses, [402, 500, 402, 402]);
  });
});
