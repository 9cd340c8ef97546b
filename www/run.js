// One run: the payer is asked, its steps are shown as it tells them, the answer is read to its end. Whatever happens, the
// page ends up with a heading that says it, and nothing the person typed or paid is forgotten.
import { createPayer } from "x402-wasm";

import { told } from "./advice.js";
import { showAnswer } from "./answer.js";
import { facts, exact } from "./dom.js";
import { money, network } from "./format.js";
import { ended, signed } from "./proof.js";
import { askedAgain, explanation, open, receipt, refusal, say } from "./result.js";
import { addPayments } from "./spend.js";
import { listSteps, message, rules, signedDocument, trace } from "./steps.js";
import { document, watching } from "./watch.js";

/** The steps of a run as the payer tells them and as its messages pass by. */
function timeline(view) {
  const steps = listSteps(view.place("steps"));
  steps.begin("challenge", "Asking");
  /** What the payer told, by the step's name. */
  const tells = {
    challenge(at) {
      steps.end("done", "Asked, answered 402 with terms", at);
      steps.begin("decision", "Holding the terms against your limits");
    },
    decision(at, { quote }) {
      steps.end("done", "Held against your limits, allowed", at);
      steps.fold("decision", "Every rule", rules(quote.rules));
      steps.fold("decision", "The quote", quoted(quote));
      steps.begin("signed", "Waiting for the wallet", quote.sentence);
      say(quote.sentence);
    },
    signed(at) {
      steps.end("done", "Signed by the wallet", at);
      steps.begin("receipt", "Paying: the gate checks, fetches and settles");
      say("Signed. Paying.");
    },
    sent(at) {
      if (!steps.running("waiting")) return;
      steps.end("done", "Waited", at);
      steps.begin("receipt", "Sending the same payment again");
    },
    receipt(at, { receipt }) {
      if (receipt.success) steps.end("done", "Paid, settled, answered", at);
      else steps.end("open", "Answered, nothing settled", at);
      steps.begin("read", "Reading the answer");
    },
    waiting(at, { seconds }) {
      if (steps.running("read")) steps.reopen("Answered: nobody knows yet whether it settled");
      else steps.end("open", "The answer was lost", at);
      steps.begin("waiting", `Pending. In ${seconds} s the same payment is sent again`);
      say("Pending: the same payment is sent again, no second one is signed.");
    },
  };
  return {
    told: ({ step, at, ...data }) => tells[step]?.(at, data),
    saw({ terms, payment, settlement }) {
      if (terms && steps.running("challenge")) steps.fold("challenge", "The terms", message(terms));
      if (settlement) steps.fold("receipt", "The settlement", message(settlement));
      if (!payment) return;
      if (payment.message?.accepted) steps.fold("signed", "What was signed", signedDocument(document(payment)));
      steps.fold("receipt", "The header sent", message(payment));
    },
    /** The answer came without a payment. */
    free(status) {
      steps.end("done", status === 402 ? "Asked, answered 402" : "Asked, answered without a price");
      steps.begin("read", "Reading the answer");
    },
    read: () => steps.end("done", "Answer read"),
    fail: () => steps.end("failed"),
    /** Which rules passed and which did not; this is what one looks for, so it is open. */
    refused: (list) => steps.fold("decision", "Every rule", rules(list)).setAttribute("open", ""),
  };
}

/** A quote as facts. */
const quoted = ({ tokens, symbol, asset, network: id, payTo, validBefore }) =>
  facts([
    ["Price", `${money(tokens)} ${symbol}`],
    ["Paid to", exact(payTo)],
    ["Network", network(id)],
    ["Asset", exact(asset)],
    ["Good until", new Date(Number(validBefore) * 1000).toLocaleTimeString()],
  ]);

/** A payer with the policy as the page sets it; all of them share one book and one log. The package refuses what it cannot read. */
export const payerOf = (wallet, policy, more) => createPayer({ wallet, policy, store: "indexeddb", ...more });

/** Shows what a request would cost and what the payer says to it, without paying. `seen` is told where, and the offer that would be paid. */
export async function seeOffer({ wallet, policy, route, url, init, signal, wishes, seen }) {
  const view = open(route);
  say(`Asking for the offer of ${route.path}`);
  try {
    const payer = await payerOf(wallet, policy);
    const response = await fetch(url, { ...init, signal });
    // An offer that was seen before is what a payment is held to, and not what one sees now.
    const decision = await payer.explain(response, undefined, wishes?.quote ? undefined : wishes);
    response.body?.cancel();
    view.label(`${response.status}`, response.status === 402 ? "" : "good");
    view.put("offer", explanation(decision));
    seen(url, decision.offers[decision.chosen]);
    say(`${decision.sentence}.`);
  } catch (error) {
    failed(view, error);
  }
}

function failed(view, error, sent) {
  const { code, sentence } = told(error);
  view.label(sent ? "Unclear" : "Refused", sent ? "warn" : "bad");
  view.put("refusal", refusal(error, sent));
  say(`${sentence}. Code ${code}.`);
}

/** Pays, if the payer does, and shows everything that comes of it. */
export async function payAndFetch({ wallet, policy, route, url, init, signal, wishes, prove }) {
  const view = open(route);
  const times = timeline(view);
  let payer;
  let quote;
  let sent;
  let terms;
  say(`Asking for ${route.path}`);
  const onStep = (step) => {
    if (step.step === "decision") quote = step.quote;
    times.told(step);
    if (step.step === "waiting") prove();
  };
  const fetch = watching((seen) => {
    sent = seen.payment ?? sent;
    terms = seen.response ?? terms;
    if (seen.payment) signed(seen.payment.authorization);
    times.saw(seen);
  });
  let response;
  let paid;
  try {
    payer = await payerOf(wallet, policy, { onStep, fetch });
    response = await payer.fetch(url, { ...init, signal }, wishes);
    paid = payer.receipt(response);
    if (paid) {
      addPayments([{ route, receipt: paid }]);
      view.put("receipt", receipt(paid, quote));
    } else {
      times.free(response.status);
    }
    if (paid && response.status === 402) view.put("offer", askedAgain(await payer.explain(response)));
    view.label(`${response.status} ${response.statusText}`.trim(), response.ok ? "good" : "bad");
    say(spoken(response, paid));
  } catch (error) {
    times.fail();
    if (terms && !quote) await payer.explain(terms, undefined, wishes).then((decision) => times.refused(trace(decision)), () => {});
    // A payment that left and was never answered may have moved: it stays on the list.
    if (sent && quote) addPayments([{ route, receipt: { ...quote, success: false, consistent: false, transaction: "" } }]);
    ended(sent?.authorization, signal.aborted ? "stopped" : false);
    failed(view, error, sent !== undefined);
    return;
  }
  try {
    await showAnswer(view.place("answer"), response, () => {});
    times.read();
    ended(sent?.authorization, response.ok);
    say(`${spoken(response, paid)} The answer is complete.`);
  } catch (error) {
    times.fail();
    ended(sent?.authorization, signal.aborted ? "stopped" : false);
    say(`The answer broke off: ${error.message}`);
  }
}

function spoken(response, paid) {
  if (!paid) return `Answered ${response.status}.`;
  const sum = `${money(paid.tokens)} ${paid.symbol}`;
  return paid.success ? `Paid ${sum}, answered ${response.status}.` : `Answered ${response.status}; the payment of ${sum} is not confirmed.`;
}
