// What a run shows, part by part: heading, steps, offer, receipt, refusal. The answer has a file of its own.
import { by, chip, exact, facts, fill, h, show } from "./dom.js";
import { money, network, span } from "./format.js";
import { told } from "./advice.js";
import { rules, trace } from "./steps.js";

/** Says a sentence to those who listen instead of looking. */
export const say = (sentence) => (by("status").textContent = sentence);

/** Empties the result for a new run of this route and answers the places of its parts, in order. */
export function open(route) {
  const part = (name) => h("div", { class: `part at-${name}`, id: `part-${name}`, hidden: true });
  const parts = ["refusal", "offer", "receipt", "many", "answer", "steps"].map(part);
  const title = h("h2", { id: "result-title" }, exact(`${route.method} ${route.path}`));
  fill(by("result"), title, parts);
  const places = Object.fromEntries(parts.map((place) => [place.id.slice("part-".length), place]));
  show(by("result"));
  return {
    label: (text, mood) => fill(title, exact(`${route.method} ${route.path}`), chip(text, mood)),
    put(name, ...children) {
      places[name].hidden = false;
      fill(places[name], ...children);
    },
    place(name) {
      places[name].hidden = false;
      return places[name];
    },
  };
}

const price = ({ tokens, symbol, amount, asset }) => (tokens && symbol ? `${money(tokens)} ${symbol}` : `${amount} units of ${asset}`);

/** What `payer.explain` said: the decision, then every offer with the policy's word on it. */
export function explanation({ wouldPay, sentence, reason, offers, unread, chosen, rules: held }) {
  const asked = wouldPay ? held : trace({ rules: held, offers });
  const box = (offer, index) =>
    h(
      "div",
      { class: "box" },
      facts([
        ["Price", h("b", {}, price(offer))],
        ["Network", network(offer.network)],
        ["Paid to", exact(offer.payTo)],
        ["Asset", h("span", {}, offer.symbol && `${offer.symbol} `, exact(offer.asset))],
        ["Scheme", offer.scheme],
        ["Holds for", offer.maxTimeoutSeconds !== undefined && span(offer.maxTimeoutSeconds)],
      ]),
      offer.allowed
        ? chip(index === chosen ? "Your limits allow it" : "Allowed, but another is chosen", "good")
        : [chip(offer.reason, "bad code"), offers.length > 1 && h("p", { class: "hint" }, capital(offer.sentence))],
    );
  return [
    h("p", { class: "verdict" }, sentence, "."),
    offers.map(box),
    asked.length > 0 && [h("h3", { class: "below" }, "Every rule"), rules(asked)],
    wouldPay && h("p", { class: "hint" }, "Hold the payment to it, and a dearer price, another asset or another recipient is refused."),
    unread > 0 && h("p", { class: "hint" }, `${unread} more could not be read.`),
    !wouldPay && reason && h("p", { class: "hint" }, told({ code: reason }).next),
  ];
}

/** A payee that was paid for and asks for more: what it wants now. Nothing is signed for it. */
export function askedAgain({ offers }) {
  return [
    h("h3", {}, "Asked again, after the payment"),
    h("p", { class: "verdict" }, `Now it wants ${offers.map(price).join(" or ")}. One call pays once: nothing more was signed.`),
  ];
}

const capital = (text = "") => text.charAt(0).toUpperCase() + text.slice(1);

/** What was paid, as the package holds it against what was signed. */
export function receipt(paid, quote) {
  const good = paid.success && paid.consistent;
  const word = good ? "Paid" : paid.success ? "Paid, but the receipt does not fit what was signed" : "Signed, not confirmed";
  return h(
    "div",
    { class: good ? "receipt" : "receipt warn", role: "group", "aria-label": "Receipt" },
    h("p", { class: "paid" }, h("span", { class: "sum" }, `${money(paid.tokens)} ${paid.symbol}`), h("span", { class: "word" }, word)),
    facts([
      ["To", exact(paid.payTo)],
      ["From", exact(paid.payer)],
      ["Network", network(paid.network)],
      ["Transaction", paid.transaction ? exact(paid.transaction) : "none named"],
      ["Reason", paid.errorReason],
      ["Consistent", paid.consistent ? "Yes: it agrees with what was signed" : "No: compare it with the chain"],
    ]),
    !paid.success && h("p", { class: "hint" }, openUntil(quote)),
  );
}

/** A signature that nobody confirmed stays good until it expires. */
function openUntil({ validBefore }) {
  const time = new Date(Number(validBefore) * 1000).toLocaleTimeString();
  return `The signature is good until ${time}; after that nothing can be taken with it. Your balance is read from the chain.`;
}

/** A refusal or a failure: what, the code, and what to do next. */
export function refusal(error, signed) {
  const { code, sentence, next } = told(error);
  return h(
    "div",
    { class: "refusal", role: "group", "aria-label": "Refused" },
    h("p", { class: "sentence" }, sentence, /[.!?]$/.test(sentence) ? "" : "."),
    h("p", {}, signed ? "A payment was signed. Whether it moved, your balance says: it is read from the chain." : "Nothing was signed and nothing moved.", " ", next),
    h("p", {}, chip(code, "bad code")),
  );
}
