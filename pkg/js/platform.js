// What the payer needs of its runtime: requests that are sent twice, bodies read so far and no further, waits that end.
// No decision is made here.

/** A body that cannot be sent twice. */
const STREAM = Symbol("stream");

/** Members of an init that are copied even when they are not its own, as when it is a `Request`. */
const MEMBERS = [
  "method", "headers", "body", "referrer", "referrerPolicy", "mode", "credentials", "cache", "redirect", "integrity",
  "keepalive", "signal", "duplex", "priority",
];

/** A body as it is now: the caller may change it before it is sent again. */
function kept(body) {
  if (body === null || typeof body !== "object") return body;
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice();
  switch (body[Symbol.toStringTag]) {
    case "ArrayBuffer":
      return body.slice(0);
    case "URLSearchParams":
      return new URLSearchParams(body);
    case "FormData": {
      const copy = new FormData();
      for (const [name, value] of body) copy.append(name, value);
      return copy;
    }
    case "ReadableStream":
      return STREAM;
  }
  return typeof body[Symbol.asyncIterator] === "function" ? STREAM : body;
}

/** An iterator of headers could be read once only. */
function repeatable(init) {
  const headers = init?.headers;
  const once = typeof headers?.[Symbol.iterator] === "function" && !Array.isArray(headers) && typeof headers.get !== "function";
  return once ? { ...init, headers: [...headers] } : init;
}

function absolute(input) {
  try {
    return new URL(input, globalThis.document?.baseURI ?? globalThis.location?.href).href;
  } catch {
    return undefined;
  }
}

/** Does what has no say: whatever it throws, now or later, changes nothing. */
export async function quietly(work) {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

/** Gives a body back to the network: an unread one would hold its connection. */
export function discard(message) {
  const body = message?.body;
  if (body && !body.locked) quietly(() => body.cancel?.());
}

/** Whether something in between may keep answers, and requests may say that it must not. */
const cached = (() => {
  if (!("caches" in globalThis || "document" in globalThis)) return false;
  try {
    return Boolean(new Request("http://localhost", { cache: "no-store" }));
  } catch {
    return false;
  }
})();

/** A call of `fetch`: sent once as the caller made it, and perhaps once more with a payment. */
export class Call {
  constructor(input, init) {
    const request = typeof input?.clone === "function" && typeof input.url === "string" ? input : undefined;
    init = repeatable(init);
    const member = (name) => (init?.[name] === undefined ? request?.[name] : init[name]);
    this.input = input;
    this.init = init;
    this.url = request ? request.url : absolute(input);
    this.method = String(member("method") ?? "GET").toUpperCase();
    this.signal = member("signal") ?? undefined;
    this.headers = new Headers(member("headers"));
    this.body = kept(init?.body);
    this.copy = this.body == null && request && !request.bodyUsed ? request.clone() : undefined;
    this.repeats = this.body !== STREAM;
  }

  has(header) {
    return this.headers.has(header);
  }

  /** The bytes of a body that is of text or bytes; undefined for another. */
  async bytes() {
    const { body, copy } = this;
    if (copy) return new Uint8Array(await copy.clone().arrayBuffer()); // not every runtime shows whether there is a body
    if (body == null) return new Uint8Array();
    const told = typeof body === "string" || ArrayBuffer.isView(body) || /^(ArrayBuffer|URLSearchParams|Blob|File)$/.test(body[Symbol.toStringTag]);
    return told ? new Uint8Array(await new Response(body).arrayBuffer()) : undefined;
  }

  send(fetch) {
    return this.init === undefined ? fetch(this.input) : fetch(this.input, this.init);
  }

  /** Sends it to `url` with one more header. A redirect is not followed: the header is for this server alone. */
  sendPaid(fetch, url, name, value) {
    const init = { ...this.init };
    for (const member of MEMBERS) init[member] ??= this.init?.[member];
    init.headers = new Headers(this.headers);
    init.headers.set(name, value);
    if (cached) init.cache = "no-store"; // a 402 that was kept would be the answer to every payment
    init.redirect = (init.redirect ?? this.copy?.redirect) === "error" ? "error" : "manual";
    let input = url;
    if (this.copy) {
      // With an init, `fetch` forgets the referrer of a Request unless it is said again.
      for (const member of ["referrer", "referrerPolicy"]) init[member] ??= this.copy[member];
      const again = this.copy.clone(); // it may be sent more than once
      input = again.url === url ? again : new Request(url, again);
    } else {
      init.body = this.body;
    }
    for (const member of MEMBERS) if (init[member] === undefined) delete init[member];
    return fetch(input, init);
  }

  /** Lets go of what was kept for a second time. */
  done() {
    discard(this.copy);
  }
}

/** A response header of at most `limit` characters; `null` when there is none, `undefined` when it is longer. */
export function header(response, name, limit) {
  let value;
  try {
    value = response.headers.get(name);
  } catch {
    return null; // not a response, or one that does not want to be read
  }
  return typeof value !== "string" ? null : value.length > limit ? undefined : value;
}

/**
 * Waits for a value until a signal fires or the seconds have passed. Never rejects.
 * @returns {Promise<{end: "value" | "failed" | "aborted" | "late", value: unknown}>}
 */
export function within(value, signal, seconds) {
  return new Promise((resolve) => {
    let timer;
    const finish = (end, value) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve({ end, value });
    };
    const abort = () => finish("aborted", signal.reason);
    // Listened to in any case: a failure that nobody hears ends whole processes.
    Promise.resolve(value).then((value) => finish("value", value), (error) => finish("failed", error));
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort);
    // Without an end there is nothing to wake up for: a timer would keep its process.
    if (seconds !== Infinity) timer = setTimeout(finish, Math.min(seconds * 1000, 2 ** 31 - 1), "late");
  });
}

/**
 * The text of a copy of a response's body; nothing when it is longer than `limit` bytes, slower than `seconds`, or no
 * text. The response itself stays unread. Rejects with the signal's reason.
 */
export async function text(response, limit, seconds, signal) {
  let reader;
  try {
    reader = response.clone().body.getReader();
  } catch {
    return undefined; // no body, or one that is being read
  }
  const chunks = [];
  let length = 0;
  const end = Date.now() + seconds * 1000;
  try {
    for (;;) {
      const next = await within(reader.read(), signal, Math.max(0, end - Date.now()) / 1000);
      if (next.end === "aborted") throw next.value;
      if (next.end !== "value") return undefined;
      if (next.value.done) return await new Blob(chunks).text();
      length += next.value.value.byteLength;
      if (length > limit) return undefined;
      chunks.push(next.value.value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
