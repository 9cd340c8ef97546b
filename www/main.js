// The page's wiring: who pays, up to how much, for what. What may be paid, what is signed and what an answer is worth is
// decided by the package; nothing here looks at an amount to decide.
import { told } from "./advice.js";
import { offerBudget, readPolicy, showSpent } from "./budget.js";
import { by, fill } from "./dom.js";
import { cents, network } from "./format.js";
import { drawHold, offerHold, seen, wishes } from "./hold.js";
import { offerLog } from "./log.js";
import { fireMany } from "./many.js";
import { prove, since, unproven } from "./proof.js";
import { say } from "./result.js";
import { offerRoutes, program, request } from "./routes.js";
import { payAndFetch, payerOf, seeOffer } from "./run.js";
import { offerSwitches } from "./switches.js";
import { offerWallets, showAccount } from "./wallets.js";
import { readWorld } from "./world.js";

const state = {
  payer: undefined,
  route: undefined,
  policy: readPolicy(),
  modes: { node: "normal", origin: "normal", gate: "normal" },
  running: undefined,
};
const limitHint = by("cap-hint").textContent;

async function begin(world) {
  by("place").textContent = `Local world · ${network(world.network)} · test money`;
  const demo = { privateKey: world.payer.privateKey };
  const draw = () => (by("program").textContent = program(world, state));
  const from = await since(world);

  offerHold(state, draw);
  offerRoutes(world, (route) => {
    state.route = route;
    drawHold(state);
    by("fire").setAttribute("aria-disabled", String(route.price === null));
    draw();
  });
  offerWallets(world, {
    chosen(payer) {
      state.payer = payer;
      showAccount(world, payer);
      say(payer ? `${payer.name} pays.` : "The wallet went away.");
      note("");
      draw();
    },
    failed(error, name) {
      const { code, sentence, next } = told(error);
      note(`${name} did not connect: ${sentence} (${code}). ${next}`);
    },
  });

  /** The package itself says whether a limit can be read, and what is left of it. */
  let asked = 0;
  async function limit() {
    state.policy = readPolicy();
    const now = (asked += 1);
    const outcome = await payerOf(demo, state.policy).then((payer) => payer.spent()).then((budgets) => ({ budgets }), (error) => ({ fault: told(error) }));
    if (now !== asked) return; // the controls have moved on
    const { budgets, fault } = outcome;
    if (budgets) showSpent(budgets);
    by("cap").setAttribute("aria-invalid", String(fault !== undefined));
    by("cap-hint").classList.toggle("bad", fault !== undefined);
    by("cap-hint").textContent = fault ? `${fault.sentence}. ${fault.next}` : limitHint;
    draw();
  }
  by("cap").addEventListener("input", limit);
  for (const [id, change] of [["cap-less", -1], ["cap-more", 1]]) {
    by(id).addEventListener("click", () => {
      by("cap").value = cents(by("cap").value, change) ?? by("cap").value;
      say(`Limit ${by("cap").value}`);
      limit();
    });
  }

  async function again() {
    await payerOf(demo, {}).then((payer) => payer.reset());
    say("A new book: nothing is spent.");
    await Promise.all([limit(), log.read()]);
  }
  offerBudget({
    changed: limit,
    again: () => again().then(() => by("budget").focus()),
  });
  const log = offerLog(world, await payerOf(demo, {}, { rpc: { [world.network]: world.rpc } }), (store) => payerOf(demo, {}, { store }), again);
  /** What the chain and the log say now. */
  const proven = () => Promise.all([prove(world, from).catch(unproven), log.read()]);

  /** Runs one thing at a time; what was typed and chosen stays as it is. */
  async function run(work, more = {}) {
    if (state.running) return;
    state.running = new AbortController();
    busy(true);
    const { url, init } = request(world, state);
    const wallet = state.payer?.wallet ?? demo;
    try {
      await work({ wallet, policy: state.policy, route: state.route, url, init, signal: state.running.signal, wishes: wishes(state), prove: proven, ...more });
      await proven();
      if (state.policy.budgets) await limit();
    } finally {
      state.running = undefined;
      busy(false);
      await showAccount(world, state.payer);
    }
  }
  function busy(on) {
    for (const id of ["pay", "offer", "fire"]) by(id).setAttribute("aria-disabled", String(on || (id === "fire" && state.route.price === null)));
    by("result").setAttribute("aria-busy", String(on));
    by("stop").hidden = !on;
  }

  by("request").addEventListener("submit", (event) => {
    event.preventDefault();
    if (state.payer || state.route.price === null) return void run(payAndFetch);
    note("Choose who pays first: a wallet, or the demo key.");
    by("wallets").querySelector("button").focus();
  });
  by("offer").addEventListener("click", () => {
    const { route } = state;
    run(seeOffer, { seen: (url, offer) => (seen(state, route, url, offer), draw()) });
  });
  by("stop").addEventListener("click", () => {
    state.running?.abort();
    by("pay").focus();
  });
  by("fire").addEventListener("click", () => {
    const count = Number(by("count").value);
    if (state.route.price === null) return say("What is free needs no payments: choose a route with a price.");
    run(fireMany, { world, wallet: demo, address: world.payer.address, count });
  });
  // Windows roll: what is left of a budget grows by itself.
  setInterval(() => state.policy.budgets && !state.running && !document.hidden && limit(), 5000);
  await offerSwitches(world, state, draw);
  document.documentElement.dataset.ready = "";
}

/** A sentence beside the wallets. */
function note(sentence) {
  by("wallets-note").textContent = sentence;
  by("wallets-note").hidden = sentence === "";
}

readWorld().then(begin).catch((error) => {
  fill(by("fault"), `The local world could not be read: ${error.message}. Start it with cargo xtask serve and reload.`);
  by("fault").hidden = false;
});
