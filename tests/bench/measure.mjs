// How figures are made: ours and the peer's take turns within one run, medians are compared, never single runs.
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";

export const SIDES = ["ours", "peer"];

/** The middle value; the mean of the two middle ones of an even number. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * Runs the sides in turns and answers the median of each.
 * @param {Record<string, (() => Promise<number>) | undefined>} runs side → one measurement
 * @param {number} rounds
 * @returns {Promise<Record<string, number | undefined>>}
 */
export async function takeTurns(runs, rounds) {
  const found = Object.fromEntries(Object.keys(runs).map((side) => [side, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [side, run] of Object.entries(runs)) if (run) found[side].push(await run());
  }
  return Object.fromEntries(Object.entries(found).map(([side, values]) => [side, values.length ? median(values) : undefined]));
}

/**
 * A row of the table. `ratio` above 1 means ours is better, whichever way the unit points.
 * @param {string} name
 * @param {string} unit
 * @param {{ours?: number, peer: number}} values
 * @param {"less" | "more"} better which of two values is the better one
 */
export function row(name, unit, { ours, peer }, better) {
  const ratio = ours === undefined ? null : better === "less" ? peer / ours : ours / peer;
  return { name, unit, ours: ours ?? null, peer, ratio };
}

/** Cores for the measured process and for what drives it: apart where the machine has two, for both sides alike. */
export const CORES = availableParallelism() > 1 ? { server: 0, load: 1 } : { server: 0, load: 0 };

/** Processor seconds a process has used so far, all its threads together (from /proc, in ticks of 10 ms). */
export async function cpuSeconds(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the command's name may hold spaces
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
