// Keys, nonces and digests, as an attacker looks at them: what is left in memory, what comes twice, and what is not signed as
// everybody else signs it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { hashTypedData } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import * as x402 from "x402-wasm";
import { initSync } from "../../pkg/wasm/x402_wasm.js";
import { answering, goods, unpaid } from "./lib/hostile.mjs";
import { offer } from "./lib/seller.mjs";
import { KEY } from "./lib/signer.mjs";

const { createPayer } = x402;
const hex = (bytes) => `0x${randomBytes(bytes).toString("hex")}`;

test("S-097 a digest is the one that viem computes, whatever is signed", () => {
  const pick = (list) => list[randomInt(list.length)];
  const number = () => String(pick([0n, 1n, 2n ** 53n, 2n ** 64n, 2n ** 128n, 2n ** 256n - 1n, BigInt(hex(32)), BigInt(hex(8))]));
  const word = () => pick(["USDC", "USD Coin", "", "USD₮0", "\"\\\n\u0000", "😀".repeat(randomInt(20)), "é", "x".repeat(randomInt(300)), "Permit2"]);
  for (let i = 0; i < 3000; i += 1) {
    const chainId = pick([1, 8453, 84532, 2 ** 31, 2 ** 53 - 1]);
    // An empty version is a version; viem takes it for none.
    const [name, version] = [word(), word() || "1"];
    const requirements = { ...offer(), network: `eip155:${chainId}`, asset: hex(20), payTo: hex(20), extra: { name, version } };
    const authorization = { from: hex(20), to: hex(20), value: number(), validAfter: number(), validBefore: number(), nonce: hex(32) };
    const typed = x402.typedData(requirements, authorization);
    const theirs = hashTypedData({
      domain: { name, version, chainId, verifyingContract: requirements.asset },
      types: { TransferWithAuthorization: [["from", "address"], ["to", "address"], ["value", "uint256"], ["validAfter", "uint256"], ["validBefore", "uint256"], ["nonce", "bytes32"]].map(([name, type]) => ({ name, type })) },
      primaryType: "TransferWithAuthorization",
      message: authorization,
    });
    const what = JSON.stringify({ requirements, authorization });
    assert.equal(x402.digest(requirements, authorization), theirs, what);
    // What wallets are shown is the same thing, in the words that they read.
    assert.equal(hashTypedData(typed), theirs, what);
  }
});

/** The nonces that a payer signs for so many 402s. */
async function nonces(payer, calls, count) {
  const from = calls.length;
  for (let i = 0; i < count; i += 1) assert.equal((await payer.fetch("https://api.example.com/data")).status, 200);
  return calls.slice(from).flatMap(({ payment }) => (payment ? [payment.payload.authorization.nonce] : []));
}

function paying() {
  let turn = 0;
  const { fetch: _, calls } = answering(goods());
  const fetch = async (input, init) => {
    const request = new Request(input, init);
    const header = request.headers.get("payment-signature");
    calls.push({ payment: header && JSON.parse(Buffer.from(header, "base64").toString()) });
    turn += 1;
    return (header ? goods() : unpaid())(request);
  };
  return { fetch, calls };
}

test("S-105 no two payments have one nonce, of whichever payer and in whichever process", async () => {
  const { fetch, calls } = paying();
  const payers = [await createPayer({ wallet: { privateKey: KEY }, fetch }), await createPayer({ wallet: { privateKey: KEY }, fetch })];
  const all = (await Promise.all(payers.map((payer) => nonces(payer, calls, 1000)))).flat();
  const seen = new Set(calls.flatMap(({ payment }) => (payment ? [payment.payload.authorization.nonce] : [])));
  assert.equal(seen.size, 2000);
  assert.ok(all.every((nonce) => /^0x[0-9a-f]{64}$/.test(nonce)));
  // A process that starts anew begins nowhere that another began: nothing is drawn before it is asked for.
  const script = `
    import { createPayer } from "x402-wasm";
    const seen = [];
    const fetch = async (input, init) => {
      const header = new Request(input, init).headers.get("payment-signature");
      if (header) seen.push(JSON.parse(Buffer.from(header, "base64").toString()).payload.authorization.nonce);
      const answer = header ? new Response("goods") : new Response("{}", { status: 402, headers: { "payment-required": process.argv[1] } });
      return Object.defineProperty(answer, "url", { value: "https://api.example.com/data" });
    };
    const payer = await createPayer({ wallet: { privateKey: "${KEY}" }, fetch });
    for (let i = 0; i < 20; i += 1) await payer.fetch("https://api.example.com/data");
    console.log(seen.join(" "));`;
  const terms = unpaid()({ url: "https://api.example.com/data" }).headers.get("payment-required");
  for (let i = 0; i < 3; i += 1) {
    const cwd = fileURLToPath(new URL("../", import.meta.url));
    const drawn = execFileSync(process.execPath, ["--input-type=module", "-e", script, terms], { cwd, encoding: "utf8" }).trim().split(" ");
    assert.equal(drawn.length, 20);
    for (const nonce of drawn) {
      assert.ok(!seen.has(nonce), nonce);
      seen.add(nonce);
    }
  }
});

test("S-104 without good randomness nothing is signed", async () => {
  const { fetch, calls } = paying();
  const payer = await createPayer({ wallet: { privateKey: KEY }, fetch });
  const { getRandomValues } = crypto;
  const failing = {
    "it throws": () => { throw new Error("no entropy"); },
    "it gives zeros": (array) => array.fill(0),
  };
  try {
    for (const [what, broken] of Object.entries(failing)) {
      Object.defineProperty(crypto, "getRandomValues", { value: broken, configurable: true });
      await assert.rejects(payer.fetch("https://api.example.com/data"), { code: "payer_no_randomness" }, what);
    }
  } finally {
    Object.defineProperty(crypto, "getRandomValues", { value: getRandomValues, configurable: true });
  }
  assert.ok(calls.every(({ payment }) => !payment));
  assert.equal((await payer.fetch("https://api.example.com/data")).status, 200);
});

test("S-108 of a key that was freed nothing is left in the module's memory", async () => {
  const memory = () => Buffer.from(Object.values(initSync()).find((value) => value instanceof WebAssembly.Memory).buffer);
  const left = (key) => {
    const digits = key.replace("0x", "");
    const bytes = Buffer.from(digits, "hex");
    // As it came, as numbers lie in memory, and as text: whole, and the half of it that nothing else overwrote.
    const forms = { bytes, numbers: Buffer.from(bytes).reverse(), text: Buffer.from(digits), capitals: Buffer.from(digits.toUpperCase()) };
    const all = Object.entries(forms).flatMap(([form, needle]) => [[form, needle], [`half of ${form}`, needle.subarray(needle.length / 2)]]);
    return all.filter(([, needle]) => memory().includes(needle)).map(([form]) => form);
  };
  const digest = hex(32);
  for (let i = 0; i < 20; i += 1) {
    const privateKey = hex(32);
    const key = x402.localKey(i % 2 ? privateKey : new Uint8Array(Buffer.from(privateKey.slice(2), "hex")));
    assert.equal(key.sign(digest), x402.sign(privateKey, digest));
    assert.equal(x402.address(privateKey), privateKeyToAccount(privateKey).address);
    assert.deepEqual(left(privateKey).length > 0, true, "while it is held it is there, and this finds it");
    key.free();
    assert.deepEqual(left(privateKey), []);
  }
  // What the module made up and gave away, it has forgotten too.
  for (let i = 0; i < 20; i += 1) assert.deepEqual(left(x402.generatePrivateKey()), []);
  // Nor is anything left of one that was only asked for a signature or its address.
  for (const use of [(key) => x402.sign(key, digest), (key) => x402.address(key), (key) => x402.localKey(key).free()]) {
    const privateKey = hex(32);
    use(privateKey);
    assert.deepEqual(left(privateKey), []);
  }
});
