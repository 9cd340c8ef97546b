// What the gate does outside of itself, each effect in one call: a subrequest made from Rust piece by piece crosses the
// boundary some thirty times, which cost more than the signature's check. Nothing is decided here.

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

/** The text of a stream; undefined beyond `limit` bytes. Throws for a broken stream and for bytes that are not UTF-8. */
async function gather(stream, limit) {
  if (!stream) return "";
  const reader = stream.getReader();
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  let left = limit;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + utf8.decode();
    left -= value.byteLength;
    if (left < 0) {
      reader.cancel().catch(() => {}); // whether the other side takes note is its own affair
      return undefined;
    }
    text += utf8.decode(value, { stream: true });
  }
}

/** The text of a request's body; undefined beyond `limit` bytes, for a broken one and for bytes that are not UTF-8. */
export const bodyOf = (request, limit) => gather(request.body, limit).catch(() => undefined);

/**
 * Posts JSON and answers the reply as its status, a space and its body; undefined when no whole reply of at most `limit`
 * bytes came in time. A redirect is a reply like any other: neither the message nor its headers go elsewhere.
 * @param {string[]} headers names and values in turn
 */
export const post = (url, headers, body, milliseconds, limit) =>
  within(milliseconds, async (signal) => {
    const sent = { "content-type": "application/json" };
    for (let at = 0; at < headers.length; at += 2) sent[headers[at]] = headers[at + 1];
    const response = await fetch(url, { method: "POST", headers: sent, body, redirect: "manual", signal });
    const length = response.headers.get("content-length");
    // The runtime holds a body to the length it was announced with.
    const whole = length !== null && Number(length) <= limit;
    const text = whole ? await response.text() : await gather(response.body, limit);
    return text === undefined ? undefined : `${response.status} ${text}`;
  });

/**
 * Asks an origin for a URL with a request's method, body and headers but for those in `stripped`; undefined when it does
 * not begin to answer in time. A paid answer is for one request: no cache on the way may have it or keep it.
 * @param {Fetcher | undefined} binding the origin's service, or none for one that the URL names
 */
export const askOrigin = (binding, url, request, stripped, paid, milliseconds) =>
  within(milliseconds, (signal) => {
    const headers = new Headers(request.headers);
    for (const name of stripped) headers.delete(name);
    const { method, body } = request;
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
  const sent = new Headers(origin.headers);
  for (const name of stripped) sent.delete(name);
  for (let at = 0; at < headers.length; at += 2) sent.set(headers[at], headers[at + 1]);
  return new Response(body, { status, statusText, headers: sent, webSocket: webSocket ?? undefined });
}

/** Whether the client went away, as far as the runtime tells (its flag `enable_request_signal`). */
export const gone = (request) => request.signal?.aborted === true;
