// The invariants of one case, from what the client was answered, what the origin did and what moved on the chain.
import { FUNDS, PRICE } from "./stage.mjs";

/** Codes that a client of a gate may be told. */
const CODE = /^[a-z][a-z0-9_]*$/;

/** What is broken; nothing if all is well. */
export function judge(one, balance) {
  const broken = [];
  const fail = (promise, what) => broken.push(`${promise}: ${what}`);
  const moved = (FUNDS - balance) / PRICE;
  const { answers, policy, method } = one;
  const served = answers.filter(({ content }) => content);
  const last = answers.at(-1);

  // I1: nothing that is bought leaves before its policy allows it.
  for (const { receipt } of served) {
    if (policy === "optimistic" && !receipt) continue;
    if (!receipt?.success) fail("I1", "served without a receipt");
    else if (!one.transactions.has(receipt.transaction)) fail("I1", `served for ${receipt.transaction}, which is no transaction of it`);
  }
  for (const answer of answers) {
    if (answer.status !== 200 && answer.body.includes("served")) fail("I1", `content in a ${answer.status}`);
  }
  // I2: what failed is not charged, and what is charged is had or told.
  if (moved > 0n && served.length === 0 && !answers.some(({ receipt }) => receipt?.success)) {
    fail("I2", `charged, and the client was never told: ${last.status} ${last.code}`);
  }
  if (moved > 0n && one.end === "abandoned") fail("I2", "charged and abandoned");
  // I3: once.
  if (moved > 1n) fail("I3", `moved ${moved} times`);
  // A transaction that replaces another takes its nonce: only one of the two can be mined.
  const transactions = one.facilitator === "embedded" ? one.nonces.size : one.transactions.size;
  if (transactions > (one.turnedAway ? 2 : 1)) fail("I3", `${transactions} transactions that could all be mined`);
  const attempts = one.executions.filter(({ end }) => end !== "failed").length;
  const allowed = method === "GET" ? (one.unkept ? 3 : 2) : 1;
  if (attempts > allowed) fail("I3", `${attempts} executions of a ${method}`);
  // Another facilitator's settlement is asked for once, unless it turned the first away or is the only one to ask.
  if (one.facilitator === "remote" && one.settles > (one.turnedAway ? 2 : 1)) fail("I3", `settled ${one.settles} times`);
  // I4: what is not known is not failed.
  for (const answer of answers) {
    if (answer.status === 402 && moved > 0n) fail("I4", `402 ${answer.code} for a payment that moved`);
    if (answer.code !== "settlement_pending") continue;
    if (answer.status !== 503 || answer.terms || !answer.retryAfter || answer.receipt?.success !== false) fail("I4", "pending is no proper 503");
  }
  // I5: a fault is told by its code, and no cache keeps it.
  for (const answer of answers) {
    if (answer.gates && !CODE.test(answer.code ?? "")) fail("I5", `${answer.status} without a code: ${answer.body.slice(0, 80)}`);
    if ([500].includes(answer.status) && answer.gates) fail("I5", `500 ${answer.code}`);
    if (answer.gates && !/no-store/.test(answer.cache ?? "")) fail("I5", `${answer.status} may be cached`);
  }
  // I6: what was accepted is kept: each case comes to the end that its row says.
  if (!one.ends.includes(one.end)) fail("I6", `ended as ${one.end}, not ${one.ends.join(" or ")}`);
  const paid = ["paid", "receipt"].includes(one.end) ? 1n : 0n;
  if (moved !== paid) fail(moved > paid ? "I2" : "I1", `ended as ${one.end}, and moved ${moved}`);
  return broken;
}

/** What an answer says, read once. */
export async function read(response) {
  const { status, headers } = response;
  const body = await response.text();
  const receiptText = headers.get("payment-response");
  const receipt = receiptText ? JSON.parse(Buffer.from(receiptText, "base64").toString()) : undefined;
  const said = headers.get("content-type")?.includes("json") ? JSON.parse(body) : undefined;
  const terms = headers.get("payment-required");
  return {
    status,
    body,
    receipt,
    terms: terms !== null,
    retryAfter: headers.get("retry-after"),
    cache: headers.get("cache-control"),
    code: terms ? JSON.parse(Buffer.from(terms, "base64").toString()).error : said?.error,
    gates: said !== undefined,
    content: (status === 200 && body.startsWith("served")) || status === 204,
  };
}
