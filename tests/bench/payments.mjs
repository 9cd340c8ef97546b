// Paid requests made before the clock starts: each one valid, each one different, signed for what the gate offers.
import { randomBytes } from "node:crypto";
import { privateKeyToAccount } from "viem/accounts";

const PAYERS = 16; // more than one, as a gate has; the keys are the numbers 1 to 16 times 2^128
const accounts = Array.from({ length: PAYERS }, (_, i) =>
  privateKeyToAccount(`0x${((BigInt(i) + 1n) << 128n).toString(16).padStart(64, "0")}`));

export const TYPES = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" },
  ],
};

/** What viem signs or hashes for an EIP-3009 payment of these requirements. */
export function typedData({ network, asset, extra }, message) {
  const domain = { name: extra.name, version: extra.version, chainId: Number(network.split(":")[1]), verifyingContract: asset };
  return { domain, types: TYPES, primaryType: "TransferWithAuthorization", message };
}

/** A fresh authorization for these requirements, as it travels: decimal strings. */
export function authorization({ payTo, amount, maxTimeoutSeconds }, from, now = Math.floor(Date.now() / 1000)) {
  return {
    from,
    to: payTo,
    value: amount,
    validAfter: "0",
    validBefore: String(now + maxTimeoutSeconds),
    nonce: `0x${randomBytes(32).toString("hex")}`,
  };
}

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64");

/** The v2 challenge of a running gate. */
export async function challenge(url) {
  const response = await fetch(url);
  await response.arrayBuffer();
  if (response.status !== 402) throw new Error(`${url} answered ${response.status}, not a challenge`);
  return JSON.parse(Buffer.from(response.headers.get("PAYMENT-REQUIRED"), "base64").toString("utf8"));
}

/** The raw HTTP/1.1 text of a request for a URL, with further headers. */
export function request(url, headers = {}) {
  const { host, pathname } = new URL(url);
  const lines = Object.entries({ Host: host, Accept: "*/*", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** Raw paid requests for what a running gate offers first. */
export async function paidRequests(url, count) {
  const { resource, accepts } = await challenge(url);
  const [accepted] = accepts;
  return Promise.all(Array.from({ length: count }, async (_, i) => {
    const account = accounts[i % PAYERS];
    const message = authorization(accepted, account.address);
    const signature = await account.signTypedData(typedData(accepted, message));
    const payload = { x402Version: 2, payload: { authorization: message, signature }, resource, accepted };
    return request(url, { "PAYMENT-SIGNATURE": base64(payload) });
  }));
}
