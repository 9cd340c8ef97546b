// Faults of the list that are no fault of one step: a facilitator that says other things of itself, a chain that stands
// still, an intermediary that sends again, a configuration that is old or gone, a platform that allows no more subrequests.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { gateService } from "../interop/lib/gate.mjs";
import { startWorkerd } from "../interop/lib/workerd.mjs";
import { balanceOf } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, freshPayer, freshRelayer, remote, startGate } from "../workerd/lib/gate.mjs";
import { buy, challenge, decode, payment, present } from "../workerd/lib/pay.mjs";
import { startPrivate } from "../workerd/lib/private.mjs";
import { content, startFacilitator, startNode, startOrigin } from "../workerd/lib/servers.mjs";

const PRICE = 10_000n;
const FUNDS = 1_000_000n;
const ROUTES = [{ match: "/paid", price: "$0.01" }];
const POST = { method: "POST", body: "an order" };

let origin, facilitator;
before(async () => {
  [origin, facilitator] = await Promise.all([startOrigin(), startFacilitator()]);
});
beforeEach(() => {
  origin.seen.length = facilitator.asked.length = 0;
  origin.answer = undefined;
  facilitator.say = { ...content };
});
after(() => Promise.all([origin?.stop(), facilitator?.stop()]));

const code = async (answer) => {
  const text = await answer.text();
  return [answer.status, answer.headers.get("content-type")?.includes("json") ? JSON.parse(text).error : undefined];
};

test("F-13 what a facilitator says of itself is asked for by nobody: down or changed, it opens no gate and moves no money elsewhere", async () => {
  const stranger = `0x${"66".repeat(20)}`;
  const gate = await startGate(config(origin, remote(facilitator), ROUTES));
  try {
    const first = await challenge(`${gate.url}/paid`);
    // From the first request on it is down, all of it.
    facilitator.say = Object.fromEntries(["/supported", "/verify", "/settle"].map((path) => [path, (_body, request) => void request.socket.destroy()]));
    const paid = await payment(first, freshKey());
    assert.deepEqual(await code(await present(`${gate.url}/paid`, paid)), [503, "gate_facilitator_unavailable"]);
    assert.equal(origin.seen.length, 0);
    // Then it is there again, and calls others its signers.
    const kinds = [{ x402Version: 2, scheme: "exact", network: chain.network, extra: { feePayer: stranger, receiverAuthorizer: stranger } }];
    facilitator.say = { ...content, "/supported": () => ({ kinds, extensions: [], signers: { "eip155:*": [stranger] } }) };
    assert.deepEqual(await challenge(`${gate.url}/paid`), first, "the terms are the owner's");
    const answer = await present(`${gate.url}/paid`, paid);
    assert.deepEqual([answer.status, origin.seen.length, facilitator.count("/settle")], [200, 1, 1]);
    const { paymentRequirements } = facilitator.asked.find(({ path }) => path === "/settle").body;
    assert.equal(paymentRequirements.payTo.toLowerCase(), chain.payTo.toLowerCase());
    assert.ok(!JSON.stringify(facilitator.asked).includes(stranger));
    assert.equal(facilitator.count("/supported"), 0);
  } finally {
    await gate.stop();
  }
});

test("F-26 a chain that stands still sells nothing, but what its owner lends; when it goes on, each is charged once", async () => {
  const own = await startPrivate();
  const [key, other] = [await own.payer(), await own.payer()];
  const routes = [
    { match: "/after", price: "$0.01" },
    { match: "/before", price: "$0.01", settle: "before" },
    { match: "/later/:n", price: "$0.01", settle: { optimistic: "$0.02" } },
  ];
  const gate = await startGate(config(origin, embedded, routes), { RPC_URL: own.rpc, RELAYER_KEY: await own.relayer() });
  try {
    await own.automine(false);
    const sell = async (path, of) => {
      const paid = await payment(await challenge(gate.url + path), of, { authorization: { validBefore: String(Math.floor(Date.now() / 1000) + 280) } });
      return { path, paid, answer: await present(gate.url + path, paid) };
    };
    const lent = [await sell("/later/1", other), await sell("/later/2", other)];
    for (const { answer } of lent) {
      assert.deepEqual([answer.status, answer.headers.get("payment-response")], [200, null]);
      assert.ok((await answer.text()).startsWith("served"));
    }
    const waiting = await Promise.all([sell("/after", key), sell("/before", key), sell("/later/3", other)]);
    for (const { answer, path } of waiting) assert.deepEqual(await code(answer), [503, "settlement_pending"], path);
    const asked = () => origin.seen.map(({ url }) => url).sort();
    assert.deepEqual(asked(), ["/after", "/later/1", "/later/2", "/later/3"], "in advance nobody is asked for an unpaid request");
    await own.automine(true);
    await own.mine();
    for (const { path, paid } of [...lent, ...waiting]) {
      let answer;
      do answer = await present(gate.url + path, paid);
      while (answer.status === 503 || (answer.status === 200 && !answer.headers.get("payment-response")));
      assert.deepEqual([answer.status, decode(answer.headers.get("payment-response")).success], [200, true], path);
      assert.equal(await answer.text(), `served ${path}`);
    }
    assert.deepEqual(asked(), ["/after", "/before", "/later/1", "/later/2", "/later/3"]);
    const left = await Promise.all([key, other].map((of) => balanceOf(own.rpc, chain.asset, privateKeyToAccount(of).address)));
    assert.deepEqual(left, [FUNDS - 2n * PRICE, FUNDS - 3n * PRICE]);
  } finally {
    await gate.stop();
    await own.stop();
  }
});

test("F-38 a POST that an intermediary sends again is one order", async () => {
  const gate = await startGate(config(origin, remote(facilitator), ROUTES));
  const intermediary = await startOrigin();
  try {
    for (const copies of [1, 8]) {
      origin.seen.length = facilitator.asked.length = 0;
      // The first answer never arrives, so it asks again, once or in a storm; the last answer is passed on.
      intermediary.answer = async (request, response) => {
        const headers = { "payment-signature": request.headers["payment-signature"] };
        const send = () => fetch(gate.url + request.url, { ...POST, headers });
        await (await send()).body.cancel();
        const answers = await Promise.all(Array.from({ length: copies }, send));
        const texts = await Promise.all(answers.map((answer) => answer.text()));
        response.writeHead(answers[0].status, { "payment-response": answers[0].headers.get("payment-response") ?? "" });
        response.end(texts.every((text) => text === texts[0]) ? texts[0] : "they differ");
      };
      const paid = await payment(await challenge(`${gate.url}/paid`, POST), freshKey());
      const answer = await present(`${intermediary.url}/paid`, paid, POST);
      assert.deepEqual([answer.status, await answer.text()], [200, "served /paid"]);
      assert.equal(decode(answer.headers.get("payment-response")).success, true);
      assert.deepEqual([origin.seen.length, facilitator.count("/settle")], [1, 1]);
    }
  } finally {
    await gate.stop();
    await intermediary.stop();
  }
});

test("F-43 without its configuration a gate answers nothing but that, and with a new one it sells at no old price", async () => {
  const storage = await mkdtemp(join(tmpdir(), "objects-"));
  const at = (price) => config(origin, remote(facilitator), [{ match: "/paid", price }]);
  try {
    let gate = await startGate(at("$0.01"), {}, { storage });
    const cheap = await challenge(`${gate.url}/paid`);
    const kept = await payment(cheap, freshKey());
    const bought = await payment(cheap, freshKey());
    assert.equal((await present(`${gate.url}/paid`, bought)).status, 200);
    await gate.stop();
    for (const text of ["", "{", "null", "{}", JSON.stringify(at("$0")), JSON.stringify(at("$0.0000001"))]) {
      origin.seen.length = facilitator.asked.length = 0;
      gate = await startGate(text, {}, { storage });
      for (const path of ["/paid", "/elsewhere"]) {
        assert.deepEqual(await code(await fetch(gate.url + path)), [500, "gate_invalid_config"], `${text.slice(0, 20)} ${path}`);
        assert.deepEqual(await code(await present(gate.url + path, kept)), [500, "gate_invalid_config"]);
      }
      assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0]);
      await gate.stop();
    }
    gate = await startGate(at("$0.02"), {}, { storage });
    const answer = await present(`${gate.url}/paid`, kept);
    assert.equal(answer.status, 402);
    assert.equal(decode(answer.headers.get("payment-required")).accepts[0].amount, "20000");
    assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0], "nobody hears of the old price");
    // What was bought at the old price is still its payer's: a 402 would invite a second payment (I4).
    const again = await present(`${gate.url}/paid`, bought);
    assert.deepEqual([again.status, await again.text()], [200, "served /paid"]);
    assert.equal(decode(again.headers.get("payment-response")).success, true);
    assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0]);
    await gate.stop();
  } finally {
    await rm(storage, { recursive: true, force: true });
  }
});

/** Between the gate and everything else: from some subrequest on, a few of them are too many. */
const QUOTA = `let used = 0;
export default { async fetch(request, env) {
  used += 1;
  if (used > Number(env.FREE) && used <= Number(env.FREE) + Number(env.REFUSED)) throw new Error("Too many subrequests.");
  return fetch(request);
} }`;

test("F-44 wherever subrequests end, nothing is served unpaid, asked for twice or paid twice", { concurrency: true }, async (t) => {
  // All of a purchase: its verification, the origin, the plan, the transaction and its receipt.
  const whole = 5;
  const cases = Array.from({ length: whole + 1 }, (_, free) => ["GET", "POST"].map((method) => ({ free, method }))).flat();
  await Promise.all(cases.map(({ free, method }) => t.test(`${method}, ${free} are free`, async () => {
    const [node, own] = [await startNode(chain.rpc), await startOrigin()];
    const service = gateService(config(own, embedded, ROUTES), { RPC_URL: node.url, RELAYER_KEY: await freshRelayer() });
    const quota = { name: "quota", modules: [{ name: "quota.mjs", type: "esModule", text: QUOTA }], vars: { FREE: String(free), REFUSED: "3" } };
    const gate = await startWorkerd([{ ...service, outbound: "quota" }, quota]);
    try {
      const [key, init] = [await freshPayer(), method === "POST" ? POST : {}];
      const paid = await payment(await challenge(`${gate.url}/paid`, init), key, { authorization: { validBefore: String(Math.floor(Date.now() / 1000) + 280) } });
      const said = [];
      let answer, text;
      do {
        if (answer) assert.equal(answer.headers.get("payment-required"), null, "nobody is asked to pay anew");
        answer = await present(`${gate.url}/paid`, paid, init);
        text = await answer.text();
        said.push(answer.status);
        if (free === 0 && said.length === 1) assert.deepEqual([answer.status, own.seen.length], [503, 0], "before anything was done");
        if (answer.status !== 200) assert.ok(!text.includes("served"));
      } while (answer.status !== 200 && !text.includes("ledger_abandoned"));
      const moved = FUNDS - (await balanceOf(chain.rpc, chain.asset, privateKeyToAccount(key).address));
      // Nobody can say of a subrequest that failed whether it arrived.
      if (method === "POST" && free === 1) assert.deepEqual([answer.status, JSON.parse(text).error, moved], [502, "ledger_abandoned", 0n]);
      else assert.deepEqual([answer.status, text, moved], [200, "served /paid", PRICE], `after ${said}`);
      assert.ok(own.seen.length <= 1, `asked ${own.seen.length} times`);
      if (free >= whole) assert.equal(said.length, 1, "a purchase takes no more");
    } finally {
      await gate.stop();
      await Promise.all([node.stop(), own.stop()]);
    }
  })));
});
