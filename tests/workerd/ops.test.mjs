// What a gate tells its operator: health, metrics, payments with their stories; who may ask; and that no secret is ever said.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { fund } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, freshPayer, freshRelayer, raw, remote, startGate, until } from "./lib/gate.mjs";
import { base64, buy, challenge, decode, payment, present } from "./lib/pay.mjs";
import { startPrivate } from "./lib/private.mjs";
import { content, startFacilitator, startNode, startOrigin } from "./lib/servers.mjs";

const ADMIN_TOKEN = "canary-of-the-operator-e3b0c442";
const ADMIN = { admin: { token: "secret:ADMIN_TOKEN" }, ledger: { books: 5 } };
const ROUTES = [
  { match: "GET /paid", price: "$0.01" },
  { match: "GET /dear", price: "$0.25" },
  { match: "GET /fails", price: "$0.01" },
];
const bearer = { authorization: `Bearer ${ADMIN_TOKEN}` };

let origin, facilitator;
before(async () => {
  origin = await startOrigin();
  origin.answer = (request, response) => (request.url === "/fails" ? (response.writeHead(500), response.end()) : origin.usual(request, response));
  facilitator = await startFacilitator();
});
after(async () => {
  await facilitator?.stop();
  await origin?.stop();
});

const start = (options) => startGate(config(origin, remote(facilitator), ROUTES, ADMIN), { ADMIN_TOKEN }, options);
const own = (gate, path, init = {}) => fetch(`${gate.url}/.x402/${path}`, { headers: bearer, redirect: "manual", ...init });
const list = async (gate, query = "") => (await (await own(gate, `payments${query}`)).json()).payments;

/** The samples of an OpenMetrics text, which is held to the format on the way. */
async function metrics(gate) {
  const answer = await own(gate, "metrics");
  assert.equal(answer.headers.get("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
  const text = await answer.text();
  assert.ok(text.endsWith("\n# EOF\n"));
  const samples = new Map();
  let family;
  for (const line of text.slice(0, -"# EOF\n".length).trimEnd().split("\n")) {
    const type = /^# TYPE (\w+) (gauge|counter)$/.exec(line);
    if (type) family = { name: type[1], suffix: type[2] === "counter" ? "_total" : "" };
    else if (!line.startsWith(`# HELP ${family.name} `)) {
      const [, name, labels = "", value] = /^(\w+?)(\{(?:\w+="[^"\\]*",?)+\})? (\d+)$/.exec(line) ?? assert.fail(line);
      assert.equal(name, family.name + family.suffix, line);
      assert.ok(!samples.has(name + labels), `twice: ${line}`);
      samples.set(name + labels, Number(value));
    }
  }
  return samples;
}

test("health is for everybody; the rest is for whoever shows the token; nothing of it reaches the origin", async () => {
  const gate = await start();
  const bare = await startGate(config(origin, remote(facilitator), ROUTES, { default: "free" }));
  try {
    origin.seen.length = 0;
    const health = await fetch(`${gate.url}/.x402/health`);
    assert.deepEqual([health.status, await health.json()], [200, { status: "ok", networks: [chain.network] }]);
    assert.equal((await fetch(`${gate.url}/.x402/health`, { method: "HEAD" })).status, 200);
    for (const path of ["metrics", "payments"]) {
      assert.equal((await own(bare, path)).status, 404);
      for (const headers of [{}, { authorization: `Bearer ${ADMIN_TOKEN}x` }, { authorization: ADMIN_TOKEN }, { authorization: "Bearer " }]) {
        const answer = await own(gate, path, { headers });
        assert.deepEqual([answer.status, (await answer.json()).error, answer.headers.get("www-authenticate")], [401, "gate_unauthorized", "Bearer"]);
      }
      const answer = await own(gate, path);
      assert.deepEqual([answer.status, answer.headers.get("cache-control")], [200, "no-store"]);
      assert.equal((await own(gate, path, { method: "POST" })).status, 405);
    }
    for (const path of ["/.x402/", "/.x402/other", "/%2ex402/health/..", "/./.x402/x"]) {
      for (const one of [gate, bare]) assert.equal((await raw(one.url, [`GET ${path} HTTP/1.1`])).status, 404, path);
    }
    assert.deepEqual(origin.seen, []);
    const broken = await startGate({ ...config(origin, remote(facilitator), ROUTES), default: "no" });
    const sick = await fetch(`${broken.url}/.x402/health`);
    assert.deepEqual([sick.status, await sick.json()], [503, { status: "gate_invalid_config" }]);
    assert.equal((await fetch(`${broken.url}/.x402/metrics`)).status, 500);
    await broken.stop();
  } finally {
    await gate.stop();
    await bare.stop();
  }
});

test("every payment tells its story, in every format, page by page over the books", async () => {
  const gate = await start();
  try {
    const keys = Array.from({ length: 12 }, freshKey);
    const since = Math.floor(Date.now() / 1000);
    for (const key of keys) assert.equal((await buy(`${gate.url}/paid`, key)).status, 200);
    assert.equal((await buy(`${gate.url}/dear`, keys[0])).status, 200);
    assert.equal((await buy(`${gate.url}/fails`, keys[1])).status, 500);
    facilitator.say["/verify"] = () => ({ isValid: false, invalidReason: "invalid_exact_evm_insufficient_balance" });
    assert.equal((await buy(`${gate.url}/paid`, keys[2])).status, 402);
    facilitator.say["/verify"] = content["/verify"];
    facilitator.say["/settle"] = (body, request, response) => void response.destroy();
    assert.equal((await buy(`${gate.url}/paid`, keys[3])).status, 503);
    facilitator.say["/settle"] = content["/settle"];

    const all = await list(gate);
    assert.equal(all.length, 16);
    const of = (key) => privateKeyToAccount(key).address;
    const story = (one) => one.log.map(({ cause, state }) => `${cause} ${state}`);
    const [dear] = all.filter(({ amount }) => amount === "250000");
    assert.deepEqual(story(dear), ["claim verified", "answered settling", "settled settled"]);
    assert.deepEqual([dear.payer, dear.network, dear.asset, dear.settle, dear.status], [of(keys[0]), chain.network, chain.asset, "after", 200]);
    assert.equal(dear.transaction, dear.nonce, "this facilitator names its transactions so");
    assert.equal(dear.id, [dear.network, dear.asset, dear.payer, dear.nonce].join(":"));
    assert.ok(dear.log.every(({ at }, index) => at >= since && (index === 0 || at >= dear.log[index - 1].at)));

    const [unknown] = await list(gate, "?state=unknown");
    assert.deepEqual([unknown.payer, story(unknown).at(-1)], [of(keys[3]), "settleUnknown unknown"]);
    const released = await list(gate, `?state=released`);
    assert.deepEqual(new Set(released.map(({ payer }) => payer)), new Set([of(keys[1]), of(keys[2])]));
    const refused = released.find(({ payer }) => payer === of(keys[2])).log.at(-1);
    assert.deepEqual([refused.cause, refused.detail.reason], ["refused", "invalid_exact_evm_insufficient_balance"]);
    const count = async (query) => (await list(gate, query)).length;
    assert.equal(await count(`?payer=${of(keys[0]).toLowerCase()}`), 2);
    assert.equal(await count(`?id=${dear.id}`), 1);
    assert.equal(await count(`?network=${encodeURIComponent(chain.network)}&state=settled,unknown`), 14);
    assert.equal(await count("?network=eip155:8453"), 0);
    assert.equal(await count(`?network=${chain.network.slice(0, -1)}`), 0, "a part of a name is another name");
    assert.deepEqual([await count(`?until=${since}`), await count(`?since=${since}`), await count(`?since=${since + 86_400}`)], [0, 16, 0]);
    for (const wrong of ["state=new", "limit=0", "x=1", "payer=me"]) {
      const answer = await own(gate, `payments?${wrong}`);
      assert.deepEqual([answer.status, (await answer.json()).error], [400, "gate_invalid_query"], wrong);
    }

    const seen = [];
    for (let next = "/.x402/payments?limit=3"; next; ) {
      const answer = await fetch(gate.url + next, { headers: bearer });
      const page = await answer.json();
      assert.ok(page.payments.length <= 3);
      assert.equal(answer.headers.get("link"), page.next && `<${page.next}>; rel="next"`);
      seen.push(...page.payments);
      next = page.next;
    }
    assert.deepEqual(seen, all, "the pages are the whole, in the same order");

    const lines = await own(gate, "payments?format=ndjson");
    assert.equal(lines.headers.get("content-type"), "application/x-ndjson");
    assert.deepEqual((await lines.text()).trimEnd().split("\n").map((line) => JSON.parse(line)), all);
    const table = (await (await own(gate, "payments?format=csv")).text()).trimEnd().split("\r\n");
    assert.equal(table.length, 17);
    const at = table[0].split(",").indexOf("amount");
    assert.deepEqual(table.slice(1).map((row) => row.split(",")[at]), all.map(({ amount }) => `"${amount}"`));
  } finally {
    await gate.stop();
  }
});

test("S-342 the books and the chain tell the same story: every sale is a transfer, and every transfer that is no sale is seen", async () => {
  const priv = await startPrivate();
  const node = await startNode(priv.rpc);
  const terms = config(origin, embedded, ROUTES, ADMIN);
  const gate = await startGate(terms, { ADMIN_TOKEN, RPC_URL: node.url, RELAYER_KEY: await priv.relayer() });
  /** What the chain says was paid to the owner, by transaction. */
  const paid = async () => {
    const topics = ["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", null, `0x${chain.payTo.slice(2).toLowerCase().padStart(64, "0")}`];
    const logs = await priv.own("eth_getLogs", { address: chain.asset, fromBlock: "0x0", toBlock: "latest", topics });
    return new Map(logs.map(({ transactionHash, data }) => [transactionHash, BigInt(data)]));
  };
  /** What the books say: settled payments, by transaction. */
  const booked = async () => new Map((await list(gate, "?state=settled")).map(({ transaction, amount }) => [transaction, BigInt(amount)]));
  try {
    const receipts = new Set();
    for (const path of ["/paid", "/dear", "/paid", "/fails", "/paid"]) {
      const answer = await buy(gate.url + path, await priv.payer());
      const receipt = decode(answer.headers.get("payment-response"));
      if (answer.status === 200) receipts.add(receipt.transaction);
      assert.equal(answer.status === 200, receipt?.success === true, path);
    }
    assert.equal((await buy(`${gate.url}/paid`, freshKey())).status, 402);
    assert.deepEqual(new Set((await booked()).keys()), receipts);
    assert.deepEqual(await booked(), await paid());
    // A transfer that nobody bought anything for is on the chain and in no book.
    const stranger = privateKeyToAccount(await priv.payer());
    await priv.own("anvil_impersonateAccount", stranger.address);
    await fund(priv.rpc, stranger.address);
    const data = `0xa9059cbb${chain.payTo.slice(2).padStart(64, "0")}${(7n).toString(16).padStart(64, "0")}`;
    const orphan = await priv.own("eth_sendTransaction", { from: stranger.address, to: chain.asset, data });
    await priv.mined(orphan);
    const books = await booked();
    assert.deepEqual([...(await paid()).keys()].filter((hash) => !books.has(hash)), [orphan]);
    // A sale whose receipt the node hides is in the books as what it is: unknown, and not as money.
    node.after = (replies, calls) => replies.map((reply, i) => (calls[i].method === "eth_getTransactionReceipt" ? { ...reply, result: null } : reply));
    const hidden = await buy(`${gate.url}/paid`, await priv.payer());
    const { errorReason, transaction } = decode(hidden.headers.get("payment-response"));
    assert.deepEqual([hidden.status, errorReason], [503, "settlement_pending"]);
    assert.deepEqual((await list(gate, "?state=unknown")).map((one) => one.transaction ?? transaction), [transaction]);
    assert.deepEqual([...(await paid()).keys()].filter((hash) => !books.has(hash)), [orphan, transaction]);
    // Shown again, it is found by itself.
    node.after = undefined;
    await until(async () => (await booked()).has(transaction));
    assert.deepEqual([...(await paid()).keys()].filter((hash) => hash !== orphan).sort(), [...(await booked()).keys()].sort());
  } finally {
    for (const server of [gate, node, priv]) await server.stop();
  }
});

test("metrics count what the books know, and go on counting what they forget", async () => {
  const storage = await mkdtemp(join(tmpdir(), "x402-ops-"));
  let gate = await start({ storage });
  const token = `network="${chain.network}",asset="${chain.asset}"`;
  const settled = `x402_settled_total{${token}}`;
  const units = `x402_settled_units_total{${token}}`;
  try {
    assert.deepEqual([(await metrics(gate)).get(settled), (await metrics(gate)).get("x402_unknown")], [undefined, 0]);
    for (let i = 0; i < 4; i += 1) await buy(`${gate.url}/paid`, freshKey());
    await buy(`${gate.url}/dear`, freshKey());
    facilitator.say["/settle"] = (body, request, response) => void response.destroy();
    await buy(`${gate.url}/paid`, freshKey());
    facilitator.say["/settle"] = content["/settle"];
    const samples = await metrics(gate);
    assert.deepEqual([samples.get(settled), samples.get(units)], [5, 290_000]);
    assert.equal(samples.get(`x402_payments{state="settled",${token}}`), 5);
    assert.equal(samples.get(`x402_payments{state="unknown",${token}}`), 1);
    assert.equal(samples.get(`x402_payments_units{state="unknown",${token}}`), 10_000);
    assert.equal(samples.get("x402_unknown"), 1);
    assert.ok(samples.get("x402_unknown_oldest_seconds") < 60);
    const books = [...samples].filter(([name]) => name.startsWith("x402_book_payments{"));
    assert.deepEqual([books.length, books.reduce((sum, [, value]) => sum + value, 0)], [5, 6]);
    assert.equal(samples.get("x402_books_unreachable"), 0);

    // A day later the books forget; here their rows are taken out of the files, by the very statement.
    await gate.stop();
    let forgotten = 0;
    for (const file of await readdir(storage, { recursive: true })) {
      if (!file.endsWith(".sqlite") || file.endsWith("metadata.sqlite")) continue;
      const book = new DatabaseSync(join(storage, file));
      const has = book.prepare("SELECT count(*) AS tables FROM sqlite_master WHERE name = 'records'").get().tables;
      if (has) forgotten += Number(book.prepare("DELETE FROM records WHERE state = 'settled'").run().changes);
      book.close();
    }
    assert.equal(forgotten, 5);
    gate = await start({ storage });
    const later = await metrics(gate);
    assert.deepEqual([later.get(settled), later.get(units)], [5, 290_000]);
    assert.equal(later.get(`x402_payments{state="settled",${token}}`), undefined);
    await buy(`${gate.url}/dear`, freshKey());
    assert.deepEqual([(await metrics(gate)).get(settled), (await metrics(gate)).get(units)], [6, 540_000]);
  } finally {
    await gate.stop();
    await rm(storage, { recursive: true, force: true });
  }
});

test("a relayer of one's own is asked how it is doing", async () => {
  const key = await freshRelayer();
  const gate = await startGate(config(origin, embedded, ROUTES, ADMIN), { ADMIN_TOKEN, RELAYER_KEY: key });
  try {
    assert.equal((await buy(`${gate.url}/paid`, await freshPayer())).status, 200);
    const samples = await metrics(gate);
    const labels = `{network="${chain.network}",relayer="${gate.relayer}"}`;
    const of = (name) => samples.get(`x402_relayer_${name}${labels}`);
    assert.deepEqual([of("up"), of("pending"), of("low")], [1, 0, 0]);
    assert.ok(of("balance_wei") > 0);
    assert.equal(samples.get(`x402_settled_total{network="${chain.network}",asset="${chain.asset}"}`), 1);
  } finally {
    await gate.stop();
  }
});

test("S-103 I10 no secret is ever said: not in the log, not in an answer, not to the operator", async () => {
  const relayer = await freshRelayer();
  const canaries = {
    ADMIN_TOKEN,
    RELAYER_KEY: relayer,
    ORIGIN_KEY: "c0".repeat(31) + "01",
    FACILITATOR_TOKEN: "canary-of-the-facilitator-7d865e95",
    RPC_URL: `${chain.rpc}/?canary-of-the-node-2c26b46b`,
  };
  const more = { ...ADMIN, originContext: { key: "secret:ORIGIN_KEY" }, facilitatorApi: { prefix: "/f", token: "secret:FACILITATOR_TOKEN" } };
  const gate = await startGate(config(origin, embedded, ROUTES, more), canaries);
  const payer = await freshPayer();
  const said = [];
  const hear = async (promise) => {
    const answer = await promise;
    said.push(JSON.stringify([...answer.headers]), await answer.text());
    return answer;
  };
  try {
    const required = await challenge(`${gate.url}/paid`);
    const good = await payment(required, payer);
    const bad = await payment(required, payer, { signature: `0x${"ca".repeat(64)}1b` });
    assert.equal((await hear(present(`${gate.url}/paid`, good))).status, 200);
    assert.equal((await hear(present(`${gate.url}/paid`, good))).status, 200);
    assert.equal((await hear(present(`${gate.url}/dear`, good))).status, 409, "it is known, and bound to another request");
    assert.equal((await hear(present(`${gate.url}/paid`, bad))).status, 402);
    await hear(present(`${gate.url}/fails`, await payment(await challenge(`${gate.url}/fails`), payer)));
    await hear(fetch(`${gate.url}/paid`, { headers: { "payment-signature": base64("canary-of-a-payment") } }));
    await hear(fetch(`${gate.url}/f/verify`, { method: "POST", headers: { authorization: `Bearer ${canaries.FACILITATOR_TOKEN}` }, body: JSON.stringify({ x402Version: 2, paymentPayload: good, paymentRequirements: required.accepts[0] }) }));
    for (const path of ["health", "metrics", "payments", "payments?format=ndjson", "payments?format=csv", "jwks.json", "payments?state=canary"]) await hear(own(gate, path));
    await hear(own(gate, "metrics", { headers: { authorization: "Bearer canary-of-a-guess" } }));
    const everything = said.join("\n") + gate.log();
    assert.ok(gate.log().includes('"outcome":"replayed"'));
    const signature = good.payload.signature.slice(2);
    for (const canary of [...Object.values(canaries), relayer.slice(2), base64(good), signature, signature.slice(0, 64), "ca".repeat(32), "canary-of-a-payment", base64("canary-of-a-payment"), "canary-of-a-guess", "canary-of-the-node"]) {
      assert.ok(!everything.includes(canary), `said: ${canary.slice(0, 24)}…`);
    }
  } finally {
    await gate.stop();
  }
});
