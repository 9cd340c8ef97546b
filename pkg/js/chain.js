// The chain's part, loaded where nodes are named (`rpc`): what the payer has, what became of payments. What is asked and what
// an answer says is the core's.
import * as core from "../wasm/x402_wasm.js";
import { read } from "./desk.js";
import { guarded } from "./error.js";
import { quietly, text, within } from "./platform.js";
import { problem } from "./problem.js";

/** Bytes of a node's answer: a transaction may have many events. */
const MAX_NODE = 1024 * 1024;
/** Seconds that a node may take, and where a call waits for it and can do without. */
const NODE_SECONDS = 20;
const HURRY_SECONDS = 5;
/** Seconds between two looks at a payment that a node does not know yet. */
const LOOK_SECONDS = 1;

/** The nodes of one payer. */
export class Chain {
  #payer;
  #desk;
  #rpc;
  #send;
  /** Networks whose node was found to be theirs. */
  #known = new Set();

  constructor(payer, desk, rpc, send) {
    this.#payer = payer;
    this.#desk = desk;
    this.#rpc = rpc;
    this.#send = send;
  }

  /** Lets an exchange know what the account has. What no node tells in time may be enough. */
  async funds(exchange, account, signal) {
    const questions = JSON.parse(guarded(() => exchange.funds(this.#payer, account)));
    let open = true;
    const ask = async ({ network, asset, question }) => {
      const answer = await this.#node(network, question, HURRY_SECONDS, signal);
      if (open) guarded(() => exchange.fund(network, asset, answer));
    };
    await within(Promise.all(questions.map((one) => quietly(() => ask(one)))), signal, HURRY_SECONDS);
    open = false;
    signal?.throwIfAborted();
    return questions.length > 0;
  }

  /** What the chain says of a receipt; it is looked for until the seconds have passed. */
  async confirm(receipt, seconds) {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const told = await this.#told(JSON.stringify(receipt), receipt.network);
      if (told !== "unseen" || performance.now() >= end) return told;
      await within(new Promise(() => {}), undefined, LOOK_SECONDS);
    }
  }

  /**
   * Asks the chains about everything that they were not asked about. Answers with how many payments they told of. What one node
   * cannot tell keeps no other from telling; it is the error in the end.
   */
  async reconcile() {
    let told = 0;
    let fault;
    const each = async (ask) => {
      try {
        if (await ask()) told += 1;
      } catch (error) {
        fault ??= error;
      }
    };
    for (const network of Object.keys(this.#rpc)) await each(() => this.#ended(network, each));
    for (const { paid, network } of await this.#claims()) {
      if (network in this.#rpc) await each(async () => (await this.#told(paid, network)) !== "unseen");
    }
    if (fault) throw fault;
    return told;
  }

  /** Asks about each payment of a network that ended unconfirmed. */
  async #ended(network, each) {
    const questions = async (block) => {
      let asked;
      await this.#desk.update((book, last) => void (asked = guarded(() => this.#payer.questions(book, last, network, block))));
      return asked;
    };
    const block = await this.#node(network, await questions(), NODE_SECONDS);
    for (const [id, question] of Object.entries(JSON.parse(await questions(block)))) {
      await each(async () => {
        const answer = await this.#node(network, question, NODE_SECONDS);
        await this.#desk.update((book, last) => JSON.parse(guarded(() => this.#payer.proved(book, last, id, block, answer))));
        return true;
      });
    }
  }

  /** Payments that servers say they have settled, and of which the log does not say what the chain said. */
  async #claims() {
    const [quotes, claims] = [new Map(), new Map()];
    for await (const lines of this.#desk.pieces()) {
      for (const entry of read(lines)) {
        const { id, event, success, consistent, transaction } = entry;
        if (event === "reserved" || event === "approved") quotes.set(id, entry);
        const quote = quotes.get(id);
        if (event === "receipt" && success && consistent && transaction && quote) {
          claims.set(id, { paid: JSON.stringify({ ...quote, transaction }), network: quote.network });
        }
        if (["confirmed", "contradicted", "settled", "released"].includes(event)) claims.delete(id);
      }
    }
    return claims.values();
  }

  /** Asks about one payment, and writes down what is known then. */
  async #told(paid, network) {
    const answer = await this.#node(network, guarded(() => core.askMoved(paid)), NODE_SECONDS);
    let said = "unseen";
    await this.#desk.update((book, last) => {
      const change = guarded(() => this.#payer.confirmed(book, last, paid, answer));
      if (change === undefined) return undefined;
      const update = JSON.parse(change);
      said = JSON.parse(update.entries.at(-1)).event;
      return update;
    });
    return said;
  }

  /** Asks a node, once it has said that it is of the network that it is named for. */
  async #node(network, body, seconds, signal) {
    if (!this.#known.has(network)) {
      const chain = await this.#asked(network, core.askChain(), seconds, signal);
      guarded(() => this.#payer.holdChain(network, chain));
      this.#known.add(network);
    }
    return this.#asked(network, body, seconds, signal);
  }

  async #asked(network, body, seconds, signal) {
    const headers = { "content-type": "application/json" };
    const given = new AbortController(); // whoever is not waited for any more holds no connection
    const ask = async () => text(await this.#send(this.#rpc[network], { method: "POST", headers, body, signal: given.signal }), MAX_NODE, seconds);
    const { end, value } = await within(ask(), signal, seconds);
    given.abort();
    if (end !== "value" || value === undefined) throw problem("payer_chain_fault", "the node did not answer");
    return value;
  }
}
