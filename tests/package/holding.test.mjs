// What a reservation holds when stores, wallets, clocks and callers do what they should not: nothing is signed that is not
// booked, and what was never signed for is given back.
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";
import { createPayer } from "x402-wasm";
import { memoryStore } from "x402-wasm/stores";
import { goods, TARGET, unpaid } from "./lib/hostile.mjs";
import { base64, offer, terms } from "./lib/seller.mjs";
import { ADDRESS, counting, KEY, provider } from "./lib/signer.mjs";

const folder = mkdtempSync(join(tmpdir(), "x402-holding-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const SETTLED = base64({ success: true, transaction: `0x${"ab".repeat(32)}`, network: "eip155:84532" });
const cent = { budgets: [{ max: "$0.01", per: "day" }] };
const refusal = (code) => (error) => error.name === "X402Error" && error.code === code;

/** A payer over a server that asks for a cent and then gives the goods. */
async function paying({ wallet = counting(), answer = goods(SETTLED), asks = unpaid(), ...options } = {}) {
  const sent = [];
  const fetch = async (input, init) => {
    const request = new Request(input, init);
    const payment = request.headers.get("payment-signature");
    if (payment === null) return asks(request);
    sent.push({ body: await request.text(), payment: JSON.parse(Buffer.from(payment, "base64")) });
    return answer(request);
  };
  return { payer: await createPayer({ wallet, fetch, ...options }), wallet, sent };
}

test("I9: what is signed ends no later than what is booked, however long the store takes", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const kept = memoryStore();
  let book;
  const slow = {
    entries: kept.entries,
    update: (decide) => kept.update((...known) => {
      t.mock.timers.setTime(Date.now() + 150_000); // a queue before this one, or a lid that was closed
      const change = decide(...known);
      t.mock.timers.setTime(Date.now() + 50_000);
      book = change.book;
      return change;
    }),
  };
  for (const policy of [{}, { approve: () => true }]) {
    const named = { method: "POST", headers: { "idempotency-key": policy.approve ? "a" : "b" } };
    const asks = unpaid(terms([offer({ maxTimeoutSeconds: 600 })]));
    const { payer, sent } = await paying({ store: slow, policy, asks, answer: () => Promise.reject(new Error("lost")) });
    await assert.rejects(payer.fetch(TARGET, named), refusal("payer_network_fault"));
    assert.equal(sent.length, 1);
    const open = new Map(JSON.parse(book).open.map((one) => [one.id, one]));
    for (const { payment: { payload: { authorization } } } of sent) {
      const { validBefore, until } = open.get(authorization.nonce);
      assert.ok(Number(authorization.validBefore) <= validBefore && validBefore < until, `${authorization.validBefore} ${validBefore} ${until}`);
    }
  }
});

test("a payment of one account is not presented for another's, whatever key they share", async () => {
  const store = memoryStore();
  const order = { headers: { "idempotency-key": "order-1" } };
  const other = privateKeyToAccount(`0x${"7a".repeat(32)}`);
  const [first, second] = [await paying({ store }), await paying({ store, wallet: counting(other) })];
  await first.payer.fetch(TARGET, order);
  let asked = 0;
  const third = await paying({ store, policy: { approve: () => (asked += 1) > 0 } });
  const answer = await second.payer.fetch(TARGET, order);
  assert.equal(second.payer.receipt(answer).payer, other.address);
  await third.payer.fetch(TARGET, order);
  assert.deepEqual([first.wallet.signed.length, second.wallet.signed.length, third.wallet.signed.length, asked], [1, 1, 0, 0]);
});

test("a file is one book by whichever way it is named, and stays it when the program moves", async () => {
  mkdirSync(join(folder, "a"));
  symlinkSync(join(folder, "a"), join(folder, "b"));
  const before = process.cwd();
  process.chdir(join(folder, "a"));
  const wallet = counting();
  const relative = await paying({ wallet, store: { file: "book" }, policy: cent });
  process.chdir(before);
  await relative.payer.fetch(TARGET);
  symlinkSync(join(folder, "a/book"), join(folder, "link"));
  for (const file of ["a/book", "b/book", "link"].map((name) => join(folder, name))) {
    const { payer } = await paying({ wallet, store: { file }, policy: cent });
    await assert.rejects(payer.fetch(TARGET), refusal("payer_over_budget"), file);
    assert.equal(await payer.audit.verify() > 3, true);
  }
  assert.equal(wallet.signed.length, 1);
  // A link to a book that is still to be made names it all the same, and stays a link.
  mkdirSync(join(folder, "volume"));
  symlinkSync("volume/new", join(folder, "to-come"));
  const first = await paying({ wallet, store: { file: join(folder, "to-come") }, policy: cent });
  await first.payer.fetch(TARGET);
  const other = await paying({ wallet, store: { file: join(folder, "volume/new") }, policy: cent });
  await assert.rejects(other.payer.fetch(TARGET), refusal("payer_over_budget"));
  assert.equal(lstatSync(join(folder, "to-come")).isSymbolicLink(), true);
});

test("F-66 a store that does not ask, or keeps a refusal to itself, lets nothing be signed or sent", async () => {
  const kept = memoryStore();
  const silent = { ...kept, update: async () => {} };
  const swallowing = { entries: kept.entries, update: (decide) => kept.update(decide).catch(() => {}) };
  const none = await paying({ store: silent });
  await assert.rejects(none.payer.fetch(TARGET), refusal("payer_store_failed"));
  assert.equal(none.wallet.signed.length, 0);
  for (const ask of ["spent", "reset"]) await assert.rejects(none.payer[ask](), refusal("payer_store_failed"));
  await assert.rejects(none.payer.audit.verify(), refusal("payer_store_failed"));
  await kept.update(() => ({ book: "broken", entries: [] }));
  const quiet = await paying({ store: swallowing });
  await assert.rejects(quiet.payer.fetch(TARGET), refusal("payer_store_broken"));
  assert.equal(quiet.wallet.signed.length, 0);
  // One that skips a turn: the payment is not sent.
  const skipping = memoryStore();
  let turns = 0;
  const store = { entries: skipping.entries, update: async (decide) => ((turns += 1) === 2 ? undefined : skipping.update(decide)) };
  const skipped = await paying({ store });
  await assert.rejects(skipped.payer.fetch(TARGET), refusal("payer_store_failed"));
  assert.deepEqual([skipped.wallet.signed.length, skipped.sent.length], [1, 0]);
});

test("S-347 a wallet or a callback that says no a hundred times costs nothing, and neither does one that was never asked to sign", async () => {
  const wallets = {
    rejects: provider({ eth_signTypedData_v4: () => { throw Object.assign(new Error("no"), { code: 4001 }); } }),
    "is on a chain that it does not leave": provider({ eth_chainId: () => "0x1", wallet_switchEthereumChain: () => { throw Object.assign(new Error("?"), { code: 4902 }); } }),
    "does not say where it is": provider({ eth_chainId: () => { throw new Error("locked"); } }),
  };
  for (const [name, wallet] of Object.entries(wallets)) {
    const store = memoryStore();
    const { payer } = await paying({ wallet, store, policy: cent });
    for (let at = 0; at < 100; at += 1) await assert.rejects(payer.fetch(TARGET), (error) => /^payer_wallet_(rejected|failed)$/.test(error.code), name);
    assert.equal((await payer.spent())[0].left, "0.01", name);
    const honest = await paying({ store, policy: cent });
    assert.equal((await honest.payer.fetch(TARGET)).status, 200, name);
  }
  const { payer, wallet } = await paying({ policy: { ...cent, approve: () => false } });
  for (let at = 0; at < 100; at += 1) await assert.rejects(payer.fetch(TARGET), refusal("payer_approval_denied"));
  assert.deepEqual([(await payer.spent())[0].left, wallet.signed.length], ["0.01", 0]);
});

test("S-348 a callback that throws, answers something else, or never answers allows nothing", async () => {
  for (const approve of [() => { throw new Error(KEY); }, () => Promise.reject(new Error(KEY)), () => "true", () => 1, () => ({}), async () => undefined]) {
    const { payer, wallet } = await paying({ policy: { ...cent, approve } });
    await assert.rejects(payer.fetch(TARGET), (error) => error.code === "payer_approval_denied" && !error.message.includes(KEY) && error.details.quote.amount === "10000");
    assert.deepEqual([wallet.signed.length, (await payer.spent())[0].left], [0, "0.01"]);
  }
  const controller = new AbortController();
  const { payer, wallet } = await paying({ policy: { ...cent, approve: () => (controller.abort(new Error("enough")), new Promise(() => {})) } });
  await assert.rejects(payer.fetch(TARGET, { signal: controller.signal }), { message: "enough" });
  assert.deepEqual([wallet.signed.length, (await payer.spent())[0].left], [0, "0.01"]);
});

test("F-64, F-63 what was signed and never sent is spent until it ends, and is back then; a clock that is set back refills nothing", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const start = Date.now();
  const store = memoryStore();
  const hanging = { address: ADDRESS, signTypedData: () => new Promise(() => {}) };
  const controller = new AbortController();
  const gone = await paying({ store, wallet: hanging, policy: cent, onStep: ({ step }) => step === "decision" && setImmediate(() => controller.abort(new Error("gone"))) });
  await assert.rejects(gone.payer.fetch(TARGET, { signal: controller.signal }), { message: "gone" });
  const { payer, wallet } = await paying({ store, policy: cent });
  for (const seconds of [0, 60, -3_600]) {
    t.mock.timers.setTime(start + seconds * 1000);
    await assert.rejects(payer.fetch(TARGET), refusal("payer_over_budget"), String(seconds));
    assert.equal((await payer.spent())[0].left, "0");
  }
  t.mock.timers.setTime(start + 100_000);
  assert.equal((await payer.spent())[0].left, "0.01", "as the next call finds it");
  assert.equal((await payer.fetch(TARGET)).status, 200);
  assert.equal(wallet.signed.length, 1);
  t.mock.timers.setTime(start - 3_600_000);
  await assert.rejects(payer.fetch(TARGET), refusal("payer_over_budget"));
});

test("F-67 what the wallet got wrong stands in the log under its own name, with the quote in the error", async () => {
  const wrong = { address: ADDRESS, signTypedData: async () => `0x${"11".repeat(64)}1b` };
  const { payer, sent } = await paying({ wallet: wrong, policy: cent });
  await assert.rejects(payer.fetch(TARGET), (error) => error.code === "payer_wallet_mismatch" && error.details.quote.amount === "10000");
  const entries = await payer.audit.entries();
  assert.deepEqual(entries.map(({ event, code }) => [event, code]), [["reserved", undefined], ["failed", "payer_wallet_mismatch"]]);
  assert.equal(entries[1].id, entries[0].id);
  assert.deepEqual([sent.length, (await payer.spent())[0].left], [0, "0"], "it may have signed what was asked, too");
  await assert.rejects(payer.fetch(TARGET), (error) => error.code === "payer_over_budget" && error.details.quote.amount === "10000");
});

test("an abort is heard while the store is busy, and what it reserves too late is given back", async () => {
  const kept = memoryStore();
  let open;
  const busy = { entries: kept.entries, update: async (decide) => (await new Promise((resolve) => (open = resolve)), kept.update(decide)) };
  const controller = new AbortController();
  const { payer, wallet } = await paying({ store: busy, policy: cent });
  const call = payer.fetch(TARGET, { signal: controller.signal });
  while (!open) await new Promise(setImmediate);
  controller.abort(new Error("enough"));
  await assert.rejects(call, { message: "enough" });
  open();
  const { payer: other } = await paying({ store: kept, policy: cent });
  let log = [];
  while (log.length < 2) {
    await new Promise(setImmediate);
    open();
    log = (await other.audit.entries()).map(({ event }) => event);
  }
  assert.deepEqual([log, wallet.signed.length, (await other.spent())[0].left], [["reserved", "released"], 0, "0.01"]);
});

test("an abort is heard behind a refusal too, and a store that hangs keeps nobody's answer for ever", async (t) => {
  const kept = memoryStore();
  let turns = 0;
  const hangs = (from) => ({ entries: kept.entries, update: (decide) => ((turns += 1) >= from ? new Promise(() => {}) : kept.update(decide)) });
  const controller = new AbortController();
  const denied = await paying({ store: hangs(2), policy: { approve: () => (setImmediate(() => controller.abort(new Error("enough"))), false) } });
  await assert.rejects(denied.payer.fetch(TARGET, { signal: controller.signal }), refusal("payer_approval_denied"));
  turns = 0;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const steps = [];
  const answered = await paying({ store: hangs(3), onStep: ({ step }) => steps.push(step) });
  const answer = answered.payer.fetch(TARGET);
  while (!steps.includes("receipt")) await new Promise(setImmediate);
  t.mock.timers.tick(10_000);
  assert.equal((await answer).status, 200);
  assert.equal(steps.at(-1), "unwritten");
});

test("an answer that is none is an answer: the payment is sent once", async () => {
  let sent = 0;
  const fetch = async (input, init) => (new Request(input, init).headers.has("payment-signature") ? void (sent += 1) : unpaid()({ url: TARGET }));
  const payer = await createPayer({ wallet: counting(), fetch });
  assert.equal(await payer.fetch(TARGET), undefined);
  assert.equal(sent, 1);
});

test("whoever waits for the same request is told so, and the book is not written for it", async () => {
  const kept = memoryStore();
  let writes = 0;
  const store = { entries: kept.entries, update: (decide) => kept.update((...known) => { const change = decide(...known); writes += change ? 1 : 0; return change; }) };
  const order = { headers: { "idempotency-key": "order-1" } };
  const first = await paying({ store, wallet: { address: ADDRESS, signTypedData: () => new Promise(() => {}) } });
  const patience = new AbortController();
  first.payer.fetch(TARGET, { ...order, signal: patience.signal }).catch(() => {});
  while (writes === 0) await new Promise(setImmediate);
  const controller = new AbortController();
  const steps = [];
  const onStep = ({ step }) => (steps.push(step), step === "waiting" && controller.abort(new Error("enough")));
  const second = await paying({ store, onStep });
  await assert.rejects(second.payer.fetch(TARGET, { ...order, signal: controller.signal }), { message: "enough" });
  assert.deepEqual(steps, ["challenge", "waiting", "refused"]);
  assert.equal((await second.payer.audit.entries()).length, 2, "reserved by the first, given up by the second");
  patience.abort();
});

test("what is presented again says what it is", async () => {
  const store = memoryStore();
  const order = { headers: { "idempotency-key": "order-1" } };
  const { payer } = await paying({ store });
  await payer.fetch(TARGET, order);
  const quotes = [];
  const dearer = await paying({ store, asks: unpaid(terms([offer({ amount: "20000" })])), onStep: ({ quote }) => quote && quotes.push(quote) });
  await dearer.payer.fetch(TARGET, order);
  const [{ sentence, tokens, rules }] = quotes;
  assert.match(sentence, /^Present again what was signed: 0\.01 USDC on eip155:84532 to 0x/);
  assert.deepEqual([tokens, rules], ["0.01", []]);
});

test("calls are one request when nothing tells them apart: not their bodies, not what they may cost, not an empty key", async () => {
  const flight = { singleFlight: true };
  const { payer, wallet, sent } = await paying({ policy: { approve: () => true } });
  // Where a Request does not show its body.
  const shown = Object.getOwnPropertyDescriptor(Request.prototype, "body");
  Object.defineProperty(Request.prototype, "body", { configurable: true, get: () => undefined });
  try {
    await Promise.all(["A", "B"].map((body) => payer.fetch(new Request(TARGET, { method: "POST", body }), undefined, flight)));
  } finally {
    Object.defineProperty(Request.prototype, "body", shown);
  }
  assert.deepEqual(sent.map(({ body }) => body).sort(), ["A", "B"]);
  const outcomes = await Promise.allSettled([payer.fetch(TARGET, {}, flight), payer.fetch(TARGET, {}, { ...flight, maxPrice: "$0.001" })]);
  assert.deepEqual(outcomes.map(({ value, reason }) => value?.status ?? reason.code), [200, "payer_above_max_price"]);
  const before = wallet.signed.length;
  await Promise.all(["A", "B"].map((body) => payer.fetch(TARGET, { method: "POST", body, headers: { "idempotency-key": "" } })));
  assert.equal(wallet.signed.length - before, 2);
});

test("whoever watches has no say, now or later; and a body of somebody else's fetch may be let go or not", async () => {
  const heard = [];
  const listen = (reason) => heard.push(reason);
  process.on("unhandledRejection", listen);
  try {
    const { payer } = await paying({ onStep: async () => { throw new Error("watching"); }, redactUrl: async () => { throw new Error("redacting"); } });
    assert.equal((await payer.fetch(TARGET)).status, 200);
    assert.equal((await payer.audit.entries())[0].url, undefined);
    await new Promise(setImmediate);
    assert.deepEqual(heard, []);
  } finally {
    process.off("unhandledRejection", listen);
  }
  for (const body of [{}, { cancel: () => { throw new Error("no"); } }, { cancel: () => undefined }]) {
    const { payer } = await paying({ asks: (request) => Object.defineProperty(unpaid()(request), "body", { value: body }) });
    assert.equal((await payer.fetch(TARGET)).status, 200);
  }
});
