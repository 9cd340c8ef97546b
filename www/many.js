// Many payments at once: how long they take, what they cost, what becomes of them, and whether the chain agrees.
import { X402Error, wrapFetchWithPayment } from "x402-wasm";

import { told } from "./advice.js";
import { latencies, percentile, spending } from "./chart.js";
import { chip, fill, h } from "./dom.js";
import { duration, sum, tokens } from "./format.js";
import { ended, signed } from "./proof.js";
import { open, say } from "./result.js";
import { payerOf } from "./run.js";
import { addPayments } from "./spend.js";
import { watching } from "./watch.js";
import { balance, DECIMALS } from "./world.js";

/** As many as a browser keeps connections to one server. */
const AT_ONCE = 6;

/** One of them: `{ outcome, ms, at, code, receipt }`. Its answer is read to the end, or it would hold its connection. */
async function one(payer, { url, init, signal, wishes }, began) {
  const start = performance.now();
  let payment;
  const send = watching((seen) => {
    payment = seen.payment?.authorization ?? payment;
    if (seen.payment) signed(payment);
  });
  const done = (outcome, code, receipt) => {
    ended(payment, signal.aborted ? "stopped" : outcome === "paid");
    const now = performance.now();
    return { outcome, code, receipt, ms: now - start, at: now - began };
  };
  try {
    const response = await wrapFetchWithPayment(send, payer)(url, { ...init, signal }, wishes);
    const receipt = payer.receipt(response);
    const body = await response.text();
    if (response.ok && receipt?.success) return done("paid", undefined, receipt);
    return done("failed", codeOf(body) ?? `status ${response.status}`, receipt);
  } catch (error) {
    const refused = error instanceof X402Error && payment === undefined;
    return done(refused ? "refused" : "failed", told(error).code);
  }
}

/** The code by which a gate says what is wrong. */
function codeOf(body) {
  try {
    const { error } = JSON.parse(body);
    return typeof error === "string" && /^\w{1,60}$/.test(error) ? error : undefined;
  } catch {
    return undefined;
  }
}

/** Pays `count` times, some at a time, and shows it as it happens. */
export async function fireMany({ world, wallet, address, policy, route, url, init, signal, wishes, count }) {
  const view = open(route);
  const place = view.place("many");
  const width = Math.max(280, place.clientWidth);
  const runs = Array.from({ length: count });
  view.label(`${count} payments`, "");
  say(`Firing ${count} payments.`);
  const before = await balance(world, address).catch(() => undefined);
  const payer = await payerOf(wallet, policy);
  const began = performance.now();
  let next = 0;
  let frame;
  const draw = (rest) => {
    frame = undefined;
    fill(place, summary(runs), charts(runs, count, width), codes(runs), rest);
  };
  const worker = async () => {
    while (next < count && !signal.aborted) {
      const index = next++;
      runs[index] = await one(payer, { url, init, signal, wishes }, began);
      frame ??= requestAnimationFrame(() => draw());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  cancelAnimationFrame(frame);
  const done = runs.filter(Boolean);
  if (done.length === 0) {
    view.label("Stopped", "warn");
    return;
  }
  addPayments(done.filter(({ receipt }) => receipt).map(({ receipt }) => ({ route, receipt })));
  const after = await balance(world, address).catch(() => undefined);
  draw(agreement(done, before, after));
  const counted = tally(done);
  view.label(`${counted.paid} of ${count} paid`, counted.paid === count ? "good" : "warn");
  say(`${counted.paid} paid, ${counted.refused} refused, ${counted.failed} failed.`);
}

const tally = (runs) => Object.fromEntries(["paid", "refused", "failed"].map((name) => [name, runs.filter(({ outcome }) => outcome === name).length]));

function summary(runs) {
  const done = runs.filter(Boolean);
  const sorted = done.map(({ ms }) => ms).sort((a, b) => a - b);
  const seconds = Math.max(...done.map(({ at }) => at)) / 1000;
  const counted = tally(done);
  const figures = [
    ["Paid", counted.paid, counted.paid > 0 ? "good" : ""],
    ["Refused", counted.refused, counted.refused > 0 ? "warn" : ""],
    ["Failed", counted.failed, counted.failed > 0 ? "bad" : ""],
    ["p50", duration(percentile(sorted, 0.5)), ""],
    ["p95", duration(percentile(sorted, 0.95)), ""],
    ["p99", duration(percentile(sorted, 0.99)), ""],
    ["A second", (done.length / seconds).toFixed(1), ""],
  ];
  return h("dl", { class: "counts" }, figures.map(([name, value, mood]) => h("div", { class: mood }, h("dt", {}, name), h("dd", {}, value))));
}

function charts(runs, count, width) {
  const paid = runs.filter((run) => run?.outcome === "paid").sort((a, b) => a.at - b.at);
  const spent = paid.map(({ at, receipt }) => ({ at, tokens: receipt.tokens }));
  return [latencies(runs, count, width), spent.length > 1 && spending(spent, paid[0].receipt.symbol, width)];
}

/** Why some were not paid, and how many. */
function codes(runs) {
  const found = new Map();
  for (const run of runs) if (run?.code) found.set(run.code, (found.get(run.code) ?? 0) + 1);
  return found.size > 0 && h("ul", { class: "codes" }, [...found].map(([code, times]) => h("li", {}, chip(code, "bad code"), ` × ${times}`)));
}

/** The receipts held against the payer's balance. Two exact sums are compared; nothing is decided by it. */
function agreement(runs, before, after) {
  if (before === undefined || after === undefined) return h("p", { class: "verdict" }, "The chain does not answer: the balance is not known.");
  const fell = tokens(before - after, DECIMALS);
  const said = sum(runs.filter(({ outcome }) => outcome === "paid").map(({ receipt }) => receipt.tokens));
  const same = fell === said;
  return h(
    "p",
    { class: same ? "agrees" : "agrees not", "data-agrees": String(same) },
    chip(same ? "The chain agrees" : "Look at this", same ? "good" : "warn"),
    ` Balance ${tokens(before, DECIMALS)} before, ${tokens(after, DECIMALS)} after: ${fell} less. The receipts say ${said}.`,
  );
}
