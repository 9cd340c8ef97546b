// Requests per second of each gate on one core: challenges, and paid requests.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { pathOf } from "../interop/lib/process.mjs";
import { startSide } from "./gates.mjs";
import { CORES, cpuSeconds, median, row, SIDES } from "./measure.mjs";
import { challenge, paidRequests, request } from "./payments.mjs";

const CONNECTIONS = 32;
const LOAD = pathOf("load.mjs", import.meta.url);

/** What is measured beside the two sides, for paid requests only. */
const BESIDE = ["proxy", "bare"];

/** Drives a port with the generator and answers what it counted. */
async function drive(port, requests, times) {
  const child = spawn("taskset", ["-c", String(CORES.load), process.execPath, LOAD], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify({ port, connections: CONNECTIONS, requests, times }));
  return JSON.parse(await text(child.stdout));
}

/** One measurement: wall and processor time of answering all requests with one status, which is checked. */
async function measure(gate, requests, times, status) {
  const before = await cpuSeconds(gate.pid);
  const { seconds, statuses } = await drive(Number(new URL(gate.url).port), requests, times);
  const count = requests.length * times;
  if (statuses[status] !== count) throw new Error(`expected ${count} answers of ${status}, got ${JSON.stringify(statuses)}`);
  return { perSecond: count / seconds, cpuMicros: ((await cpuSeconds(gate.pid)) - before) * 1e6 / count };
}

/**
 * Both gates, in turns.
 * @param {string[]} sides which of {@link SIDES} to measure
 * @param {{rounds: number, challenges: number, payments: number}} size
 * @returns {Promise<{rows: object[]}>}
 */
export async function throughput(sides, { rounds, challenges, payments }) {
  const gates = {};
  const all = [...sides, ...BESIDE];
  try {
    for (const side of all) {
      gates[side] = await startSide[side]();
      if (side !== "bare") await challenge(`${gates[side].url}/quote`);
    }
    const found = Object.fromEntries([...SIDES, ...BESIDE].map((side) => [side, { challenge: [], paid: [] }]));
    for (let round = 0; round <= rounds; round += 1) {
      for (const side of all) {
        const url = `${gates[side].url}/quote`;
        // Outside the clock, and fresh: a gate remembers them. One side offers nothing, and reads no payment.
        const paid = await paidRequests(side === "bare" ? `${gates.proxy.url}/quote` : url, payments);
        const figures = {
          ...(!BESIDE.includes(side) && { challenge: await measure(gates[side], [request(url)], challenges, 402) }),
          paid: await measure(gates[side], paid, 1, 200),
        };
        if (round === 0) continue; // warms both up alike
        for (const [kind, figure] of Object.entries(figures)) found[side][kind].push(figure);
      }
    }
    const value = (side, kind, key) => median(found[side][kind].map((figure) => figure[key]));
    const values = (kind, key) => Object.fromEntries(sides.map((side) => [side, value(side, kind, key)]));
    const against = (side, key) => ({ ...values("paid", key), peer: value(side, "paid", key) });
    const rows = [
      row("402 challenges, raw workerd, one core", "requests/s", values("challenge", "perSecond"), "more"),
      row("processor time of a challenge", "µs", values("challenge", "cpuMicros"), "less"),
      row("paid requests, raw workerd, one core, facilitator stubbed", "requests/s", values("paid", "perSecond"), "more"),
      row("processor time of a paid request", "µs", values("paid", "cpuMicros"), "less"),
      row("paid requests, the peer in front of the same origin", "requests/s", against("proxy", "perSecond"), "more"),
      row("processor time of a paid request, the peer in front of the same origin", "µs", against("proxy", "cpuMicros"), "less"),
      row("paid requests, the platform alone: the same requests and writes, nothing decided", "requests/s", against("bare", "perSecond"), "more"),
      row("processor time of a paid request, the platform alone", "µs", against("bare", "cpuMicros"), "less"),
    ];
    return { rows };
  } finally {
    for (const gate of Object.values(gates)) await gate.stop();
  }
}
