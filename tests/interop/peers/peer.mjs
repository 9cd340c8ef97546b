// What every peer script shares: flags in, one JSON line out, and an end that follows its parent's.
import { parseArgs } from "node:util";

/**
 * Reads `--name value` flags.
 * @param {Record<string, string | undefined>} known flag name → default; `undefined` makes it required
 * @returns {Record<string, string>} every known flag with its value; an optional flag not given is its default
 */
export function flags(known) {
  const options = Object.fromEntries(Object.keys(known).map((name) => [name, { type: "string" }]));
  const { values } = parseArgs({ options });
  for (const [name, fallback] of Object.entries(known)) {
    if (values[name] === undefined && fallback === undefined) throw new Error(`--${name} is required`);
    values[name] ??= fallback;
  }
  return values;
}

/** Prints the script's answer: exactly one line of JSON on stdout. Bigints become decimal strings. */
export function answer(value) {
  process.stdout.write(`${JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v))}\n`);
}

/**
 * Ends this process when its parent closes our stdin, which happens however the parent dies. A server peer
 * started by a test therefore never outlives it. From a terminal stdin stays open and Ctrl-C ends it.
 */
export function endWithParent() {
  process.stdin.resume();
  process.stdin.once("end", () => process.exit(0));
  process.stdin.once("error", () => process.exit(0));
}

/**
 * Runs a client script: its result, or its failure, is the one line; the exit code says which.
 * @param {() => Promise<object>} work
 */
export async function client(work) {
  try {
    answer({ ok: true, ...(await work()) });
  } catch (error) {
    answer({ ok: false, error: String(error?.message ?? error), code: error?.code });
    process.exitCode = 1;
  }
}

/**
 * A response as the matrix compares it.
 * @param {Response} response
 * @param {string[]} receiptHeaders names under which this protocol version returns a receipt
 */
export async function summary(response, receiptHeaders) {
  const name = receiptHeaders.find((header) => response.headers.has(header));
  return {
    status: response.status,
    body: await response.text(),
    receipt: name === undefined ? undefined : JSON.parse(Buffer.from(response.headers.get(name), "base64")),
  };
}
