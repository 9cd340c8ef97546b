// The payer's log: what it decided, sent and heard, for all tabs of this browser. All of it is what `payer.audit` says; this
// page adds nothing but the names of columns.
import { told } from "./advice.js";
import { setOut } from "./answer.js";
import { by, chip, exact, fill, h } from "./dom.js";
import { money, shortened, tokens } from "./format.js";
import { say } from "./result.js";
import { DECIMALS } from "./world.js";

/** Entries that are shown; older ones are counted. */
const SHOWN = 8;

const moods = { refused: "bad", failed: "bad", contradicted: "bad", released: "warn", reset: "warn", settled: "good", confirmed: "good" };

/** How an entry ended, at a glance. */
function mood({ event, success, consistent }) {
  if (event === "receipt") return success && consistent ? "good" : "warn";
  return moods[event] ?? "";
}

const time = (at) => new Date(at * 1000);

/** One entry: a line, and the whole of it folded below. `quote` is the entry that its payment began with. */
function row(entry, quote) {
  const { seq, at, event, code, reason, transaction, hash, previous } = entry;
  const { url, tokens: price, symbol } = { ...quote, ...entry };
  const outcome = [
    code && exact(code),
    transaction && h("span", { class: "mono", title: transaction }, shortened(transaction)),
    !code && reason && exact(reason),
  ];
  return h(
    "li",
    { "data-seq": seq },
    h(
      "details",
      {},
      h(
        "summary",
        {},
        h("time", { datetime: time(at).toISOString() }, time(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })),
        h("span", {}, chip(event, mood(entry))),
        h("span", { class: "what" }, url && exact(pathOf(url))),
        h("span", { class: "number" }, price && `${money(price)} ${symbol}`),
        h("span", { class: "outcome-of" }, outcome),
      ),
      h("p", { class: "wire" }, `Entry ${seq}, hash `, exact(hash), seq > 1 ? ", after " : ", the first, after ", exact(previous)),
      setOut(entry, `Entry ${seq}`),
    ),
  );
}

/** The path of a URL, since all that is sold here has one origin or two. */
const pathOf = (url) => (URL.canParse(url) ? new URL(url).pathname : url);

/** What was sent, by day and origin. */
function summaryOf(rows, asset) {
  const amount = (units, of) => (of.asset.toLowerCase() === asset.toLowerCase() ? `${tokens(units, DECIMALS)} ${of.symbol}` : `${units} units of ${of.asset}`);
  const heads = [["Day (UTC)"], ["Origin"], ["Payments", "number"], ["Sent", "number"], ["Confirmed", "number"]];
  const line = (of) =>
    h(
      "tr",
      {},
      h("td", { class: "day" }, of.day),
      h("td", {}, exact(of.origin)),
      h("td", { class: "number", "data-name": "Payments" }, of.payments),
      h("td", { class: "number", "data-name": "Sent" }, amount(of.amount, of)),
      h("td", { class: "number", "data-name": "Confirmed" }, amount(of.confirmed, of)),
    );
  return h(
    "table",
    {},
    h("caption", { class: "hidden" }, "By day and origin"),
    h("thead", {}, h("tr", {}, heads.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))),
    h("tbody", {}, rows.map(line)),
  );
}

/** The last file that was handed out; a browser may read it a while later. */
let handed;

/** Hands a text to the person as a file. */
function save(name, type, text) {
  URL.revokeObjectURL(handed);
  handed = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: handed, download: name }).click();
}

/** A store that holds lines of a log and no book, and keeps nothing. */
const copyOf = (lines) => ({
  update: async (decide) => void decide(),
  entries: async ({ from = 1, limit = lines.length } = {}) => lines.slice(from - 1, from - 1 + limit),
});

/** A digit of the latest entry that names an amount, or of the latest there is, as another digit. */
function changed(lines) {
  const priced = lines.findLastIndex((line) => line.includes('"amount":"'));
  const place = priced < 0 ? lines.length - 1 : priced;
  const [found, name, digit] = /"(amount)":"(\d)/.exec(lines[place]) ?? /"(at)":(\d)/.exec(lines[place]);
  const line = lines[place].replace(found, `${found.slice(0, -1)}${(Number(digit) + 1) % 10}`);
  const value = (text) => String(JSON.parse(text)[name]);
  return { lines: lines.with(place, line), said: `In entry ${JSON.parse(line).seq} of the copy, the ${name} ${value(lines[place])} became ${value(line)}` };
}

const counted = (count) => (count === 1 ? "1 entry" : `${count} entries`);

/**
 * Shows the log of a payer, and answers with `read()`, which shows what was added. `over(store)` makes a payer over another
 * store; `again()` begins a new book.
 */
export function offerLog(world, payer, over, again) {
  const { audit } = payer;
  /** How many entries were read. */
  let last = 0;
  /** What payments began with, by their names: later entries do not say it again. */
  const quotes = new Map();
  const place = by("entries");

  const begun = () => {
    fill(by("log-said"));
    by("verify").focus();
  };
  const failed = (error) => {
    const { code, sentence, next } = told(error);
    const anew = h("button", { type: "button", onclick: () => again().then(begun, failed) }, "Begin a new book");
    fill(by("log-said"), h("p", { class: "hint bad" }, sentence, ". ", next), h("p", {}, chip(code, "bad code")), ["payer_store_broken", "payer_log_broken"].includes(code) && anew);
    say(`${sentence}. Code ${code}.`);
  };

  /** Shows what was added. Entries are counted by their place: one that was changed may say any number. */
  async function more() {
    const fresh = await audit.entries({ from: last + 1 });
    last += fresh.length;
    for (const { id, url, tokens: price, symbol } of fresh) if (price) quotes.set(id, { url, tokens: price, symbol });
    if (fresh.length > 0) {
      place.prepend(...fresh.slice(-SHOWN).reverse().map((entry) => row(entry, quotes.get(entry.id))));
      while (place.children.length > SHOWN) place.lastElementChild.remove();
      fill(by("summary"), summaryOf(await audit.summary(), world.asset));
    }
    const older = last - place.children.length;
    by("summary").hidden = by("summary").querySelector("td") === null;
    by("log-count").textContent = last === 0 ? "Nothing yet" : counted(last);
    by("before").textContent = older > 0 ? `and ${older} before` : "";
    for (const id of ["verify", "reconcile", "tamper", "ndjson", "csv"]) by(id).setAttribute("aria-disabled", String(last === 0));
  }

  /** One reads at a time: what two read would be shown twice. */
  let turn = Promise.resolve();
  const read = () => {
    by("log").setAttribute("aria-busy", "true");
    turn = turn.then(more).catch(failed).then(() => by("log").setAttribute("aria-busy", "false"));
    return turn;
  };

  async function verify() {
    const count = await audit.verify();
    const sentence = `${counted(count)} hold${count === 1 ? "s" : ""} together: each is as it was written, and stands on the one before.`;
    fill(by("log-said"), h("p", {}, chip("Whole", "good"), " ", sentence));
    say(sentence);
  }

  /** Has the package hold every receipt against the chain that was not held against it before. */
  async function reconcile() {
    const known = last;
    await payer.reconcile();
    await read();
    const heard = await audit.entries({ from: known + 1 });
    const count = (...events) => heard.filter(({ event }) => events.includes(event)).length;
    const [yes, no] = [count("confirmed", "settled"), count("contradicted", "released")];
    const sentence = yes + no === 0 ? "The chain says nothing that is not in the log." : `The chain confirms ${yes} of them and contradicts ${no}.`;
    fill(by("log-said"), h("p", {}, sentence));
    say(sentence);
  }

  /** What the package says of a copy, before and after a digit of it is another. */
  async function tamper() {
    const lines = (await audit.export()).trimEnd().split("\n");
    const whole = await (await over(copyOf(lines))).audit.verify();
    const change = changed(lines);
    const verdict = await (await over(copyOf(change.lines))).audit.verify().then((count) => ({ count }), (error) => ({ error }));
    const { code, sentence } = verdict.error ? told(verdict.error) : { sentence: `${counted(verdict.count)} hold together` };
    fill(
      by("log-said"),
      h("p", {}, `As it was copied, ${counted(whole)} held together. ${change.said}, and the package says:`),
      h("p", { class: "hint bad" }, `${sentence}.`),
      h("p", {}, chip(code ?? "Unseen", "bad code")),
      h("p", { class: "note" }, "Your log is as it was."),
    );
    say(`${change.said}. ${sentence}.`);
  }

  const button = (id, work) => by(id).addEventListener("click", () => read().then(() => (last === 0 ? say("The log is empty.") : work())).catch(failed));
  button("verify", verify);
  button("reconcile", reconcile);
  button("tamper", tamper);
  button("ndjson", async () => save("x402-log.ndjson", "application/x-ndjson", await audit.export("ndjson")));
  button("csv", async () => save("x402-log.csv", "text/csv", await audit.export("csv")));
  // Other tabs write into the same log.
  document.addEventListener("visibilitychange", () => document.hidden || read());
  read();
  return { read };
}
