// The payer's book where calls share it: who pays for a request that several make, what a log that was cut says, what a store
// takes at once.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createPayer } from "x402-wasm";
import { fileStore } from "../../pkg/js/file.js";
import { durableObjectStore, memoryStore } from "x402-wasm/stores";
import { goods, TARGET, unpaid } from "./lib/hostile.mjs";
import { base64 } from "./lib/seller.mjs";
import { counting } from "./lib/signer.mjs";

const folder = mkdtempSync(join(tmpdir(), "x402-kept-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const SETTLED = base64({ success: true, transaction: `0x${"ab".repeat(32)}`, network: "eip155:84532" });

/** A payer over a server that asks for a cent and then gives what it was asked for; what was sent, and its wallet. */
async function paying(options = {}) {
  const sent = [];
  const wallet = counting();
  const fetch = async (input, init) => {
    const request = new Request(input, init);
    const payment = request.headers.get("payment-signature");
    if (payment === null) return unpaid()(request);
    sent.push(payment);
    return goods(SETTLED)(request);
  };
  return { payer: await createPayer({ wallet, fetch, ...options }), wallet, sent };
}

const events = async (payer) => (await payer.audit.entries()).map(({ event }) => event);

test("an approval that outlasts its reservation does not pay for what was paid for meanwhile", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const store = memoryStore();
  const order = { method: "POST", headers: { "idempotency-key": "order-1" } };
  const other = await paying({ store });
  const approve = async () => {
    t.mock.timers.setTime(Date.now() + 3_600_000); // a person who went for lunch
    await other.payer.fetch(TARGET, order);
    return true;
  };
  const slow = await paying({ store, policy: { approve } });
  const response = await slow.payer.fetch(TARGET, order);
  assert.equal(slow.payer.receipt(response).success, true);
  assert.deepEqual([slow.wallet.signed.length, other.wallet.signed.length], [0, 1]);
  assert.deepEqual(slow.sent, other.sent, "the same payment, presented again");
  assert.deepEqual(await events(slow.payer), ["reserved", "released", "reserved", "sent", "receipt", "presented", "receipt"]);
  // Where nobody came in between it is reserved again, and held against the budgets as they are then.
  const later = async () => (t.mock.timers.setTime(Date.now() + 3_600_000), true);
  const alone = await paying({ policy: { approve: later, budgets: [{ max: "$0.01", per: "day" }] } });
  assert.equal((await alone.payer.fetch(TARGET)).status, 200);
  assert.deepEqual(await events(alone.payer), ["reserved", "released", "approved", "sent", "receipt"]);
});

test("one flight is of calls that differ in nothing: another token, or another format, is another request", async () => {
  const { payer, wallet } = await paying({ policy: { approve: () => true } });
  const call = (headers) => payer.fetch(TARGET, { headers }, { singleFlight: true });
  await Promise.all([call({ authorization: "a" }), call({ authorization: "a" }), call({ authorization: "b" }), call({ authorization: "a", accept: "text/csv" })]);
  assert.equal(wallet.signed.length, 3);
});

test("a log that was cut at either end, or is gone, is found out", async () => {
  const file = join(folder, "book");
  const { payer } = await paying({ store: { file } });
  for (const _ of [1, 2, 3]) await payer.fetch(TARGET);
  assert.equal(await payer.audit.verify(), 9);
  const whole = readFileSync(`${file}.ndjson`, "utf8");
  const lines = whole.split("\n");
  const broken = { code: "payer_log_broken" };
  for (const cut of [lines.slice(3).join("\n"), lines.slice(1).join("\n"), [...lines.slice(0, 4), ...lines.slice(5)].join("\n")]) {
    writeFileSync(`${file}.ndjson`, cut);
    await assert.rejects(payer.audit.verify(), broken);
  }
  writeFileSync(`${file}.ndjson`, whole.replace("0x", "0y"));
  await assert.rejects(payer.audit.verify(), { ...broken, message: /entry 1 of the log/ });
  // Its end was changed: a new book is begun, the log goes on, and what was changed stays to be seen.
  writeFileSync(`${file}.ndjson`, `${whole.trimEnd().slice(0, -3)}"}\n`);
  writeFileSync(file, `${readFileSync(file, "utf8").split("\n")[0]}\n`);
  await assert.rejects(payer.fetch(TARGET), { code: "payer_store_broken" });
  await payer.reset();
  await payer.fetch(TARGET);
  assert.deepEqual((await payer.audit.entries({ from: 10 })).map(({ seq, event }) => [seq, event]), [[10, "reset"], [11, "reserved"], [12, "sent"], [13, "receipt"]]);
  await assert.rejects(payer.audit.verify(), { ...broken, message: /entry 9 of the log/ });
  writeFileSync(`${file}.ndjson`, `${whole}${readFileSync(`${file}.ndjson`, "utf8").split("\n").slice(9).join("\n")}`);
  assert.equal(await payer.audit.verify(), 13, "with what stood there it is whole again");

  // A store of one's own that has lost its log, or its end.
  const kept = memoryStore();
  const gone = { update: (decide) => kept.update((book) => decide(book, undefined)), entries: async () => [] };
  const own = await paying({ store: gone });
  await own.payer.fetch(TARGET);
  await assert.rejects(own.payer.audit.verify(), broken);
  const short = { ...kept, update: kept.update, entries: async (range) => (await kept.entries(range)).filter((line) => JSON.parse(line).seq < 3) };
  await assert.rejects((await paying({ store: short })).payer.audit.verify(), broken);
  await assert.rejects((await paying({ store: { ...short, entries: async () => ["no entry"] } })).payer.audit.entries(), broken);
});

test("a file's log is read in pieces as it is read whole", async () => {
  const store = fileStore(join(folder, "pieces"));
  const lines = Array.from({ length: 2_500 }, (_, at) => JSON.stringify({ seq: at + 1, text: "é".repeat(at % 7) }));
  await store.update(() => ({ book: "b", entries: lines }));
  assert.deepEqual(await store.entries(), lines);
  for (const size of [1, 999, 1_000, 2_500]) {
    const read = [];
    for (let from = 1; from <= 2_500 && read.length < 2_500; from += size) read.push(...(await store.entries({ from, limit: size })));
    assert.deepEqual(read, lines, String(size));
  }
  assert.deepEqual([await store.entries({ from: 2_501 }), await store.entries({ from: 2_500 }), (await store.entries({ from: 7, limit: 1 }))[0]], [[], [lines[2_499]], lines[6]]);
  assert.deepEqual(await fileStore(join(folder, "none")).entries(), []);
});

test("a log in memory that has dropped its oldest entries is whole from where it begins", async () => {
  const store = memoryStore(10);
  const { payer } = await paying({ store });
  for (let at = 0; at < 9; at += 1) await payer.fetch(TARGET);
  assert.equal(store.begins, 12);
  assert.equal(await payer.audit.verify(), 27);
  const [first] = await payer.audit.entries({ limit: 1 });
  assert.equal(first.seq, store.begins);
  // One that says it begins earlier than it does has lost something.
  const lying = { update: store.update, entries: store.entries };
  await assert.rejects((await paying({ store: lying })).payer.audit.verify(), { code: "payer_log_broken" });
});

test("many reservations that end at once are written in pieces that a Durable Object takes, and in one go", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const map = new Map();
  let turn = 0;
  const turns = new Set();
  const storage = {
    get: async (keys) => (Array.isArray(keys) ? new Map(keys.filter((key) => map.has(key)).map((key) => [key, map.get(key)])) : map.get(keys)),
    // As the platform: at most 128 at once, and one write is what is asked for before anything is awaited.
    put: async (all) => {
      assert.ok(Object.keys(all).length <= 128, "too many keys");
      turns.add(turn);
      Promise.resolve().then(() => (turn += 1));
      for (const [key, value] of Object.entries(all)) map.set(key, value);
    },
    list: async ({ start }) => new Map([...map].filter(([key]) => key.startsWith("x402:log:") && key >= start).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  const store = durableObjectStore(storage);
  // Each of these is reserved and given up without a word: its wallet never answers.
  const controller = new AbortController();
  let asked = 0;
  const hanging = { address: counting().address, signTypedData: () => ((asked += 1) === 150 && controller.abort(new Error("enough")), new Promise(() => {})) };
  const { payer } = await paying({ store, wallet: hanging });
  const given = await Promise.allSettled(Array.from({ length: 150 }, () => payer.fetch(TARGET, { signal: controller.signal })));
  assert.ok(given.every(({ reason }) => reason?.message === "enough"));
  t.mock.timers.setTime(Date.now() + 3_600_000);
  turns.clear();
  const { payer: next } = await paying({ store });
  assert.equal((await next.spent()).length, 0);
  await next.fetch(TARGET);
  assert.equal((await events(next)).filter((event) => event === "released").length, 150);
  assert.equal(turns.size, 3, "reserved, sent, answered: one write each");
  await next.audit.verify();
});
