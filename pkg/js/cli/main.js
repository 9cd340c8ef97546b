#!/usr/bin/env node
// `npx x402-wasm`: pays for a URL, looks at what a URL asks for, keeps a wallet, reads the log.
import { commands } from "./commands.js";
import { fail, Usage } from "./terminal.js";

const USAGE = `x402-wasm: a fetch that pays, in a terminal

  x402-wasm fetch URL     asks for a URL and pays for it, within limits
  x402-wasm inspect URL   says what a URL asks for and what is wrong with how it asks; pays nothing
  x402-wasm wallet …      new, import, address, export
  x402-wasm audit …       list, verify, summary, spent, reconcile, export

x402-wasm COMMAND --help says more. Ends with 0 when all is well, 22 when the answer was 400 or above, 2 when nothing was
paid because it may not be, 1 for everything else.
`;

const [name, ...words] = process.argv.slice(2);
const command = Object.hasOwn(commands, name ?? "") ? commands[name] : undefined;
if (name === undefined || name === "--help" || name === "help") {
  process.stdout.write(USAGE);
} else if (name === "--version") {
  const { default: manifest } = await import("../../package.json", { with: { type: "json" } });
  process.stdout.write(`${manifest.version}\n`);
} else if (!command) {
  fail(new Usage(`there is no command ${name}`, USAGE));
} else {
  try {
    const { run, help } = await command();
    if (words.includes("--help")) process.stdout.write(help);
    else process.exitCode = (await run(words)) ?? 0;
  } catch (error) {
    fail(error);
  }
}
