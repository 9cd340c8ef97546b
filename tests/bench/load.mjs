// The load generator: a fixed number of requests over a few keep-alive connections to a loopback port, one request
// in flight per connection. It is a process of its own, so that it can be pinned beside what it measures.
//
// stdin: one JSON object {port, connections, requests: [raw HTTP/1.1 request text], times}: every request is sent
// `times` times, in order. stdout: {seconds, statuses: {status: count}}.
import { connect } from "node:net";
import { text } from "node:stream/consumers";

const { port, connections, requests, times } = JSON.parse(await text(process.stdin));
const total = requests.length * times;
const raw = requests.map((request) => Buffer.from(request, "latin1"));
const statuses = {};
let next = 0;

/** Where a whole response ends in what has arrived so far; -1 while it has not. */
function end(received) {
  const head = received.indexOf("\r\n\r\n");
  if (head < 0) return -1;
  const headers = received.slice(0, head).toLowerCase();
  const length = /\r\ncontent-length: *(\d+)/.exec(headers);
  if (length) {
    const size = head + 4 + Number(length[1]);
    return received.length >= size ? size : -1;
  }
  if (!headers.includes("transfer-encoding: chunked")) throw new Error(`no length in ${received.slice(0, head)}`);
  const last = received.indexOf("0\r\n\r\n", head + 4);
  return last < 0 ? -1 : last + 5;
}

/** One connection: takes the next request until none is left. */
function run() {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const send = () => {
      if (next >= total) return socket.end(resolve);
      socket.write(raw[next % raw.length]);
      next += 1;
    };
    socket.setEncoding("latin1");
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("data", (piece) => {
      received += piece;
      const size = end(received);
      if (size < 0) return;
      const status = received.slice(9, 12);
      statuses[status] = (statuses[status] ?? 0) + 1;
      received = received.slice(size);
      send();
    });
  });
}

const start = process.hrtime.bigint();
await Promise.all(Array.from({ length: connections }, run));
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
process.stdout.write(`${JSON.stringify({ seconds, statuses })}\n`);
