// The Worker's entry: it starts the gate's module, hands it each request and each call of the relayer's object, does
// for it what only the runtime can do, and starts it anew if it ever fails. Nothing is decided here; a request that
// cannot be answered gets a 500.
import { DurableObject } from "cloudflare:workers";

import * as gate from "./build/x402_gate.js";
import wasm from "./build/x402_gate_bg.wasm";
import config from "./gate.json";

gate.initSync({ module: wasm });

/** Headers as the module writes them: a name and a value in turn, each on its line. */
function set(headers, lines) {
  const parts = lines.split("\n");
  for (let i = 0; i + 1 < parts.length; i += 2) headers.set(parts[i], parts[i + 1]);
  return headers;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What is read of a stream at once; most messages are smaller. */
const PIECE = 4096;

/** The text of a stream; undefined beyond `limit` bytes, or if it breaks off or is not UTF-8. */
async function read(body, limit) {
  if (body === null) return "";
  try {
    const reader = body.getReader({ mode: "byob" });
    let bytes = new Uint8Array(0);
    for (;;) {
      const { value } = await reader.readAtLeast(PIECE, new Uint8Array(PIECE));
      const length = value?.byteLength ?? 0;
      bytes = bytes.length === 0 ? (value ?? bytes) : joined(bytes, value ?? new Uint8Array(0));
      if (bytes.length > limit) {
        await reader.cancel();
        return undefined;
      }
      // Less than a whole piece is the stream's end.
      if (length < PIECE) return utf8.decode(bytes);
    }
  } catch {
    return undefined;
  }
}

function joined(one, two) {
  const both = new Uint8Array(one.length + two.length);
  both.set(one);
  both.set(two, one.length);
  return both;
}

/** The same for a response, of which more may be known: the runtime holds a body to the length it was announced with. */
async function readAll(response, limit) {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (!(length <= limit)) return length > limit ? undefined : read(response.body, limit);
  return utf8.decode(await response.arrayBuffer());
}

/** The time that the steps of one request have, each its own. One timer serves them all, which is cheaper than one each. */
class Deadline {
  #late = new AbortController();
  #at = Number.POSITIVE_INFINITY;
  #timer;

  /** Does something with a signal that comes after some time, unless it is done by then. */
  async during(milliseconds, work) {
    if (this.#late.signal.aborted) this.#late = new AbortController();
    this.#at = Date.now() + milliseconds;
    this.#timer ??= setTimeout(() => this.#look(), milliseconds);
    try {
      return await work(this.#late.signal);
    } finally {
      this.#at = Number.POSITIVE_INFINITY;
    }
  }

  #look() {
    this.#timer = undefined;
    const left = this.#at - Date.now();
    if (left <= 0) this.#late.abort();
    else if (left < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#look(), left);
  }
}

/** What the module uses of the runtime; `src/js.rs` declares it. */
const edge = {
  /** The parts of a response that may be made many times. */
  prepare: (status, headers, body) => ({ body: body === "" ? null : body, init: { status, headers: set(new Headers(), headers) } }),

  respond: ({ body, init }) => new Response(body, init),

  deadline: () => new Deadline(),

  /** Posts JSON. The promise is of the status and the text, a space between them, or of nothing if no whole reply came. */
  async post(deadline, milliseconds, url, headers, body, limit) {
    try {
      const own = set(new Headers(), headers);
      return await deadline.during(milliseconds, async (signal) => {
        const response = await fetch(url, { method: "POST", headers: own, body, redirect: "manual", signal });
        const text = await readAll(response, limit);
        return text === undefined ? undefined : `${response.status} ${text}`;
      });
    } catch {
      return undefined;
    }
  },

  read,

  /** Passes a request on, without some of its headers. The promise is of nothing if no answer began in time. */
  async forward(deadline, milliseconds, service, url, request, method, without, cache) {
    try {
      const headers = new Headers(request.headers);
      for (const name of without) headers.delete(name);
      const init = { method, headers, body: request.body, redirect: "manual" };
      if (cache !== undefined) init.cache = cache;
      return await deadline.during(milliseconds, (signal) => {
        init.signal = signal;
        return service === undefined ? fetch(url, init) : service.fetch(url, init);
      });
    } catch {
      return undefined;
    }
  },

  /** An origin's answer, its body still streaming, without some of its headers and with others. */
  deliver(origin, without, headers) {
    const own = new Headers(origin.headers);
    for (const name of without) own.delete(name);
    const { status, statusText, webSocket } = origin;
    return new Response(origin.body, { status, statusText, headers: set(own, headers), webSocket: webSocket ?? null });
  },

  /** Lets go of a body that nobody will read. */
  discard: ({ body }) => void body?.cancel().catch(() => {}),

  wait: (milliseconds) => scheduler.wait(milliseconds),
  now: () => BigInt(Date.now()),
  id: () => crypto.randomUUID(),
  log: (line) => console.log(line),
  error: (line) => console.error(line),

  /** Asks the object of a relayer; the promise is of its reply, or of nothing. */
  async relayer(namespace, name, method, order) {
    try {
      return await namespace.get(namespace.idFromName(name))[method](order);
    } catch {
      return undefined;
    }
  },

  /** Sets an object's alarm, unless one is set: it must not be put off by those who come later. */
  async wake(storage, seconds) {
    if ((await storage.getAlarm()) === null) await storage.setAlarm(seconds * 1000);
  },

  /** The module is lost, and everything that waits for it: the next call gets a new one. */
  lose(reason) {
    open = false;
    console.error(JSON.stringify({ error: "gate_internal", message: reason }));
    for (const end of waiting) end(new Error("gate_internal"));
    waiting.clear();
  },
};

/** Whether the module that runs now has read its configuration. */
let open = false;

/** What ends the calls that wait for the module that runs now. */
const waiting = new Set();

/** Gives up a module that may be broken. */
function abandon(reason) {
  gate.close();
  edge.lose(reason);
}

// A module may also fail in a task of its own, where nobody waits for the call.
addEventListener("error", (event) => {
  if (event.error instanceof WebAssembly.RuntimeError) abandon("the module failed in a task");
});

/** Calls the module. What it throws in the call itself means that it is broken: errors of its own are promises'. */
function call(env, work) {
  try {
    if (!open) {
      gate.begin();
      gate.open(config, env, edge);
      open = true;
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
  fetch(request, env) {
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
        ),
      );
      return answer instanceof Promise ? wait(answer).catch(failed) : answer;
    } catch {
      return failed();
    }
  },
};

/** The one writer of a relayer's account nonce; see `src/relayer.rs`. */
export class Relayer extends DurableObject {
  #last = Promise.resolve();

  /** Settles an order; the promise is of the reply's text. Orders are sent one after another, in the order they come. */
  async settle(order) {
    const { env, ctx } = this;
    const sent = this.#last.then(() => wait(call(env, () => gate.relayer_send(ctx.storage, order))));
    this.#last = sent.catch(() => {});
    return (await sent) ?? wait(call(env, () => gate.relayer_wait(ctx.storage, order)));
  }

  /** The text of a reply that says whether a request could still be served for an order's payment. */
  holds(order) {
    return call(this.env, () => gate.relayer_holds(this.ctx.storage, order));
  }

  /** Looks again for what was not known. */
  alarm() {
    return wait(call(this.env, () => gate.relayer_alarm(this.ctx.storage)));
  }
}
