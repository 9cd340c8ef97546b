// What this gate does not sell: other schemes, and other ways for money to move. A payment of such a kind matches nothing, or
// cannot be read; neither the facilitator, who is content with everything, nor the chain hears of it.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { parseTransaction } from "viem";
import { privateKeyToAccount } from "viem/accounts";

import { chain, config, embedded, freshPayer, remote, startGate } from "./lib/gate.mjs";
import { challenge, decode, payment, present, seconds } from "./lib/pay.mjs";
import { startFacilitator, startNode, startOrigin } from "./lib/servers.mjs";

const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";
const PROXY = "0x402085c248EeA27D92E8b30b2C58ed07f9E20001";
const OTHER = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const NO_MATCH = "No matching payment requirements";
const ROUTES = [{ match: "GET /paid", price: "$0.01" }];

let origin, facilitator, node, others, own, key, payer, required;
before(async () => {
  origin = await startOrigin();
  facilitator = await startFacilitator();
  node = await startNode(chain.rpc);
  others = await startGate(config(origin, remote(facilitator), ROUTES));
  own = await startGate(config(origin, { ...embedded, contractWallets: true }, ROUTES), { RPC_URL: node.url });
  key = await freshPayer();
  payer = privateKeyToAccount(key).address;
  required = await challenge(`${own.url}/paid`);
});
after(async () => {
  for (const server of [others, own, node, facilitator, origin]) await server?.stop();
});
beforeEach(() => {
  origin.seen.length = facilitator.asked.length = node.sent.length = node.batches.length = 0;
});

/** Refused by a gate that settles itself and by one that has it done, with nobody asked; 400 is what cannot be read. */
async function refused(paid, status, code, what) {
  for (const { url } of [others, own]) {
    const answer = await present(`${url}/paid`, paid);
    const text = await answer.text();
    const said = decode(answer.headers.get("payment-required"))?.error ?? JSON.parse(text).error;
    assert.deepEqual([answer.status, said], [status, code], what);
    assert.ok(!text.includes("served"), what);
  }
  assert.deepEqual([origin.seen.length, facilitator.asked.length, node.batches.length, node.sent.length], [0, 0, 0, 0], what);
}

const WITNESS = [
  { name: "to", type: "address" },
  { name: "validAfter", type: "uint256" },
];
const ANCIENT = [...WITNESS, { name: "extra", type: "bytes" }];

/** A payload of Permit2 as the protocol has it, signed by the payer; `bend` changes what is signed. */
async function permit2({ permitted = {}, witness = {}, types = WITNESS, ...bend } = {}) {
  const [offer] = required.accepts;
  const message = {
    permitted: { token: offer.asset, amount: offer.amount, ...permitted },
    spender: PROXY,
    nonce: BigInt(`0x${randomBytes(32).toString("hex")}`).toString(),
    deadline: String(seconds() + 120),
    witness: { to: offer.payTo, validAfter: "0", ...(types === ANCIENT ? { extra: "0x" } : {}), ...witness },
    ...bend,
  };
  const signature = await privateKeyToAccount(key).signTypedData({
    domain: { name: "Permit2", chainId: 84532, verifyingContract: PERMIT2 },
    types: {
      PermitWitnessTransferFrom: [
        { name: "permitted", type: "TokenPermissions" },
        { name: "spender", type: "address" },
        { name: "nonce", type: "uint256" },
        { name: "deadline", type: "uint256" },
        { name: "witness", type: "Witness" },
      ],
      TokenPermissions: [{ name: "token", type: "address" }, { name: "amount", type: "uint256" }],
      Witness: types,
    },
    primaryType: "PermitWitnessTransferFrom",
    message,
  });
  return { permit2Authorization: { from: payer, ...message }, signature };
}

// No rule here takes Permit2, so a payload of it is none of scheme exact's: 400, where one that is taken and wrong is a 402
// with the reason that its check found.
const PERMITS = {
  "S-111 S-357 a Permit2 payload buys nothing, whoever its spender is": [{}, { spender: OTHER }, { spender: "0x402039b3d6E6BEC5A02c2C9fd937ac17A6940002" }],
  "S-112 a Permit2 payload buys nothing, whomever its witness pays": [{ witness: { to: OTHER } }, { witness: { to: `0x${"0".repeat(40)}` } }],
  "S-113 S-356 a Permit2 payload buys nothing, whatever its witness is made of": [{ types: ANCIENT }, { types: [...WITNESS].reverse() }, { types: [], witness: {} }],
  "S-114 S-351 a Permit2 payload buys nothing, whatever it permits": [{ permitted: { token: OTHER } }, { permitted: { amount: "9999" } }, { permitted: { amount: "10001" } }, { permitted: { amount: "0" } }],
  "S-115 a Permit2 payload buys nothing, whenever it ends": [{ deadline: "1" }, { deadline: String(seconds() + 5) }],
};
for (const [name, bends] of Object.entries(PERMITS)) {
  test(name, async () => {
    for (const bend of bends) {
      const what = JSON.stringify(bend);
      const payload = await permit2(bend);
      const accepted = { extra: { ...required.accepts[0].extra, assetTransferMethod: "permit2" } };
      const bare = await payment(required, key, { accepted });
      await refused({ ...bare, payload }, 400, "invalid_payload", what);
      // Beside a good authorization it is one way to pay too many, whatever settles first.
      await refused({ ...bare, payload: { ...bare.payload, ...payload, signature: bare.payload.signature } }, 400, "invalid_payload", what);
    }
  });
}

test("S-117 S-355 an allowance, given or revoked, is nobody's reason to serve: no payment goes by it", async () => {
  // Our answer is 400 and not 412: what would need the allowance is not taken in the first place.
  for (const extensions of [undefined, { eip2612GasSponsoring: { info: { from: payer, asset: chain.asset, spender: PERMIT2, amount: "10000", nonce: "0", deadline: "1", signature: "0x", version: "1" } } }]) {
    const bare = await payment(required, key, { more: { extensions } });
    await refused({ ...bare, payload: await permit2() }, 400, "invalid_payload", JSON.stringify(extensions));
  }
});

test("S-119 S-352 fifty payments of scheme upto at once match nothing", async () => {
  const payload = await permit2({ permitted: { amount: "1000000" } });
  const upto = await payment(required, key, { accepted: { scheme: "upto", amount: "1000000" } });
  const answers = await Promise.all(Array.from({ length: 50 }, () => present(`${own.url}/paid`, { ...upto, payload })));
  for (const answer of answers) {
    assert.equal(answer.status, 402);
    assert.equal(decode(answer.headers.get("payment-required")).error, NO_MATCH);
  }
  assert.deepEqual([origin.seen.length, node.batches.length, node.sent.length], [0, 0, 0]);
});

test("S-087 a voucher buys nothing here, however it is signed", async () => {
  const channelConfig = { payer, payerAuthorizer: payer, receiver: chain.payTo, receiverAuthorizer: OTHER, token: chain.asset, withdrawDelay: 900, salt: `0x${"0".repeat(64)}` };
  const channelId = `0x${"11".repeat(32)}`;
  const signed = await privateKeyToAccount(key).signTypedData({
    domain: { name: "x402 Batch Settlement", version: "1", chainId: 84532, verifyingContract: "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003" },
    types: { Voucher: [{ name: "channelId", type: "bytes32" }, { name: "maxClaimableAmount", type: "uint128" }] },
    primaryType: "Voucher",
    message: { channelId, maxClaimableAmount: 10_000n },
  });
  const [r, s, v] = [signed.slice(2, 66), BigInt(`0x${signed.slice(66, 130)}`), Number.parseInt(signed.slice(130), 16)];
  const join = (value, last) => `0x${r}${value.toString(16).padStart(64, "0")}${last.toString(16).padStart(2, "0")}`;
  const forms = { "as it was made": signed, "a high s": join(N - s, v === 27 ? 28 : 27), "v from 0": join(s, v - 27), compact: `0x${r}${(s | (BigInt(v - 27) << 255n)).toString(16).padStart(64, "0")}` };
  for (const [what, signature] of Object.entries(forms)) {
    const payload = { type: "voucher", channelConfig, voucher: { channelId, maxClaimableAmount: "10000", signature } };
    const batch = await payment(required, key, { accepted: { scheme: "batch-settlement" } });
    await refused({ ...batch, payload }, 402, NO_MATCH, what);
    // Nor is it a payment of scheme exact: its signature is of another type.
    const exact = await payment(required, key);
    await refused({ ...exact, payload }, 400, "invalid_payload", what);
    const answer = await present(`${others.url}/paid`, { ...exact, payload: { ...exact.payload, signature } });
    assert.deepEqual([answer.status, decode(answer.headers.get("payment-required")).error, facilitator.asked.length], [402, "invalid_exact_evm_signature", 0], what);
  }
});

test("S-123 S-203 what a payment asks to have sponsored is not sent: one transfer leaves, of one shape", async () => {
  const raw = await privateKeyToAccount(key).signTransaction({ type: "eip1559", chainId: 84532, nonce: 0, to: chain.asset, gas: 60_000n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n, value: 1n, data: `0x095ea7b3${PERMIT2.slice(2).padStart(64, "0")}${"f".repeat(64)}` });
  const permit = { from: payer, asset: OTHER, spender: OTHER, amount: String(2n ** 256n - 1n), nonce: "7", deadline: String(seconds() + 60), signature: `0x${"11".repeat(65)}`, version: "1" };
  const asked = {
    "a permit for somebody else": { eip2612GasSponsoring: { info: permit } },
    "a transaction of the payer's": { erc20ApprovalGasSponsoring: { info: { from: payer, asset: OTHER, spender: OTHER, amount: "1", signedTransaction: raw, version: "1" } } },
    "bytes behind the call": { "builder-code": { info: { s: ["deadbeef".repeat(64)] } }, dataSuffix: `0x${"ff".repeat(512)}` },
  };
  for (const [what, extensions] of Object.entries(asked)) {
    node.sent.length = 0;
    const paid = await payment(required, key, { more: { extensions, dataSuffix: "0xdeadbeef" }, payload: { dataSuffix: "0xdeadbeef" } });
    assert.equal((await present(`${own.url}/paid`, paid)).status, 200, what);
    assert.equal(node.sent.length, 1, what);
    const { to, value, data } = parseTransaction(node.sent[0]);
    assert.deepEqual([to.toLowerCase(), value ?? 0n, data.slice(0, 10), data.length], [chain.asset.toLowerCase(), 0n, "0xe3ee160e", 2 + 2 * (4 + 9 * 32)], what);
    assert.ok(!data.includes("deadbeef"), what);
  }
});
