// The matrix as a suite: one test per cell, so that a failure names its pair.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { world as worldFromEnv } from "../support/world.mjs";
import { cells, PRICE, run } from "./matrix.mjs";

const world = worldFromEnv();
const all = cells();

test("the matrix has every cell the protocol versions allow", () => {
  // 4 clients × 2 gates of ours, and the 3 clients that speak v2 × 2 facilitators behind the reference gate.
  assert.equal(all.length, 14);
});

for (const gate of new Set(all.map((cell) => cell.gate))) {
  describe(`${gate.name}, facilitator ${gate.facilitator}`, () => {
    let running;
    before(async () => {
      running = await gate.start(world, PRICE.money);
    });
    after(async () => {
      await running?.stop?.();
    });
    for (const cell of all.filter((one) => one.gate === gate)) {
      test(`${cell.client.name} pays`, async (context) => {
        context.after(() => cell.client.close?.());
        const row = await run(world, cell, running);
        assert.deepEqual([row.result, row.moved], ["paid", PRICE.atomic.toString()]);
      });
    }
  });
}
