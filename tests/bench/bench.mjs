// The bench: ours against the reference packages, in turns, in one run.
//
//   node tests/bench/bench.mjs [--quick] [--peer-only] [--only size,crypto,cold,throughput] [--out <file>]
//
// Prints a table and writes rows {name, unit, ours, peer, ratio}; a ratio above 1 means ours is better. Absolute
// figures say something about this machine and hour only; the ratios are what to quote.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { pathOf } from "../interop/lib/process.mjs";
import { cold } from "./cold.mjs";
import { crypto } from "./crypto.mjs";
import { SIDES } from "./measure.mjs";
import { size } from "./size.mjs";
import { throughput } from "./throughput.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false }, // few rounds: to see that it runs, not to quote
    "peer-only": { type: "boolean", default: false }, // without our parts built
    only: { type: "string", default: "size,crypto,cold,throughput" },
    out: { type: "string", default: pathOf("../../target/bench.json", import.meta.url) },
  },
});
const sides = values["peer-only"] ? ["peer"] : SIDES;
const rounds = (usual) => (values.quick ? 1 : usual);

const parts = {
  size: () => size(sides),
  crypto: () => crypto(sides, { rounds: rounds(15), operations: values.quick ? 50 : 200 }),
  cold: () => cold(sides, { rounds: values.quick ? 3 : 15 }),
  throughput: () =>
    throughput(sides, { rounds: rounds(5), challenges: values.quick ? 2_000 : 20_000, payments: values.quick ? 500 : 3_000 }),
};

const shown = (value) => {
  if (value === null) return "–";
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
};

const rows = [];
const notes = [];
for (const name of values.only.split(",")) {
  if (!parts[name]) throw new Error(`no part of the bench is called ${name}`);
  process.stderr.write(`measuring ${name} …\n`);
  const found = await parts[name]();
  rows.push(...found.rows);
  if (found.note) notes.push(found.note);
}
await mkdir(dirname(values.out), { recursive: true });
await writeFile(values.out, `${JSON.stringify(rows, null, 2)}\n`);

const columns = ["figure", "unit", "ours", "peer", "ratio"];
const lines = rows.map(({ name, unit, ours, peer, ratio }) =>
  [name, unit, shown(ours), shown(peer), ratio === null ? "–" : `${ratio.toFixed(2)}×`]);
const widths = columns.map((column, i) => Math.max(column.length, ...lines.map((line) => line[i].length)));
const print = (line) => console.log(`| ${line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`);
print(columns);
print(widths.map((width) => "-".repeat(width)));
lines.forEach(print);
notes.forEach((note) => console.log(note));
