// The corpus of request targets (vectors/paths.json) against the gate: what it prices is exactly what the origin gets,
// and what an origin might read as a priced path never passes for free.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";

import { config, freshKey, raw, remote, startGate, target } from "../workerd/lib/gate.mjs";
import { base64, decode, payment } from "../workerd/lib/pay.mjs";
import { startFacilitator, startOrigin } from "../workerd/lib/servers.mjs";

const { routes, targets } = JSON.parse(readFileSync(new URL("../vectors/paths.json", import.meta.url), "utf8"));
const ids = {
  "S-007": ["as it is", "escaped letters", "escaped separators", "double encoding", "case", "trailing characters"],
  "S-008": ["parameters", "backslashes", "controls"],
  "S-009": ["dot segments", "empty segments"],
  "S-011": ["malformed escapes", "bytes that are no UTF-8", "other letters"],
  "S-014": ["the target's other forms", "queries"],
};

let origin, facilitator, deny, free;
const key = freshKey();
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  deny = await startGate(config(origin, remote(facilitator), routes));
  free = await startGate(config(origin, remote(facilitator), routes, { default: "free" }));
});
after(async () => {
  await deny?.stop();
  await free?.stop();
  await facilitator?.stop();
  await origin?.stop();
});
beforeEach(() => (origin.seen.length = 0));

const pathOf = (url) => url?.split("?")[0];

for (const [id, abouts] of Object.entries(ids)) {
  for (const about of abouts) {
    const own = targets.filter((one) => one.about === about);
    test(`${id} ${about}: the origin gets exactly the path that was priced`, async () => {
      assert.ok(own.length > 0);
      for (const { target: path, status, path: priced, price, code, free: forwarded } of own) {
        origin.seen.length = 0;
        const answer = await target(deny.url, path);
        assert.equal(answer.status, status, path);
        assert.deepEqual(origin.seen, [], path);
        const open = await target(free.url, path);
        assert.equal(pathOf(origin.seen[0]?.url), pathOf(forwarded), path);
        if (status !== 402) {
          if (code) assert.equal(JSON.parse(answer.body).error, code, path);
          continue;
        }
        assert.equal(open.status, 402, path);
        const required = decode(answer.headers.get("payment-required"));
        assert.deepEqual([required.resource.url, required.accepts[0].amount], [`http://gate.test${priced}`, price], path);
        const paid = await raw(deny.url, [`GET ${path} HTTP/1.1`, `PAYMENT-SIGNATURE: ${base64(await payment(required, key))}`]);
        assert.equal(paid.status, 200, path);
        assert.equal(pathOf(origin.seen[0].url), priced, path);
      }
    });
  }
}

test("S-007 every target of the corpus is tried", () => {
  const known = Object.values(ids).flat();
  assert.deepEqual(targets.filter(({ about }) => !known.includes(about)), []);
});
