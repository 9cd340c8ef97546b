// What the gate does outside of itself, each effect in one call: a subrequest made from Rust piece by piece crosses the
// boundary some thirty times, which cost more than the signature's check. Nothing is decided here.

/** Sets headers by names and values in turns: none where the value is empty, and cookies beside those there are. */
function set(headers, pairs) {
  for (let at = 0; at < pairs.length; at += 2) {
    const [name, value] = [pairs[at], pairs[at + 1]];
    if (value === "") headers.delete(name);
    else if (name === "set-cookie") headers.append(name, value);
    else headers.set(name, value);
  }
  return headers;
}

/** The headers of a message but for some. */
function without(names, message) {
  const headers = new Headers(message.headers);
  for (const name of names) headers.delete(name);
  return headers;
}

/** Does `work` with a signal that ends it after so many milliseconds; undefined when it fails or comes too late. */
async function within(milliseconds, work) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), milliseconds);
  try {
    return await work(late.signal);
  } catch {
    return undefined; // what exactly went wrong between two machines is the same to the gate: no answer
  } finally {
    clearTimeout(timer);
  }
}

/** The bytes of a stream; undefined beyond `limit`. Throws for a broken stream. */
async function gather(stream, limit) {
  if (!stream) return new Uint8Array();
  const reader = stream.getReader();
  const pieces = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return join(pieces, size);
    pieces.push(value);
    size += value.byteLength;
    if (size > limit) {
      reader.cancel().catch(() => {}); // whether the other side takes note is its own affair
      return undefined;
    }
  }
}

function join(pieces, size) {
  if (pieces.length === 1) return pieces[0];
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a message's body; undefined beyond `limit` or for a broken one. */
export const bodyOf = (message, limit) => gather(message.body, limit).catch(() => undefined);

/**
 * Posts JSON and answers the reply as its status, a space and its body; undefined when no whole reply of at most `limit`
 * bytes came in time. A redirect is a reply like any other: neither the message nor its headers go elsewhere.
 * @param {string[]} headers names and values in turn
 */
export const post = (url, headers, body, milliseconds, limit) =>
  within(milliseconds, async (signal) => {
    const sent = set(new Headers({ "content-type": "application/json" }), headers);
    const response = await fetch(url, { method: "POST", headers: sent, body, redirect: "manual", signal });
    const length = response.headers.get("content-length");
    // The runtime holds a body to the length it was announced with.
    const whole = length !== null && Number(length) <= limit;
    if (whole) return `${response.status} ${await response.text()}`;
    const bytes = await gather(response.body, limit);
    return bytes && `${response.status} ${utf8.decode(bytes)}`;
  });

/** What WebCrypto calls the algorithms of a token. */
const ALGORITHMS = { EdDSA: { name: "Ed25519" }, ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } };

/** The signature of a text with a private key (PKCS #8); undefined for a key that is none. */
export async function signWith(algorithm, key, text) {
  try {
    const of = ALGORITHMS[algorithm];
    const signer = await crypto.subtle.importKey("pkcs8", key, of, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign(of, signer, new TextEncoder().encode(text)));
  } catch {
    return undefined; // to the gate, a token that cannot be signed is a facilitator that cannot be asked
  }
}

/**
 * Asks an origin for a URL with a request's method and headers but for those in `stripped`, and with a body: its own
 * where none is given. Undefined when the origin does not begin to answer in time. A paid answer is for one request: no
 * cache on the way may have it or keep it.
 * @param {Fetcher | undefined} binding the origin's service, or none for one that the URL names
 * @param {string[]} changed names and values in turn of headers that are sent in place of the request's own
 */
export const askOrigin = (binding, url, request, bytes, stripped, paid, changed, milliseconds) =>
  within(milliseconds, (signal) => {
    const headers = set(without(stripped, request), changed);
    const { method } = request;
    const body = bytes ?? request.body;
    const init = { method, headers, body, redirect: "manual", signal };
    if (paid) init.cache = "no-store";
    return binding ? binding.fetch(url, init) : fetch(url, init);
  });

/**
 * The origin's answer, its body still streaming, with these headers and without those in `stripped`.
 * @param {string[]} headers names and values in turn
 */
export function deliver(origin, stripped, headers) {
  const { status, statusText, body, webSocket } = origin;
  const sent = set(without(stripped, origin), headers);
  return new Response(body, { status, statusText, headers: sent, webSocket: webSocket ?? undefined });
}

/** How long an answer without a length may take to be whole, in milliseconds, before it counts as a stream. */
const AT_ONCE = 25;

/**
 * Reads an answer's body if it is no longer than `limit` bytes: at any pace where its length was announced, else only
 * what comes at once. Answers the bytes, if they are all, and the answer to deliver; throws for a body that broke off or
 * took longer than so many milliseconds.
 * @returns {Promise<[Uint8Array | undefined, Response]>}
 */
export async function collect(answer, limit, milliseconds) {
  const { body, headers, status } = answer;
  if (!body || status === 101) return [status === 101 ? undefined : new Uint8Array(), answer];
  const length = headers.get("content-length");
  if (length !== null && Number(length) > limit) return [undefined, answer];
  if (headers.get("content-type")?.startsWith("text/event-stream")) return [undefined, answer];
  const reader = body.getReader();
  const pieces = [];
  let size = 0;
  let timer;
  const late = new Promise((resolve, reject) => {
    const broken = () => reject(new Error("the origin did not end its answer in time"));
    timer = length === null ? setTimeout(resolve, AT_ONCE) : setTimeout(broken, milliseconds);
  });
  try {
    for (;;) {
      const next = reader.read();
      const read = await Promise.race([next, late]);
      if (read?.done) {
        const bytes = join(pieces, size);
        return [bytes, new Response(NO_BODY.has(status) ? null : bytes, answer)];
      }
      if (read) {
        pieces.push(read.value);
        size += read.value.byteLength;
        if (size <= limit) continue;
      }
      return [undefined, new Response(rest(pieces, read ? undefined : next, reader), answer)];
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The statuses whose responses may have no body, not even an empty one. */
const NO_BODY = new Set([204, 205, 304]);

/** A stream of pieces that were read, of one that is being read, and of what a reader still has. */
const rest = (pieces, next, reader) =>
  new ReadableStream({
    type: "bytes",
    async pull(to) {
      if (pieces.length > 0) return to.enqueue(pieces.shift());
      const { done, value } = await (next ?? reader.read());
      next = undefined;
      if (!done) return to.enqueue(value);
      to.close();
      to.byobRequest?.respond(0);
    },
    cancel: (reason) => reader.cancel(reason),
  });

/** The names and values of an answer's headers but for those in `stripped`, in turns. */
export const headers = (answer, stripped) => [...without(stripped, answer)].flat();

/** An answer that was kept, with these headers in place of its own. */
export function replay(status, kept, body, headers) {
  const all = new Headers();
  for (let at = 0; at < kept.length; at += 2) all.append(kept[at], kept[at + 1]);
  return new Response(NO_BODY.has(status) ? null : body, { status, headers: set(all, headers) });
}

/** Whether the client went away, as far as the runtime tells (its flag `enable_request_signal`). */
export const gone = (request) => request.signal?.aborted === true;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/**
 * An Ed25519 key to sign with: its name (the thumbprint of RFC 7638), its public half in base64url, and the key itself,
 * which does not leave the platform any more.
 * @param {Uint8Array} pkcs8
 * @returns {Promise<[string, string, CryptoKey]>}
 */
export async function signer(pkcs8) {
  const { subtle } = crypto;
  const key = (extractable) => subtle.importKey("pkcs8", pkcs8, { name: "Ed25519" }, extractable, ["sign"]);
  const { x } = await subtle.exportKey("jwk", await key(true));
  const print = new TextEncoder().encode(JSON.stringify({ crv: "Ed25519", kty: "OKP", x }));
  return [base64url(await subtle.digest("SHA-256", print)), x, await key(false)];
}

/** The signature over a text. @returns {Promise<Uint8Array>} */
export const sign = async (key, text) =>
  new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, key, new TextEncoder().encode(text)));

/** What promises come to; undefined for those that fail. */
export const settled = (promises) => Promise.all(promises.map((one) => Promise.resolve(one).catch(() => undefined)));
