// The table of the battery: every step of a paid request, every fault there, for every policy, method and facilitator.
// A row says which faults of the list it shows (`ids`), what happens at which step (`plan`), and how it may end (`ends`):
//
//   paid       200 with what was bought, and the price moved once
//   receipt    410 with the receipt: paid, and what was bought is not there any more
//   abandoned  502: nothing moved and nothing will
//   refused    402: nothing moved and nothing will
//   unpaid     served in advance, as the policy allows, and nothing moved
import { afterwards, LIES_AFTER, LIES_BEFORE, ORIGIN, WIRE } from "./faults.mjs";
import { mined } from "./stage.mjs";

const POLICIES = ["after", "before", "optimistic"];
const METHODS = ["GET", "POST"];

/** The number of a wire fault in the list, by the step it strikes at. */
const idsAt = (step, name) => {
  if (name === "redirect") return ["F-14"];
  if (step === "verify") return ["hang", "reset", "429", "500", "503"].includes(name) ? ["F-01"] : ["F-02"];
  if (name === "429") return ["F-08"];
  if (name === "reset" || name === "hangs up in the middle") return ["F-06"];
  return [];
};

let turn = 0;

/** Each fault for each policy and method; where there is no chain to ask, for one method in turns. */
function* spread(facilitators, row) {
  for (const facilitator of facilitators) {
    for (const policy of POLICIES) {
      const methods = facilitator === "alone" ? [METHODS[(turn += 1) % 2]] : METHODS;
      for (const method of methods) yield { facilitator, policy, method, ...row(facilitator, policy, method) };
    }
  }
}

/** The end of a payment's time that is waited for, in seconds. */
const soon = (facilitator) => (facilitator === "alone" ? undefined : 60);

/** How a settlement ends that another facilitator never made and that it did not deny. */
function neverMade(facilitator, policy) {
  // Without a chain to ask, it is asked again, and makes it.
  if (facilitator === "alone") return ["paid"];
  return policy === "optimistic" ? ["unpaid"] : ["refused"];
}

function* ofVerification() {
  for (const [fault, act] of Object.entries(WIRE)) {
    yield* spread(["remote"], () => ({ step: "verify", fault, ids: idsAt("verify", fault), plan: { verify: act }, ends: ["paid"] }));
    yield* spread(["embedded"], () => ({ step: "verify", fault, ids: ["F-15"], plan: { verify: act }, ends: ["paid"] }));
  }
  const refuses = (_response, _right, one) => {
    one.plan.verify = refuses; // and does so again
    return { isValid: false, invalidReason: "invalid_exact_evm_insufficient_balance" };
  };
  yield* spread(["remote"], () => ({ step: "verify", fault: "refuses", ids: ["F-03"], plan: { verify: refuses }, ends: ["refused"] }));
}

function* ofRemoteSettlement() {
  const both = ["remote", "alone"];
  for (const [name, act] of Object.entries(WIRE)) {
    const turnedAway = name === "429";
    if (name !== "twice") {
      const fault = `${name}, before it acts`;
      const ids = [...idsAt("settle", name), "F-04"];
      yield* spread(both, (facilitator, policy) => ({
        step: "settle", fault, ids, turnedAway, plan: { settle: act }, expires: turnedAway ? undefined : soon(facilitator),
        ends: turnedAway ? ["paid"] : neverMade(facilitator, policy),
      }));
    }
    const after = { step: "settle", fault: `${name}, after it acted`, ids: [...idsAt("settle", name), "F-05"], turnedAway };
    yield* spread(both, () => ({ ...after, plan: { settle: afterwards(act) }, ends: ["paid"] }));
  }
  for (const [name, act] of Object.entries(LIES_AFTER)) {
    const ids = name === "pending" ? ["F-07"] : ["F-09"];
    yield* spread(both, () => ({ step: "settle", fault: `moved, and says ${name}`, ids, plan: { settle: act }, ends: ["paid"] }));
  }
  for (const [name, act] of Object.entries(LIES_BEFORE)) {
    const ids = name.startsWith("pending") ? ["F-07"] : ["F-09"];
    yield* spread(both, (facilitator, policy) => ({
      step: "settle", fault: `not moved, and says ${name}`, ids, plan: { settle: act }, expires: soon(facilitator), ends: neverMade(facilitator, policy),
    }));
  }
  const fails = () => ({ success: false, errorReason: "invalid_exact_evm_insufficient_balance", transaction: "", network: "eip155:84532" });
  yield* spread(both, (_, policy) => ({
    step: "settle", fault: "fails", ids: ["F-03"], plan: { settle: fails }, ends: policy === "optimistic" ? ["unpaid"] : ["refused"],
  }));
}

const rpcError = (message) => () => [{ jsonrpc: "2.0", id: 0, error: { code: -32000, message } }];
/** What is right, but for receipts, which nobody has yet. */
const nothing = async (_response, right, _one, calls) => {
  const receipts = new Set(calls.filter(({ method }) => method === "eth_getTransactionReceipt").map(({ id }) => id));
  return (await right()).map((reply) => (receipts.has(reply.id) ? { ...reply, result: null } : reply));
};

function* ofEmbeddedSettlement() {
  for (const [name, act] of Object.entries(WIRE)) {
    if (name !== "twice") {
      yield* spread(["embedded"], () => ({ step: "send", fault: `${name}, before it acts`, ids: ["F-16"], plan: { send: act }, ends: ["paid"] }));
    }
    yield* spread(["embedded"], () => ({ step: "send", fault: `${name}, after it acted`, ids: ["F-16"], plan: { send: afterwards(act) }, ends: ["paid"] }));
    yield* spread(["embedded"], () => ({ step: "receipt", fault: name, ids: ["F-18"], plan: { receipt: act }, ends: ["paid"] }));
  }
  // Whatever a node says of a transaction that is mined, the transaction counts and no second one is made. For it to be
  // mined none before it may be missing: these have an account of their own.
  for (const message of ["already known", "nonce too low", "replacement transaction underpriced"]) {
    const act = async (_response, right, one) => {
      await right();
      await mined([...one.transactions].at(-1));
      return rpcError(message)();
    };
    yield* spread(["embedded"], () => ({ step: "send", fault: `"${message}", after it acted`, ids: ["F-17"], apart: "orderly", plan: { send: act }, ends: ["paid"] }));
  }
  yield* spread(["embedded"], () => ({ step: "send", fault: '"txpool is full"', ids: ["F-15"], turnedAway: true, plan: { send: rpcError("txpool is full") }, ends: ["paid"] }));
  // Longer than a request waits: it is pending, and the alarm finds it.
  const late = () => {
    let until;
    const act = (response, right, one, calls) => {
      until ??= Date.now() + 24_000;
      if (Date.now() < until) one.plan.receipt = act;
      return Date.now() < until ? nothing(response, right, one, calls) : right();
    };
    return act;
  };
  yield* spread(["embedded"], () => ({ step: "receipt", fault: "missing for long", ids: ["F-18"], plan: { receipt: late() }, ends: ["paid"] }));
}

/** The questions before a transaction say nothing of a payment: these cases have a gate of their own, one after another. */
function* ofPlans() {
  for (const fault of ["hang", "reset", "429", "500", "redirect", "html", "empty", "wrong schema", "large", "twice"]) {
    for (const policy of ["after", "before"]) {
      for (const method of METHODS) {
        yield { facilitator: "embedded", alone: true, policy, method, step: "plan", fault, ids: ["F-15"], plans: [WIRE[fault]], plan: {}, ends: ["paid"] };
      }
    }
  }
}

/** How a case ends whose origin was asked and never answered. */
function unanswered(policy, method) {
  if (method === "GET") return ["paid"];
  return policy === "before" ? ["receipt"] : ["abandoned"];
}

function* ofOrigins() {
  for (const [fault, { act, lost = false, unkept = false }] of Object.entries(ORIGIN)) {
    const ids = lost ? ["F-33", "F-34"] : unkept || fault.startsWith("dribbles") ? ["F-36"] : fault === "500" || fault === "503" ? ["F-33"] : ["F-35"];
    yield* spread(["remote", "embedded"], (_, policy, method) => ({
      step: "origin", fault, ids, unkept, plan: { origin: act }, ends: lost ? unanswered(policy, method) : unkept && method === "POST" ? ["paid", "receipt"] : ["paid"],
    }));
  }
  yield* spread(["remote"], (_, policy, method) => ({
    step: "origin", fault: "hang", ids: ["F-33", "F-36"], plan: { origin: () => {} }, ends: unanswered(policy, method),
  }));
}

/** Waits at a step until it is released; `then` says whether the right answer follows. */
const holds = (then) => async (_response, right, one) => {
  one.reach();
  await one.released.promise;
  return then ? right() : undefined;
};
const actsAndHolds = async (_response, right, one) => {
  const said = await right();
  one.reach();
  await one.released.promise;
  return said;
};

/**
 * The client leaves at a step; what was begun comes to its end, and the retry gets the answer. Where the runtime cuts
 * everything that the client left behind, leases and alarms bring it to an end.
 */
function* ofClients() {
  const leaves = { verify: { verify: holds(true) }, origin: { origin: holds(true) } };
  const remote = { ...leaves, "settle, before it acts": { settle: holds(true) }, "settle, after it acted": { settle: actsAndHolds } };
  const embedded = { ...leaves, "send, before it acts": { send: holds(true) }, "send, after it acted": { send: actsAndHolds }, receipt: { receipt: holds(true) } };
  for (const [facilitator, stages] of Object.entries({ remote, embedded })) {
    for (const [step, plan] of Object.entries(stages)) {
      yield* spread([facilitator], (_, policy) => {
        // Who is served in advance is gone before the settlement begins.
        const served = policy === "optimistic" && !["verify", "origin"].includes(step);
        return { step, fault: "the client leaves", ids: ["F-31"], leaves: !served, plan, ends: ["paid"] };
      });
      yield* spread([facilitator], (_, policy, method) => {
        const served = policy === "optimistic" && !["verify", "origin"].includes(step);
        const ends = step === "origin" ? unanswered(policy, method) : ["paid"];
        return { step, fault: "the client leaves and all is cut", ids: ["F-41"], leaves: !served, apart: "cut", plan, expires: 290, ends };
      });
    }
  }
}

/** The process is killed at a step and started again on the same storage. `own` cases need a process of their own. */
function* ofKills() {
  const fault = "the process is killed";
  yield* spread(["remote", "alone", "embedded"], () => ({
    step: "verify", fault, ids: ["F-39"], kill: "step", plan: { verify: holds(false) }, expires: 290, ends: ["paid"],
  }));
  yield* spread(["remote", "alone", "embedded"], (_, policy, method) => ({
    step: "origin", fault, ids: ["F-39"], kill: "step", plan: { origin: holds(false) }, expires: 290, ends: unanswered(policy, method),
  }));
  yield* spread(["remote", "alone"], (facilitator, policy) => ({
    step: "settle, before it acts", fault, ids: ["F-39", "F-04"], kill: "step", plan: { settle: holds(false) }, expires: soon(facilitator),
    ends: neverMade(facilitator, policy),
  }));
  yield* spread(["remote", "alone"], () => ({
    step: "settle, after it acted", fault, ids: ["F-39", "F-05"], kill: "step", plan: { settle: actsAndHolds }, ends: ["paid"],
  }));
  for (const turns of [0, 1, 4]) {
    // Whom it hits while the origin works already is told so.
    yield* spread(["remote", "alone"], (_, policy, method) => ({
      step: `settle, ${turns} turns after its answer`, fault, ids: ["F-39", "F-32"], kill: `late-${turns}`, turns, plan: { settle: actsAndHolds },
      ends: method === "POST" && policy === "before" ? ["paid", "receipt"] : ["paid"],
    }));
  }
  yield* spread(["embedded"], () => ({ step: "receipt", fault, ids: ["F-39"], kill: "step", plan: { receipt: holds(false) }, ends: ["paid"] }));
  for (const policy of POLICIES) {
    for (const [at, step, plan] of [["GET", "send, before it acts", holds(false)], ["POST", "send, after it acted", actsAndHolds]]) {
      yield { facilitator: "embedded", policy, method: at, step, fault, ids: ["F-39", "F-16"], kill: `${step} ${policy}`, plan: { send: plan }, ends: ["paid"] };
    }
    const plans = [holds(false)];
    yield { facilitator: "embedded", policy, method: "POST", step: "plan", fault, ids: ["F-39"], kill: `plan ${policy}`, plans, plan: {}, ends: ["paid"] };
  }
}

/** Every row. */
export const rows = () => [
  ...ofVerification(), ...ofRemoteSettlement(), ...ofEmbeddedSettlement(), ...ofPlans(), ...ofOrigins(), ...ofClients(), ...ofKills(),
];
