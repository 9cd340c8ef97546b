// The origin behind the local world's gate: a plain HTTP server that knows nothing of payments.
//
//   node origin.mjs [--port N]      prints {"origin":"http://127.0.0.1:PORT"} when it listens
//
// GET /__hits answers how often each path ran, which is how a test sees that an unpaid or repeated request
// never reached the origin.
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });

/** Path → number of requests that reached its handler. */
const hits = new Map();

/** A price path without storage: the same second always has the same price. */
function priceAt(seconds) {
  const wave = (period, height) => height * Math.sin((2 * Math.PI * seconds) / period);
  return 2400 + wave(86_400, 60) + wave(3_600, 14) + wave(300, 4) + wave(17, 0.9);
}

/** A quote with its last hour in one-minute steps and the figures computed from them. */
function quote(now = Date.now()) {
  const second = Math.floor(now / 1000);
  const minutes = Array.from({ length: 60 }, (_, i) => priceAt(second - (59 - i) * 60));
  const mean = minutes.reduce((sum, price) => sum + price, 0) / minutes.length;
  const variance = minutes.reduce((sum, price) => sum + (price - mean) ** 2, 0) / (minutes.length - 1);
  const cents = (value) => Number(value.toFixed(2));
  return {
    symbol: "ETH-USD",
    at: new Date(second * 1000).toISOString(),
    price: cents(priceAt(second)),
    hour: { open: cents(minutes[0]), low: cents(Math.min(...minutes)), high: cents(Math.max(...minutes)), mean: cents(mean), deviation: cents(Math.sqrt(variance)) },
  };
}

const article = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The toll that never stops the car</title>
<article>
<h1>The toll that never stops the car</h1>
<p>For three decades a page on the web could be free, or it could ask you to become an account. Between the two
there was a number in the HTTP registry, 402, and a note beside it saying that it was reserved.</p>
<p>A status code is a small thing, but it is spoken by every server and every client. A reader that understands it
needs no form, no card and no inbox: it reads the terms, decides whether they fit what it was told to spend, signs
one message and asks again. You are reading this paragraph because something did exactly that, for two cents.</p>
</article>
</html>
`;

/** The pieces of /stream: eight lines, a quarter of a second apart. */
function stream(request, response) {
  response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  if (request.method === "HEAD") return response.end();
  let piece = 0;
  const next = () => {
    piece += 1;
    response.write(`${JSON.stringify({ piece, of: 8, ...quote() })}\n`);
    if (piece === 8) {
      clearInterval(timer);
      response.end();
    }
  };
  // timer: a slow body is what this route is for.
  // timer: this route exists to be slow.
  const timer = setInterval(next, 250);
  response.on("close", () => clearInterval(timer));
}

/** The body exactly as it came, under the content type it came with. */
function report(request, response) {
  const headers = { "content-type": request.headers["content-type"] ?? "application/octet-stream" };
  if (request.headers["content-length"]) headers["content-length"] = request.headers["content-length"];
  response.writeHead(200, headers);
  request.pipe(response);
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(`${JSON.stringify(value)}\n`);
}

const routes = {
  "GET /free": (_, response) => json(response, 200, { free: true, message: "This one is on the house." }),
  "GET /quote": (_, response) => json(response, 200, quote()),
  "POST /report": report,
  "GET /article": (_, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(article);
  },
  "GET /stream": stream,
  "GET /fails": (_, response) => json(response, 500, { error: "the origin failed, as this route always does" }),
};

const server = createServer((request, response) => {
  const [pathname] = request.url.split("?", 1);
  if (pathname === "/__hits") return json(response, 200, Object.fromEntries(hits));
  hits.set(pathname, (hits.get(pathname) ?? 0) + 1);
  const method = request.method === "HEAD" ? "GET" : request.method;
  const handler = routes[`${method} ${pathname}`];
  if (handler) return handler(request, response);
  json(response, 404, { error: `nothing at ${method} ${pathname}` });
});

server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(JSON.stringify({ origin: `http://127.0.0.1:${server.address().port}` }));
});
