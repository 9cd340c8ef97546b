// The local world leaves no process behind, however it ends, and no file unless it is killed outright.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { command, startWorld } from "../support/world.mjs";

/** Every living process: `[{ pid, parent, args }]`. */
function processes() {
  return execFileSync("ps", ["-eo", "pid=,ppid=,stat=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.match(/^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/))
    .filter((match) => match && !match[3].startsWith("Z"))
    .map(([, pid, parent, , args]) => ({ pid: Number(pid), parent: Number(parent), args }));
}

/** Everything a process started, and what those started. */
function descendants(root) {
  const all = processes();
  const found = [];
  for (const parents = new Set([root]); ; ) {
    const more = all.filter((process) => parents.has(process.parent) && !parents.has(process.pid));
    if (more.length === 0) return found;
    for (const process of more) {
      parents.add(process.pid);
      found.push(process);
    }
  }
}

/** Looks until none of these processes lives; what still lives after 20 s is the failure. */
function gone(pids) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const living = processes().filter(({ pid }) => pids.includes(pid));
    if (living.length === 0) return;
    assert.ok(Date.now() < deadline, `still running: ${living.map(({ args }) => args).join("\n")}`);
  }
}

const directories = (pid) => readdirSync(tmpdir()).filter((name) => name.startsWith(`x402-world-${pid}-`));

/** Starts `serve` without startWorld, so that the test owns the process and how it dies. */
async function serve(...more) {
  const [program, ...first] = command();
  const child = spawn(program, [...first, "serve", "--json", "--no-build", ...more], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal, log })));
  const line = new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  return { child, ended, line };
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"]) {
  test(`a world that gets ${signal} takes every process with it`, async () => {
    const { child, ended, line } = await serve();
    const world = JSON.parse(await line);
    const started = descendants(child.pid);
    for (const name of ["anvil", "workerd", "origin.mjs", "static.mjs", "switches.mjs"]) {
      assert.ok(started.some(({ args }) => args.includes(name)), `${name} is not among what was started`);
    }
    child.kill(signal);
    const { code } = await ended;
    gone(started.map(({ pid }) => pid));
    await assert.rejects(fetch(world.rpc));
    if (signal === "SIGKILL") {
      for (const name of directories(child.pid)) rmSync(join(tmpdir(), name), { recursive: true });
      return;
    }
    assert.equal(code, 0);
    assert.deepEqual(directories(child.pid), []);
  });
}

test("a world whose part dies says which, shows its log, and ends", async () => {
  const { child, ended, line } = await serve();
  await line;
  const started = descendants(child.pid);
  const chain = started.find(({ args }) => /^\S*anvil /.test(args));
  process.kill(chain.pid, "SIGKILL");
  const { code, log } = await ended;
  assert.equal(code, 1);
  assert.match(log, /anvil ended by itself/);
  gone(started.map(({ pid }) => pid));
  assert.deepEqual(directories(child.pid), []);
});

test("a port that somebody has is an error that says so", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  const { child, ended } = await serve("--gate-port", String(holder.address().port));
  const { code, log } = await ended;
  holder.close();
  assert.equal(code, 1);
  assert.match(log, /in use/);
  assert.deepEqual(directories(child.pid), []);
});

test("a world started by a program ends when the program lets go", async () => {
  const world = await startWorld();
  const started = descendants(process.pid).filter(({ args }) => /anvil|workerd|origin\.mjs|static\.mjs|switches\.mjs/.test(args));
  assert.ok(started.length >= 5);
  await world.stop();
  gone(started.map(({ pid }) => pid));
});
