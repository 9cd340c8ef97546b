// A budget for all payments together, and what is left of it: both are the package's own, kept where all tabs see them.
import { by, fill, h } from "./dom.js";
import { money } from "./format.js";

/** The policy as the controls say it. What it means is the package's business. */
export function readPolicy() {
  const cents = Number(by("budget").value);
  const max = `$${(cents / 100).toFixed(2)}`;
  const per = by("per").value === "minute" ? 60 : by("per").value;
  return { maxPerPayment: by("cap").value.trim(), ...(cents > 0 && { budgets: [{ max, per }] }) };
}

/** Tells of every change; `again()` begins a new book. */
export function offerBudget({ changed, again }) {
  const draw = () => {
    const [budget] = readPolicy().budgets ?? [];
    const words = budget ? budget.max : "none";
    by("budget-said").textContent = words;
    by("budget").setAttribute("aria-valuetext", words);
    by("per").disabled = budget === undefined;
  };
  for (const id of ["budget", "per"]) {
    by(id).addEventListener("input", () => {
      draw();
      changed();
    });
  }
  by("again").addEventListener("click", again);
  draw();
}

/** Shows what a payer says of its budgets: what counts against each, and what is left. */
export function showSpent(budgets) {
  by("spent").hidden = budgets.length === 0;
  fill(
    by("spent-said"),
    budgets.map(({ max, spent, left }) => {
      const bar = h("i", {});
      bar.style.setProperty("--share", String(Math.min(1, Number(spent) / Number(max.replace("$", "")))));
      return [h("span", { class: "bar", "aria-hidden": "true" }, bar), h("p", { class: "note" }, `$${money(spent)} spent, $${money(left)} left`)];
    }),
  );
}
