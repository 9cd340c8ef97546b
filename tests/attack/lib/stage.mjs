// The stage of the battery: an origin, a facilitator and a node that know which case each message belongs to, keep count
// of it, and do at each step what the case has in store for it. What the facilitator settles it settles on the real chain.
import { encodeFunctionData, keccak256, parseAbi, parseTransaction } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { receiptOf, rpc, transact } from "../../support/chain.mjs";
import { chain, freshKey } from "../../workerd/lib/gate.mjs";
import { startFacilitator, startNode, startOrigin } from "../../workerd/lib/servers.mjs";

const TOKEN = parseAbi([
  "function mint(address to, uint256 amount)",
  "function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)",
]);
const MULTICALL = parseAbi(["function aggregate3((address target, bool allowFailure, bytes callData)[] calls)"]);
const MULTICALL_AT = "0xcA11bde05977b3631167028862bE2a173976CA11";

/** What each payer has at first, and what everything costs, in atomic units. */
export const FUNDS = 1_000_000n;
export const PRICE = 10_000n;

/** Payers with test USDC, a hundred in a transaction. */
export async function payers(count) {
  const keys = Array.from({ length: count }, freshKey);
  for (let at = 0; at < count; at += 100) {
    const calls = keys.slice(at, at + 100).map((key) => {
      const data = encodeFunctionData({ abi: TOKEN, functionName: "mint", args: [privateKeyToAccount(key).address, FUNDS] });
      return { target: chain.asset, allowFailure: false, callData: data };
    });
    await transact(chain.rpc, { to: MULTICALL_AT, data: encodeFunctionData({ abi: MULTICALL, functionName: "aggregate3", args: [calls] }) });
  }
  return keys;
}

/** Waits for a transaction to be mined, however long that takes. */
export const mined = (hash) => receiptOf(chain.rpc, hash, Infinity);

/** The account that the facilitator of the stage sends from; it is the node's own. */
const sender = rpc(chain.rpc, "eth_accounts").then(([first]) => first);
let turn = Promise.resolve();

/**
 * Moves what an authorization says, as a facilitator does, and answers the transaction's hash when it is mined. `sent` hears
 * it at once: what is on chain is the case's, whatever becomes of the wait.
 */
async function move({ authorization: of, signature }, sent) {
  const args = [of.from, of.to, BigInt(of.value), BigInt(of.validAfter), BigInt(of.validBefore), of.nonce, signature];
  const data = encodeFunctionData({ abi: TOKEN, functionName: "transferWithAuthorization", args });
  const from = await sender;
  // One after another: two that are sent at once may be given one account nonce.
  const sending = turn.then(() => rpc(chain.rpc, "eth_sendTransaction", [{ from, to: chain.asset, data }]));
  turn = sending.catch(() => {});
  const hash = await sending;
  sent(hash);
  const { status } = await mined(hash);
  if (status !== "0x1") throw new Error(`transaction ${hash} reverted`);
  return hash;
}

/** A promise with its end in hand. */
const signal = () => Promise.withResolvers();

/**
 * One case on the stage. `plan` maps a step to what happens there the first time:
 * `(response, right) => unknown`, where `right()` says what a decent server would have said.
 */
export class Case {
  constructor(row, number, key) {
    Object.assign(this, row, { number, key });
    this.payer = privateKeyToAccount(key).address.toLowerCase();
    this.path = `/${row.policy}/${number}`;
    this.plan = { ...row.plan };
    /** Executions at the origin: how each ended. */
    this.executions = [];
    /**
     * Transactions that carry the authorization, the nonces of a relayer's account that they took (of those with one nonce
     * at most one is mined), and settlements that were asked of the facilitator.
     */
    this.transactions = new Set();
    this.nonces = new Set();
    this.settles = 0;
    /** What the client was answered, in turn. */
    this.answers = [];
    this.reached = signal();
    this.released = signal();
    this.moved = signal();
  }

  /** The step that the case waits at is reached. */
  reach() {
    this.isReached = true;
    this.reached.resolve();
  }

  /** What the case has in store for a step; once. */
  take(step) {
    const act = this.plan[step];
    delete this.plan[step];
    return act;
  }
}

/** Starts the servers. `find` finds a case by its payer or its path. */
export async function startStage() {
  const [byPayer, byNumber, byHash] = [new Map(), new Map(), new Map()];
  const [origin, facilitator, node, trap] = [await startOrigin(), await startFacilitator(), await startNode(chain.rpc), await startOrigin()];
  const stage = { origin, facilitator, node, trap, plans: [] };
  stage.add = (one) => {
    byPayer.set(one.payer.slice(2), one);
    byNumber.set(String(one.number), one);
  };
  stage.stop = () => Promise.all([origin, facilitator, node, trap].map((server) => server.stop()));

  origin.answer = async (request, response) => {
    origin.seen.length = 0; // each case keeps its own
    const one = byNumber.get(request.url.split("/")[2]);
    const execution = { method: request.method, end: "open" };
    one.executions.push(execution);
    response.on("close", () => (execution.end = execution.failed ? "failed" : response.writableFinished ? "whole" : "cut"));
    const right = () => {
      const body = `served ${request.method} ${request.url}`;
      response.writeHead(200, { "content-type": "text/plain", "content-length": body.length });
      response.end(body);
    };
    const act = one.take("origin");
    if (!act) return right();
    await act(response, right, one, execution, stage);
  };

  const settled = async (one, body) => {
    one.transaction ??= move(body.paymentPayload.payload, (hash) => one.transactions.add(hash));
    await one.transaction;
    one.moved.resolve();
    return one.transaction;
  };
  const endpoint = (step, right) => async (body, _, response) => {
    facilitator.asked.length = 0;
    const one = byPayer.get(body.paymentPayload.payload.authorization.from.slice(2).toLowerCase());
    if (step === "settle") one.settles += 1;
    const act = one.take(step);
    const say = () => right(one, body);
    return act ? act(response, say, one) : say();
  };
  facilitator.say["/verify"] = endpoint("verify", (one) => ({ isValid: true, payer: one.payer }));
  facilitator.say["/settle"] = endpoint("settle", async (one, body) => ({
    success: true,
    payer: one.payer,
    transaction: await settled(one, body),
    network: body.paymentRequirements.network,
  }));

  node.meddle = async (calls, response) => {
    node.batches.length = node.sent.length = 0;
    const { step, one } = recognise(calls);
    const act = step === "plan" ? stage.plans.shift() : one?.take(step);
    const right = async () => {
      const answer = await fetch(chain.rpc, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(calls) });
      const replies = await answer.json();
      if (step === "send") for (const { params } of calls) byHash.get(keccak256(params[0])).moved.resolve();
      return replies;
    };
    const said = act ? await act(response, right, one, calls) : await right();
    return said === undefined ? null : said;
  };

  /** Which case and which step a batch belongs to. */
  function recognise(calls) {
    const methods = new Set(calls.map(({ method }) => method));
    const text = JSON.stringify(calls).toLowerCase();
    if (methods.has("eth_getTransactionReceipt")) {
      const asked = calls.filter(({ method }) => method === "eth_getTransactionReceipt").map(({ params }) => byHash.get(params[0]));
      return { step: "receipt", one: new Set(asked).size === 1 ? asked[0] : undefined };
    }
    const found = [...text.matchAll(/0{24}([0-9a-f]{40})/g)].map(([, address]) => byPayer.get(address)).find(Boolean) ?? payerIn(text);
    if (methods.has("eth_sendRawTransaction")) {
      for (const { params } of calls) {
        const one = payerIn(params[0].toLowerCase());
        const hash = keccak256(params[0]);
        one.transactions.add(hash);
        one.nonces.add(parseTransaction(params[0]).nonce ?? 0);
        byHash.set(hash, one);
      }
      return { step: "send", one: found };
    }
    if (methods.has("eth_getLogs")) return { step: "search", one: found };
    if (text.includes('"finalized"')) return { step: "standing", one: found };
    return found ? { step: "verify", one: found } : { step: "plan" };
  }

  function payerIn(text) {
    for (const [payer, one] of byPayer) if (text.includes(payer)) return one;
    return undefined;
  }
  return stage;
}

/** What each payer has, in one batch for a hundred. */
export async function balances(cases) {
  const found = [];
  for (let at = 0; at < cases.length; at += 100) {
    const calls = cases.slice(at, at + 100).map(({ payer }, id) => ({
      jsonrpc: "2.0",
      id,
      method: "eth_call",
      params: [{ to: chain.asset, data: `0x70a08231${payer.slice(2).padStart(64, "0")}` }, "latest"],
    }));
    const answer = await fetch(chain.rpc, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(calls) });
    const replies = (await answer.json()).sort((a, b) => a.id - b.id);
    found.push(...replies.map(({ result }) => BigInt(result)));
  }
  return found;
}

/** Mines blocks without the clock going on, so that what was final later is final now. */
export const finalise = () => rpc(chain.rpc, "anvil_mine", ["0x46", "0x0"]);
