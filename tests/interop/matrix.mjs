// The interop matrix: every client pays every gate whose protocol version it shares, for real, on the local chain.
//
//   X402_WORLD='{"gate":…,"rpc":…}' node tests/interop/matrix.mjs [--only <words>] [--out <file>]
//
// Prints a table, writes the rows {client, gate, facilitator, scheme, result, moved} and ends with 1 when a cell failed.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { balanceOf, transfersIn } from "../support/chain.mjs";
import { world as worldFromEnv } from "../support/world.mjs";
import { clients } from "./clients.mjs";
import { gates } from "./gates.mjs";
import { pathOf } from "./lib/process.mjs";

/** One price for all gates: `$0.01` of a token with six decimals. */
export const PRICE = { money: "$0.01", atomic: 10_000n };

/** The cells that must pay: a pair is absent only where the two speak no common version. */
export function cells() {
  return gates.flatMap((gate) =>
    clients
      .filter((client) => client.versions.some((version) => gate.versions.includes(version)))
      .map((client) => ({ client, gate, name: `${client.name} → ${gate.name}, facilitator ${gate.facilitator}` })));
}

/**
 * Runs one cell: a payment, judged by the chain.
 * @param {object} world the local world's description
 * @param {object} cell one of {@link cells}
 * @param {{url: string, settlements?: () => Promise<number>}} gate the running gate of that cell
 * @returns {Promise<object>} its row; `result` is `paid` or says what went wrong
 */
export async function run(world, { client, gate: { name, facilitator } }, gate) {
  const balances = async () => ({
    payer: await balanceOf(world.rpc, world.asset, world.payer.address),
    payTo: await balanceOf(world.rpc, world.asset, world.payTo),
  });
  const settled = gate.settlements ?? (async () => undefined);
  const [before, settledBefore] = [await balances(), await settled()];
  let outcome;
  try {
    outcome = await client.pay({ url: `${gate.url}/quote`, world });
  } catch (error) {
    outcome = { ok: false, error: String(error?.message ?? error) };
  }
  const [after, settledAfter] = [await balances(), await settled()];
  const moved = after.payTo - before.payTo;
  let problem = fault(outcome, before.payer - after.payer, moved);
  if (problem === undefined && settledAfter !== undefined && settledAfter - settledBefore !== 1) {
    problem = `the facilitator over HTTP settled ${settledAfter - settledBefore} times`;
  }
  if (problem === undefined) {
    problem = await transferFault(world, outcome.receipt.transaction).catch((error) => error.message);
  }
  return {
    client: client.name,
    gate: name,
    facilitator,
    scheme: "exact",
    result: problem === undefined ? "paid" : `failed: ${problem}`,
    moved: moved.toString(),
  };
}

/** Why a cell's answer or balances are not those of one payment; nothing when they are. */
function fault(outcome, spent, earned) {
  if (!outcome.ok) return outcome.error;
  if (outcome.status !== 200) return `status ${outcome.status}: ${outcome.body.slice(0, 200)}`;
  if (outcome.receipt?.success !== true) return `no receipt of success: ${JSON.stringify(outcome.receipt)}`;
  if (spent !== PRICE.atomic) return `the payer spent ${spent}`;
  if (earned !== PRICE.atomic) return `payTo earned ${earned}`;
  return undefined;
}

/** Why the receipt's transaction is not this payment's; nothing when it is. */
async function transferFault({ rpc, asset, payer, payTo }, transaction) {
  const expected = { asset, from: payer.address, to: payTo, value: PRICE.atomic };
  const found = await transfersIn(rpc, transaction);
  const same = ([transfer, ...others]) =>
    others.length === 0 && ["asset", "from", "to"].every((key) => transfer?.[key] === expected[key].toLowerCase()) &&
    transfer.value === expected.value;
  return same(found) ? undefined : `transaction ${transaction} holds other transfers than the payment`;
}

/** Runs many cells, each gate started once, one payment at a time so that balances tell them apart. */
export async function runAll(world, chosen, report = () => {}) {
  const rows = [];
  try {
    for (const gate of new Set(chosen.map((cell) => cell.gate))) {
      const running = await gate.start(world, PRICE.money).catch((error) => ({ error }));
      try {
        for (const cell of chosen.filter((one) => one.gate === gate)) {
          const row = running.error
            ? { ...emptyRow(cell), result: `failed: ${running.error.message}` }
            : await run(world, cell, running);
          rows.push(row);
          report(row);
        }
      } finally {
        await running.stop?.();
      }
    }
  } finally {
    for (const client of clients) await client.close?.();
  }
  return rows;
}

const emptyRow = ({ client, gate }) =>
  ({ client: client.name, gate: gate.name, facilitator: gate.facilitator, scheme: "exact", moved: "0" });

/** The rows as a table for people. */
export function table(rows) {
  const columns = ["client", "gate", "facilitator", "scheme", "result", "moved"];
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => row[column].length)));
  const line = (cellsOfLine) => `| ${cellsOfLine.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(columns), line(widths.map((width) => "-".repeat(width))), ...rows.map((row) => line(columns.map((c) => row[c])))]
    .join("\n");
}

async function main() {
  const { values } = parseArgs({
    options: { only: { type: "string", default: "" }, out: { type: "string", default: pathOf("../../target/interop.json", import.meta.url) } },
  });
  const chosen = cells().filter(({ name }) => values.only.split(",").every((word) => name.includes(word)));
  if (chosen.length === 0) throw new Error(`no cell matches ${values.only}`);
  const rows = await runAll(worldFromEnv(), chosen, ({ client, gate, result }) => console.error(`${client} → ${gate}: ${result}`));
  await mkdir(dirname(values.out), { recursive: true });
  await writeFile(values.out, `${JSON.stringify(rows, null, 2)}\n`);
  console.log(table(rows));
  process.exitCode = rows.every(({ result }) => result === "paid") ? 0 : 1;
}

if (process.argv[1] === pathOf("matrix.mjs", import.meta.url)) await main();
