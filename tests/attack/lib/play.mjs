// Plays the rows: gates of their own for each kind of case, many cases at once, a client that presents one payment until
// it is answered for good.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { privateKeyToAccount } from "viem/accounts";

import { gateService } from "../../interop/lib/gate.mjs";
import { startWorkerd } from "../../interop/lib/workerd.mjs";
import { rpc } from "../../support/chain.mjs";
import { chain, config, embedded, freshRelayer, remote } from "../../workerd/lib/gate.mjs";
import { challenge, header, payment, seconds } from "../../workerd/lib/pay.mjs";
import { read } from "./judge.mjs";
import { balances, Case, finalise, payers, startStage } from "./stage.mjs";

const ROUTES = ["after", "before", "optimistic"].flatMap((policy) =>
  ["GET", "POST"].map((method) => ({
    match: `${method} /${policy}/:number`,
    price: "$0.01",
    settle: policy === "optimistic" ? { optimistic: "$1" } : policy,
  })));

/** Gates that settle themselves send one transaction after another; several have several accounts. One is in a hurry. */
const EMBEDDED = 4;
const EAGER = "embedded 0";
/** How many cases one gate is given at once, and how long one may take, in seconds. */
const AT_ONCE = { embedded: 32, remote: 240, alone: 96 };
const PATIENCE = Number(process.env.X402_PATIENCE ?? 240);
/** How long a case may take to the step that it is killed at, and all of them together, in seconds. */
const REACH = 60;
const BATTERY = 540;
let over;

/**
 * The client is a Worker in the gate's own runtime, which notices at once that it leaves; other requests pass through it.
 */
const CLIENT = `export default { async fetch(request, env) {
  const stage = request.headers.get("x-leaves");
  if (!stage) return env.GATE.fetch(request);
  const gone = new AbortController();
  const headers = new Headers(request.headers);
  headers.delete("x-leaves");
  const { method } = request;
  const body = method === "POST" ? await request.text() : undefined;
  const answer = env.GATE.fetch(request.url, { method, headers, body, signal: gone.signal });
  answer.catch(() => {});
  await Promise.race([fetch(stage), answer.catch(() => {})]);
  gone.abort();
  return new Response(await answer.then(() => "answered", () => "gone"));
} }`;

/** The gate's entry for a runtime that gives nothing any time after its client has left. */
async function cutEntry({ path }) {
  const source = await readFile(path, "utf8");
  const cut = source.replaceAll(/\b(?:context|ctx)\.waitUntil\(/g, "void (");
  if (cut === source || cut.includes("waitUntil")) throw new Error("the gate does not ask for time as it did");
  return { name: "index.mjs", type: "esModule", text: cut };
}

/**
 * A gate of the battery, which can be started again on what it has kept. `eager` ones replace what is not mined at once;
 * `cut` ones get no time for what nobody waits for.
 */
async function gateOf(facilitator, stage, { client = false, storage, eager, cut }) {
  const others = remote(stage.facilitator);
  const own = eager ? { ...embedded, bumpAfter: 4 } : embedded;
  const network = { embedded: own, remote: { ...others, rpc: ["secret:RPC_URL"] }, alone: others }[facilitator];
  const relayer = await freshRelayer();
  const vars = { RPC_URL: stage.node.url, RELAYER_KEY: relayer };
  const service = gateService(config(stage.origin, network, ROUTES), vars);
  if (cut) service.modules[0] = await cutEntry(service.modules[0]);
  const visitor = { name: "client", modules: [{ name: "client.mjs", type: "esModule", text: CLIENT }], services: { GATE: "gate" } };
  const start = () => startWorkerd(client ? [visitor, service] : [service], { storage });
  const gate = { stage, running: await start() };
  gate.again = async () => {
    process.kill(gate.running.pid, "SIGKILL");
    await gate.running.stop();
    gate.running = await start();
  };
  return gate;
}

const steps = async (count) => {
  for (let i = 0; i < count; i += 1) await rpc(chain.rpc, "eth_chainId");
};

/** Presents the payment once. */
async function ask(one, gate, more = {}) {
  const init = { method: one.method, redirect: "manual", headers: { ...header(one.paid), ...more } };
  if (one.method === "POST") init.body = `order ${one.number}`;
  return fetch(`${gate.running.url}${one.path}`, { ...init, signal: AbortSignal.timeout(120_000) });
}

async function sign(one, gate) {
  const required = await challenge(`${gate.running.url}${one.path}`, one.method === "POST" ? { method: "POST", body: "x" } : {});
  const validBefore = String(seconds() + (one.expires ?? 280));
  one.paid = await payment(required, one.key, { authorization: { validBefore } });
  one.until = Number(validBefore);
}

const END = { ledger_abandoned: "abandoned", ledger_answer_gone: "receipt" };

/** How an answer ends a case; nothing if it does not. */
function endOf({ status, content, code }) {
  if (content) return "paid";
  if (END[code]) return END[code];
  return status === 402 ? "refused" : undefined;
}

/** Ends when it has taken too long. */
const late = (of) => new Promise((resolve) => AbortSignal.timeout(of * 1000).addEventListener("abort", resolve));

let finality;

/** Makes what the chain says now final; once in a while is enough for all. */
function mature() {
  if (!finality || Date.now() > finality.at + 5000) finality = { at: Date.now(), done: finalise() };
  return finality.done;
}

/** Presents the same payment until it is answered for good. */
async function insist(one, gate) {
  const deadline = Math.min(Date.now() + PATIENCE * 1000, over);
  while (Date.now() < deadline) {
    const response = await ask(one, gate).catch(() => undefined);
    if (!response) continue;
    const answer = await read(response);
    one.answers.push(answer);
    one.end = endOf(answer);
    if (one.end) return;
    // Its time is over: what the chain says now it says for good.
    if (one.expires && seconds() > one.until + 1) await mature();
  }
  one.end = "open";
}

/** After its end: what was bought is there again, and what was refused stays so. */
async function settleDown(one, gate) {
  if (one.ends.includes("unpaid")) {
    one.end = one.end === "paid" ? "unpaid" : one.end;
    return;
  }
  if (one.end !== "paid") return;
  // What is settled later is settled without anybody asking.
  if (one.policy === "optimistic") await Promise.race([one.moved.promise, late(PATIENCE)]);
  const again = await read(await ask(one, gate));
  one.answers.push(again);
  const gone = one.unkept && again.code === "ledger_answer_gone";
  const pending = one.policy === "optimistic" && again.code === "settlement_pending";
  if (!again.content && !gone && !pending) one.again = `${again.status} ${again.code}`;
}

async function play(one, gate) {
  one.elsewhere = gate.stage.trap.url;
  one.beat = () => steps(8);
  await sign(one, gate);
  if (one.leaves) {
    const left = ask(one, gate, { "x-leaves": `${gate.stage.waits.url}/${one.number}` });
    one.left = await (await left).text();
    one.released.resolve();
  } else {
    one.released.resolve();
  }
  await insist(one, gate);
  await settleDown(one, gate);
}

/** So many at once, in order. */
async function pool(cases, size, work) {
  const queue = [...cases];
  const worker = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      await work(one).catch((error) => (one.broke = String(error.stack)));
    }
  };
  await Promise.all(Array.from({ length: Math.min(size, queue.length) }, worker));
}

/** All cases of a gate reach their steps; it is killed and started again; their clients insist. */
async function playKilled(cases, gate) {
  for (const one of cases) if (one.plans) gate.stage.plans.push(...one.plans.map((act) => (response, right) => act(response, right, one)));
  await pool(cases, cases.length, (one) => sign(one, gate));
  // A machine that is busy may fail a request before it comes to its step.
  const approach = async (one) => {
    while (!one.isReached && !one.answers.some(({ content }) => content)) await ask(one, gate).then(read).then((answer) => one.answers.push(answer), () => {});
  };
  const cut = cases.map(approach);
  await Promise.race([Promise.all(cases.map((one) => one.reached.promise)), late(REACH)]);
  for (const one of cases) if (!one.isReached) one.broke = "its step was never reached";
  const { turns } = cases[0];
  if (turns !== undefined) {
    for (const one of cases) one.released.resolve();
    await steps(turns);
  }
  await gate.again();
  for (const one of cases) one.released.resolve();
  await Promise.all(cut);
  await pool(cases, cases.length, async (one) => {
    await insist(one, gate);
    await settleDown(one, gate);
  });
}

/** Plays all rows and judges nothing. */
export async function playAll(rows, tell) {
  over = Date.now() + BATTERY * 1000;
  const keys = await payers(rows.length);
  const cases = rows.map((row, number) => new Case(row, number + 1, keys[number]));
  const groups = new Map();
  const embeddedTurn = { next: 0 };
  for (const one of cases) {
    const shared = one.apart ? `${one.facilitator}, ${one.apart}` : one.facilitator === "embedded" ? `embedded ${(embeddedTurn.next = (embeddedTurn.next + 1) % EMBEDDED)}` : one.facilitator;
    const name = one.kill ? `${one.facilitator} killed at ${one.kill}` : one.alone ? `plans, ${one.policy}` : one.leaves ? `${shared}, client` : shared;
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  const began = Date.now();
  await Promise.all([...groups].map(async ([name, members]) => {
    const stage = await startStage();
    for (const one of members) stage.add(one);
    stage.waits = stage.trap;
    const [{ facilitator, kill, alone, leaves, apart }] = members;
    const storage = kill ? await mkdtemp(join(tmpdir(), "objects-")) : undefined;
    if (leaves) {
      // Who leaves asks here when it is time.
      stage.trap.answer = async (request, response) => {
        await members.find(({ number }) => `/${number}` === request.url)?.reached.promise;
        response.end();
      };
    }
    const gate = await gateOf(facilitator, stage, { client: leaves, storage, eager: name === EAGER, cut: apart === "cut" });
    try {
      if (kill) await playKilled(members, gate);
      else if (alone) await pool(members, 1, (one) => (stage.plans.push(...one.plans), play(one, gate)));
      else await pool(sorted(members), AT_ONCE[facilitator], (one) => play(one, gate));
      for (const one of members) one.log = gate.running.log().slice(-500);
      if (!leaves && stage.trap.seen.length > 0) members[0].broke = "a redirect was followed";
    } finally {
      await gate.running.stop();
      await stage.stop();
      if (storage) await rm(storage, { recursive: true, force: true });
      tell(`${name}: ${members.length} cases, ${((Date.now() - began) / 1000).toFixed(0)} s`);
    }
  }));
  return { cases, balances: await balances(cases) };
}

/** What takes long goes first. */
const sorted = (cases) => [...cases].sort((a, b) => slow(b) - slow(a));
const slow = ({ expires, fault }) => (expires ? 2 : 0) + (/hang|long/.test(fault) ? 1 : 0);

/** The address of a payer, for reports. */
export const addressOf = ({ key }) => privateKeyToAccount(key).address;
