// The steps of a run as they happen, each with its time, and folded below it what was sent, signed or told.
import { exact, fill, h } from "./dom.js";
import { bytes, duration } from "./format.js";
import { setOut } from "./answer.js";

/** An empty list of steps. One runs at a time, the last. */
export function listSteps(place) {
  const list = h("ol", { class: "steps" });
  const rows = [];
  let since = performance.now();
  fill(place, h("h3", {}, "Steps"), list);
  const last = () => rows.at(-1);

  function label(row, text, state) {
    row.state = state;
    row.item.className = state;
    fill(row.did, text, state === "failed" && h("span", { class: "hidden" }, " failed"), row.detail && h("small", {}, row.detail));
  }

  /** A bar is as long as its share of the longest. */
  function scale() {
    const longest = Math.max(1, ...rows.map(({ ms }) => ms ?? 0));
    for (const row of rows) row.bar.style.setProperty("--share", String((row.ms ?? 0) / longest));
  }

  return {
    begin(name, text, detail) {
      const row = { name, detail, bar: h("i", {}), did: h("span", { class: "did" }), time: h("span", { class: "time" }, "…"), folds: h("div", { class: "folds" }) };
      const dot = h("span", { class: "dot", "aria-hidden": "true" });
      row.item = h("li", { "data-step": name }, dot, row.did, h("span", { class: "bar", "aria-hidden": "true" }, row.bar), row.time, row.folds);
      label(row, text, "running");
      rows.push(row);
      list.append(row.item);
    },
    /** The step that runs has ended: `done`, `open` (nobody knows) or `failed`. */
    end(state, text, at = performance.now()) {
      const row = last();
      if (row?.state !== "running") return;
      row.ms = Math.max(0, at - since);
      row.time.textContent = duration(row.ms);
      since = at;
      label(row, text ?? row.did.firstChild.textContent, state);
      scale();
    },
    /** It turned out that what runs has not begun, and that what ended before it is still open. */
    reopen(text) {
      rows.pop().item.remove();
      label(last(), text, "open");
    },
    running: (name) => last()?.state === "running" && last().name === name,
    /** Folds something below the last step of this name; what has this title already is replaced. */
    fold(name, title, ...children) {
      const row = rows.findLast((one) => one.name === name);
      if (!row) return undefined;
      const fold = h("details", { "data-fold": title }, h("summary", {}, title), children);
      const before = row.folds.querySelector(`[data-fold="${title}"]`);
      if (before) before.replaceWith(fold);
      else row.folds.append(fold);
      return fold;
    },
  };
}

/** A message of the protocol: the header it travelled in, and what it says. */
export function message({ header, text, message }) {
  return [
    h("p", { class: "wire" }, exact(header.toUpperCase()), ` ${bytes(text.length)} of base64, decoded:`),
    message ? setOut(without(message), `What ${header} says`) : h("p", { class: "hint" }, "It could not be read."),
  ];
}

/** The typed data of a signature with its hash. */
export function signedDocument({ typed, hash }) {
  return [h("p", { class: "wire" }, "EIP-712, hash ", exact(hash)), setOut(typed, "The typed data that was signed")];
}

/** The rules that made a decision: where no offer was chosen, each offer's own say why. */
export const trace = ({ rules: held, offers }) => (held.every(({ passed }) => passed) ? [...held, ...offers.filter(({ allowed }) => !allowed).flatMap((offer) => offer.rules)] : held);

/** Every rule the offer was held against. */
export function rules(list) {
  return h(
    "ul",
    { class: "rules" },
    list.map(({ rule, passed, sentence }) =>
      h(
        "li",
        { class: passed ? "passed" : "broken" },
        h("span", { class: "mark", "aria-hidden": "true" }, passed ? "✓" : "✗"),
        h("span", {}, exact(rule), h("span", { class: "hidden" }, passed ? " passed: " : " failed: ")),
        h("small", {}, sentence),
      ),
    ),
  );
}

/** A signature is as good as money until it expires: what is shown may be photographed. */
function without(message) {
  const { payload } = message;
  if (typeof payload?.signature !== "string") return message;
  return { ...message, payload: { ...payload, signature: `${payload.signature.slice(0, 10)}… (${(payload.signature.length - 2) / 2} bytes)` } };
}
