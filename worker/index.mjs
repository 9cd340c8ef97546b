// The Worker's entry: it starts the gate's module, hands it each request and each call of the relayer's object, and
// starts it anew if it ever fails. Nothing is decided here; a request that cannot be answered gets a 500.
import { DurableObject } from "cloudflare:workers";

import * as gate from "./build/x402_gate.js";
import wasm from "./build/x402_gate_bg.wasm";
import config from "./gate.json";

gate.initSync({ module: wasm });

/** Whether the module that runs now has read its configuration, and how many have. */
let open = false;
let modules = 0;

/** What ends the calls that wait for the module that runs now. */
const waiting = new Set();

/** The module is lost, and everything that waits for it: the next call gets a new one. */
function lose(reason) {
  open = false;
  console.error(JSON.stringify({ error: "gate_internal", message: reason }));
  for (const end of waiting) end(new Error("gate_internal"));
  waiting.clear();
}

// A module may also fail in a task of its own, where nobody waits for the call.
addEventListener("error", (event) => {
  if (event.error instanceof WebAssembly.RuntimeError) abandon("the module failed in a task");
});

/** Gives up a module that may be broken. */
function abandon(reason) {
  gate.close();
  lose(reason);
}

/** Calls the module. What it throws in the call itself means that it is broken: errors of its own are promises'. */
function call(env, work) {
  try {
    if (!open) {
      gate.begin();
      gate.open(config, env, () => lose("the module panicked"));
      open = true;
      modules += 1;
    }
    return work();
  } catch {
    abandon("the module failed");
    throw new Error("gate_internal");
  }
}

/** The same for a call that answers with a promise, which ends with the module if not before. */
function wait(promise) {
  return new Promise((resolve, reject) => {
    waiting.add(reject);
    const end = (settle) => (value) => {
      waiting.delete(reject);
      settle(value);
    };
    promise.then(end(resolve), end(reject));
  });
}

/** The answer to a request that failed here. It never passes. */
const failed = () =>
  new Response('{"error":"gate_internal","message":"the gate failed"}', {
    status: 500,
    headers: { "cache-control": "no-store", "content-type": "application/json" },
  });

export default {
  fetch(request, env, context) {
    const { headers, method, url } = request;
    const text = (name) => headers.get(name) ?? undefined;
    try {
      const answer = call(env, () =>
        gate.fetch(
          request,
          env,
          Math.floor(Date.now() / 1000),
          method,
          url,
          text("payment-signature"),
          text("x-payment"),
          text("origin"),
          // Only a preflight has them.
          method === "OPTIONS" ? text("access-control-request-headers") : undefined,
          text("authorization"),
          text("upgrade"),
          text("idempotency-key"),
          text("cookie"),
          text("payment-pass"),
          text("accept")?.includes("text/html") ? crypto.randomUUID() : undefined,
        ),
      );
      if (!(answer instanceof Promise)) return answer;
      const response = wait(answer).catch(failed);
      // A client that goes away leaves nothing half done: the steps that began come to their end, if in vain.
      context.waitUntil(response);
      return response;
    } catch {
      return failed();
    }
  },
};

/** The one writer of a relayer's account nonce; see `src/relayer.rs`. */
export class Relayer extends DurableObject {
  #last = Promise.resolve();

  /** Settles an order; the promise is of the reply's text. */
  async settle(order) {
    const { env, ctx } = this;
    const sent = await this.#inTurn(() => gate.relayer_send(ctx, order));
    return sent ?? wait(call(env, () => gate.relayer_wait(ctx, order)));
  }

  /** Does what takes a nonce, one after another, in the order it comes. */
  #inTurn(work) {
    const done = this.#last.then(() => wait(call(this.env, work)));
    this.#last = done.catch(() => {});
    return done;
  }

  /** Looks after what is not settled for good. */
  async alarm() {
    const { env, ctx } = this;
    const strange = await wait(call(env, () => gate.relayer_alarm(ctx)));
    // One that fails is found again at the next look.
    for (const identity of strange) await this.#inTurn(() => gate.relayer_renumber(ctx, identity)).catch(() => {});
  }

  /** How the relayer with this address is doing; the promise is of its status's text. */
  status(network, relayer) {
    return wait(call(this.env, () => gate.relayer_status(this.ctx, network, relayer)));
  }
}

/** How long a claim waits for another request that works on the same payment, in milliseconds, and how many wait. */
const PATIENCE = 10_000;
const WAITING_MOST = 500;

/** How many books have been in memory here. */
let lives = 0;

/** The one writer of everything about its payers; see `src/book.rs`. */
export class Book extends DurableObject {
  /** What the module knows this object by, as long as both are in memory. */
  #life = (lives += 1);
  /** The module that has opened it, and the promise that it has. */
  #opener;
  #opening;
  /** When the alarm that is set will ring, in Unix seconds. */
  #rings = Infinity;
  /** By payment: what lets those go on who wait for another word. */
  #waiting = new Map();
  #waiters = 0;

  /** Calls the module, for a promise, once it has opened this book. */
  async #call(work) {
    if (call(this.env, () => this.#opener !== modules)) {
      this.#opener = modules;
      this.#opening = wait(call(this.env, () => gate.book_open(this.ctx, this.#life))).then((due) => this.#ring(due));
      this.#opening.catch(() => (this.#opener = undefined));
    }
    await this.#opening;
    return wait(call(this.env, work));
  }

  #ring(due) {
    if (due === undefined || due >= this.#rings) return;
    this.#rings = due;
    this.ctx.storage.setAlarm(Math.max(due, Date.now() / 1000 + 1) * 1000);
  }

  /** Holds the number of books that a gate knows to the ledger's own; throws when it is another. */
  count(books) {
    return this.#call(() => gate.book_count(this.ctx, books));
  }

  /** Claims a payment for a request. */
  async claim(key, claim) {
    const until = Date.now() + PATIENCE;
    const { env, ctx } = this;
    for (let about = key; ; ) {
      const last = Date.now() >= until || this.#waiters >= WAITING_MOST;
      // Listened for before it is asked: news that comes in between would be missed.
      const news = this.#listen(about);
      let said;
      try {
        said = await this.#call(() => gate.book_claim(ctx, this.#life, env, claim, last));
      } catch (error) {
        news.end();
        throw error;
      }
      const [text, body, due, passing, first] = said;
      this.#ring(due);
      if (passing && (first ?? key) === about) {
        await news.come(until - Date.now());
        continue;
      }
      news.end();
      if (!passing) {
        this.#tell(first ?? key);
        return [text, body];
      }
      about = first ?? key;
    }
  }

  /** Lets those go on who wait for another word on a payment. */
  #tell(key) {
    for (const end of [...(this.#waiting.get(key) ?? [])]) end();
  }

  /** News of a payment: `come` waits for it, for some milliseconds at most, and `end` stops listening. */
  #listen(key) {
    let tell;
    const told = new Promise((resolve) => (tell = resolve));
    const others = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, others);
    const end = () => {
      if (!others.delete(end)) return;
      this.#waiters -= 1;
      if (others.size === 0 && this.#waiting.get(key) === others) this.#waiting.delete(key);
      tell();
    };
    others.add(end);
    this.#waiters += 1;
    const come = (milliseconds) => {
      const timer = setTimeout(end, milliseconds);
      return told.finally(() => clearTimeout(timer));
    };
    return { come, end };
  }

  /** Takes a report on a payment, with the body of the answer that is to be kept. */
  report(key, report, body) {
    const { env, ctx } = this;
    const done = this.#call(() => gate.book_report(ctx, this.#life, env, report, body))
      .then(([text, kept, due]) => {
        this.#ring(due);
        return [text, kept];
      })
      .finally(() => this.#tell(key));
    // What began comes to its end, whether or not somebody still waits for it.
    ctx.waitUntil(done.catch(() => {}));
    return done;
  }

  /** Lists records for the operator; see `src/ledger_view.rs`. */
  list(ask) {
    return this.#call(() => gate.book_list(this.ctx, ask));
  }

  /** Whether a pass stands. */
  stands(doubt) {
    return this.#call(() => gate.book_stands(this.ctx, this.#life, doubt));
  }

  /** Revokes the passes of a payer or of a payment. */
  revoke(subject) {
    return this.#call(() => gate.book_revoke(this.ctx, subject));
  }

  /** Counts records for the operator. */
  summary() {
    return this.#call(() => gate.book_summary(this.ctx));
  }

  /** Looks after what is due. */
  async alarm() {
    this.#rings = Infinity;
    const { env, ctx } = this;
    this.#ring(await this.#call(() => gate.book_alarm(ctx, this.#life, env)));
    for (const key of [...this.#waiting.keys()]) this.#tell(key);
  }
}
