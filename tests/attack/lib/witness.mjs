// Loaded before a file of tests (`node --import`): writes down, for each test whose name begins with a number of the
// catalogue, how it went and what the gate answered, one line of JSON each, into the file that X402_WITNESS names.
import { appendFileSync } from "node:fs";
import { afterEach, beforeEach } from "node:test";

const file = process.env.X402_WITNESS;
const NUMBERS = /^(?:(?:[SF]-\d+|I\d+) )+/;
/** Answers that are told for one test, at most. */
const MOST = 12;

let answers = [];

/** Notes an answer; twice the same is said once. */
globalThis.x402Witness = (status, headers, text) => {
  const terms = headers.get("payment-required");
  const said = terms ? Buffer.from(terms, "base64").toString() : text;
  const code = /"error":"([a-z0-9_ A-Z]+)"/.exec(said ?? "")?.[1];
  const known = answers.some((one) => one.status === status && one.code === code);
  if (!known && answers.length < MOST) answers.push({ status, code });
};

const { fetch } = globalThis;
globalThis.fetch = async (input, init) => {
  const response = await fetch(input, init);
  const toNode = typeof init?.body === "string" && init.body.includes('"jsonrpc"');
  if (!toNode) {
    // Only the gate's own words are short JSON; what streams stays untouched.
    const short = Number(response.headers.get("content-length") ?? Infinity) < 4096;
    const isJson = response.headers.get("content-type")?.includes("json");
    globalThis.x402Witness(response.status, response.headers, short && isJson && response.status >= 400 ? await response.clone().text() : "");
  }
  return response;
};

if (file) {
  beforeEach(() => {
    answers = [];
  });
  afterEach((t) => {
    const [numbers = ""] = NUMBERS.exec(t.name) ?? [];
    const result = t.passed ? "passed" : "failed";
    const error = t.passed ? undefined : String(t.error?.cause?.message ?? t.error?.message).slice(0, 500);
    const title = t.name.slice(numbers.length);
    for (const id of numbers.split(" ").filter(Boolean)) {
      appendFileSync(file, `${JSON.stringify({ id, title, result, answers, error })}\n`);
    }
  });
}
