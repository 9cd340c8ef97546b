// `npx x402-wasm` as it is typed: a wallet is made, a URL looked at, paid for, refused; the log is read. Everything against the
// running gate and chain; what is told to people is on standard error, the answer alone on standard output.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { privateKeyToAccount } from "viem/accounts";

import { fileStore } from "../../pkg/js/file.js";
import { balanceOf, mint } from "../support/chain.mjs";
import { world } from "../support/world.mjs";

const w = world();
const MAIN = fileURLToPath(new URL("../../pkg/js/cli/main.js", import.meta.url));
const PASSWORD = "a password of many letters";
const KEY = `0x${"a7".repeat(32)}`;
const home = mkdtempSync(join(tmpdir(), "x402-cli-"));
after(() => rmSync(home, { recursive: true, force: true }));
const url = (path) => new URL(path, w.gate).href;

/** Runs a command and answers how it ended and what it said. */
async function x402(words, { input, env = {} } = {}) {
  const child = spawn(process.execPath, [MAIN, ...words], {
    env: { PATH: process.env.PATH, X402_HOME: home, X402_PASSWORD: PASSWORD, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(input);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  assert.equal(`${out}${err}`.includes(KEY.slice(2)) && !words.includes("--show-the-key"), false, "the key is not shown");
  assert.equal(`${out}${err}`.includes(PASSWORD), false);
  return { code, out, err };
}

const paid = { env: { X402_PRIVATE_KEY: KEY } };
const fund = () => mint(w.rpc, w.asset, privateKeyToAccount(KEY).address, 1_000_000n);

test("a wallet is made once, in a file that only its owner reads, and opens with its password", async () => {
  const made = await x402(["wallet", "new"]);
  assert.equal(made.code, 0, made.err);
  const address = made.out.trim();
  const file = join(home, "wallet.json");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(JSON.parse(readFileSync(file)).version, 3);
  assert.equal((await x402(["wallet", "address"])).out.trim().toLowerCase(), address.toLowerCase());
  const { out } = await x402(["wallet", "export", "--show-the-key"]);
  assert.equal(privateKeyToAccount(out.trim()).address, address);
  const again = await x402(["wallet", "new"]);
  assert.deepEqual([again.code, again.out], [1, ""]);
  assert.match(again.err, /is there already/);
  assert.match((await x402(["wallet", "export"])).err, /--show-the-key/);
  const wrong = await x402(["wallet", "export", "--show-the-key"], { env: { X402_PASSWORD: "another password" } });
  assert.deepEqual([wrong.code, wrong.out], [1, ""]);
  assert.match(wrong.err, /payer_wrong_password/);
});

test("a key is imported from standard input, and what is none is refused before a password is asked", async () => {
  const file = join(home, "other.json");
  const made = await x402(["wallet", "import", "--wallet", file], { input: `${KEY}\n` });
  assert.equal(made.out.trim(), privateKeyToAccount(KEY).address, made.err);
  assert.equal(readFileSync(file, "utf8").includes(KEY.slice(2)), false);
  const none = await x402(["wallet", "import", "--wallet", join(home, "none.json")], { input: "0x12" });
  assert.match(none.err, /invalid_key/);
});

test("a URL is paid for: the answer alone on standard output, the receipt beside it", async () => {
  await fund();
  const { address } = privateKeyToAccount(KEY);
  const before = await balanceOf(w.rpc, w.asset, address);
  const { code, out, err } = await x402(["fetch", url("/quote"), "--wallet", join(home, "other.json")]);
  assert.equal(code, 0, err);
  assert.equal(JSON.parse(out).symbol, "ETH-USD");
  assert.match(err, /^Paid 0\.01 USDC on eip155:84532 to 0x\w{40}, transaction 0x\w{64}\n$/);
  assert.equal(before - (await balanceOf(w.rpc, w.asset, address)), 10_000n);
  const free = await x402(["fetch", url("/free")], paid);
  assert.deepEqual([free.code, free.err], [0, ""]);
});

test("curl's words: method, headers, body from a file, answer into a file", async () => {
  const [from, to] = [join(home, "body.txt"), join(home, "answer.txt")];
  writeFileSync(from, "a report\n");
  const words = ["-H", "content-type: text/plain", "-d", `@${from}`, "-o", to, "-i", "--json"];
  const { code, out, err } = await x402(["fetch", url("/report"), ...words], paid);
  assert.deepEqual([code, out], [0, ""], err);
  const answer = readFileSync(to, "utf8");
  assert.match(answer, /^200 OK\n[\s\S]*content-type: text\/plain\n[\s\S]*\n\na report\n$/);
  assert.equal(JSON.parse(err).amount, "50000");
  assert.equal((await x402(["fetch", url("/fails"), "-s"], paid)).code, 22, "an answer of 500");
});

test("limits hold: a cap, a budget over several commands, a network", async () => {
  const refused = async (words, code) => {
    const said = await x402(["fetch", url("/quote"), ...words], paid);
    assert.deepEqual([said.code, said.out], [2, ""], said.err);
    assert.match(said.err, new RegExp(code));
  };
  await refused(["--max", "$0.001"], "payer_over_cap");
  await refused(["--network", "eip155:8453"], "payer_network_not_allowed");
  const budget = ["--store", join(home, "small"), "--budget", "$0.02/day"];
  for (const code of [0, 0, 2]) {
    const said = await x402(["fetch", url("/quote"), ...budget], paid);
    assert.equal(said.code, code, said.err);
  }
  const spent = await x402(["audit", "spent", ...budget]);
  assert.equal(spent.code, 0, spent.err);
});

test("the log says what happened, is whole, and is found out when somebody changes it", async () => {
  const store = ["--store", join(home, "logged")];
  await x402(["fetch", url("/quote"), ...store, "--owner", "the tests", "--task", "t-1"], paid);
  const list = await x402(["audit", "list", ...store]);
  assert.match(list.out, /sent/);
  assert.match(list.out, /receipt/);
  const whole = await x402(["audit", "verify", ...store]);
  assert.equal(whole.code, 0);
  assert.match(whole.err, /^The log is whole: \d+ entries, none changed\.\n$/);
  const entries = (await x402(["audit", "export", ...store])).out.trim().split("\n").map(JSON.parse);
  assert.ok(entries.every(({ owner, task }) => owner === "the tests" && task === "t-1"));
  assert.equal(JSON.stringify(entries).includes("signature"), false);
  const [row] = (await x402(["audit", "summary", ...store])).out.trim().split("\n").map(JSON.parse);
  assert.deepEqual([row.payments, row.amount, row.confirmed], [1, "10000", "10000"]);
  assert.match((await x402(["audit", "export", "--format", "csv", ...store])).out, /^seq,at,event/);

  // Somebody makes a payment of a cent one of a tenth of it.
  const log = join(home, "logged.ndjson");
  const text = readFileSync(log, "utf8");
  assert.ok(text.includes('"10000"'));
  writeFileSync(log, text.replaceAll('"10000"', '"1000"'));
  const forged = await x402(["audit", "verify", ...store]);
  assert.equal(forged.code, 2, forged.err);
  assert.match(forged.err, /payer_log_broken/);
});

test("an offer is looked at without paying, and a good gate has nothing wrong", async () => {
  const { code, out, err } = await x402(["inspect", url("/quote")]);
  assert.equal(code, 0, out + err);
  assert.match(out, /0\.01 USDC, exact on eip155:84532/);
  assert.match(out, /Would pay 0\.01 USDC/);
  assert.doesNotMatch(out, /✗|!/);
  const { found, terms } = JSON.parse((await x402(["inspect", url("/quote"), "--json"])).out);
  assert.equal(terms.accepts[0].amount, "10000");
  assert.ok(found.every(({ level }) => level === "fine"));
});

test("what is wrong with a 402 is said, each fault by its code", async () => {
  const good = JSON.parse(Buffer.from((await fetch(url("/quote"))).headers.get("payment-required"), "base64"));
  const faults = {
    status: { status: 200 },
    encoding: { header: "not base64!" },
    domain: { change: (terms) => (terms.accepts[0].extra.name = "Evil") },
    price: { change: (terms) => (terms.accepts[0].amount = "5000000") },
    asset: { change: (terms) => (terms.accepts[0].asset = `0x${"12".repeat(20)}`) },
    resource: { change: (terms) => (terms.resource.url = "https://other.example/") },
    validity: { change: (terms) => (terms.accepts[0].maxTimeoutSeconds = 86_400) },
    payee: { change: (terms) => (terms.accepts[0].payTo = `0x${"00".repeat(20)}`) },
    cache: { headers: { "cache-control": "public, max-age=60" } },
    cors: { headers: { "access-control-expose-headers": "" } },
    unpaid: { serves: true },
  };
  let now;
  const server = createServer((request, response) => {
    const terms = structuredClone(good);
    terms.resource.url = `http://127.0.0.1:${server.address().port}/`;
    now.change?.(terms);
    const paying = request.headers["payment-signature"] !== undefined;
    const common = { "cache-control": "no-store", "access-control-allow-origin": "*", "access-control-expose-headers": "PAYMENT-REQUIRED, PAYMENT-RESPONSE", "access-control-allow-headers": "PAYMENT-SIGNATURE", "access-control-allow-methods": "GET" };
    if (request.method === "OPTIONS") return response.writeHead(204, { ...common, ...now.headers }).end();
    const status = now.status ?? (paying ? (now.serves ? 200 : 400) : 402);
    response.writeHead(status, { ...common, "payment-required": now.header ?? Buffer.from(JSON.stringify(terms)).toString("base64"), ...now.headers });
    return response.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    for (const [code, fault] of Object.entries(faults)) {
      now = fault;
      const { out, err } = await x402(["inspect", `http://127.0.0.1:${server.address().port}/`, "--json"]);
      assert.ok(out, err);
      const found = JSON.parse(out).found.filter(({ level }) => level !== "fine");
      assert.ok(found.some((one) => one.code === code), `${code}: ${JSON.stringify(found)}`);
    }
    now = {};
    const { found } = JSON.parse((await x402(["inspect", `http://127.0.0.1:${server.address().port}/`, "--json"])).out);
    assert.deepEqual(found.filter(({ level }) => level !== "fine"), [], "and nothing where nothing is");
  } finally {
    server.close();
  }
});

test("a person at a terminal is asked for a password, twice, and nothing that is typed is shown", async () => {
  const file = join(home, "typed.json");
  // script(1) gives the command a terminal; what it shows comes back.
  const words = [process.execPath, MAIN, "wallet", "new", "--wallet", file].join(" ");
  const child = spawn("script", ["-qec", words, "/dev/null"], { env: { PATH: process.env.PATH, X402_HOME: home, TERM: "dumb" }, stdio: ["pipe", "pipe", "inherit"] });
  let shown = "";
  const asked = (question) => new Promise((resolve) => {
    const look = () => shown.includes(question) && (child.stdout.off("data", look), resolve());
    child.stdout.on("data", look);
    look();
  });
  child.stdout.setEncoding("utf8").on("data", (piece) => (shown += piece));
  await asked("Password: ");
  child.stdin.write(`${PASSWORD}\r`);
  await asked("The same again: ");
  child.stdin.write(`${PASSWORD}\r`);
  const [code] = await once(child, "close");
  assert.equal(code, 0, shown);
  assert.equal(shown.includes(PASSWORD), false, "what was typed is not shown");
  assert.match(shown, /0x[0-9a-fA-F]{40}/);
  const { out } = await x402(["wallet", "export", "--show-the-key", "--wallet", file]);
  assert.match(out, /^0x[0-9a-f]{64}\n$/);
});

test("a first payment needs no folder, and a lock that nobody holds any more stops nobody", async () => {
  const env = { X402_PRIVATE_KEY: KEY, X402_HOME: join(home, "fresh", "deeper") };
  const first = await x402(["fetch", url("/quote"), "-s"], { env });
  assert.equal(first.code, 0, first.err);
  // What a lock says is read while one is held. This very process is alive, but began at another time than the one named.
  const book = join(env.X402_HOME, "book");
  let name;
  await fileStore(book).update(() => void (name = readFileSync(`${book}.lock`, "utf8")));
  const [where, , , id] = name.split(" ");
  writeFileSync(`${book}.lock`, [where, process.pid, "1", id].join(" "));
  const second = await x402(["fetch", url("/quote"), "-s"], { env });
  assert.equal(second.code, 0, second.err);
});

test("an older book beside a newer log is not believed", async () => {
  const store = join(home, "restored");
  const pay = () => x402(["fetch", url("/quote"), "-s", "--store", store, "--budget", "$0.02/day"], paid);
  assert.equal((await pay()).code, 0);
  const old = readFileSync(store);
  assert.equal((await pay()).code, 0);
  writeFileSync(store, old);
  const third = await pay();
  assert.deepEqual([third.code, third.out], [2, ""], "two cents are spent");
  assert.match(third.err, /payer_store_/);
});

test("with a node the chain confirms what was paid, refuses what is not there, and is asked about the rest later", async () => {
  const store = ["--store", join(home, "proven")];
  const rpc = ["--rpc", `${w.network}=${w.rpc}`];
  const one = await x402(["fetch", url("/quote"), ...store, ...rpc], paid);
  assert.match(one.err, /^Paid 0\.01 USDC .*\nThe chain confirms it\.\n$/);
  const two = await x402(["fetch", url("/quote"), ...store, ...rpc, "--json"], paid);
  const [receipt, word] = two.err.trim().split("\n").map(JSON.parse);
  assert.deepEqual([word.id, word.chain], [receipt.id, "confirmed"]);
  await x402(["fetch", url("/quote"), ...store], paid);
  assert.equal((await x402(["audit", "reconcile", ...store, ...rpc])).out, "1\n");
  const poor = await x402(["fetch", url("/quote"), ...store, ...rpc], { env: { X402_PRIVATE_KEY: `0x${"b8".repeat(32)}` } });
  assert.deepEqual([poor.code, poor.out], [2, ""]);
  assert.match(poor.err, /0 USDC are there, 0\.01 are needed \(payer_insufficient_funds\)\nNothing was paid\.\n$/);
});

test("what was given stays given when the node fails, and a file keeps what it has until there is an answer", async () => {
  const store = ["--store", join(home, "nodeless")];
  const dead = await x402(["fetch", url("/quote"), ...store, "--rpc", `${w.network}=http://127.0.0.1:1`], paid);
  assert.equal(dead.code, 0, dead.err);
  assert.match(dead.err, /The chain could not be asked/);
  const file = join(home, "kept.json");
  assert.equal((await x402(["fetch", url("/quote"), ...store, "-o", file], paid)).code, 0);
  const before = readFileSync(file, "utf8");
  assert.equal((await x402(["fetch", url("/quote"), ...store, "-o", file, "--max", "$0.001"], paid)).code, 2);
  assert.equal(readFileSync(file, "utf8"), before);
  assert.equal((await x402(["fetch", url("/free"), ...store, "-o", file], paid)).code, 0);
  assert.notEqual(readFileSync(file, "utf8"), before);
  assert.equal(readFileSync(file, "utf8").includes(before), false);
  const seen = await x402(["inspect", url("/quote"), "--rpc", `${w.network}=${w.rpc}`]);
  assert.match(seen.out, /Would pay/);
});

test("what cannot be written is not bought, and what was sent is not said to be unpaid", async () => {
  const store = ["--store", join(home, "unsent")];
  const nowhere = await x402(["fetch", url("/quote"), "-o", join(home, "no/folder/file"), ...store], paid);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.err, /ENOENT/);
  assert.equal((await x402(["audit", "list", ...store])).out, "");
  const slow = createServer(async (request, response) => {
    if (request.headers["payment-signature"]) return; // never answers
    const { headers } = await fetch(url("/quote"));
    response.writeHead(402, { "payment-required": headers.get("payment-required") }).end();
  });
  slow.listen(0, "127.0.0.1");
  await once(slow, "listening");
  try {
    const late = await x402(["fetch", `http://127.0.0.1:${slow.address().port}/`, "--timeout", "3", ...store], paid);
    assert.equal(late.code, 1);
    assert.match(late.err, /^The payment was sent and may still be taken\. Look at x402-wasm audit list/);
    assert.match((await x402(["audit", "list", ...store])).out, /sent/);
  } finally {
    slow.closeAllConnections();
    slow.close();
  }
  assert.equal((await x402(["audit", "export", "--format", "xml", ...store])).code, 1);
});

test("what cannot be understood is said, and nothing is done", async () => {
  for (const words of [["pay"], ["fetch"], ["fetch", "nowhere"], ["fetch", url("/quote"), "--budget", "2"], ["fetch", url("/quote"), "--cap", "1"], ["wallet", "burn"], ["audit", "forget"], ["fetch", url("/quote"), "-H", "no colon"]]) {
    const { code, out, err } = await x402(words, paid);
    assert.deepEqual([code, out], [1, ""], words.join(" "));
    assert.match(err, /^x402-wasm: /);
  }
  for (const words of [[], ["--help"], ["fetch", "--help"], ["inspect", "--help"], ["wallet", "--help"], ["audit", "--help"]]) {
    const { code, out } = await x402(words);
    assert.equal(code, 0);
    assert.match(out, /x402-wasm/);
  }
  assert.match((await x402(["--version"])).out, /^\d+\.\d+\.\d+\n$/);
  const nobody = await x402(["fetch", url("/quote")], { env: { X402_HOME: join(home, "empty") } });
  assert.match(nobody.err, /wallet new/);
});
