// Child processes of a suite: started, heard, and ended with it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const START_MS = 30_000; // a peer that has not said its line by then is broken, not slow

/** Absolute path of a file of this repository, given relative to the importing module. */
export const pathOf = (relative, base) => fileURLToPath(new URL(relative, base));

/**
 * Runs a script that prints one JSON line and ends.
 * @returns {Promise<object>} the line; a script that fails says so in it (`ok: false`)
 */
export async function runScript(script, args, env = {}) {
  const child = spawn(process.execPath, [script, ...flagsOf(args)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const [code] = await once(child, "close");
  const line = (await out).trim();
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`${script} ended with ${code} and said ${JSON.stringify(line)}: ${(await err).slice(-2000)}`);
  }
}

/**
 * Starts a script that prints one JSON line when it is ready and stays.
 * @returns {Promise<{ready: object, stop: () => Promise<void>}>}
 */
export async function startScript(script, args, env = {}) {
  const child = spawn(process.execPath, [script, ...flagsOf(args)], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const stop = stopper(child);
  const err = collect(child.stderr);
  try {
    return { ready: JSON.parse(await firstLine(child)), stop };
  } catch (error) {
    await stop();
    throw new Error(`${script} did not start: ${error.message}: ${(await err).slice(-2000)}`);
  }
}

/** Ends a child and waits until it is gone. Closing stdin is enough for a peer; the signal is for the others. */
export function stopper(child) {
  return async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "close");
    child.stdin?.end();
    child.kill("SIGTERM");
    await gone;
  };
}

/** The first line a stream carries, or an error when the child ends or stays silent. */
export async function firstLine(child, stream = child.stdout) {
  const lines = createInterface({ input: stream });
  const timeout = AbortSignal.timeout(START_MS);
  const [line] = await Promise.race([
    once(lines, "line", { signal: timeout }),
    once(child, "close").then(([code]) => Promise.reject(new Error(`ended with code ${code}`))),
    once(child, "error").then(([error]) => Promise.reject(error)),
  ]);
  return line;
}

async function collect(stream) {
  let text = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) text += chunk;
  return text;
}

const flagsOf = (args) => Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
