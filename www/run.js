// One run: the payer is asked, its steps are shown as it tells them, the answer is read to its end. Whatever happens, the
// page ends up with a heading that says it, and nothing the person typed or paid is forgotten.
import { createPayer, decodePaymentRequired } from "x402-wasm";

import { showAnswer } from "./answer.js";
import { money } from "./format.js";
import { explanation, open, receipt, refusal, say, steps } from "./result.js";
import { addPayment } from "./spend.js";
import { told } from "./advice.js";

/** The payer's steps in their order: its name for the end of each, what is shown then, and what is shown until then. */
const sequence = [
  ["challenge", "Asked, answered 402 with terms", "Asking"],
  ["decision", "Held against your limits, allowed", "Holding the terms against your limits"],
  ["signed", "Signed by the wallet", "Waiting for the wallet"],
  ["receipt", "Paid, settled, answered", "Paying: the gate checks, fetches and settles"],
  ["read", "Answer read", "Reading the answer"],
];

/** The end of the last step when the answer came and confirms no payment. */
const UNSETTLED = "Answered, nothing settled";

/** The list of steps of a run, drawn anew whenever one ends. */
function timeline(view) {
  const list = [];
  let since = performance.now();
  const draw = () => view.put("steps", steps(list));
  const begin = (index, detail) => list.push({ name: sequence[index][0], label: sequence[index][2], detail, state: "running" });
  const end = (state, label, at) => {
    const running = list.at(-1);
    if (running?.state !== "running") return;
    Object.assign(running, { state, label: label ?? running.label, ms: Math.max(0, at - since) });
    since = at;
  };
  begin(0);
  draw();
  return {
    /** The payer told that a step ended. `detail` is what the next one is about. */
    reached(name, at, { settled = true, detail } = {}) {
      const index = sequence.findIndex(([known]) => known === name);
      if (index < 0) return;
      end("done", settled ? sequence[index][1] : UNSETTLED, at);
      if (index + 1 < sequence.length) begin(index + 1, detail);
      draw();
    },
    /** The answer came without a payment. */
    free(status, at) {
      end("done", status === 402 ? "Asked, answered 402" : "Asked, answered without a price", at);
      begin(sequence.length - 1);
      draw();
    },
    fail() {
      end("failed", undefined, performance.now());
      draw();
    },
  };
}

/** The policy as the page sets it. The package refuses what it cannot read. */
export const payerOf = (wallet, cap, onStep) => createPayer({ wallet, policy: { maxPerPayment: cap }, onStep });

/** Shows what a request would cost and what the payer says to it, without paying. */
export async function seeOffer({ wallet, cap, route, url, init, signal }) {
  const view = open(route);
  say(`Asking for the offer of ${route.path}`);
  try {
    const payer = await payerOf(wallet, cap);
    const response = await fetch(url, { ...init, signal });
    const decision = await payer.explain(response);
    const offers = withTimes(decision.offers, response.headers.get("payment-required"));
    response.body?.cancel();
    view.label(`${response.status}`, response.status === 402 ? "" : "good");
    view.put("offer", explanation({ ...decision, offers }));
    say(`${decision.sentence}.`);
  } catch (error) {
    failed(view, error);
  }
}

/** How long each offer holds stands in the terms themselves. */
function withTimes(offers, header) {
  const { accepts = [] } = header ? decodePaymentRequired(header) : {};
  const times = accepts.length === offers.length ? accepts : [];
  return offers.map((offer, index) => ({ ...offer, maxTimeoutSeconds: times[index]?.maxTimeoutSeconds }));
}

function failed(view, error, sent) {
  const { code, sentence } = told(error);
  view.label(sent ? "Unclear" : "Refused", sent ? "warn" : "bad");
  view.put("refusal", refusal(error, sent));
  say(`${sentence}. Code ${code}.`);
}

/** Pays, if the payer does, and shows everything that comes of it. */
export async function payAndFetch({ wallet, cap, route, url, init, signal }) {
  const view = open(route);
  const times = timeline(view);
  let quote;
  let sent = false;
  say(`Asking for ${route.path}`);
  const onStep = ({ step, at, ...data }) => {
    if (step === "decision") quote = data.quote;
    if (step === "sent") sent = true;
    if (step === "signed") say("Signed. Paying.");
    if (step === "decision") say(data.quote.sentence);
    times.reached(step, at, { settled: data.receipt?.success, detail: data.quote?.sentence });
  };
  let response;
  let paid;
  try {
    const payer = await payerOf(wallet, cap, onStep);
    response = await payer.fetch(url, { ...init, signal });
    paid = payer.receipt(response);
    if (paid) {
      addPayment(route, paid);
      view.put("receipt", receipt(paid, quote));
    } else {
      times.free(response.status, performance.now());
    }
    view.label(`${response.status} ${response.statusText}`.trim(), response.ok ? "good" : "bad");
    say(spoken(response, paid));
  } catch (error) {
    times.fail();
    // A payment that left and was never answered may have moved: it stays on the list.
    if (sent && quote) addPayment(route, { ...quote, success: false, consistent: false, transaction: "" });
    failed(view, error, sent);
    return;
  }
  try {
    await showAnswer(view.place("answer"), response, () => {});
    times.reached("read", performance.now());
    say(`${spoken(response, paid)} The answer is complete.`);
  } catch (error) {
    times.fail();
    say(`The answer broke off: ${error.message}`);
  }
}

function spoken(response, paid) {
  if (!paid) return `Answered ${response.status}.`;
  const sum = `${money(paid.tokens)} ${paid.symbol}`;
  return paid.success ? `Paid ${sum}, answered ${response.status}.` : `Answered ${response.status}; the payment of ${sum} is not confirmed.`;
}
