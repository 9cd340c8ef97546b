// The payer's book and log in their store: updates, what is left, what the chain says. What is written is the core's.
import * as core from "../wasm/x402_wasm.js";
import { guarded } from "./error.js";
import { discard, text, within } from "./platform.js";
import { problem } from "./problem.js";
import { memoryStore } from "./store.js";

/** Bytes and seconds of a node's answer. */
const MAX_NODE = 64 * 1024;
const NODE_SECONDS = 20;

/** One payer's store. */
export class Desk {
  #payer;
  #rpc;
  #send;
  #store;

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

  /** The store that was named. Budgets are kept where a runtime has a place that all tabs share. */
  #opened(store, stores) {
    if (typeof store?.update === "function") return () => store;
    const shared = store === "indexeddb" || (store === undefined && guarded(() => this.#payer.budgeted) && typeof indexedDB !== "undefined");
    const memory = memoryStore();
    if (typeof store !== "object" && !shared) return () => memory;
    let opening;
    return () => {
      opening ??= stores(store);
      opening.catch(() => (opening = undefined)); // what failed may work the next time
      return opening;
    };
  }

  /** One update of the store, by what the core makes of what is kept. Whatever fails, nothing was written. */
  async update(work) {
    let own;
    try {
      const store = await this.#store();
      await store.update((book, last) => {
        own = undefined;
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

  /** Holds the whole log together, a piece at a time; each begins with the last line of the one before. */
  async verify() {
    let last = 0;
    for (let before = []; ; ) {
      const lines = await this.entries({ from: last + 1, limit: 1000 });
      if (lines.length === 0) break;
      last = Number(guarded(() => core.verifyLog([...before, ...lines].join("\n"))));
      before = lines.slice(-1);
    }
    // The book says which entry is the last.
    await this.update((book, end) => void guarded(() => this.#payer.spent(book, end)));
    return last;
  }

  /** Asks the chains what became of payments that ended unconfirmed. Answers with how many it told of. */
  async reconcile() {
    let told = 0;
    for (const [network, url] of Object.entries(this.#rpc)) {
      const questions = async (block) => {
        let asked;
        await this.update((book, last) => void (asked = guarded(() => this.#payer.questions(book, last, network, block))));
        return asked;
      };
      const block = await this.#node(url, await questions());
      for (const [id, question] of Object.entries(JSON.parse(await questions(block)))) {
        const answer = await this.#node(url, question);
        await this.update((book, last) => JSON.parse(guarded(() => this.#payer.proved(book, last, id, block, answer))));
        told += 1;
      }
    }
    return told;
  }

  async #node(url, body) {
    const headers = { "content-type": "application/json" };
    const asked = (async () => this.#send(url, { method: "POST", headers, body }))();
    const { end, value } = await within(asked, undefined, NODE_SECONDS);
    const answer = end === "value" ? await text(value, MAX_NODE, NODE_SECONDS) : undefined;
    if (end === "value") discard(value);
    if (answer === undefined) throw problem("payer_chain_fault", "the node did not answer");
    return answer;
  }
}
