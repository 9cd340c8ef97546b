// Budgets through the package: many calls at once, several processes over one file, crashes between any two steps, servers
// that lie, and a log that tells all of it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createPayer } from "x402-wasm";
import { durableObjectStore, memoryStore } from "x402-wasm/stores";
import { answering, goods, TARGET, unpaid } from "./lib/hostile.mjs";
import { base64, honest, offer, PAYEE, payments, serve, terms } from "./lib/seller.mjs";
import { ADDRESS, counting, KEY, provider } from "./lib/signer.mjs";

const folder = mkdtempSync(join(tmpdir(), "x402-book-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const day = (max) => ({ budgets: [{ max, per: "day" }] });
const settled = (changes) => base64({ success: true, payer: ADDRESS, transaction: `0x${"ab".repeat(32)}`, network: "eip155:84532", ...changes });

/** A payer over a server that always asks for one cent and then gives the goods. */
async function paying({ receipt = settled(), wallet = counting(), answer, ...options } = {}) {
  const calls = [];
  const fetch = async (input, init) => {
    const request = new Request(input, init);
    const paid = request.headers.get("payment-signature");
    calls.push(paid);
    return paid === null ? unpaid()(request) : (answer ?? goods(receipt))(request);
  };
  const payer = await createPayer({ wallet, fetch, ...options });
  const sent = () => calls.filter((paid) => paid !== null);
  return { payer, wallet, sent };
}

const refusal = (code) => (error) => error.name === "X402Error" && error.code === code;
const left = async (payer) => (await payer.spent()).map(({ left }) => left);

/** The file store is opened by a payer; here it is opened alone. */
const { fileStore } = await import("../../pkg/js/file.js");

/** A Durable Object's storage as far as it is used, in memory. */
function storage() {
  const map = new Map();
  return {
    get: async (keys) => (Array.isArray(keys) ? new Map(keys.filter((key) => map.has(key)).map((key) => [key, map.get(key)])) : map.get(keys)),
    put: async (all) => void Object.entries(all).forEach(([key, value]) => map.set(key, value)),
    list: async ({ prefix, start, limit = Infinity }) =>
      new Map([...map].filter(([key]) => key.startsWith(prefix) && key >= start).sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, limit)),
  };
}

let files = 0;
const path = () => join(folder, `book-${(files += 1)}`);
const stores = { "in memory": () => memoryStore(), "in a file": () => fileStore(path()), "in a Durable Object": () => durableObjectStore(storage()) };

for (const [name, open] of Object.entries(stores)) {
  test(`S-275 ${name}: a hundred calls at once spend what the budget allows, to the cent`, async () => {
    const store = open();
    const { payer, wallet, sent } = await paying({ store, policy: day("$0.50") });
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => payer.fetch(TARGET)));
    const refused = outcomes.filter(({ reason }) => reason?.code === "payer_over_budget");
    assert.deepEqual([wallet.signed.length, sent().length, refused.length], [50, 50, 50]);
    assert.deepEqual(await payer.spent(), [{ max: "0.5", per: "day", spent: "0.5", left: "0" }]);
    // Another payer over the same store finds it spent.
    const other = await paying({ store, policy: day("$0.50") });
    await assert.rejects(other.payer.fetch(TARGET), refusal("payer_over_budget"));
    assert.equal((await other.payer.explain(TARGET)).reason, "payer_over_budget");
    assert.equal(await payer.audit.verify(), 50 * 3 + 51);
    const entries = await payer.audit.entries({ from: 3, limit: 2 });
    assert.deepEqual(entries.map(({ seq }) => seq), [3, 4]);
    const [row] = await payer.audit.summary();
    assert.deepEqual([row.payments, row.amount, row.confirmed, row.origin], [50, "500000", "500000", "https://api.example.com"]);
  });
}

test("I9: only what provably never left is given back", async () => {
  const no = provider({ eth_signTypedData_v4: () => { throw Object.assign(new Error("no"), { code: 4001 }); } });
  const broken = provider({ eth_signTypedData_v4: () => { throw new Error("broken"); } });
  const cases = [
    ["the wallet's user says no", { wallet: no }, "payer_wallet_rejected", "0.01"],
    ["the approval says no", { approve: () => false }, "payer_approval_denied", "0.01"],
    ["the wallet fails, and nobody knows what it signed", { wallet: broken }, "payer_wallet_failed", "0"],
    ["S-278 the server says that it failed", { receipt: settled({ success: false, errorReason: "no" }) }, undefined, "0"],
    ["the server says nothing", { receipt: undefined }, undefined, "0"],
  ];
  for (const [name, { approve, ...options }, code, kept] of cases) {
    const { payer } = await paying({ ...options, policy: { ...day("$0.01"), ...(approve && { approve }) } });
    if (code) await assert.rejects(payer.fetch(TARGET), refusal(code), name);
    else await payer.fetch(TARGET);
    assert.deepEqual(await left(payer), [kept], name);
  }
  const controller = new AbortController();
  const { payer, wallet } = await paying({ policy: { ...day("$0.01"), approve: () => (controller.abort(new Error("enough")), true) } });
  await assert.rejects(payer.fetch(TARGET, { signal: controller.signal }), { message: "enough" });
  assert.deepEqual([wallet.signed.length, await left(payer)], [0, ["0.01"]]);
});

test("S-302 a task has a budget of its own, and so has an origin", async () => {
  const budgets = [{ max: "$0.02", per: "task" }, { max: "$0.03", per: "ever", origin: "https://api.example.com" }];
  const { payer, wallet } = await paying({ policy: { budgets }, task: "a" });
  const pay = (task, url = TARGET) => payer.fetch(url, {}, { task });
  await pay("a");
  await pay(undefined);
  await assert.rejects(pay("a"), refusal("payer_over_budget"));
  await pay("b");
  await assert.rejects(pay("b"), refusal("payer_over_budget"), "the origin's");
  await pay("b", "https://other.example.com/");
  assert.equal(wallet.signed.length, 4);
});

test("a quote that is asked about holds its place, and says every rule", async () => {
  const thinking = Promise.withResolvers();
  const asked = Promise.withResolvers();
  const store = memoryStore();
  const first = await paying({ store, policy: { ...day("$0.01"), approve: (quote) => (asked.resolve(quote), thinking.promise) } });
  const call = first.payer.fetch(TARGET);
  const quote = await asked.promise;
  assert.deepEqual(quote.rules.at(-1), { rule: "budgets", passed: true, sentence: "0.01 of 0.01 left in 0.01 per day" });
  const second = await paying({ store, policy: day("$0.01") });
  await assert.rejects(second.payer.fetch(TARGET), refusal("payer_over_budget"));
  thinking.resolve(true);
  assert.equal((await call).status, 200);
});

test("S-300, S-266: a call is paid at the price that was told and to whom it was told", async () => {
  const { payer, wallet } = await paying();
  await assert.rejects(payer.fetch(TARGET, {}, { maxPrice: "$0.001" }), refusal("payer_above_max_price"));
  const { offers, chosen } = await payer.explain(TARGET);
  const quote = offers[chosen];
  await assert.rejects(payer.fetch(TARGET, {}, { quote: { ...quote, amount: "9999" } }), refusal("payer_quote_changed"));
  await assert.rejects(payer.fetch(TARGET, {}, { quote: { ...quote, payTo: ADDRESS } }), refusal("payer_quote_changed"));
  await assert.rejects(payer.fetch(TARGET, {}, { maxprice: "$1" }), refusal("payer_invalid_options"));
  assert.equal(wallet.signed.length, 0);
  await payer.fetch(new Request(TARGET), undefined, { quote, maxPrice: "$0.01" });
  assert.equal(wallet.signed.length, 1);
});

test("S-266 an origin that changes its recipient is refused, or asked about", async () => {
  const store = memoryStore();
  const pay = async (payTo, approve) => {
    const { fetch } = answering(unpaid(terms([offer({ payTo })])), goods(settled()));
    const payer = await createPayer({ wallet: counting(), fetch, store, policy: { pinRecipients: true, ...(approve && { approve }) } });
    return payer.fetch(TARGET);
  };
  await pay(PAYEE);
  await pay(PAYEE);
  await assert.rejects(pay(ADDRESS), refusal("payer_recipient_changed"));
  let told;
  await pay(ADDRESS, ({ rules }) => ((told = rules), true));
  assert.match(told.find(({ rule }) => rule === "pinRecipients").sentence, /another than before/);
  await pay(ADDRESS);
});

test("one flight: identical calls share a payment while it is under way, each with an answer of its own", async () => {
  const { payer, wallet } = await paying();
  const call = (init, options) => payer.fetch(TARGET, init, options).then(async (response) => [await response.text(), payer.receipt(response)?.success]);
  const flight = { singleFlight: true };
  const shared = await Promise.all(Array.from({ length: 10 }, () => call({ method: "POST", body: "one" }, flight)));
  assert.deepEqual([shared.length, wallet.signed.length], [10, 1]);
  for (const answer of shared) assert.deepEqual(answer, ["goods", true]);
  await Promise.all([call({ method: "POST", body: "one" }, flight), call({ method: "POST", body: "two" }, flight), call()]);
  assert.equal(wallet.signed.length, 4, "another body, and a later call, are other requests");
  const form = new FormData();
  await assert.rejects(payer.fetch(TARGET, { method: "POST", body: form }, flight), refusal("payer_invalid_options"));
  // A key names a purchase: it is presented again after its answer too.
  const named = { method: "POST", headers: { "idempotency-key": "k1" } };
  for (const _ of [1, 2, 3]) await call(named);
  assert.equal(wallet.signed.length, 5);
});

test("one flight: a caller that gives up does not take the others with it", async () => {
  const gate = Promise.withResolvers();
  const { payer, wallet } = await paying({ policy: { approve: () => gate.promise } });
  const controller = new AbortController();
  const first = payer.fetch(TARGET, { signal: controller.signal }, { singleFlight: true });
  const second = payer.fetch(TARGET, {}, { singleFlight: true });
  controller.abort(new Error("mine"));
  await assert.rejects(first, { message: "mine" });
  gate.resolve(true);
  assert.equal((await second).status, 200);
  assert.equal(wallet.signed.length, 1);
});

test("F-65 a payment whose answer was lost in a crash is presented again by whoever comes next", async () => {
  const store = fileStore(path());
  const lost = () => Promise.reject(new TypeError("reset"));
  const named = { method: "POST", headers: { "idempotency-key": "order-7" } };
  const before = await paying({ store, answer: lost });
  await assert.rejects(before.payer.fetch(TARGET, named), refusal("payer_network_fault"));
  const after = await paying({ store });
  const response = await after.payer.fetch(TARGET, named);
  assert.deepEqual([after.payer.receipt(response).success, after.wallet.signed.length], [true, 0]);
  assert.deepEqual(after.sent(), before.sent());
});

test("F-66 a store that is lost in part, changed, or that fails signs nothing until its owner resets it", async () => {
  const broken = async (change, code = "payer_store_broken") => {
    const file = path();
    const { payer } = await paying({ store: fileStore(file), policy: day("$1") });
    await payer.fetch(TARGET);
    change(file);
    const { payer: next, wallet } = await paying({ store: fileStore(file), policy: day("$1") });
    await assert.rejects(next.fetch(TARGET), refusal(code));
    await assert.rejects(next.spent(), refusal(code));
    assert.equal(wallet.signed.length, 0);
    return { next, wallet };
  };
  await broken((file) => truncateSync(file, 40));
  await broken((file) => truncateSync(file, 0));
  await broken((file) => writeFileSync(file, readFileSync(file, "utf8").replace("10000000000000000", "1")));
  const { next, wallet } = await broken((file) => unlinkSync(file));
  await next.reset();
  await next.fetch(TARGET);
  assert.equal(wallet.signed.length, 1);
  assert.ok((await next.audit.entries()).some(({ event }) => event === "reset"));
  await next.audit.verify();

  for (const update of [() => Promise.reject(new Error("disk")), () => { throw new Error("disk"); }]) {
    const failing = await paying({ store: { update, entries: async () => [] } });
    await assert.rejects(failing.payer.fetch(TARGET), (error) => error.code === "payer_store_failed" && error.cause.message === "disk");
    assert.equal(failing.wallet.signed.length, 0);
  }
  // A store that fails later: what could not be written down is not sent.
  const inner = memoryStore();
  let turns = 0;
  const late = { ...inner, update: (decide) => ((turns += 1) === 2 ? Promise.reject(new Error("disk")) : inner.update(decide)) };
  const stopped = await paying({ store: late });
  await assert.rejects(stopped.payer.fetch(TARGET), refusal("payer_store_failed"));
  assert.deepEqual([stopped.wallet.signed.length, stopped.sent().length], [1, 0]);
});

test("the file's log gets the lines that a crash kept away, and no half line stays", async () => {
  const file = path();
  const { payer } = await paying({ store: fileStore(file) });
  await payer.fetch(TARGET);
  const whole = readFileSync(`${file}.ndjson`, "utf8");
  const last = whole.trimEnd().split("\n").at(-1);
  for (const crash of [
    () => writeFileSync(`${file}.ndjson`, whole.slice(0, -last.length - 1)),
    () => truncateSync(`${file}.ndjson`, whole.length - 30),
    () => appendFileSync(`${file}.ndjson`, '{"seq":'),
    () => unlinkSync(`${file}.ndjson`),
  ]) {
    crash();
    await (await paying({ store: fileStore(file) })).payer.spent();
    const mended = readFileSync(`${file}.ndjson`, "utf8");
    assert.ok(mended.endsWith(`${last}\n`) && !mended.includes('{"seq":{'), mended);
    writeFileSync(`${file}.ndjson`, whole);
  }
  assert.equal(statSync(file).mode & 0o077, 0, "others do not read it");
});

const WORKER = `
import { createPayer } from "x402-wasm";
const [file, url, count, wait] = process.argv.slice(1);
const payer = await createPayer({ wallet: { privateKey: "${KEY}" }, store: { file }, policy: { budgets: [{ max: "$0.20", per: "day" }] }, onStep: ({ step }) => console.log(step) });
await Promise.allSettled(Array.from({ length: Number(count) }, () => payer.fetch(url)));
`;

function start(...args) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", WORKER, "--", ...args], { cwd: new URL("..", import.meta.url), stdio: ["ignore", "pipe", "inherit"] });
  return { child, ended: once(child, "close") };
}

test("S-275 several processes over one file spend what the budget allows", async () => {
  const seller = await serve(honest());
  const file = path();
  const workers = Array.from({ length: 3 }, () => start(file, seller.url, "15"));
  for (const { child } of workers) child.stdout.resume();
  await Promise.all(workers.map(({ ended }) => ended));
  assert.equal(payments(seller).length, 20);
  const { payer } = await paying({ store: fileStore(file), policy: day("$0.20") });
  assert.deepEqual(await left(payer), ["0"]);
  await payer.audit.verify();
  await seller.stop();
});

test("S-276 a process that is killed in the middle of payments leaves no budget behind, and no lock", async () => {
  const seller = await serve(async (request, response) => {
    if (request.headers["payment-signature"]) return; // never answers
    return honest()(request, response);
  });
  const file = path();
  const { child, ended } = start(file, seller.url, "6");
  let sent = 0;
  for await (const chunk of child.stdout) {
    sent += String(chunk).split("\n").filter((step) => step === "sent").length;
    if (sent >= 2) child.kill("SIGKILL");
  }
  await ended;
  const { payer } = await paying({ store: fileStore(file), policy: day("$0.20") });
  const [{ spent }] = await payer.spent();
  assert.ok(Number(spent) >= payments(seller).length * 0.01 && payments(seller).length >= 1, `${spent} for ${payments(seller).length}`);
  await seller.stop();
});

test("S-276 a lock that an ended process has left is taken over", async () => {
  const file = path();
  const gone = spawn(process.execPath, ["-e", ""]);
  await once(gone, "close");
  // How a lock names its owner is read from one while it is held: where, which process, since when, and a name of its own.
  let where;
  await fileStore(file).update(() => void ([where] = readFileSync(`${file}.lock`, "utf8").split(" ")));
  // A number that is in use again is another process: this one did not begin with the machine.
  for (const pid of [gone.pid, process.pid]) {
    writeFileSync(`${file}.lock`, `${where} ${pid} 1 ${pid}-name`);
    const { payer } = await paying({ store: fileStore(file), policy: day("$1") });
    await payer.fetch(TARGET);
  }
});

test("S-306 the log keeps no query, no signature and no payment; the table no formula", async () => {
  const { payer, sent } = await paying({ owner: "=cmd()", task: "t" });
  await payer.fetch(`${TARGET}?mail=a@example.com#x`);
  const text = await payer.audit.export();
  const { payload } = JSON.parse(Buffer.from(sent()[0], "base64"));
  for (const secret of ["a@example.com", payload.signature, payload.signature.slice(2, 60), sent()[0].slice(0, 60)]) assert.ok(!text.includes(secret));
  const table = await payer.audit.export("csv");
  assert.ok(table.includes(`"'=cmd()"`) && !table.includes(',"=cmd'));
  assert.equal(table.trimEnd().split("\r\n").length, 4);
  const custom = await paying({ redactUrl: (url) => url.replace(/mail=[^&]*/, "mail=") });
  await custom.payer.fetch(`${TARGET}?mail=a@example.com&page=2`);
  assert.equal((await custom.payer.audit.entries())[0].url, `${TARGET}?mail=&page=2`);
});
