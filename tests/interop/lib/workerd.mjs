// Raw workerd from npm, configured for one run: services in, a URL out, nothing left behind.
import { spawn } from "node:child_process";
import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstLine, stopper } from "./process.mjs";

/** The native binary itself: the package's `bin` is a Node wrapper, which a signal or a clock would hit instead. */
const BINARY = createRequire(import.meta.url)("workerd").default;

/**
 * @typedef {object} Service
 * @property {string} name
 * @property {{name: string, type: "esModule"|"wasm"|"text", path?: string, text?: string}[]} modules the first is the entry
 * @property {Record<string, string>} [vars] plain text bindings
 * @property {Record<string, string>} [services] binding name → service name
 * @property {Record<string, string>} [objects] binding name → Durable Object class of this service (SQLite, on disk)
 * @property {string} [keeper] the service whose Durable Objects they are, where it is not this one
 * @property {string} [outbound] the service that answers this one's `fetch`; by default the network, loopback included
 * @property {string[]} [flags] compatibility flags
 */

/**
 * Starts workerd with some services; the first one gets the socket.
 * @param {Service[]} services
 * @param {{cpu?: number, verbose?: boolean, storage?: string}} [options] `cpu` pins the process to one core; `storage` is a
 *   directory for the Durable Objects that outlives the process
 * @returns {Promise<{url: string, pid: number, spawned: bigint, log: () => string, stop: () => Promise<void>}>} `spawned`
 *   is the monotonic nanosecond at which the process was started
 */
export async function startWorkerd(services, { cpu, verbose = false, storage } = {}) {
  const dir = await mkdtemp(join(tmpdir(), "workerd-"));
  const objects = storage ?? join(dir, "objects");
  await mkdir(objects, { recursive: true });
  const config = join(dir, "config.capnp");
  await writeFile(config, await configText(services, dir, objects));

  const args = ["serve", config, "--experimental", "--control-fd=3", ...(verbose ? ["--verbose"] : [])];
  const [command, all] = cpu === undefined ? [BINARY, args] : ["taskset", ["-c", String(cpu), BINARY, ...args]];
  const spawned = process.hrtime.bigint();
  const child = spawn(command, all, { stdio: ["ignore", "pipe", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (log += text));
  const end = stopper(child);
  const stop = async () => {
    await end();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const { port } = JSON.parse(await firstLine(child, child.stdio[3]));
    return { url: `http://127.0.0.1:${port}`, pid: child.pid, spawned, log: () => log, stop };
  } catch (error) {
    await stop();
    throw new Error(`workerd did not start: ${error.message}: ${log.slice(-2000)}`);
  }
}

const text = (value) => JSON.stringify(value); // Cap'n Proto's text strings take JSON's escapes
const list = (items) => `[${items.join(", ")}]`;

async function configText(services, dir, objects) {
  const rendered = await Promise.all(services.map((service) => serviceText(service, dir)));
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = ${list([
    ...rendered,
    `(name = "network", network = (allow = ["public", "private"]))`,
    `(name = "disk", disk = (path = ${text(objects)}, writable = true))`,
  ])},
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = ${text(services[0].name)})]
);
`;
}

async function serviceText({ name, modules, vars = {}, services = {}, objects = {}, keeper, outbound = "network", flags = [] }, dir) {
  const files = await Promise.all(modules.map(async (module, index) => {
    // Embedded by path, relative to the config: a wasm module has no text form.
    const file = `${name}-${index}`;
    await writeFile(join(dir, file), module.text ?? (await readFile(module.path)));
    return `(name = ${text(module.name)}, ${module.type} = embed ${text(file)})`;
  }));
  const bindings = [
    ...Object.entries(vars).map(([key, value]) => `(name = ${text(key)}, text = ${text(value)})`),
    ...Object.entries(services).map(([key, target]) => `(name = ${text(key)}, service = ${text(target)})`),
    ...Object.entries(objects).map(([key, type]) => {
      const place = keeper ? `(className = ${text(type)}, serviceName = ${text(keeper)})` : text(type);
      return `(name = ${text(key)}, durableObjectNamespace = ${place})`;
    }),
  ];
  const classes = Object.values(keeper ? {} : objects).map((type) =>
    `(className = ${text(type)}, uniqueKey = ${text(`${name}-${type}`)}, enableSql = true)`);
  const storage = classes.length === 0 ? "" : `durableObjectNamespaces = ${list(classes)}, durableObjectStorage = (localDisk = "disk"),`;
  return `(name = ${text(name)}, worker = (
    compatibilityDate = "2026-10-01", compatibilityFlags = ${list(flags.map(text))},
    modules = ${list(files)}, bindings = ${list(bindings)}, ${storage} globalOutbound = ${text(outbound)}))`;
}
