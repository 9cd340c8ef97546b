// From nothing to the first challenge: a fresh workerd process, its isolate, the gate's code, one request.
import { startEmpty, startSide } from "./gates.mjs";
import { row, takeTurns } from "./measure.mjs";

/** Milliseconds from the start of the process to the first answer, which must be a challenge. */
async function firstAnswer(start) {
  const worker = await start();
  try {
    const response = await fetch(`${worker.url}/quote`);
    await response.arrayBuffer();
    const milliseconds = Number(process.hrtime.bigint() - worker.spawned) / 1e6;
    if (response.status !== 402) throw new Error(`the first answer was ${response.status}: ${worker.log()}`);
    return milliseconds;
  } finally {
    await worker.stop();
  }
}

/** Rows for the first challenge, with and without what an empty Worker costs. */
export async function cold(sides, { rounds }) {
  const runs = { empty: () => firstAnswer(startEmpty) };
  for (const side of sides) runs[side] = () => firstAnswer(startSide[side]);
  await takeTurns(runs, 1); // brings the binary and both bundles into memory
  const { empty, ...found } = await takeTurns(runs, rounds);
  const rows = [row("fresh workerd process to first 402", "ms", found, "less")];
  const above = Object.fromEntries(Object.entries(found).map(([side, value]) => [side, value - empty]));
  if (Object.values(above).every((value) => value > 0)) {
    rows.push(row("the same above an empty Worker", "ms", above, "less"));
    return { rows, note: `an empty Worker's first answer: ${empty.toFixed(1)} ms` };
  }
  return { rows, note: "the machine was too busy to tell the gates' starts from an empty Worker's" };
}
