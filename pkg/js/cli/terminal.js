// What the commands share: their words, their questions to a person, their faults. Answers go to standard output, everything
// else to standard error, so that an answer can be piped.
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";

/** What was typed cannot be understood. */
export class Usage extends Error {
  constructor(message, help = "") {
    super(message);
    this.help = help;
  }
}

/** The words of a command; what is not among its options is a fault. */
export function words(args, options, help) {
  try {
    return parseArgs({ args, options: { help: { type: "boolean" }, ...options }, allowPositionals: true });
  } catch (error) {
    throw new Usage(error.message.split(". ")[0], help);
  }
}

/** The one URL that a command is about. */
export function oneUrl([url, ...more], help) {
  if (!url || more.length > 0) throw new Usage(url ? `one URL at a time, not ${more[0]} too` : "say a URL", help);
  if (!URL.canParse(url)) throw new Usage(`${plain(url)} is no URL`);
  return url;
}

export const tell = (text = "") => process.stderr.write(`${text}\n`);
export const print = (text = "") => process.stdout.write(`${text}\n`);

/** A text of a stranger on one line, without what a terminal would obey. */
export const plain = (text) => printable(String(text)).slice(0, 400);

/** A text without control characters and without what turns the direction of writing. */
export const printable = (text) => text.replace(/[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "·");

/** Codes of what may not be paid, whoever says so; what failed is another matter. */
const REFUSED =
  /^(payer_(?!invalid_options|internal|not_loaded|network_fault|chain_fault|wrong_password|invalid_keystore|no_randomness)|unsupported_scheme$|too_large$|invalid_(?!key$))/;

/** Ends the command with what went wrong. */
export function fail(error) {
  if (error instanceof Usage) {
    tell(`x402-wasm: ${error.message}`);
    if (error.help) tell(`\n${error.help.trimEnd()}`);
    process.exitCode = 1;
    return;
  }
  const code = typeof error?.code === "string" ? error.code : "";
  tell(`x402-wasm: ${plain(error?.message ?? error)}${code ? ` (${code})` : ""}`);
  if (error?.retryable) tell("Nothing was paid; the same command may work now.");
  else if (error?.unpaid) tell("Nothing was paid.");
  process.exitCode = REFUSED.test(code) ? 2 : 1;
}

/** Where things are kept when nothing is said. */
export const home = (name) => join(process.env.X402_HOME ?? join(homedir(), ".x402"), name);

/** Whether somebody sits there who can be asked. */
export const somebody = () => process.stdin.isTTY === true && process.stderr.isTTY === true;

/** Asks a question; only yes is a yes. */
export async function agree(question) {
  const line = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await line.question(`${question} [y/N] `)).trim());
  } finally {
    line.close();
  }
}

/** Asks for something that is not shown while it is typed. */
export async function secret(question, variable) {
  if (process.env[variable] !== undefined) return process.env[variable];
  if (!somebody()) throw new Usage(`set ${variable}: there is nobody to ask`);
  process.stderr.write(question);
  const { stdin } = process;
  stdin.setRawMode(true).setEncoding("utf8").resume();
  let listen;
  try {
    // Listened to and not iterated over: an iterator that ends would end standard input, and there is more to ask.
    return await new Promise((resolve, reject) => {
      let typed = "";
      listen = (piece) => {
        for (const letter of piece) {
          if (letter === "\r" || letter === "\n" || letter === "\u0004") return resolve(typed);
          if (letter === "\u0003") return reject(new Usage("stopped"));
          typed = letter === "\u007f" || letter === "\b" ? typed.slice(0, -1) : typed + letter;
        }
        return undefined;
      };
      stdin.on("data", listen);
    });
  } finally {
    stdin.off("data", listen).pause().setRawMode(false);
    process.stderr.write("\n");
  }
}

/** All of standard input. */
export async function input() {
  const pieces = [];
  for await (const piece of process.stdin) pieces.push(piece);
  return Buffer.concat(pieces);
}
