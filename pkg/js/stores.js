// Stores by name, for `createPayer({ store })`.
export { indexedDbStore } from "./indexeddb.js";
export { memoryStore } from "./store.js";

const KEY = "x402:log:";
const key = (seq) => `${KEY}${String(seq).padStart(16, "0")}`;

/** Keys that a storage takes at once. */
const MOST = 128;

/** Whose turn it is in a storage. */
const turns = new WeakMap();

/**
 * A store in a Durable Object's storage, for a payer that lives in that object. Its updates take turns, each writes all it
 * writes at once, and nothing leaves the object before that is on disk.
 */
export function durableObjectStore(storage) {
  const once = async (decide) => {
    const kept = await storage.get(["x402:book", "x402:count"]);
    const count = kept.get("x402:count") ?? 0;
    const change = decide(kept.get("x402:book"), count ? await storage.get(key(count)) : undefined);
    if (!change) return;
    const all = { "x402:book": change.book, "x402:count": count + change.entries.length };
    change.entries.forEach((entry, place) => (all[key(count + place + 1)] = entry));
    const pairs = Object.entries(all);
    const puts = [];
    // Writes with nothing awaited in between are one: the book comes first, and none of it without the rest.
    for (let at = 0; at < pairs.length; at += MOST) puts.push(storage.put(Object.fromEntries(pairs.slice(at, at + MOST))));
    await Promise.all(puts);
  };
  return {
    update(decide) {
      const mine = (turns.get(storage) ?? Promise.resolve()).then(() => once(decide));
      turns.set(storage, mine.catch(() => {}));
      return mine;
    },
    async entries({ from = 1, limit = Infinity } = {}) {
      const options = { prefix: KEY, start: key(from), ...(Number.isFinite(limit) && { limit }) };
      return [...(await storage.list(options)).values()];
    },
  };
}
