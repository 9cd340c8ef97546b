// What this visit has cost: the receipts that the package gave, in the order they came.
import { by, chip, exact, fill, h } from "./dom.js";
import { money, shortened, sum } from "./format.js";

const payments = [];

/** Rows that are shown; older ones are counted. */
const SHOWN = 8;

/** Adds `{ route, receipt }`, in the order they came, and draws the list anew. */
export function addPayments(list) {
  if (list.length === 0) return;
  for (const one of list) payments.unshift({ at: new Date(), ...one });
  draw();
}

function outcome({ success, consistent }) {
  if (success && consistent) return chip("paid", "good");
  return success ? chip("paid, check it", "warn") : chip("not confirmed", "warn");
}

function row({ at, route, receipt }) {
  const transaction = receipt.transaction ? h("span", { class: "mono", title: receipt.transaction }, shortened(receipt.transaction)) : "none";
  return h(
    "tr",
    {},
    h("td", { class: "when" }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })),
    h("td", {}, exact(`${route.method} ${route.path}`)),
    h("td", { class: "number" }, `${money(receipt.tokens)} ${receipt.symbol}`),
    h("td", { class: "hash" }, transaction),
    h("td", {}, outcome(receipt)),
  );
}

/** Sums by symbol; what no receipt confirms is counted beside, since it may have moved. */
function totals(receipts) {
  const symbols = [...new Set(receipts.map(({ symbol }) => symbol))];
  return symbols.map((symbol) => `${sum(receipts.filter((one) => one.symbol === symbol).map(({ tokens }) => tokens))} ${symbol}`).join(" + ");
}

function draw() {
  const receipts = payments.map(({ receipt }) => receipt);
  const paid = totals(receipts.filter(({ success }) => success));
  const open = totals(receipts.filter(({ success }) => !success));
  fill(by("total"), paid || "0.00", open && h("small", {}, `and ${open} not confirmed`));
  by("total").classList.remove("none");
  const heads = [["Time", "when"], ["Request"], ["Amount", "number"], ["Transaction", "hash"], ["Outcome"]];
  fill(
    by("payments"),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, heads.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))),
      h("tbody", {}, payments.slice(0, SHOWN).map(row)),
    ),
    payments.length > SHOWN && h("p", { class: "note" }, `and ${payments.length - SHOWN} before`),
  );
}
