// The same payment again: while its outcome is open, or where its answer was lost. Never a second one.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createPayer } from "x402-wasm";
import { answering, goods, raw, unpaid, TARGET } from "./lib/hostile.mjs";
import { base64, offer, terms } from "./lib/seller.mjs";
import { counting } from "./lib/signer.mjs";

const settlement = (changes) => base64({ success: false, transaction: "", network: "eip155:84532", ...changes });
const OPEN = settlement({ errorReason: "settlement_pending" });
const PAID = settlement({ success: true, transaction: `0x${"ab".repeat(32)}` });

const pending = (after) => raw("", { status: 503, headers: { "payment-response": OPEN, ...(after && { "retry-after": after }) } });
const lost = () => {
  throw new TypeError("the connection was reset");
};

/** Calls once; the pauses it wants pass at once. */
async function call(answers, init, changes) {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
  try {
    const waits = [];
    const onStep = (step) => {
      if (step.step !== "waiting") return;
      waits.push(step.seconds);
      queueMicrotask(() => mock.timers.tick(step.seconds * 1000));
    };
    const wallet = counting();
    const { fetch, calls } = answering(unpaid(terms([offer(changes)])), ...answers);
    const payer = await createPayer({ wallet, fetch, onStep });
    const outcome = await payer.fetch(TARGET, init).then((response) => ({ response, receipt: payer.receipt(response) }), (error) => ({ error }));
    const sent = calls.filter(({ header }) => header !== null).map(({ header }) => header);
    return { ...outcome, waits, sent, signed: wallet.signed };
  } finally {
    mock.timers.reset();
  }
}

test("S-278 an open outcome is asked about with the same payment until it is known", async () => {
  for (const method of ["GET", "POST"]) {
    const { response, receipt, waits, sent, signed } = await call([pending("7"), pending(), goods(PAID)], { method });
    assert.deepEqual([response.status, receipt.success, await response.text()], [200, true, "goods"], method);
    assert.deepEqual(waits, [7, 2]);
    assert.deepEqual([sent.length, new Set(sent).size, signed.length], [3, 1, 1]);
  }
});

test("S-278 it ends with the authorization, and the last answer is given as it is", async () => {
  const { response, receipt, waits, signed } = await call([pending("30")], {}, { maxTimeoutSeconds: 40 });
  assert.deepEqual([response.status, receipt.errorReason, signed.length], [503, "settlement_pending", 1]);
  assert.deepEqual(waits, [30]);
});

test("a pause is one that a server may ask for", async () => {
  const { waits } = await call([pending("0"), pending("86400"), pending("soon"), goods(PAID)]);
  assert.deepEqual(waits, [1, 30, 2]);
});

test("I9 a lost answer to a safe request is asked for with the same payment, a few times", async () => {
  const found = await call([lost, lost, goods(PAID)]);
  assert.deepEqual([found.response.status, found.waits, new Set(found.sent).size, found.signed.length], [200, [1, 2], 1, 1]);
  const gone = await call([lost]);
  assert.deepEqual([gone.error.code, gone.waits, gone.sent.length, gone.signed.length], ["payer_network_fault", [1, 2, 4], 4, 1]);
});

test("I9 a request that is not safe to repeat is not sent again by itself", async () => {
  const { error, waits, sent } = await call([lost, goods(PAID)], { method: "POST", body: "order" });
  assert.deepEqual([error.code, waits, sent.length], ["payer_network_fault", [], 1]);
});

test("somebody else's turn is waited for only where it is this call's own copy", async () => {
  const busy = raw("", { status: 409, headers: { "retry-after": "3" } });
  const first = await call([busy, goods(PAID)]);
  assert.deepEqual([first.response.status, first.waits], [409, []]);
  const copy = await call([lost, busy, goods(PAID)]);
  assert.deepEqual([copy.response.status, copy.waits, copy.signed.length], [200, [1, 3], 1]);
});

test("a caller's signal ends the waiting", async () => {
  const wallet = counting();
  const controller = new AbortController();
  const { fetch, calls } = answering(unpaid(terms([offer()])), pending("30"));
  const onStep = ({ step }) => step === "waiting" && controller.abort(new Error("enough"));
  const payer = await createPayer({ wallet, fetch, onStep });
  await assert.rejects(payer.fetch(TARGET, { signal: controller.signal }), { message: "enough" });
  assert.deepEqual([calls.length, wallet.signed.length], [2, 1]);
});
