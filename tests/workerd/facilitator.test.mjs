// A gate whose facilitator is somebody else, and misbehaves. Whatever it says, nothing is served that was not settled,
// nothing is settled twice, and what nobody knows is never called failed.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { chain, config, freshKey, remote, startGate } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, paymentV1, present } from "./lib/pay.mjs";
import { content, startFacilitator, startOrigin } from "./lib/servers.mjs";

const KEY = freshKey();
const ROUTES = [{ match: "GET /paid", price: "$0.01" }];

let origin, facilitator, second, gate, url;
const start = () => {
  const network = remote(facilitator, second);
  network.facilitator[0].headers = { authorization: "secret:FIRST", "x-plain": "plain" };
  return startGate(config(origin, network, ROUTES), { FIRST: "Bearer of-the-first" });
};
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  second = await startFacilitator();
  gate = await start();
  url = `${gate.url}/paid`;
});

/** Runs a part with a gate that knows nothing of what the facilitators did before. */
async function withGate(part) {
  const own = await start();
  try {
    await part(`${own.url}/paid`);
  } finally {
    await own.stop();
  }
}
after(async () => {
  await gate?.stop();
  await facilitator?.stop();
  await second?.stop();
  await origin?.stop();
});
beforeEach(() => {
  origin.seen.length = 0;
  for (const one of [facilitator, second]) {
    one.asked.length = 0;
    one.say = { ...content };
  }
});

/** An answer by hand. */
const says = (status, text, headers = {}) => (_body, _request, response) => {
  response.writeHead(status, headers);
  response.end(text);
};
const resets = (_body, request) => {
  request.socket.destroy();
};
const breaks = (_body, request, response) => {
  response.write('{"success":tr', () => request.socket.destroy());
};

async function withheld(answer, status, error, what) {
  const text = await answer.text();
  assert.deepEqual([answer.status, JSON.parse(text).error], [status, error], what);
  assert.ok(!text.includes("served"), what);
  if (status === 503) assert.ok(answer.headers.has("retry-after"), what);
  assert.equal(answer.headers.get("cache-control"), "no-store", what);
}

/** The outcome is not known: no invitation to pay again, and nobody else was asked to settle. */
async function pending(answer, what) {
  assert.equal(answer.headers.get("payment-required"), null, what);
  const receipt = decode(answer.headers.get("payment-response"));
  assert.deepEqual([receipt.success, receipt.errorReason], [false, "settlement_pending"], what);
  await withheld(answer, 503, "settlement_pending", what);
  assert.deepEqual([facilitator.count("/settle"), second.count("/settle")], [1, 0], what);
}

test("the message to a facilitator is the payment as it came and the gate's own terms", async () => {
  const required = await challenge(url);
  const paid = await payment(required, KEY, { more: { extra: { kept: [1, "x"] } }, accepted: { extra: { ...required.accepts[0].extra, added: 1 } } });
  assert.equal((await present(url, paid)).status, 200);
  for (const { headers, body } of facilitator.asked) {
    assert.deepEqual([headers.authorization, headers["x-plain"]], ["Bearer of-the-first", "plain"]);
    assert.deepEqual([body.x402Version, body.paymentRequirements], [2, required.accepts[0]]);
    assert.deepEqual(body.paymentPayload.accepted, paid.accepted);
    assert.deepEqual(body.paymentPayload.payload, paid.payload);
  }
  assert.equal(second.asked.length, 0);
});

test("a payment of version 1 is passed on in version 1, with the resource in its terms", async () => {
  const terms = await (await fetch(url)).json();
  const answer = await present(url, await paymentV1(terms, KEY));
  assert.equal(answer.status, 200);
  assert.equal(decode(answer.headers.get("x-payment-response")).network, "base-sepolia");
  assert.deepEqual(facilitator.asked[0].body.paymentRequirements, terms.accepts[0]);
  assert.equal(facilitator.asked[0].body.x402Version, 1);
});

test("a refusal is the facilitator's, with the terms again", async () => {
  for (const say of [() => ({ isValid: false, invalidReason: "invalid_exact_evm_insufficient_balance" }), says(400, '{"isValid":false,"invalidReason":"invalid_exact_evm_insufficient_balance"}')]) {
    facilitator.say["/verify"] = say;
    const answer = await buy(url, KEY);
    assert.equal(answer.status, 402);
    assert.equal(decode(answer.headers.get("payment-required")).error, "invalid_exact_evm_insufficient_balance");
  }
  assert.deepEqual([origin.seen.length, second.asked.length], [0, 0]);
});

test("S-171 where the first facilitator cannot verify, the next is asked, and settles", async () => {
  const garbage = { "status 500": says(500, "oops"), "status 429": says(429, ""), html: says(200, "<html>"), empty: says(200, ""), reset: resets, types: says(200, '{"isValid":"true"}'), redirect: says(302, "", { location: "/elsewhere" }), large: says(200, `{"isValid":true,"x":"${"x".repeat(70_000)}"}`), "valid, but not 200": says(202, '{"isValid":true}') };
  garbage["another payer"] = () => ({ isValid: true, payer: chain.payTo });
  for (const [what, say] of Object.entries(garbage)) {
    facilitator.say["/verify"] = content["/verify"];
    assert.equal((await buy(url, KEY)).status, 200, what);
    facilitator.asked.length = 0;
    facilitator.say["/verify"] = say;
    const answer = await buy(url, KEY);
    assert.deepEqual([answer.status, await answer.text()], [200, "served /paid"], what);
    assert.deepEqual([facilitator.count("/verify"), facilitator.count("/settle"), facilitator.count("/elsewhere")], [1, 0, 0], what);
  }
  assert.equal(second.count("/settle"), Object.keys(garbage).length);
  assert.equal(second.asked[0].headers.authorization, undefined);
});

test("S-170 a facilitator that fails again and again is not asked for a while; a settlement goes where it was verified", () => withGate(async (url) => {
  const held = [];
  facilitator.say["/settle"] = (body, _, response) => void held.push(() => response.end(JSON.stringify(content["/settle"](body))));
  const verified = buy(url, KEY);
  while (held.length === 0) await fetch(url).then((answer) => answer.arrayBuffer());
  facilitator.say = { ...content, "/verify": says(429, "", { "retry-after": "1000000000" }) };
  for (let i = 0; i < 6; i += 1) assert.equal((await buy(url, KEY)).status, 200);
  assert.deepEqual([facilitator.count("/verify"), second.count("/verify"), second.count("/settle")], [1 + 3, 6, 6]);
  // What the first one verified before, it settles.
  for (const release of held) release();
  assert.equal((await verified).status, 200);
  assert.deepEqual([facilitator.count("/settle"), second.count("/settle")], [1, 6]);
  // Where nobody is left to ask, all are asked: a facilitator that is back is found at once.
  second.say["/verify"] = resets;
  for (let i = 0; i < 4; i += 1) await withheld(await buy(url, KEY), 503, "gate_facilitator_unavailable");
  assert.deepEqual([facilitator.count("/verify"), second.count("/verify"), origin.seen.length], [5, 10, 7]);
  second.say["/verify"] = content["/verify"];
  assert.equal((await buy(url, KEY)).status, 200);
}));

test("S-171 where nobody can verify, nothing is asked of the origin and nothing is charged", () => withGate(async (url) => {
  for (const [say, status, error] of [[says(500, "oops"), 503, "gate_facilitator_unavailable"], [resets, 503, "gate_facilitator_unavailable"], [says(200, "<html>"), 502, "gate_facilitator_fault"]]) {
    facilitator.say["/verify"] = second.say["/verify"] = say;
    await withheld(await buy(url, KEY), status, error, error);
  }
  assert.deepEqual([origin.seen.length, facilitator.count("/settle"), second.count("/settle")], [0, 0, 0]);
}));

test("a definite failure is a 402 with the receipt of it, and the bought answer stays", async () => {
  const transaction = `0x${"ab".repeat(32)}`;
  facilitator.say["/settle"] = () => ({ success: false, errorReason: "invalid_exact_evm_transaction_failed", transaction, network: chain.network });
  const answer = await buy(url, KEY);
  const receipt = decode(answer.headers.get("payment-response"));
  assert.deepEqual([receipt.success, receipt.errorReason, receipt.transaction], [false, "invalid_exact_evm_transaction_failed", transaction]);
  await withheld(answer, 402, "invalid_exact_evm_transaction_failed");
  assert.equal(second.asked.length, 0);
});

test("S-163 a success without evidence is not believed", async () => {
  for (const transaction of ["", `0x${"0".repeat(64)}`, "abc", "0x12"]) {
    facilitator.asked.length = 0;
    facilitator.say["/settle"] = (body) => ({ ...content["/settle"](body), transaction });
    await pending(await buy(url, KEY), transaction);
  }
});

test("S-164 a success with another payer, network or amount is not believed", async () => {
  for (const lie of [{ network: "eip155:8453" }, { payer: chain.payTo }, { amount: "1" }]) {
    facilitator.asked.length = 0;
    facilitator.say["/settle"] = (body) => ({ ...content["/settle"](body), ...lie });
    await pending(await buy(url, KEY), JSON.stringify(lie));
  }
});

test("S-172 a settlement without a usable answer is pending, and nobody else is asked", async () => {
  const troubles = { "status 500": says(500, "oops"), html: says(200, "<html>"), empty: says(200, ""), reset: resets, redirect: says(307, "", { location: second.url }), large: says(200, `{"x":"${"x".repeat(70_000)}"}`), "a body that breaks off": breaks };
  for (const [what, say] of Object.entries(troubles)) {
    facilitator.asked.length = 0;
    facilitator.say["/settle"] = say;
    await pending(await buy(url, KEY), what);
  }
});

test("S-172 pending stays pending while the facilitator says so, with its transaction", async () => {
  const transaction = `0x${"cd".repeat(32)}`;
  facilitator.say["/settle"] = () => ({ success: false, errorReason: "settlement_pending", transaction, network: chain.network });
  const answer = await buy(url, KEY);
  assert.equal(decode(answer.headers.get("payment-response")).transaction, transaction);
  await pending(answer);
});

test("a facilitator that turned the settlement away has not settled it", async () => {
  for (const [status, at, error] of [[429, 503, "gate_facilitator_unavailable"], [401, 502, "gate_facilitator_fault"]]) {
    facilitator.say["/settle"] = says(status, "");
    await withheld(await buy(url, KEY), at, error, String(status));
  }
  assert.equal(second.asked.length, 0);
});

test("S-166 another payment's answer is not this one's", async () => {
  const failed = { success: false, errorReason: "invalid_exact_evm_insufficient_balance", transaction: "" };
  const succeeded = { success: true, transaction: `0x${"ab".repeat(32)}` };
  for (const word of [failed, succeeded]) {
    for (const other of [{ payer: chain.payTo, network: chain.network }, { network: "eip155:8453" }]) {
      facilitator.asked.length = 0;
      facilitator.say["/settle"] = () => ({ ...word, ...other });
      await pending(await buy(url, KEY), JSON.stringify({ ...word, ...other }));
    }
  }
  // Two at once whose verdicts are crossed: the first facilitator is wrong about both, and the next is asked.
  await withGate(async (fresh) => {
    facilitator.asked.length = 0;
    facilitator.say = { ...content, "/verify": () => ({ isValid: true, payer: chain.payTo }) };
    const required = await challenge(fresh);
    const both = await Promise.all([KEY, freshKey()].map((key) => payment(required, key)));
    const answers = await Promise.all(both.map((paid) => present(fresh, paid)));
    assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
    assert.deepEqual(both.map((paid) => [facilitator.settlements(paid), second.settlements(paid)]), [[0, 1], [0, 1]]);
  });
});

test("F-14 a redirect is a fault, and neither message nor authorization goes where it points", async () => {
  for (const endpoint of ["/verify", "/settle"]) {
    facilitator.say = { ...content, [endpoint]: says(308, "", { location: `${second.url}/elsewhere` }) };
    await (await buy(url, KEY)).arrayBuffer();
  }
  assert.equal(second.count("/elsewhere"), 0);
  assert.ok(second.asked.every(({ headers }) => headers.authorization === undefined));
});

test("S-180 no secret and no text of a facilitator reaches an answer or the log", async () => {
  facilitator.say["/verify"] = second.say["/verify"] = says(500, "https://node.test/?key=canary");
  const answer = await buy(url, KEY);
  const said = JSON.stringify([...answer.headers]) + (await answer.text()) + gate.log();
  for (const secret of ["canary", "of-the-first", KEY.slice(2)]) assert.ok(!said.includes(secret), secret);
});

test("S-071 what is verified is what is settled, and what was offered", async () => {
  const required = await challenge(url);
  for (let i = 0; i < 5; i += 1) {
    facilitator.asked.length = 0;
    const paid = await payment(required, KEY);
    assert.equal((await present(url, paid)).status, 200);
    const own = facilitator.asked.filter(({ body }) => body.paymentPayload.payload.signature === paid.payload.signature);
    const [verified, settled] = own.map(({ body }) => body);
    assert.deepEqual([verified, settled.paymentRequirements], [settled, required.accepts[0]]);
    assert.deepEqual(await challenge(url), required, "it is the same price whoever asks, and when");
  }
});

test("S-178 what a facilitator says that it supports changes nothing: its owner's terms are the configuration's", async () => {
  const required = await challenge(url);
  const drifts = [
    { kinds: [], extensions: [], signers: {} },
    { kinds: [{ x402Version: 2, scheme: "exact", network: chain.network, extra: { name: "Evil", feePayer: chain.payTo } }], extensions: [], signers: { "eip155:*": [chain.asset] } },
    { kinds: [{ x402Version: 2, scheme: "batch-settlement", network: chain.network, extra: { receiverAuthorizer: chain.asset } }], extensions: [], signers: {} },
  ];
  for (const drift of drifts) {
    facilitator.say["/supported"] = second.say["/supported"] = () => drift;
    await withGate(async (fresh) => {
      for (const place of [url, fresh]) {
        assert.deepEqual(await challenge(place), required);
        assert.equal((await buy(place, KEY)).status, 200);
      }
    });
  }
  assert.deepEqual([facilitator.count("/supported"), second.count("/supported")], [0, 0]);
});

test("S-181 a facilitator's clock that is ten seconds off serves nobody unpaid, and nobody twice", async () => {
  for (const skew of [-10, 10]) {
    facilitator.say["/verify"] = (body) => {
      const { validAfter, validBefore } = body.paymentPayload.payload.authorization;
      const now = Date.now() / 1000 + skew;
      if (now < Number(validAfter)) return { isValid: false, invalidReason: "invalid_exact_evm_payload_authorization_valid_after" };
      if (now + 6 > Number(validBefore)) return { isValid: false, invalidReason: "invalid_exact_evm_payload_authorization_valid_before" };
      return content["/verify"](body);
    };
    const required = await challenge(url);
    const at = (seconds) => String(Math.floor(Date.now() / 1000) + seconds);
    // As payers sign: a minute back, and for as long as the offer gives.
    const honest = await payment(required, KEY, { authorization: { validAfter: at(-60), validBefore: at(300) } });
    assert.equal((await present(url, honest)).status, 200, `${skew}`);
    // At the end of its time the two may differ; then it is refused, with the reason, and the origin is not asked.
    origin.seen.length = facilitator.asked.length = 0;
    const short = await payment(required, KEY, { authorization: { validAfter: at(-60), validBefore: at(12) } });
    const late = await present(url, short);
    assert.equal(late.status, skew > 0 ? 402 : 200);
    if (skew > 0) assert.equal(decode(late.headers.get("payment-required")).error, "invalid_exact_evm_payload_authorization_valid_before");
    assert.deepEqual([origin.seen.length, facilitator.settlements(short)], skew > 0 ? [0, 0] : [1, 1]);
  }
});

test("S-127 twenty copies at once cause one execution and one settlement", async () => {
  const required = await challenge(url);
  const paid = await payment(required, KEY);
  const answers = await Promise.all(Array.from({ length: 20 }, () => present(url, paid)));
  assert.deepEqual([origin.seen.length, facilitator.settlements(paid)], [1, 1]);
  // The others waited for the one, and have its answer and its receipt.
  const [first, ...others] = await Promise.all(answers.map(async (answer) =>
    [answer.status, answer.headers.get("payment-response"), await answer.text()]));
  assert.equal(first[0], 200);
  for (const other of others) assert.deepEqual(other, first);
});
