// A store in a file, for processes of one machine. A lock file says whose turn it is; the book is written beside, synced and
// renamed over the old one, so that a crash leaves one or the other, whole. The log is a file of lines next to it; the last
// lines are in the book's file too until the next update, which adds them where a crash has kept them away.
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { link, mkdir, open, readFile, readlink, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds between two looks at a lock, and after which one whose owner cannot be asked is given up. */
const LOOK = 15;
const STALE = 30_000;
/** Milliseconds that a turn is waited for. */
const PATIENCE = 60_000;

const missing = (error) => {
  if (error.code !== "ENOENT") throw error;
};

async function write(path, text, flags) {
  const file = await open(path, flags, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The whole lines of a file from a place on, each with the place where it ends. */
async function* linesFrom(path, start) {
  let rest = "";
  let end = start;
  for await (const piece of createReadStream(path, { start, encoding: "utf8" })) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      end += Buffer.byteLength(line) + 1;
      if (line) yield { line, end };
    }
  }
}

/** Lets a renamed file stay renamed when the power fails. Not every system lets its folders be opened for that. */
async function settleFolder(path) {
  const folder = await open(dirname(path)).catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

/** When a process began, in ticks since the machine did; undefined where that is not told, empty for one that has ended. */
async function beginning(pid) {
  try {
    return ticks(await readFile(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    return error.code === "ENOENT" && (await began) !== undefined ? "" : undefined;
  }
}

const ticks = (stat) => stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]; // the name before it may hold anything
/** When this process began, and where numbers of processes mean the same as here. */
const began = readFile("/proc/self/stat", "utf8").then(ticks, () => undefined);
const place = Promise.all([
  readFile("/proc/sys/kernel/random/boot_id", "utf8").then((id) => id.trim(), () => ""),
  readlink("/proc/self/ns/pid").catch(() => ""),
]).then((parts) => [hostname(), ...parts].join("/").replaceAll(" ", "_"));

/** Whether the owner of a lock has ended. A number that is in use again is another process. */
async function abandoned(path, name) {
  const [where, pid, since] = name.split(" ");
  if (where !== (await place)) return old(path);
  const begins = await beginning(pid);
  if (begins !== undefined) return begins !== since;
  if (Number(pid) === process.pid) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

async function old(path) {
  const { mtimeMs } = (await stat(path).catch(missing)) ?? { mtimeMs: 0 };
  return Date.now() - mtimeMs > STALE;
}

/** The one name of a file, whichever links lead to it: two names would be two locks. */
async function real(path) {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const there = await realpath(path).catch(missing);
  if (there !== undefined) return there;
  // A link to what is not there yet names it all the same.
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? join(await realpath(dirname(path)), basename(path)) : real(resolve(dirname(path), target));
}

/** @param {string} named the book's file; the log is beside it, with `.ndjson` behind its name, and the lock with `.lock` */
export function fileStore(named) {
  let opening;
  const store = () => {
    opening ??= real(named).then(storeAt);
    opening.catch(() => (opening = undefined));
    return opening;
  };
  return {
    update: async (decide) => (await store()).update(decide),
    entries: async (range) => (await store()).entries(range),
  };
}

function storeAt(path) {
  const [log, lock] = [`${path}.ndjson`, `${path}.lock`];
  const fresh = (name) => `${path}.${name.split(" ").at(-1)}.new`;
  let turn = Promise.resolve();
  /** The number of the entry behind those that were read last, and its place. */
  let reached = { at: 0 };

  const owner = async () => readFile(lock, "utf8").catch(missing);

  /** Removes the lock of an owner that has ended. Names are used once, and one process at a time removes one. */
  async function remove(name) {
    const heir = `${lock}.${name.split(" ").at(-1)}.heir`;
    try {
      await write(heir, "", "wx");
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (await old(heir)) await rm(heir, { force: true });
      return;
    }
    if ((await owner()) === name) await rm(lock, { force: true });
    await rm(fresh(name), { force: true });
    await rm(heir, { force: true });
  }

  async function take() {
    const id = randomUUID();
    const name = `${await place} ${process.pid} ${(await began) ?? "?"} ${id}`;
    const own = `${lock}.${id}`;
    const until = Date.now() + PATIENCE;
    try {
      // Linked and not written in place: a lock that is there says whose it is, whenever its owner dies.
      await writeFile(own, name, { mode: 0o600 });
      for (;;) {
        try {
          await link(own, lock);
          return name;
        } catch (error) {
          if (error.code !== "EEXIST") throw error;
        }
        const other = await owner();
        if (other !== undefined && (await abandoned(lock, other))) await remove(other);
        if (Date.now() > until) throw new Error(`${lock} is held by another process that does not end`);
        await pause(LOOK);
      }
    } finally {
      await rm(own, { force: true });
    }
  }

  async function kept() {
    const text = await readFile(path, "utf8").catch(missing);
    if (text === undefined) return {};
    const end = text.indexOf("\n");
    // What is cut off is no book; that it was there is known.
    return end < 0 ? { book: "" } : { book: text.slice(0, end), tail: text.slice(end + 1).split("\n").filter(Boolean) };
  }

  /** The log's lines, and where its last whole one ends. */
  async function lines() {
    const text = (await readFile(log, "utf8").catch(missing)) ?? "";
    const end = text.lastIndexOf("\n") + 1;
    return { all: text.slice(0, end).split("\n").filter(Boolean), whole: Buffer.byteLength(text.slice(0, end)), cut: end < text.length };
  }

  /** Adds the lines that a crash has kept away. Answers with the last. */
  async function mend(tail) {
    const { size } = (await stat(log).catch(missing)) ?? { size: 0 };
    if (!tail?.length) {
      const { all } = size ? await lines() : { all: [] };
      return all.at(-1);
    }
    // Usually they are there: the end of the file says so.
    const wanted = Buffer.from(`${tail.join("\n")}\n`);
    const end = Buffer.alloc(Math.min(size, wanted.length));
    const file = await open(log, "a+", 0o600);
    try {
      await file.read(end, 0, end.length, size - end.length);
      if (!end.equals(wanted)) {
        const { all, whole, cut } = await lines();
        if (cut) await file.truncate(whole);
        const known = all.lastIndexOf(tail[0]);
        const there = known < 0 ? 0 : all.length - known;
        // The log goes on behind an older book: whoever put it there is told so by the last line.
        if (there > tail.length) return all.at(-1);
        const rest = tail.slice(there);
        if (rest.length > 0) await file.appendFile(`${rest.join("\n")}\n`);
        await file.sync();
      }
    } finally {
      await file.close();
    }
    return tail.at(-1);
  }

  /** The entries from a number on; undefined when another one than this place's begins there. */
  async function some(from, limit, { seq: wanted, at }) {
    const found = [];
    let seq = wanted;
    let first = true;
    try {
      for await (const { line, end } of linesFrom(log, at)) {
        if (first && wanted !== undefined && !line.startsWith(`{"seq":${wanted},`)) return undefined;
        first = false;
        seq ??= JSON.parse(line).seq;
        if (seq >= from) found.push(line);
        [seq, at] = [seq + 1, end];
        if (found.length >= limit) break;
      }
    } catch (error) {
      missing(error);
    }
    reached = { seq, at };
    return found;
  }

  async function once(decide) {
    const name = await take();
    try {
      const { book, tail } = await kept();
      const last = await mend(tail);
      const change = decide(book, last);
      if (!change) return;
      const entries = change.entries.length > 0 ? change.entries : (tail ?? []);
      await write(fresh(name), `${change.book}\n${entries.map((entry) => `${entry}\n`).join("")}`, "wx");
      if ((await owner()) !== name) throw new Error("another process took the lock");
      await rename(fresh(name), path);
      await settleFolder(path);
      if (change.entries.length > 0) await write(log, change.entries.map((entry) => `${entry}\n`).join(""), "a");
    } finally {
      await rm(fresh(name), { force: true });
      if ((await owner()) === name) await rm(lock, { force: true });
    }
  }

  return {
    update(decide) {
      // One after the other in this process; the lock is for the others.
      const mine = turn.then(() => once(decide));
      turn = mine.catch(() => {});
      return mine;
    },
    async entries({ from = 1, limit = Infinity } = {}) {
      // Whoever reads piece by piece goes on where the last one ended, if that is still there.
      const found = from === reached.seq ? await some(from, limit, reached) : undefined;
      return found ?? some(from, limit, { at: 0 });
    },
  };
}
