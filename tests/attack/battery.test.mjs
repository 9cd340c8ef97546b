// The hostile battery: whatever fails, hangs, lies, leaves or is killed at whichever step of a paid request, for every
// settle policy, for a facilitator of our own and for others. Each case is a row of lib/rows.mjs; lib/judge.mjs holds it
// to the promises. All of it takes little longer than the longest lease, two and a half minutes.
// X402_ROWS picks rows by words of their names, a+b for both and !a for those without it; X402_IDS those of some numbers.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { judge } from "./lib/judge.mjs";
import { playAll } from "./lib/play.mjs";
import { rows } from "./lib/rows.mjs";

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));

const nameOf = ({ facilitator, policy, method, step, fault }) => `${facilitator}, ${policy}, ${method}: ${step}: ${fault}`;
const words = (process.env.X402_ROWS ?? "").split("+").filter(Boolean);
const asked = (process.env.X402_IDS ?? "").split("+").filter((id) => id.startsWith("F-"));
const isAsked = ({ ids }) => asked.length === 0 || ids.some((id) => asked.includes(id));
const chosen = rows().filter((row) => isAsked(row) && words.every((word) => (word.startsWith("!") ? !nameOf(row).includes(word.slice(1)) : nameOf(row).includes(word))));
const ids = [...new Set(chosen.flatMap((row) => row.ids))].sort();

let table = [];
before(async () => {
  const began = Date.now();
  const { cases, balances } = await playAll(chosen, (line) => console.log(`  ${line}`));
  table = cases.map((one, at) => {
    const broken = judge(one, balances[at]);
    if (one.broke) broken.push(`the case broke: ${one.broke}`);
    if (one.again) broken.push(`I3: again is ${one.again}`);
    const answers = one.answers.map(({ status, code }) => [status, code].filter(Boolean).join(" "));
    return { name: nameOf(one), ids: one.ids, end: one.end, answers, executions: one.executions.length, settles: one.settles, transactions: one.transactions.size, broken };
  });
  const violations = table.filter(({ broken }) => broken.length > 0);
  console.log(`cases ${table.length}, violations ${violations.length}, ${((Date.now() - began) / 1000).toFixed(0)} s`);
  await mkdir(TARGET, { recursive: true });
  await writeFile(`${TARGET}/battery.json`, JSON.stringify({ cases: table.length, violations: violations.length, table }, null, 1));
}, { timeout: 590_000 });

const PROMISES = {
  "F-01": "a verification that fails asks nobody and charges nothing",
  "F-02": "an answer to a verification that is none is never taken for one",
  "F-03": "a definite refusal sells nothing",
  "F-04": "a settlement that was never made and never answered is pending until it is known",
  "F-05": "a settlement that was made and never answered is found",
  "F-06": "a connection that breaks behind a settlement leaves it unknown",
  "F-07": "pending is pending until the chain tells",
  "F-08": "a facilitator that turns away for a day is asked again later, by the next request",
  "F-09": "a success without evidence is no success",
  "F-14": "a redirect is not followed",
  "F-15": "a node that fails before anything was sent costs nobody anything",
  "F-16": "a transaction without an answer counts as sent",
  "F-17": "a transaction that a node says strange things of is looked for before another is made",
  "F-18": "a receipt that is missing is looked for after the request has ended",
  "F-31": "a client that leaves has what was begun, and nothing else, when it comes back",
  "F-32": "an answer that was lost is given again",
  "F-33": "an origin that fails is not charged for",
  "F-34": "an origin that hangs up is not charged for",
  "F-35": "what is no success is delivered and not charged",
  "F-36": "an origin that takes its time is streamed, or given up",
  "F-41": "what is cut when its client leaves comes to its end by its lease",
  "F-39": "a process that is killed at any step leaves nothing half done",
};

for (const id of ids) {
  test(`${id} ${PROMISES[id]}`, () => {
    const own = table.filter((row) => row.ids.includes(id));
    assert.ok(own.length > 0);
    for (const said of new Set(own.flatMap(({ answers }) => answers))) {
      const [status, code] = said.split(" ");
      globalThis.x402Witness?.(Number(status), new Headers(), JSON.stringify({ error: code }));
    }
    assert.deepEqual(own.filter(({ broken }) => broken.length > 0).map(({ name, answers, broken }) => ({ name, answers, broken })), []);
  });
}

test("every case keeps the promises", () => {
  assert.equal(table.length, chosen.length);
  assert.deepEqual(table.filter(({ broken }) => broken.length > 0).map(({ name, answers, broken }) => ({ name, answers, broken })).slice(0, 20), []);
});
