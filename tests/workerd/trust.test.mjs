// How a gate and another facilitator trust one another: tokens that prove who asks, and the chain that proves what was
// settled.
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf, transact } from "../support/chain.mjs";
import { chain, config, freshKey, freshPayer, remote, startGate } from "./lib/gate.mjs";
import { buy, challenge, decode, payment, present } from "./lib/pay.mjs";
import { content, startFacilitator, startNode, startOrigin } from "./lib/servers.mjs";

const ROUTES = [{ match: "GET /paid", price: "$0.01" }];
const PRICE = 10_000n;
const ID = "organizations/of-the-tests/apiKeys/one";

let origin, facilitator;
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
});
after(async () => {
  await facilitator?.stop();
  await origin?.stop();
});
beforeEach(() => {
  origin.seen.length = facilitator.asked.length = 0;
  facilitator.say = { ...content };
});

/** Runs a part with a gate whose network is this. */
async function withGate(network, secrets, part) {
  const gate = await startGate(config(origin, network, ROUTES), secrets);
  try {
    await part(`${gate.url}/paid`, gate);
  } finally {
    await gate.stop();
  }
}

/** What a token says, once its signature was checked. */
function opened(token, key, algorithm) {
  const [header, claims, signature] = token.split(".");
  const data = Buffer.from(`${header}.${claims}`);
  const with_ = algorithm === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key;
  assert.ok(verify(algorithm === "ES256" ? "sha256" : null, data, with_, Buffer.from(signature, "base64url")), token);
  return [header, claims].map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
}

/** Keys as the portal hands them out: their public half, the secret, and the algorithm it is for. */
function keys() {
  const edwards = generateKeyPairSync("ed25519");
  const { d, x } = edwards.privateKey.export({ format: "jwk" });
  const curve = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return [
    ["EdDSA", edwards.publicKey, Buffer.concat([Buffer.from(d, "base64url"), Buffer.from(x, "base64url")]).toString("base64")],
    ["ES256", curve.publicKey, curve.privateKey.export({ type: "sec1", format: "pem" })],
    ["ES256", curve.publicKey, curve.privateKey.export({ type: "pkcs8", format: "pem" }).replaceAll("\n", "\\n")],
  ];
}

const signing = (url) => ({ facilitator: [{ url, auth: { cdp: { keyId: "secret:CDP_KEY_ID", keySecret: "secret:CDP_KEY_SECRET" } } }] });

test("each request to the facilitator carries a token of its own, signed with the key's secret", async () => {
  for (const [algorithm, key, secret] of keys()) {
    facilitator.asked.length = 0;
    await withGate(signing(`${facilitator.url}/`), { CDP_KEY_ID: ID, CDP_KEY_SECRET: secret }, async (url, gate) => {
      assert.equal((await buy(url, freshKey())).status, 200);
      assert.deepEqual(facilitator.asked.map(({ path }) => path), ["/verify", "/settle"]);
      const nonces = facilitator.asked.map(({ path, headers }) => {
        const [, token] = headers.authorization.match(/^Bearer (\S+)$/);
        const [header, claims] = opened(token, createPublicKey(key.export({ type: "spki", format: "pem" })), algorithm);
        assert.deepEqual([header.alg, header.kid, header.typ], [algorithm, ID, "JWT"]);
        const { nbf, exp, iat, ...rest } = claims;
        assert.deepEqual(rest, { sub: ID, iss: "cdp", uris: [`POST ${new URL(facilitator.url).host}${path}`] });
        assert.deepEqual([exp - nbf, iat], [120, nbf]);
        assert.ok(Math.abs(nbf - Date.now() / 1000) < 30);
        assert.ok(!gate.log().includes(token), "a token is in the log");
        return header.nonce;
      });
      assert.match(nonces[0], /^[0-9a-f]{32}$/);
      assert.notEqual(nonces[0], nonces[1]);
    });
  }
});

test("a key that is none is found when the gate starts", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "secp256k1" });
  for (const secret of ["not-a-key", "c2hvcnQ=", privateKey.export({ type: "sec1", format: "pem" })]) {
    await withGate(signing(facilitator.url), { CDP_KEY_ID: ID, CDP_KEY_SECRET: secret }, async (url, gate) => {
      const answer = await fetch(url);
      assert.deepEqual([answer.status, (await answer.json()).error], [500, "gate_invalid_config"]);
      assert.ok(!gate.log().includes(secret.slice(0, 30)), "the secret is in the log");
    });
  }
});

/** A network that others settle on, whose settlements are looked up. */
const lookedUp = (node, more) => ({ ...remote(facilitator), rpc: ["secret:RPC_URL"], ...more });

/** Settles a payment on chain from an account of the node's, as an honest facilitator does. */
async function settleOnChain({ paymentPayload, paymentRequirements }) {
  const { authorization, signature } = paymentPayload.payload;
  const word = (value) => BigInt(value).toString(16).padStart(64, "0");
  const { from, to, value, validAfter, validBefore, nonce } = authorization;
  const [r, s, v] = [signature.slice(2, 66), signature.slice(66, 130), signature.slice(130)];
  const data = `0xe3ee160e${[from, to, value, validAfter, validBefore, nonce, `0x${v}`].map(word).join("")}${r}${s}`;
  const { transactionHash } = await transact(chain.rpc, { to: paymentRequirements.asset, data });
  return transactionHash;
}

test("S-165 F-10 a settlement that the chain does not show is pending, not settled", async () => {
  const node = await startNode(chain.rpc);
  try {
    await withGate(lookedUp(node, { verifySettlementsFrom: "$0.01" }), { RPC_URL: node.url }, async (url) => {
      const key = await freshPayer();
      const payer = privateKeyToAccount(key).address;
      // Another payment's transaction is no proof of this one.
      const { transactionHash: other } = await transact(chain.rpc, { to: chain.payTo });
      // Nor is the hash of none, which is looked for a while.
      for (const say of [(body) => ({ ...content["/settle"](body), transaction: other }), content["/settle"]]) {
        facilitator.say["/settle"] = say;
        const answer = await buy(url, key);
        const { errorReason, success } = decode(answer.headers.get("payment-response"));
        assert.deepEqual([answer.status, success, errorReason], [503, false, "settlement_pending"]);
        assert.ok(!(await answer.text()).includes("served"));
        assert.equal(await balanceOf(chain.rpc, chain.asset, payer), 1_000_000n);
      }
      // One that is there is delivered, with what the facilitator said of it.
      const paid = await payment(await challenge(url), key);
      const transaction = await settleOnChain({ paymentPayload: paid, paymentRequirements: paid.accepted });
      facilitator.say["/settle"] = (body) => ({ ...content["/settle"](body), transaction });
      const good = await present(url, paid);
      assert.deepEqual([good.status, decode(good.headers.get("payment-response")).transaction], [200, transaction]);
      assert.equal(await balanceOf(chain.rpc, chain.asset, payer), 1_000_000n - PRICE);
    });
  } finally {
    await node.stop();
  }
});

test("S-165 below the bound nobody is asked", async () => {
  const node = await startNode(chain.rpc);
  try {
    await withGate(lookedUp(node, { verifySettlementsFrom: "$0.02" }), { RPC_URL: node.url }, async (url) => {
      assert.equal((await buy(url, freshKey())).status, 200);
      assert.equal(node.batches.length, 0);
    });
  } finally {
    await node.stop();
  }
});
