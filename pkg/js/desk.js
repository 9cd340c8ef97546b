// The payer's book and log in their store: updates, what is left, whether the log is whole. What is written is the core's.
import * as core from "../wasm/x402_wasm.js";
import { guarded } from "./error.js";
import { problem } from "./problem.js";
import { memoryStore } from "./store.js";

/** Entries of the log that are read at once. */
const PIECE = 1000;

/** Whether this runtime has a place that all tabs share; one that may not be touched is found out when it is opened. */
function shares() {
  try {
    return typeof indexedDB !== "undefined";
  } catch {
    return true;
  }
}

/** Lines of the log, read. */
export function read(lines) {
  try {
    return lines.map((line) => JSON.parse(line));
  } catch {
    throw problem("payer_log_broken", "an entry cannot be read");
  }
}

/** One payer's store. */
export class Desk {
  #payer;
  #rpc;
  #send;
  #store;
  #chain;

  /**
   * @param {core.PayerCore} payer
   * @param {{store: unknown, rpc: Record<string, string>}} own the options
   * @param stores opens the stores of this runtime, by name
   * @param send what nodes are asked with
   */
  constructor(payer, { store, rpc }, stores, send) {
    this.#payer = payer;
    this.#rpc = rpc;
    this.#send = send;
    this.#store = this.#opened(store, stores);
  }

  /** The store that was named, or the one that all tabs share. */
  #opened(store, stores) {
    if (typeof store?.update === "function") return () => store;
    const memory = memoryStore();
    if (typeof store !== "object" && store !== "indexeddb" && (store !== undefined || !shares())) return () => memory;
    const make = stores(store);
    const open = async () => {
      const opened = await make();
      // What nobody has named may be missing where there is nothing to hold: some browsers keep nothing.
      if (store !== undefined || guarded(() => this.#payer.budgeted)) return opened;
      return opened.entries({ limit: 1 }).then(() => opened, () => memory);
    };
    let opening;
    return () => {
      opening ??= open();
      opening.catch(() => (opening = undefined)); // what failed may work the next time
      return opening;
    };
  }

  /** One update of the store, by what the core makes of what is kept. Whatever fails, nothing was written. */
  async update(work) {
    let own;
    let asked = false;
    try {
      const store = await this.#store();
      await store.update((book, last) => {
        [own, asked] = [undefined, true];
        try {
          return work(book ?? undefined, last ?? undefined);
        } catch (error) {
          own = error;
          throw error;
        }
      });
    } catch (cause) {
      throw own ?? problem("payer_store_failed", "", { cause });
    }
    // A store that keeps a refusal to itself, or did not ask, has not written.
    if (own) throw own;
    if (!asked) throw problem("payer_store_failed", "it did not ask what to write");
  }

  async spent() {
    let told;
    await this.update((book, last) => void (told = guarded(() => this.#payer.spent(book, last))));
    return JSON.parse(told);
  }

  reset() {
    return this.update((book, last) => JSON.parse(guarded(() => this.#payer.reset(book, last))));
  }

  async entries(range) {
    try {
      return await (await this.#store()).entries(range);
    } catch (cause) {
      throw problem("payer_store_failed", "", { cause });
    }
  }

  /** The log's lines, a piece at a time. */
  async *pieces(from = 1) {
    for (;;) {
      const lines = await this.entries({ from, limit: PIECE });
      if (lines.length === 0) return;
      yield lines;
      const next = read(lines.slice(-1))[0].seq + 1;
      if (!(next > from)) throw problem("payer_log_broken", "it goes back to an earlier entry");
      from = next;
    }
  }

  /** Holds the whole log together, from its first entry to the one that the book knows as the last. */
  async verify() {
    await this.entries({ limit: 1 }); // a store that cannot be opened says so by its own name
    const { begins = 1 } = await this.#store();
    let last = begins - 1;
    let before = [];
    for (let seen = -1; ; seen = last) {
      for await (const lines of this.pieces(last + 1)) {
        const first = last + 1 - before.length;
        last = Number(guarded(() => core.verifyLog([...before, ...lines].join("\n"), first)));
        before = lines.slice(-1);
      }
      let logged;
      await this.update((book, end) => void (logged = Number(guarded(() => this.#payer.logged(book, end)))));
      if (logged <= last) return last;
      // Somebody may have written meanwhile; what is not there the next time was cut off.
      if (seen === last) throw problem("payer_log_broken", "it ends before its book does");
    }
  }

  /** The chain's part; undefined where no node is named. */
  async chain() {
    if (Object.keys(this.#rpc).length === 0) return undefined;
    const { Chain } = await import("./chain.js");
    return (this.#chain ??= new Chain(this.#payer, this, this.#rpc, this.#send));
  }
}
