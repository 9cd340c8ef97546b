// Payments that cannot be read, or can be read in two ways: refused before anybody is asked. The facilitator here is
// content with everything, so that whatever passes the gate is served.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { config, freshKey, raw, remote, startGate } from "./lib/gate.mjs";
import { base64, challenge, header, payment, paymentV1, present } from "./lib/pay.mjs";
import { startFacilitator, startOrigin } from "./lib/servers.mjs";

const KEY = freshKey();
let origin, facilitator, gate, url, required, good;
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  gate = await startGate(config(origin, remote(facilitator), [{ match: "GET /paid", price: "$0.01" }]));
  url = `${gate.url}/paid`;
  required = await challenge(url);
});
after(async () => {
  await gate?.stop();
  await facilitator?.stop();
  await origin?.stop();
});
beforeEach(async () => {
  good = await payment(required, KEY);
  origin.seen.length = 0;
  facilitator.asked.length = 0;
});

const send = (value, name = "payment-signature") => fetch(url, { headers: { [name]: value } });

/** Refused as unreadable: nobody was asked, nothing was served, and the answer tells nothing but its code. */
async function unreadable(answer, what, code = "invalid_payload") {
  assert.equal(answer.status, 400, what);
  const { error, ...rest } = typeof answer.json === "function" ? await answer.json() : JSON.parse(answer.body);
  assert.equal(error, code, what);
  assert.deepEqual(Object.keys(rest), ["message"], what);
  assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0], what);
}

/** The JSON of the good payment with a piece of its text replaced. */
const edited = (from, to) => {
  const text = JSON.stringify(good);
  assert.ok(text.includes(from), from);
  return base64(text.replace(from, to));
};

test("the good payment is served, once", async () => {
  const answer = await present(url, good);
  assert.deepEqual([answer.status, await answer.text()], [200, "served /paid"]);
  assert.deepEqual(facilitator.asked.map(({ path }) => path), ["/verify", "/settle"]);
});

test("S-035 only the standard alphabet is read; padding may be absent", async () => {
  const text = JSON.stringify({ ...good, more: "\u00ff\u00fe>>>???" });
  const standard = Buffer.from(text, "utf8").toString("base64");
  assert.match(standard, /[+/]/);
  await unreadable(await send(Buffer.from(text).toString("base64url").padEnd(standard.length, "=")), "base64url");
  assert.equal((await send(standard.replace(/=+$/, ""))).status, 200);
});

test("S-036 unused bits must be zero", async () => {
  const text = JSON.stringify(good);
  const padded = Buffer.from(text.length % 3 === 1 ? text : `${" ".repeat((4 - (text.length % 3)) % 3)}${text}`);
  const value = padded.toString("base64");
  assert.match(value, /[^=]==$/);
  const flipped = `${value.slice(0, -3)}${String.fromCharCode(value.charCodeAt(value.length - 3) + 1)}==`;
  assert.deepEqual(Buffer.from(flipped, "base64"), padded);
  await unreadable(await send(flipped), "flipped");
});

test("S-037 white space, commas and two values are refused", async () => {
  const value = base64(good);
  await unreadable(await send(`${value.slice(0, 40)} ${value.slice(40)}`), "a space");
  await unreadable(await send(`${value},${value}`), "a comma");
  await unreadable(await raw(gate.url, ["GET /paid HTTP/1.1", `PAYMENT-SIGNATURE: ${value}`, `PAYMENT-SIGNATURE: ${value}`]), "twice");
  await unreadable(await send("not base64!"), "words");
});

test("S-039 two payments are one too many", async () => {
  const v1 = await paymentV1(await (await fetch(url)).json(), KEY);
  const both = { ...header(good), ...header(v1) };
  await unreadable(await fetch(url, { headers: both }), "both", "gate_two_payments");
});

test("S-040 an oversized header is refused before it is decoded", async () => {
  for (const kilobytes of [17, 32, 64, 120]) {
    const { status } = await raw(gate.url, ["GET /paid HTTP/1.1", `PAYMENT-SIGNATURE: ${"A".repeat(kilobytes * 1024)}`]);
    assert.equal(status, 431, `${kilobytes} KiB`);
  }
  const large = base64({ ...good, more: "x".repeat(8 * 1024) });
  assert.ok(large.length <= 16 * 1024);
  assert.equal((await send(large)).status, 200);
});

test("S-044 a repeated key is refused at every level", async () => {
  const { from } = good.payload.authorization;
  const repeats = [
    ['"x402Version":2', '"x402Version":2,"x402Version":2'],
    [`"from":"${from}"`, `"from":"${from}","from":"${from}"`],
    ['"amount":"10000"', '"amount":"1","amount":"10000"'],
    ['"name":"USDC"', '"name":"USDC","name":"Evil"'],
    ['"signature"', '"signature":"0x","signature"'],
    ['"resource":{', '"resource":{"url":"x",'],
  ];
  for (const [one, two] of repeats) await unreadable(await send(edited(one, two)), one);
});

test("S-045 prototype keys are inert", async () => {
  for (const key of ["__proto__", "constructor", "prototype"]) {
    const answer = await send(edited('"x402Version":2', `"${key}":{"amount":"0"},"x402Version":2`));
    assert.equal(answer.status, 200, key);
    good = await payment(required, KEY);
  }
});

test("S-046 S-323 nesting has a limit", async () => {
  const deep = (depth) => `"extensions":${"[".repeat(depth)}${"]".repeat(depth)},"x402Version":2`;
  await unreadable(await send(edited('"x402Version":2', deep(33))), "33");
  await unreadable(await send(edited('"x402Version":2', deep(5_000))), "5000");
});

test("S-048 amounts are strings", async () => {
  for (const number of ["10000", "1e4", "10000.0", "-0", "1e400", "9007199254740993"]) {
    await unreadable(await send(edited('"value":"10000"', `"value":${number}`)), `value ${number}`);
    await unreadable(await send(edited('"amount":"10000"', `"amount":${number}`)), `amount ${number}`);
  }
});

test("S-049 amounts are plain decimal digits", async () => {
  for (const text of ["0x2710", " 10000 ", "+1", "010000", "1_0", "１００００", "", "-1", (2n ** 256n).toString()]) {
    await unreadable(await send(edited('"value":"10000"', `"value":"${text}"`)), `value ${text}`);
  }
});

test("S-050 strings that are no text are refused, and none is reflected", async () => {
  await unreadable(await send(edited('"x402Version":2', '"x402Version":2,"a":"\\ud800"')), "a lone surrogate");
  for (const piece of ["\\u0000", "\\u202e<script>", "\\r\\nset-cookie: a=b"]) {
    const answer = await send(edited('"network":"eip155:84532"', `"network":"eip155:84532${piece}"`));
    assert.ok([400, 402].includes(answer.status), `${JSON.stringify(piece)}: ${answer.status}`);
    const said = JSON.stringify([...answer.headers]) + (await answer.text());
    assert.ok(!said.includes("script") && !said.includes("\u202e") && !answer.headers.has("set-cookie"), piece);
  }
  assert.deepEqual([origin.seen.length, facilitator.asked.length], [0, 0]);
});

test("S-052 a key of another spelling is another key", async () => {
  await unreadable(await send(edited('"accepted"', '"Accepted"')), "Accepted");
  await unreadable(await send(edited('"x402Version"', '"x402version"')), "x402version");
  await unreadable(await send(edited('"payload"', '"p\u0430yload"')), "a Cyrillic a");
});

test("S-068 two authorizations in one payload are one too many", async () => {
  const permit2Authorization = { permitted: { token: required.accepts[0].asset, amount: "10000" } };
  await unreadable(await present(url, await payment(required, KEY, { payload: { permit2Authorization } })), "both");
});

test("S-084 a payload of another shape is refused", async () => {
  const shapes = [null, [], {}, "x", 1, { authorization: {} }, { signature: good.payload.signature }, { ...good.payload, signature: 1 }];
  for (const payload of shapes) await unreadable(await present(url, { ...good, payload }), JSON.stringify(payload));
  const { payload, ...without } = good;
  await unreadable(await present(url, without), "no payload");
  for (const text of ["null", "[]", "2", '"x"', "{", "", "{}"]) await unreadable(await send(base64(text)), text || "empty").catch((error) => {
    // Nothing at all is no payment.
    if (text !== "") throw error;
  });
});

test("a payment of another version is refused", async () => {
  for (const x402Version of [0, 1, 3, "2"]) {
    const answer = await fetch(url, { headers: { "payment-signature": base64({ ...good, x402Version }) } });
    assert.equal(answer.status, 400, String(x402Version));
  }
  await unreadable(await send(base64(good), "x-payment"), "version 2 in X-PAYMENT", "invalid_x402_version");
});
