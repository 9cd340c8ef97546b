// When a payment settles: before the origin is asked, after it has answered, or later; and what is kept of an answer.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { config, freshKey, remote, startGate, until } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, present } from "./lib/pay.mjs";
import { content, startFacilitator, startOrigin } from "./lib/servers.mjs";

const ROUTES = [
  { match: "/before", price: "$0.01", settle: "before" },
  { match: "/later", price: "$0.01", settle: { optimistic: "$0.02" } },
  { match: "/after", price: "$0.01" },
];

let origin, facilitator, gate;
before(async () => {
  [origin, facilitator] = await Promise.all([startOrigin(), startFacilitator()]);
  gate = await startGate(config(origin, remote(facilitator), ROUTES, { ledger: { keepBytes: 1000 } }));
});
beforeEach(() => {
  origin.answer = undefined;
  facilitator.say = { ...content };
  origin.seen.length = facilitator.asked.length = 0;
});
after(() => Promise.all([gate?.stop(), origin?.stop(), facilitator?.stop()]));

const at = (path) => `${gate.url}${path}`;
const pay = async (path, key, init) => payment(await challenge(at(path), init), key);
const receipt = (answer) => decode(answer.headers.get("payment-response"));

test("I1 before: the payment settles before the origin is asked", async () => {
  origin.answer = (request, response) => {
    assert.equal(facilitator.settlements(paid), 1);
    origin.usual(request, response);
  };
  const paid = await pay("/before", freshKey());
  const answer = await present(at("/before"), paid);
  assert.deepEqual([answer.status, receipt(answer).success, origin.seen.length], [200, true, 1]);
});

test("before: a settlement that fails asks nobody", async () => {
  facilitator.say["/settle"] = ({ paymentPayload }) => ({ success: false, errorReason: "insufficient_funds", transaction: "", network: "eip155:84532", payer: paymentPayload.payload.authorization.from });
  const answer = await buy(at("/before"), freshKey());
  assert.equal(origin.seen.length, 0);
  assert.deepEqual([answer.status, receipt(answer).success, receipt(answer).errorReason], [402, false, "insufficient_funds"]);
});

test("before: an origin that fails then says that it is paid, and the same payment is served later", async () => {
  for (const method of ["GET", "POST"]) {
    origin.seen.length = facilitator.asked.length = 0;
    const init = { method };
    const paid = await pay("/before", freshKey(), init);
    origin.answer = (_, response) => response.writeHead(500).end("broken");
    const failed = await present(at("/before"), paid, init);
    assert.deepEqual([failed.status, (await failed.json()).error, receipt(failed).success], [502, "ledger_owed", true], method);
    assert.ok(failed.headers.has("retry-after"));
    origin.answer = undefined;
    const served = await present(at("/before"), paid, init);
    assert.deepEqual([served.status, await served.text()], [200, "served /before"], method);
    assert.deepEqual([facilitator.settlements(paid), origin.seen.length], [1, 2], method);
  }
});

test("optimistic: the answer leaves at once, and the payment settles by itself", async () => {
  let settle;
  facilitator.say["/settle"] = (body, _, response) => void (settle = () => response.end(JSON.stringify(content["/settle"](body))));
  const paid = await pay("/later", freshKey());
  const answer = await present(at("/later"), paid);
  assert.deepEqual([answer.status, await answer.text(), answer.headers.get("payment-response")], [200, "served /later", null]);
  await until(() => settle);
  facilitator.say["/settle"] = content["/settle"];
  settle();
  // A copy gets the kept answer, in time with its receipt; nothing happens twice.
  await until(async () => receipt(await present(at("/later"), paid))?.success);
  assert.deepEqual([origin.seen.length, facilitator.settlements(paid)], [1, 1]);
});

test("optimistic: what would exceed the payer's bound settles before its answer leaves", async () => {
  const key = freshKey();
  const held = [];
  facilitator.say["/settle"] = (body, _, response) => void held.push(() => response.end(JSON.stringify(content["/settle"](body))));
  const answers = [];
  for (let i = 0; i < 2; i += 1) answers.push(await present(at("/later"), await pay("/later", key)));
  assert.deepEqual(answers.map((one) => [one.status, one.headers.get("payment-response")]), [[200, null], [200, null]]);
  const third = present(at("/later"), await pay("/later", key));
  await until(() => held.length === 3);
  facilitator.say["/settle"] = content["/settle"];
  for (const release of held) release();
  assert.equal(receipt(await third).success, true);
});

test("an answer that is too large to keep is fetched again where that is safe, and never charged again", async () => {
  const large = "x".repeat(5000);
  origin.answer = (_, response) => response.writeHead(200, { "content-length": large.length }).end(large);
  const paid = await pay("/after", freshKey());
  for (let i = 0; i < 2; i += 1) {
    const answer = await present(at("/after"), paid);
    assert.deepEqual([answer.status, (await answer.text()).length, receipt(answer).success], [200, 5000, true]);
  }
  assert.deepEqual([origin.seen.length, facilitator.settlements(paid)], [2, 1]);
  const init = { method: "POST", body: "order" };
  const posted = await pay("/after", freshKey(), init);
  assert.equal((await (await present(at("/after"), posted, init)).text()).length, 5000);
  const again = await present(at("/after"), posted, init);
  assert.deepEqual([again.status, (await again.json()).error, receipt(again).success], [410, "ledger_answer_gone", true]);
  assert.deepEqual([origin.seen.length, facilitator.settlements(posted)], [3, 1]);
});

test("S-153 I2 an answer that breaks off before it is whole is not charged", async () => {
  origin.answer = (_, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("half");
    response.destroy();
  };
  const paid = await pay("/after", freshKey());
  const answer = await present(at("/after"), paid);
  assert.deepEqual([answer.status, facilitator.settlements(paid)], [502, 0]);
});

test("S-153 an answer that breaks off after the payment settled breaks off here too, and is not taken for the whole", async () => {
  origin.answer = (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: first\n\n", () => response.destroy());
  };
  // The payment has settled: the client gets its receipt, what there was, and no clean end.
  const paid = await pay("/before", freshKey());
  const answer = await present(at("/before"), paid);
  assert.deepEqual([answer.status, receipt(answer).success], [200, true]);
  await assert.rejects(answer.text());
  // What is short enough to be kept is read as a whole first: then the answer says that it is paid and still owed.
  origin.answer = (_, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("half", () => response.destroy());
  };
  const owed = await pay("/before", freshKey());
  const broken = await present(at("/before"), owed);
  assert.deepEqual([broken.status, (await broken.json()).error, receipt(broken).success], [502, "ledger_owed", true]);
  origin.answer = undefined;
  for (const one of [paid, owed]) {
    const again = await present(at("/before"), one);
    assert.deepEqual([again.status, await again.text(), facilitator.settlements(one)], [200, "served /before", 1]);
  }
});

for (const path of ["/before", "/later"]) {
  test(`events stream as they come under the policy of ${path}`, async () => {
    let write;
    origin.answer = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\n\n");
      write = (text) => response.end(text);
    };
    const answer = await buy(at(path), freshKey());
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    assert.equal((await reader.read()).value, "data: first\n\n");
    write("data: last\n\n");
    assert.equal((await reader.read()).value, "data: last\n\n");
  });
}

test("a stream without a length goes on after the payment has settled, unbuffered", async () => {
  let write;
  origin.answer = (_, response) => {
    response.writeHead(200);
    response.write("first");
    write = (text) => response.end(text);
  };
  const answer = await buy(at("/after"), freshKey());
  assert.equal(receipt(answer).success, true);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "first");
  write("last");
  assert.equal((await reader.read()).value, "last");
});

test("F-30 what a payment bought is still there when the authorization has ended; nothing is begun for it then", async () => {
  const end = Math.floor(Date.now() / 1000) + 8;
  const short = async () => payment(await challenge(at("/after")), freshKey(), { authorization: { validBefore: String(end) } });
  const [paid, unused] = [await short(), await short()];
  const bought = await (await present(at("/after"), paid)).text();
  // Until the gate takes it for ended: six seconds before it does on chain.
  await until(async () => {
    const copy = await present(at("/after"), paid);
    assert.deepEqual([copy.status, await copy.text()], [200, bought]);
    return Date.now() / 1000 > end - 4;
  });
  const late = await present(at("/after"), unused);
  assert.equal(decode(late.headers.get("payment-required")).error, "invalid_exact_evm_payload_authorization_valid_before");
  assert.deepEqual([origin.seen.length, facilitator.settlements(paid), facilitator.settlements(unused)], [1, 1, 0]);
});
