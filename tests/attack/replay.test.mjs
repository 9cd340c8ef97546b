// A payment that comes again: elsewhere, changed, after a failure, beside itself, and what happens to its money meanwhile.
// The chain is real; the facilitator of the second gate does as each case says.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { encodeFunctionData, parseAbi } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf, blacklist, pause, transact } from "../support/chain.mjs";
import { chain, config, embedded, freshKey, freshPayer, raw, remote, startGate } from "../workerd/lib/gate.mjs";
import { buy, challenge, decode, header, payment, present, seconds } from "../workerd/lib/pay.mjs";
import { content, startFacilitator, startNode, startOrigin } from "../workerd/lib/servers.mjs";

const ROUTES = ["GET /paid", "POST /paid", "GET /other", "POST /other", "GET /before"].map((match) =>
  ({ match, price: "$0.01", ...(match.endsWith("before") ? { settle: "before" } : {}) }));
const PRICE = 10_000n;

let origin, node, facilitator, second, gate, others, url, remoteUrl, key, payer;
before(async () => {
  origin = await startOrigin();
  node = await startNode(chain.rpc);
  [facilitator, second] = [await startFacilitator(), await startFacilitator()];
  gate = await startGate(config(origin, embedded, ROUTES), { RPC_URL: node.url });
  others = await startGate(config(origin, remote(facilitator, second), ROUTES));
  [url, remoteUrl] = [`${gate.url}/paid`, `${others.url}/paid`];
  key = await freshPayer(10_000_000n);
  payer = privateKeyToAccount(key).address;
});
after(async () => {
  for (const server of [gate, others, node, facilitator, second, origin]) await server?.stop();
});
beforeEach(() => {
  origin.seen.length = node.sent.length = facilitator.asked.length = second.asked.length = 0;
  origin.answer = node.meddle = node.after = undefined;
  facilitator.say = { ...content };
  second.say = { ...content };
});

const balance = (of = payer) => balanceOf(chain.rpc, chain.asset, of);
const says = async (answer) => [answer.status, (await answer.json()).error];
const receipt = (answer) => decode(answer.headers.get("payment-response"));

test("S-130 S-079 a payment buys at one place: elsewhere it is a conflict, while the first is served and after", async () => {
  const paid = await payment(await challenge(url), key);
  assert.equal((await present(url, paid)).status, 200);
  for (const place of [`${gate.url}/other`, `${url}?q=1`, `${gate.url}/before`]) {
    assert.deepEqual(await says(await present(place, paid)), [409, "gate_payment_conflict"], place);
  }
  assert.deepEqual([origin.seen.length, node.sent.length], [1, 1]);
  // Both at once: one of them is served, and nothing is sent twice.
  const twice = await payment(await challenge(url), key);
  const answers = await Promise.all([present(url, twice), present(`${gate.url}/other`, twice)]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
  assert.deepEqual([origin.seen.length, node.sent.length], [2, 2]);
});

test("S-080 another method or body with the same payment is a conflict", async () => {
  const post = (body) => ({ method: "POST", body });
  const paid = await payment(await challenge(url, post("a")), key);
  const first = await present(url, paid, post("a"));
  assert.equal(first.status, 200);
  for (const init of [post("b"), post(""), {}, { method: "HEAD" }]) {
    const answer = await present(url, paid, init);
    assert.equal(answer.status, 409, init.method);
    await answer.text();
  }
  const again = await present(url, paid, post("a"));
  assert.deepEqual([again.status, await again.text(), receipt(again).transaction], [200, await first.text(), receipt(first).transaction]);
  assert.deepEqual([origin.seen.length, node.sent.length], [1, 1]);
});

test("S-133 F-30 F-32 a lost answer is given again as it was, with its headers and its receipt", async () => {
  const body = Buffer.from([0, 255, 1, 254, 13, 10]);
  origin.answer = (_, response) => response.writeHead(201, { "content-type": "x/y", "x-own": "1", "set-cookie": ["a=1", "b=2"], "content-length": body.length }).end(body);
  const paid = await payment(await challenge(url), key);
  const answers = [];
  for (let i = 0; i < 3; i += 1) {
    const answer = await present(url, paid);
    const headers = ["content-type", "x-own", "payment-response", "cache-control"].map((name) => answer.headers.get(name));
    answers.push([answer.status, headers, answer.headers.getSetCookie(), Buffer.from(await answer.arrayBuffer()).toString("hex")]);
  }
  assert.deepEqual([answers[1], answers[2]], [answers[0], answers[0]]);
  assert.deepEqual([answers[0][0], answers[0][3], origin.seen.length, node.sent.length], [201, body.toString("hex"), 1, 1]);
});

test("S-134 a retry beside the first request joins it", async () => {
  const [reached, go] = [Promise.withResolvers(), Promise.withResolvers()];
  origin.answer = (request, response) => (reached.resolve(), go.promise.then(() => origin.usual(request, response)));
  const paid = await payment(await challenge(url), key);
  const gone = new AbortController();
  const first = present(url, paid, { signal: gone.signal }).catch(() => undefined);
  await reached.promise;
  const retry = present(url, paid);
  gone.abort();
  go.resolve();
  const answer = await retry;
  assert.deepEqual([answer.status, await answer.text()], [200, "served /paid"]);
  await first;
  assert.deepEqual([origin.seen.length, node.sent.length], [1, 1]);
});

test("S-136 what was claimed and refused a hundred times is claimed again and served", async () => {
  const paid = await Promise.all(Array.from({ length: 100 }, async () => payment(await challenge(remoteUrl), freshKey())));
  facilitator.say["/verify"] = (_body, _request, response) => void response.destroy();
  second.say["/verify"] = facilitator.say["/verify"];
  for (const answer of await Promise.all(paid.map((one) => present(remoteUrl, one)))) assert.equal(answer.status, 503);
  facilitator.say = { ...content };
  const statuses = await Promise.all(paid.map(async (one) => (await present(remoteUrl, one)).status));
  assert.deepEqual(statuses, Array(100).fill(200));
  assert.equal(facilitator.count("/settle"), 100);
});

test("S-139 one price's balance and twenty authorizations: what is served is what is paid", async () => {
  const poor = await freshPayer(PRICE);
  for (const place of [url, `${gate.url}/before`]) {
    const required = await challenge(place);
    const payments = await Promise.all(Array.from({ length: 20 }, () => payment(required, poor)));
    const before = await balance(privateKeyToAccount(poor).address);
    const answers = await Promise.all(payments.map((one) => present(place, one)));
    const served = answers.filter(({ status }) => status === 200).length;
    for (const { status } of answers) assert.ok([200, 402].includes(status), String(status));
    assert.equal(BigInt(served) * PRICE, before - (await balance(privateKeyToAccount(poor).address)), place);
  }
  assert.equal(await balance(privateKeyToAccount(poor).address), 0n);
});

test("S-141 the origin is asked once, whatever it does, unless the client asks again", async () => {
  origin.answer = (request) => request.socket.destroy();
  const init = { method: "POST", body: "x" };
  const paid = await payment(await challenge(url, init), key);
  assert.equal((await present(url, paid, init)).status, 502);
  assert.equal(origin.seen.length, 1);
  assert.deepEqual(await says(await present(url, paid, init)), [502, "ledger_abandoned"]);
  assert.deepEqual([origin.seen.length, node.sent.length], [1, 0]);
});

const TRANSFER = parseAbi(["function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes signature)"]);
const preempt = ({ payload: { authorization: of, signature } }) => {
  const args = [of.from, of.to, BigInt(of.value), BigInt(of.validAfter), BigInt(of.validBefore), of.nonce, signature];
  return transact(chain.rpc, { to: chain.asset, data: encodeFunctionData({ abi: TRANSFER, functionName: "transferWithAuthorization", args }) });
};

test("S-124 F-27 what somebody else settles between verification and settlement is paid, once", async () => {
  const paid = await payment(await challenge(url), key);
  const before = await balance();
  origin.answer = async (request, response) => {
    await preempt(paid);
    origin.usual(request, response);
  };
  // The own transaction fails; the payer is not asked to pay anew, and is served when the chain has told.
  let answer = await present(url, paid);
  for (let tries = 0; answer.status === 503 && tries < 10; tries += 1) answer = await present(url, paid);
  assert.equal(before - (await balance()), PRICE);
  assert.deepEqual([answer.status, receipt(answer)?.success], [200, true]);
});

test("S-174 F-11 a settlement without an answer is nobody else's", async () => {
  facilitator.say["/settle"] = (_body, _request, response) => void response.destroy();
  const answer = await buy(remoteUrl, freshKey());
  assert.deepEqual([answer.status, receipt(answer).errorReason], [503, "settlement_pending"]);
  assert.deepEqual([facilitator.count("/settle"), second.count("/verify"), second.count("/settle")], [1, 0, 0]);
});

test("S-170 a facilitator that turns away for ages keeps nobody waiting", async () => {
  const away = (_body, _request, response) => void response.writeHead(429, { "retry-after": "1000000000" }).end("{}");
  facilitator.say["/verify"] = second.say["/verify"] = away;
  const began = Date.now();
  const verified = await buy(remoteUrl, freshKey());
  assert.deepEqual(await says(verified), [503, "gate_facilitator_unavailable"]);
  facilitator.say = { ...content, "/settle": away };
  const settled = await buy(remoteUrl, freshKey());
  assert.equal(settled.status, 503);
  assert.ok(Number(settled.headers.get("retry-after")) <= 60);
  assert.ok(Date.now() - began < 5000);
});

test("S-175 S-194 what the token refuses between verification and settlement is not served, and not tried for ever", async () => {
  for (const [what, set] of [["banned", (on) => blacklist(chain.rpc, chain.asset, payer, on)], ["paused", (on) => pause(chain.rpc, chain.asset, on)]]) {
    node.sent.length = 0;
    origin.answer = async (request, response) => {
      await set(true);
      origin.usual(request, response);
    };
    const before = await balance();
    try {
      const answer = await buy(url, key);
      assert.ok([402, 503].includes(answer.status), `${what}: ${answer.status}`);
      assert.ok(!(await answer.text()).includes("served"), what);
      assert.equal(receipt(answer).success, false, what);
      const verified = await buy(url, key);
      assert.equal(verified.status, 402, what);
    } finally {
      await set(false);
    }
    assert.deepEqual([node.sent.length, await balance()], [1, before], what);
  }
});

test("S-196 F-25 a node of another chain is not asked again", async () => {
  node.after = (replies, calls) => replies.map((reply, i) => (calls[i].method === "eth_chainId" ? { ...reply, result: "0x2105" } : reply));
  assert.deepEqual(await says(await buy(url, key)), [503, "gate_chain_fault"]);
  assert.deepEqual([origin.seen.length, node.sent.length], [0, 0]);
});

test("S-022 one payment buys one answer: a range of it is charged, and another range is another request", async () => {
  origin.answer = (request, response) => response.writeHead(206, { "content-range": "bytes 0-3/9" }).end("serv");
  const part = await buy(url, key, { init: { headers: { range: "bytes=0-3" } } });
  assert.deepEqual([part.status, receipt(part).success, await part.text()], [206, true, "serv"]);
  origin.answer = (_, response) => response.writeHead(416).end();
  const beyond = await buy(url, key, { init: { headers: { range: "bytes=99-" } } });
  assert.deepEqual([beyond.status, beyond.headers.get("payment-response")], [416, null]);
  assert.equal(node.sent.length, 1);
});

test("S-024 early data that comes again is one execution", async () => {
  const init = { method: "POST", body: "x", headers: { "early-data": "1" } };
  const paid = await payment(await challenge(url, init), key);
  const answers = await Promise.all([present(url, paid, init), present(url, paid, init)]);
  for (const { status } of answers) assert.ok([200, 409, 425].includes(status), String(status));
  assert.deepEqual([origin.seen.length, node.sent.length], [1, 1]);
});

test("S-021 what two readers cut differently is refused, and nothing is smuggled", async () => {
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: gate.test\r\n\r\n";
  const shapes = {
    "both lengths": [["Content-Length: 6", "Transfer-Encoding: chunked"], `0\r\n\r\n${smuggled}`],
    "two lengths": [["Content-Length: 0", `Content-Length: ${smuggled.length}`], smuggled],
    "an unknown encoding": [["Transfer-Encoding: xchunked"], `0\r\n\r\n${smuggled}`],
    "a length that is none": [["Content-Length: +0"], smuggled],
  };
  for (const [what, [lines, body]] of Object.entries(shapes)) {
    const paid = await payment(await challenge(url, { method: "POST", body: "x" }), key);
    const answer = await raw(gate.url, ["POST /paid HTTP/1.1", ...lines, `PAYMENT-SIGNATURE: ${header(paid)["payment-signature"]}`], body).catch(() => ({ status: 400 }));
    assert.ok(answer.status >= 400 || Number.isNaN(answer.status) || answer.status === 200, `${what}: ${answer.status}`);
    assert.ok(origin.seen.every(({ url: seen }) => seen !== "/smuggled"), what);
  }
});

test("S-053 a compressed body is forwarded as it is", async () => {
  const body = Buffer.alloc(100_000, 0x1f);
  const init = { method: "POST", body, headers: { "content-encoding": "gzip" } };
  assert.equal((await buy(url, key, { init })).status, 200);
  assert.deepEqual([origin.seen[0].headers["content-encoding"], origin.seen[0].body.length], ["gzip", body.toString().length]);
});

test("S-070 old terms after a change of price are refused with the new ones", async () => {
  const dear = await startGate(config(origin, remote(facilitator), [{ match: "GET /paid", price: "$0.02" }]));
  try {
    const answer = await present(`${dear.url}/paid`, await payment(await challenge(remoteUrl), key));
    assert.equal(answer.status, 402);
    assert.equal(decode(answer.headers.get("payment-required")).accepts[0].amount, "20000");
    assert.equal(facilitator.count("/verify"), 0);
  } finally {
    await dear.stop();
  }
});

test("S-085 what is no payment of the scheme never reaches a facilitator", async () => {
  const required = await challenge(remoteUrl);
  for (const type of ["claim", "settle", "refund", "deposit"]) {
    const paid = await payment(required, key);
    const answer = await present(remoteUrl, { ...paid, payload: { type, ...paid.payload, authorization: undefined } });
    assert.deepEqual(await says(answer), [400, "invalid_payload"], type);
  }
  assert.equal(facilitator.count("/verify"), 0);
});

test("S-146 no answer to a paid path under another name is kept by a cache", async () => {
  for (const path of ["/paid/a.css", "/paid;a.css", "/paid%2Fa.css", "/paid%00.css", "/paid.css"]) {
    const answer = await fetch(`${gate.url}${path}`);
    assert.equal(answer.status, 404, path);
    assert.match(answer.headers.get("cache-control"), /no-store/, path);
    await answer.text();
  }
  const page = await fetch(`${url}?a.css`);
  assert.deepEqual([page.status, page.headers.get("cache-control")], [402, "no-store"]);
  assert.equal(origin.seen.length, 0);
});

test("S-146 where what no rule names is free, nothing is free below a sold path", async () => {
  const routes = [...ROUTES, { match: "GET /paid/terms", free: true }];
  const open = await startGate(config(origin, remote(facilitator), routes, { default: "free" }));
  try {
    // An origin may read each of them as /paid with something behind it.
    for (const path of ["/paid/a.css", "/paid/x.js?", "/paid/a/b", "/paid//a.css", "/paid%2Fa.css", "/paid;v/a.css", "/paid\\a.css", "/PAID/a.css", "/x/../paid/a.css"]) {
      const answer = await raw(open.url, [`GET ${path} HTTP/1.1`]);
      assert.deepEqual([answer.status, JSON.parse(answer.body).error, answer.headers.get("cache-control")], [404, "gate_ambiguous_path", "no-store"], path);
    }
    assert.equal(origin.seen.length, 0);
    // What a rule names is as it is named, and what is beside a sold path is free.
    for (const path of ["/paid/terms", "/paids", "/a.css"]) assert.equal(await (await fetch(open.url + path)).text(), `served ${path}`);
  } finally {
    await open.stop();
  }
});

test("S-148 what others say in their errors stays inside", async () => {
  const canary = "https://rpc.test/key-canary";
  const fails = { success: false, errorReason: canary, errorMessage: canary, transaction: "", network: chain.network };
  for (const say of [{ "/verify": () => ({ isValid: false, invalidReason: canary, invalidMessage: canary }) }, { "/settle": () => fails }]) {
    facilitator.say = { ...content, ...say };
    second.say = { ...content, "/verify": say["/verify"] ?? content["/verify"] };
    const answer = await buy(remoteUrl, freshKey());
    const said = JSON.stringify([...answer.headers].map(([, value]) => Buffer.from(value, "base64").toString() + value)) + (await answer.text());
    assert.ok(answer.status >= 400 && !said.includes("canary"), said);
  }
  assert.ok(!others.log().includes("canary"));
});

test("S-030 a price does not depend on what a client says of itself", async () => {
  const lies = { "cf-ipcountry": "XX", "cf-connecting-ip": "127.0.0.1", "accept-language": "xx", cookie: "price=0" };
  assert.deepEqual(await challenge(url, { headers: lies }), await challenge(url));
});

test("F-30 a payment that has expired unpaid is refused, and one that was paid is still answered", async () => {
  const validBefore = String(seconds() + 9);
  const paid = await payment(await challenge(url), key, { authorization: { validBefore } });
  const unpaid = await payment(await challenge(url), key, { authorization: { validBefore } });
  assert.equal((await present(url, paid)).status, 200);
  while (seconds() <= Number(validBefore)) await (await fetch(url)).text();
  const again = await present(url, paid);
  const late = await present(url, unpaid);
  assert.deepEqual([late.status, decode(late.headers.get("payment-required")).error], [402, "invalid_exact_evm_payload_authorization_valid_before"]);
  assert.deepEqual([again.status, await again.text()], [200, "served /paid"]);
});
