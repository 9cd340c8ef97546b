// The chain's word on everything that was signed in this visit: taken once, taken twice, not taken. Whatever breaks in
// between, this is what counts.
import { by, fill, h } from "./dom.js";
import { ask } from "./world.js";

/** topic 0 of AuthorizationUsed(address,bytes32), EIP-3009: one for every payment that moved. */
const USED = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5";

/** By nonce: who signed, and whether its answer has arrived, was not to be had, is still awaited (undefined), or is not wanted any more. */
const payments = new Map();

/** A payment leaves. The same one may leave again. */
export function signed({ from, nonce }) {
  if (!payments.has(nonce.toLowerCase())) payments.set(nonce.toLowerCase(), { from, answered: undefined });
}

/** A payment's call has ended; `answered` says whether what it buys has arrived, or that a person `stopped` it. */
export function ended(authorization, answered) {
  const known = authorization && payments.get(authorization.nonce.toLowerCase());
  if (known) known.answered = answered;
}

/** The block from which on the chain is asked. */
export const since = (world) => ask(world, "eth_blockNumber");

/** Asks the chain what became of them, and shows it. */
export async function prove(world, from) {
  if (payments.size === 0) return;
  const word = (address) => `0x${address.slice(2).toLowerCase().padStart(64, "0")}`;
  const payers = [...new Set([...payments.values()].map((one) => word(one.from)))];
  const filter = { address: world.asset, fromBlock: from, toBlock: "latest", topics: [USED, payers] };
  const [logs, block] = await Promise.all([ask(world, "eth_getLogs", [filter]), ask(world, "eth_blockNumber")]);
  const times = (nonce) => logs.filter(({ topics }) => topics[2] === nonce).length;
  const found = [...payments].map(([nonce, { answered }]) => ({ moved: times(nonce), answered }));
  const count = (test) => found.filter(test).length;
  draw(Number(block), [
    ["Signed", found.length, ""],
    ["Paid once", count(({ moved }) => moved === 1), "good"],
    ["Paid twice", count(({ moved }) => moved > 1), "bad"],
    ["Not taken", count(({ moved }) => moved === 0), ""],
    ["Lost", count(({ moved, answered }) => moved > 0 && answered === false), "bad"],
  ]);
}

function draw(block, counts) {
  by("proof").hidden = false;
  fill(
    by("proof"),
    h("dl", { class: "counts" }, counts.map(([name, count, mood]) => h("div", { class: count > 0 ? mood : "" }, h("dt", {}, name), h("dd", {}, count)))),
    h("p", { class: "note" }, `Counted on the chain up to block ${block}. Lost is what was paid and never answered, though nobody stopped it.`),
  );
}

/** Says that the chain could not be asked. */
export function unproven(error) {
  by("proof").hidden = false;
  fill(by("proof"), h("p", { class: "hint bad" }, `The chain could not be asked what became of the payments: ${error.message}.`));
}
