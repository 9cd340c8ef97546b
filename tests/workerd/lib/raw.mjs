// What needs no gate of its own: requests by hand, keys, and looking until something is so.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectSecurely } from "node:tls";

/** A key nobody else has. */
export const freshKey = () => `0x${randomBytes(32).toString("hex")}`;

/** Looks until a condition finds something, and answers that; the suite's own limit ends what never comes. */
export async function until(condition) {
  for (;;) {
    const found = await condition();
    if (found) return found;
    await new Promise(setImmediate);
  }
}

/**
 * Sends bytes as they are and reads one response: a target that `fetch` would tidy, a header it would refuse.
 * @returns {Promise<{status: number, headers: Headers, body: string}>}
 */
export async function raw(url, head, body = "", host = "gate.test") {
  const { hostname, port, protocol } = new URL(url);
  const secure = protocol === "https:";
  const place = { host: hostname, port: Number(port || (secure ? 443 : 80)), servername: hostname };
  const socket = secure ? connectSecurely(place) : connect(place);
  await once(socket, secure ? "secureConnect" : "connect");
  socket.setEncoding("latin1");
  socket.end(`${head.join("\r\n")}\r\nHost: ${host}\r\nConnection: close\r\n\r\n${body}`, "latin1");
  let received = "";
  for await (const piece of socket) received += piece;
  const at = received.indexOf("\r\n\r\n");
  const [line, ...fields] = received.slice(0, at).split("\r\n");
  const headers = new Headers(fields.map((field) => [field.slice(0, field.indexOf(":")), field.slice(field.indexOf(":") + 1).trim()]));
  const [status, text] = [Number(line.split(" ")[1]), received.slice(at + 4)];
  globalThis.x402Witness?.(status, headers, text); // `cargo xtask attack` tells what was answered
  return { status, headers, body: text };
}

/** A raw request for a target. */
export const target = (url, path, { method = "GET", headers = [] } = {}) => raw(url, [`${method} ${path} HTTP/1.1`, ...headers]);
