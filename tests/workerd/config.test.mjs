// Configurations: the schema and the gate agree on what is one, and a gate without one sells and serves nothing.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import Ajv from "ajv/dist/2020.js";

import { config, embedded, startGate } from "./lib/gate.mjs";
import { startOrigin } from "./lib/servers.mjs";

const part = (name) => readFile(new URL(`../../worker/${name}`, import.meta.url), "utf8");
const ASSET = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const OTHER = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

let origin, valid, base;
before(async () => {
  origin = await startOrigin();
  valid = new Ajv({ strict: true, strictRequired: false, allErrors: true }).compile(JSON.parse(await part("gate.schema.json")));
  base = config(origin, embedded, [
    { match: "GET /free", free: true },
    { match: "GET /paid", price: "$0.01" },
  ]);
});
after(() => origin?.stop());

/** What a gate with this config makes of requests that another would serve, sell or deny. */
async function run(text, secrets) {
  const gate = await startGate(text, secrets);
  const answers = [];
  for (const [path, method] of [["/free", "GET"], ["/paid", "GET"], ["/elsewhere", "GET"], ["/paid", "OPTIONS"]]) {
    const answer = await fetch(gate.url + path, { method });
    answers.push({ status: answer.status, text: await answer.text() });
  }
  await gate.stop();
  return { answers, log: gate.log() };
}

/** Every request is answered 500 with nothing but the code, the origin is not asked, the log says why, once. */
async function refused(text, what, secrets) {
  origin.seen.length = 0;
  const { answers, log } = await run(text, secrets);
  for (const { status, text: said } of answers) {
    assert.equal(status, 500, what);
    assert.deepEqual(JSON.parse(said), { error: "gate_invalid_config", message: "the gate's configuration is not valid" }, what);
  }
  assert.deepEqual(origin.seen, [], what);
  assert.equal(log.split("gate_invalid_config").length - 1, 1, `${what}: ${log}`);
  return log;
}

async function accepted(text, what) {
  const { answers, log } = await run(text, { ORIGIN_KEY: "11".repeat(32) });
  assert.ok(answers.every(({ status }) => status !== 500), `${what}: ${log}`);
}

/** What a wallet may be told of a network. */
const told = (more) => ({ chainName: "Test", rpcUrls: ["https://node.test/public"], nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, ...more });
const route = (more) => ({ routes: [{ match: "GET /paid", ...more }] });
const network = (more) => ({ networks: { "eip155:84532": { ...embedded, ...more } } });
const others = (facilitator, more) => ({ networks: { "eip155:84532": { facilitator, ...more } } });

test("the examples are valid, for the schema and for the gate", async () => {
  const secrets = { RPC_BASE_SEPOLIA: "https://node.test", PASS_KEY: "what passes are made with" };
  for (const name of ["gate.json", "gate.demo.json"]) {
    const text = await part(name);
    assert.ok(valid(JSON.parse(text)), `${name}: ${JSON.stringify(valid.errors)}`);
    const gate = await startGate(text, secrets);
    const { status } = await fetch(`${gate.url}/nothing`);
    await gate.stop();
    assert.notEqual(status, 500, `${name}: ${gate.log()}`);
  }
});

test("what the schema takes, the gate takes", async () => {
  const changes = {
    "as it is": {},
    "a price in a symbol": route({ price: "1 USDC" }),
    "a price in atomic units": route({ price: { amount: "1" } }),
    "another token": route({ price: { amount: "1", asset: OTHER, name: "Own", version: "1" }, payTo: `0x${"11".repeat(20)}` }),
    "every field of a route": route({ price: "$1", description: "d", mimeType: "text/plain", networks: ["eip155:84532"], payTo: OTHER, maxTimeoutSeconds: 60 }),
    "patterns": { routes: [{ match: "/any/:id/*", price: "$1" }, { match: "* /x", free: true }, { match: "POST /*", price: "$2" }] },
    "no rules": { routes: [], default: "free" },
    "every field of a network": network({ payTo: OTHER, contractWallets: true, maxFeePerGas: 1, rpc: ["https://node.test/key", "http://localhost:8545", "http://127.0.0.1:1"] }),
    "a network that wallets are told of": network({ chain: told() }),
    "all that a wallet may be told": network({ chain: told({ rpcUrls: ["http://localhost:8545", "https://node.test"], blockExplorerUrls: ["https://explorer.test/"], iconUrls: ["https://icon.test/a.svg"] }) }),
    "others": others([{ url: "https://one.test/x/" }, { url: "http://[::1]:80", headers: { authorization: "secret:RPC_URL", plain: "x" } }]),
    "two networks": { networks: { "eip155:84532": embedded, "eip155:8453": { facilitator: [{ url: "https://one.test" }] } } },
    "a service": { origin: { service: "ORIGIN" } },
    "listed pages": { cors: { origins: ["https://a.test", "https://b.test"] } },
    "no pages": { cors: { origins: [] } },
    "the facilitator's endpoints": { facilitatorApi: { prefix: "/x402", token: "secret:FACILITATOR_TOKEN" } },
    "version 2 only": { v1: false },
    "every field of the ledger": { ledger: { books: 4096, keepBytes: 1024 * 1024, keepSeconds: 1, requestBytes: 32 * 1024 * 1024 } },
    "the least of the ledger": { ledger: { books: 1, keepBytes: 0, keepSeconds: 0, requestBytes: 0 } },
    "nothing of the ledger": { ledger: {} },
    "settled after": route({ price: "$1", settle: "after" }),
    "settled before": route({ price: "$1", settle: "before" }),
    "settled behind": route({ price: "$1", settle: { optimistic: "$5" } }),
    "settled behind, in atomic units": route({ price: { amount: "1" }, settle: { optimistic: { amount: "10" } } }),
    "a context for the origin": { originContext: { key: "secret:ORIGIN_KEY" } },
    "an operator": { admin: { token: "secret:FACILITATOR_TOKEN" } },
    "a paywall": { paywall: { pass: { key: "secret:FACILITATOR_TOKEN" } } },
    "every field of a paywall": {
      paywall: {
        pass: { key: "secret:FACILITATOR_TOKEN", seconds: 60, covers: "route" },
        title: "A", text: "B", logo: "data:image/png;base64,AA==", accent: "#123", accentDark: "#123456", lang: "ar", dir: "rtl", words: { choose: "C" },
      },
    },
    "a path beside the gate's own": { routes: [{ match: "GET /.x402x", price: "$1" }, { match: "/.well-known/*", free: true }] },
  };
  for (const [what, change] of Object.entries(changes)) {
    const text = { ...base, ...change };
    assert.ok(valid(text), `${what}: ${JSON.stringify(valid.errors)}`);
    await accepted(text, what);
  }
});

test("S-028 what the schema refuses, the gate refuses: every request gets one clear 500", async () => {
  const { routes, default: none, ...without } = base;
  const changes = {
    "no routes": without,
    "no default": { ...without, routes },
    "another default": { ...base, default: "allow" },
    "an unknown key": { ...base, extra: 1 },
    "a path in the public origin": { ...base, publicOrigin: "https://a.test/x" },
    "no scheme": { ...base, publicOrigin: "a.test" },
    "another scheme of origin": { ...base, origin: { url: "ftp://a.test" } },
    "userinfo": { ...base, origin: { url: "https://user:word@a.test" } },
    "two origins": { ...base, origin: { url: "https://a.test", service: "B" } },
    "no recipient": { ...base, payTo: "" },
    "no networks": { ...base, networks: {} },
    "another namespace": { ...base, networks: { "solana:x": { facilitator: "embedded" } } },
    "a zero before the chain's number": { ...base, networks: { "eip155:08453": embedded } },
    "embedded without a relayer": { ...base, networks: { "eip155:84532": { rpc: ["https://node.test"], facilitator: "embedded" } } },
    "embedded without a node": { ...base, ...network({ rpc: [] }) },
    "a key in the open": { ...base, ...network({ relayer: `0x${"11".repeat(32)}` }) },
    "a node over plain http": { ...base, ...network({ rpc: ["http://node.test"] }) },
    "a node for wallets over plain http": { ...base, ...network({ chain: told({ rpcUrls: ["http://node.test"] }) }) },
    "a secret for wallets": { ...base, ...network({ chain: told({ rpcUrls: ["secret:RPC_URL"] }) }) },
    "no node for wallets": { ...base, ...network({ chain: told({ rpcUrls: [] }) }) },
    "a network without a name": { ...base, ...network({ chain: told({ chainName: "" }) }) },
    "another number for a network": { ...base, ...network({ chain: told({ chainId: "0x1" }) }) },
    "a coin without decimals": { ...base, ...network({ chain: told({ nativeCurrency: { name: "Ether", symbol: "ETH" } }) }) },
    "an icon that is none": { ...base, ...network({ chain: told({ iconUrls: ["data:image/png;base64,AA=="] }) }) },
    "a facilitator over plain http": { ...base, ...others([{ url: "http://one.test" }]) },
    "a facilitator with userinfo": { ...base, ...others([{ url: "https://a:b@one.test" }]) },
    "nobody": { ...base, ...others([]) },
    "somebody unnamed": { ...base, ...others("other") },
    "a price and free": { ...base, ...route({ price: "$1", free: true }) },
    "neither": { ...base, ...route({}) },
    "a number as price": { ...base, ...route({ price: 0.01 }) },
    "a negative price": { ...base, ...route({ price: "$-1" }) },
    "a price with a comma": { ...base, ...route({ price: "$1,000" }) },
    "a price with an exponent": { ...base, ...route({ price: "1e-7" }) },
    "a lower-case method": { ...base, routes: [{ match: "get /x", price: "$1" }] },
    "no path": { ...base, routes: [{ match: "GET", price: "$1" }] },
    "too little time": { ...base, ...route({ price: "$1", maxTimeoutSeconds: 1 }) },
    "too much time": { ...base, ...route({ price: "$1", maxTimeoutSeconds: 86_400 }) },
    "every page and some": { ...base, cors: { origins: ["*", "https://a.test"] } },
    "a token in the open": { ...base, facilitatorApi: { prefix: "/x", token: "a-token-in-the-open" } },
    "no books": { ...base, ledger: { books: 0 } },
    "too many books": { ...base, ledger: { books: 4097 } },
    "answers that are too large to keep": { ...base, ledger: { keepBytes: 1024 * 1024 + 1 } },
    "bodies that are too large to read": { ...base, ledger: { requestBytes: 32 * 1024 * 1024 + 1 } },
    "time before now": { ...base, ledger: { keepSeconds: -1 } },
    "an unknown key of the ledger": { ...base, ledger: { shards: 1 } },
    "another way to settle": { ...base, ...route({ price: "$1", settle: "never" }) },
    "settled behind without a bound": { ...base, ...route({ price: "$1", settle: "optimistic" }) },
    "a bound that is none": { ...base, ...route({ price: "$1", settle: { optimistic: 1 } }) },
    "a paywall without passes": { ...base, paywall: {} },
    "a key of passes in the open": { ...base, paywall: { pass: { key: "what passes are made with" } } },
    "passes that end at once": { ...base, paywall: { pass: { key: "secret:FACILITATOR_TOKEN", seconds: 1 } } },
    "a logo from elsewhere": { ...base, paywall: { pass: { key: "secret:FACILITATOR_TOKEN" }, logo: "https://a.test/logo.png" } },
    "a word that the page does not have": { ...base, paywall: { pass: { key: "secret:FACILITATOR_TOKEN" }, words: { other: "x" } } },
    "an accent that is none": { ...base, paywall: { pass: { key: "secret:FACILITATOR_TOKEN" }, accent: "red" } },
    "a signing key in the open": { ...base, originContext: { key: "11".repeat(32) } },
    "a context without a key": { ...base, originContext: {} },
    "an operator's token in the open": { ...base, admin: { token: "a-token-in-the-open" } },
    "a rule for the gate's own path": { ...base, routes: [{ match: "GET /.x402/health", free: true }] },
    "a rule for all of the gate's own paths": { ...base, routes: [{ match: "/.x402/*", price: "$1" }] },
    "endpoints everywhere": { ...base, facilitatorApi: { prefix: "/", token: "secret:FACILITATOR_TOKEN" } },
  };
  for (const [what, text] of Object.entries(changes)) {
    assert.ok(!valid(text), `the schema takes: ${what}`);
    await refused(text, what);
  }
});

test("S-028 what a schema cannot see, the gate sees", async () => {
  const changes = {
    "not JSON": "{",
    "nothing": "",
    "a key twice": JSON.stringify(base).replace('"default":"deny"', '"default":"deny","default":"free"'),
    "an unknown symbol": { ...base, ...route({ price: "1 DOGE" }) },
    "a token without its domain": { ...base, ...route({ price: { amount: "1", asset: OTHER } }) },
    "a bound in another token": { ...base, ...route({ price: "$1", settle: { optimistic: { amount: "1", asset: OTHER, name: "Own", version: "1" } } }) },
    "a bound of nothing": { ...base, ...route({ price: "$1", settle: { optimistic: "$0" } }) },
    "a route on another network": { ...base, ...route({ price: "$1", networks: ["eip155:8453"] }) },
    "a * in the middle": { ...base, routes: [{ match: "GET /a/*/b", price: "$1" }] },
  };
  for (const [what, text] of Object.entries(changes)) await refused(text, what);
});

/** What an owner might write by mistake, or be talked into. */
const MISTAKES = {
  "S-202 a node is asked over https, or on this machine": ["http://node.test", "http://169.254.169.254/", "http://localhost.evil.test", "ftp://node.test", "https://user:word@node.test", "node.test"].map((rpc) => network({ rpc: [rpc] })),
  "S-169 a facilitator is asked over https, and its URL holds no secret": ["http://one.test", "https://a:b@one.test", "http://10.0.0.1", "//one.test", "https://"].map((url) => others([{ url }])),
  "S-077 nothing is sold for nothing": ["$0", "0", "$0.0000001", "0.0000000001", { amount: "0" }].map((price) => route({ price })),
  "S-339 a price is exact or none": ["$0.1+0.2", "1e-7", "$1,5", "0.0000001", "$", "1 $", "0x10", { amount: "1e4" }, { amount: "-1" }, { amount: 1 }].map((price) => route({ price })),
  "S-078 S-340 who is paid can be paid": [ASSET.replace("0x036Cb", "0x036cb"), `0x${"0".repeat(40)}`, ASSET, "vitalik.eth", `0X${ASSET.slice(2)}`, ASSET.slice(0, -1)].map((payTo) => ({ payTo })),
  "S-338 the facilitator for tests settles nothing real": ["eip155:8453", "eip155:1", "eip155:137"].flatMap((name) =>
    ["https://x402.org/facilitator", "https://www.x402.org/facilitator", "https://X402.org:443/facilitator/"].map((url) => ({ networks: { [name]: { facilitator: [{ url }] } } }))),
  "S-125 a network whose asset needs a contract that is not called here is refused": ["eip155:4326", "eip155:31612"].map((name) => ({ networks: { [name]: embedded } })),
  "S-186 a token is one that the owner named, with its domain": [{ price: "1 USDT" }, { price: { amount: "1", asset: OTHER } }, { price: { amount: "1", asset: OTHER, name: "Own" } }].map(route),
};
for (const [name, changes] of Object.entries(MISTAKES)) {
  test(name, async () => {
    for (const change of changes) await refused({ ...base, ...change }, JSON.stringify(change));
  });
}

test("S-148 a node that is kept secret is told to no wallet, and not shown by saying so", async () => {
  const node = "https://node.test/canary";
  const log = await refused({ ...base, ...network({ rpc: ["secret:NODE"], chain: told({ rpcUrls: [node] }) }) }, "the gate's own node", { NODE: node });
  assert.match(log, /networks\.eip155:84532\.chain: rpcUrls/);
  assert.ok(!log.includes("canary"), log);
});

test("S-338 on a test network the facilitator for tests is as good as any", () =>
  accepted({ ...base, ...others([{ url: "https://x402.org/facilitator" }]) }, "a test network"));

test("S-103 a secret that is missing or no key is said by name, and never shown", async () => {
  const canary = `0x${"c0".repeat(31)}`;
  const wrong = { "31 bytes": canary, zero: `0x${"0".repeat(64)}`, "the order": "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", "with a newline": `${canary}c0\n`, words: "canary canary" };
  for (const [what, key] of Object.entries(wrong)) {
    const service = (one) => ({ ...one, vars: { ...one.vars, RELAYER_KEY: key } });
    const gate = await startGate(base, {}, { change: service });
    const answer = await fetch(`${gate.url}/free`);
    const said = (await answer.text()) + gate.log();
    await gate.stop();
    assert.equal(answer.status, 500, what);
    assert.ok(!said.includes(key) && !said.includes("canary") && !said.includes("c0c0"), what);
  }
  const log = await refused({ ...base, networks: { "eip155:84532": { ...embedded, relayer: "secret:NOT_SET" } } }, "not set");
  assert.ok(log.includes("NOT_SET"), log);
  await refused({ ...base, facilitatorApi: { prefix: "/x", token: "secret:SHORT" } }, "a short token", { SHORT: "short" });
  await refused({ ...base, admin: { token: "secret:SHORT" } }, "a short token of the operator", { SHORT: "short" });
  for (const [what, key] of Object.entries({ ...wrong, zero: "0".repeat(64), "the order": `${canary}c0c0`, "with a newline": `${canary}\n` })) {
    const said = await refused({ ...base, originContext: { key: "secret:SIGNING" } }, what, { SIGNING: key });
    assert.ok(!said.includes(key) && !said.includes("canary") && !said.includes("c0c0"), what);
  }
});
