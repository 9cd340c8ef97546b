// How a JavaScript suite reaches the local world. `cargo xtask test` starts one world and hands its description
// to every suite in X402_WORLD; a suite that needs another gate config starts a world of its own.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** The world this suite was started in, as `cargo xtask serve --json` prints it. */
export function world() {
  const text = process.env.X402_WORLD;
  if (!text) {
    throw new Error("X402_WORLD is not set: run the suite through `cargo xtask test`, or give it the line of `cargo xtask serve --json`");
  }
  return JSON.parse(text);
}

/** The front door's command line: the one that started this suite, or cargo's alias for it. */
export function command() {
  return process.env.X402_XTASK ? [process.env.X402_XTASK] : ["cargo", "xtask"];
}

/**
 * Starts another world and answers its description with `stop()`. Options: `config` (file of a gate config; the
 * addresses http://gate.localhost and http://origin.localhost in it become this world's), `secrets` (name → value).
 * The world ends with `stop()`, and also when this process ends, because it holds the world's pipe.
 */
export async function startWorld({ config, secrets = {} } = {}) {
  const [program, ...first] = command();
  const args = [...first, "serve", "--json", "--until-stdin-closes"];
  if (process.env.X402_XTASK) args.push("--no-build"); // whoever set it has built
  if (config) args.push("--config", config);
  for (const [name, value] of Object.entries(secrets)) args.push("--secret", `${name}=${value}`);
  const child = spawn(program, args, { cwd: repository, stdio: ["pipe", "pipe", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = new Promise((resolve) => child.once("close", resolve));
  const failed = ended.then((code) => {
    throw new Error(`the world ended with ${code}\n${log}`);
  });
  const line = new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  const description = JSON.parse(await Promise.race([line, failed]));
  failed.catch(() => {});
  const stop = async () => {
    child.stdin.end();
    await ended;
  };
  return { ...description, stop };
}

/** How often each path of the origin ran. */
export async function hits(origin) {
  return (await fetch(new URL("/__hits", origin))).json();
}
