// The local world's switches: what stands between its parts and can be told to misbehave, so that a person sees that
// nothing gets lost. Everything else of the world stays as it is, the chain above all.
//
//   node switches.mjs --world FILE [--port N]      prints {"switches":"http://127.0.0.1:PORT"}
//
// GET  /          the modes, as { "node": "normal", "origin": "normal", "gate": "normal" }
// PUT  /          changes some of them and answers all
// POST /node      the chain's RPC, as the gate sees it
//      /origin/…  the origin, as the gate sees it
//      /gate/…    the gate, for a page that wants a payee who misbehaves
import { createServer, request as ask } from "node:http";
import { buffer } from "node:stream/consumers";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { world: { type: "string" }, port: { type: "string", default: "0" } } });

/** The world is described when all of it runs, and asked for nothing before. */
let described;
const world = () => (described ??= JSON.parse(readFileSync(values.world, "utf8")));

const modes = { node: "normal", origin: "normal", gate: "normal" };
const known = {
  // `lose`: what is sent is sent, and neither that nor any receipt is told.
  node: ["normal", "slow", "down", "lose"],
  origin: ["normal", "fail", "down"],
  // `lose`: the first answer to every payment is lost after everything was done for it. `dearer`: whoever has paid is asked
  // for ten times as much, and the payment goes nowhere. `raised`: everybody is asked for ten times as much from the start.
  gate: ["normal", "lose", "dearer", "raised"],
};

/** Milliseconds by which a slow node is late with every answer. */
const LATE = 700;

/** Asks the other side the same, or what `change` says of it, and answers its answer. */
function pass(request, target, { body, headers = request.headers } = {}) {
  return new Promise((resolve, reject) => {
    const onward = ask(target, { method: request.method, headers: { ...headers, host: new URL(target).host } }, resolve);
    onward.on("error", reject);
    if (body === undefined) request.pipe(onward);
    else onward.end(body);
  });
}

function hand(answer, response) {
  response.writeHead(answer.statusCode, answer.headers);
  answer.pipe(response);
  response.on("close", () => answer.destroy());
}

/** Hears an answer out and tells nobody. */
async function lose(answer, response) {
  await buffer(answer);
  response.destroy();
}

/** Whether a batch of JSON-RPC settles something or asks what became of it. */
function settles(body) {
  const told = ["eth_sendRawTransaction", "eth_getTransactionReceipt"];
  return [JSON.parse(body)].flat().some(({ method }) => told.includes(method));
}

async function node(request, response) {
  const body = await buffer(request);
  const mode = modes.node;
  if (mode === "down") return response.destroy();
  // timer: a slow node is what this mode is for.
  if (mode === "slow") await new Promise((late) => setTimeout(late, LATE));
  const answer = await pass(request, world().rpc, { body });
  return mode === "lose" && settles(body) ? lose(answer, response) : hand(answer, response);
}

async function origin(request, response, path) {
  if (modes.origin === "down") return response.destroy();
  if (modes.origin === "normal") return hand(await pass(request, world().origin + path), response);
  request.resume();
  return json(response, 503, { error: "the origin fails, as its switch says" });
}

/** Payments whose first answer was lost. */
const lost = new Set();

async function gate(request, response, path) {
  const { "payment-signature": payment, "content-length": _, "transfer-encoding": __, ...unpaid } = request.headers;
  const target = world().gate + path;
  if (modes.gate === "dearer" && payment) {
    request.resume();
    const answer = await pass(request, target, { headers: unpaid, body: "" });
    return dearer(answer, response);
  }
  const losing = modes.gate === "lose";
  const first = losing && payment && !lost.has(payment);
  if (first) lost.add(payment);
  const answer = await pass(request, target);
  if (modes.gate === "raised" && answer.headers["payment-required"]) return dearer(answer, response);
  // A browser sends again by itself what was lost on a connection that it had used before: the payer would not hear of it.
  if (losing) answer.headers.connection = "close";
  return first ? lose(answer, response) : hand(answer, response);
}

/** Hands on a 402 whose terms, in the header and in the body, are ten times as dear. */
async function dearer(answer, response) {
  const raised = (text, name) => {
    const terms = JSON.parse(text);
    const accepts = terms.accepts.map((offer) => ({ ...offer, [name]: `${offer[name]}0` }));
    return Buffer.from(JSON.stringify({ ...terms, accepts }));
  };
  const body = await buffer(answer);
  const { "payment-required": terms, "content-length": _, "transfer-encoding": __, ...headers } = answer.headers;
  if (!terms) return response.writeHead(answer.statusCode, headers).end(body);
  const header = raised(Buffer.from(terms, "base64"), "amount").toString("base64");
  response.writeHead(answer.statusCode, { ...headers, "payment-required": header });
  return response.end(body.length > 0 ? raised(body, "maxAmountRequired") : body);
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(`${JSON.stringify(value)}\n`);
}

/** The switches themselves: the page is of another origin, so that its browser asks first. */
async function control(request, response) {
  response.setHeader("access-control-allow-origin", "*");
  response.setHeader("access-control-allow-methods", "GET, PUT");
  response.setHeader("access-control-allow-headers", "content-type");
  response.setHeader("cache-control", "no-store");
  if (request.method === "OPTIONS") return response.writeHead(204).end();
  if (request.method === "PUT") {
    const wanted = Object.entries(JSON.parse(await buffer(request)));
    const wrong = wanted.find(([part, mode]) => !known[part]?.includes(mode));
    if (wrong) return json(response, 400, { error: `${wrong.join(": ")} is no mode`, known });
    for (const [part, mode] of wanted) modes[part] = mode;
  }
  return json(response, 200, modes);
}

const server = createServer((request, response) => {
  const [, part, path] = /^\/(node|origin|gate)(?=[/?]|$)(.*)$/.exec(request.url) ?? [];
  const work = { node, origin, gate }[part] ?? control;
  // What breaks on the way ends the connection, as it would without this server in between.
  Promise.resolve(work(request, response, path)).catch(() => response.destroy());
});

server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(JSON.stringify({ switches: `http://127.0.0.1:${server.address().port}` }));
});
