// Servers a gate talks to, inside the test's own process: an origin, a facilitator and a node that do as they are told
// and remember what they were asked. What misbehaves here misbehaves on purpose; the chain behind the node is real.
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

/** Starts a server; it ends with `stop()`, whatever its clients still wait for. */
async function listen(handler) {
  const server = createServer(handler);
  // An idle connection that is closed just when it is used again would be a fault that nobody had in mind.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

/**
 * An origin. `seen` are its requests, with their bodies; `answer` is how it answers, and may be replaced at any time.
 * It answers 200 with the path it was asked for until it is told otherwise.
 */
export async function startOrigin() {
  const origin = { seen: [], answer: undefined };
  const usual = (request, response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.end(`served ${request.url}`);
  };
  const { url, stop } = await listen(async (request, response) => {
    const record = { method: request.method, url: request.url, headers: request.headers };
    origin.seen.push(record);
    if (origin.answer) return origin.answer(request, response, record);
    record.body = await text(request);
    usual(request, response);
  });
  return Object.assign(origin, { url, stop, usual });
}

/** What a facilitator says that is content with everything. */
export const content = {
  "/verify": ({ paymentPayload }) => ({ isValid: true, payer: paymentPayload.payload.authorization.from }),
  "/settle": ({ paymentPayload, paymentRequirements }) => ({
    success: true,
    payer: paymentPayload.payload.authorization.from,
    transaction: paymentPayload.payload.authorization.nonce,
    network: paymentRequirements.network,
  }),
};

/**
 * A facilitator. `say` maps a path to a function of the request's body that gives the answer's JSON or a promise of it, or to
 * `(body, request, response) => undefined`, which answers by itself or not at all. `asked` are its requests, `count` those of
 * a path, and `settlements` how often one payment was sent to be settled: others may be looked for at the same time.
 */
export async function startFacilitator() {
  const facilitator = { asked: [], say: { ...content } };
  const { url, stop } = await listen(async (request, response) => {
    const body = JSON.parse((await text(request)) || "null");
    facilitator.asked.push({ path: request.url, headers: request.headers, body });
    const said = await facilitator.say[request.url]?.(body, request, response);
    if (said === undefined) return;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(said));
  });
  const count = (path) => facilitator.asked.filter((one) => one.path === path).length;
  const isOf = ({ payload }) => ({ path, body }) => path === "/settle" && body.paymentPayload.payload.signature === payload.signature;
  const settlements = (payment) => facilitator.asked.filter(isOf(payment)).length;
  return Object.assign(facilitator, { url, stop, count, settlements });
}

/**
 * A node in front of the real one. `meddle(calls, response)` may answer a batch by itself: it gets the calls and
 * returns replies or text, `null` to answer never, or `undefined` to let the batch through; `after(replies, calls)`
 * may change what the real node said. `sent` are the raw transactions that came, in order; `until(condition)` looks for
 * a condition after each batch.
 */
export async function startNode(behind) {
  const node = { batches: [], sent: [], meddle: undefined, after: undefined };
  const waiting = [];
  node.until = async (condition) => {
    while (!condition()) await new Promise((resolve) => waiting.push(resolve));
  };
  const { url, stop } = await listen(async (request, response) => {
    const body = await text(request);
    const calls = JSON.parse(body);
    node.batches.push(calls.map(({ method }) => method));
    for (const { method, params } of calls) if (method === "eth_sendRawTransaction") node.sent.push(params[0]);
    for (const wake of waiting.splice(0)) wake();
    let said = await node.meddle?.(calls, response);
    if (said === null) return;
    if (said === undefined) {
      const answer = await fetch(behind, { method: "POST", headers: { "content-type": "application/json" }, body });
      said = await answer.json();
      said = node.after?.(said, calls) ?? said;
    }
    if (response.writableEnded) return;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(typeof said === "string" ? said : JSON.stringify(said));
  });
  return Object.assign(node, { url, stop });
}
