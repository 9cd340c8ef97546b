// A payer of the tests: builds payments for what a gate offers, and bends them where a test wants them bent.
import { randomBytes } from "node:crypto";
import { privateKeyToAccount } from "viem/accounts";

const TYPES = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" },
  ],
};

export const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64");
export const decode = (header) => header && JSON.parse(Buffer.from(header, "base64").toString("utf8"));
export const seconds = () => Math.floor(Date.now() / 1000);

/** What a 402 says in its header. */
export async function challenge(url, init) {
  const response = await fetch(url, init);
  await response.arrayBuffer();
  if (response.status !== 402) throw new Error(`${url} answered ${response.status}, not a challenge`);
  return decode(response.headers.get("payment-required"));
}

/** A fresh authorization for some requirements; `bend` overrides its fields. */
export function authorization(accepted, from, bend = {}) {
  return {
    from,
    to: accepted.payTo,
    value: accepted.amount ?? accepted.maxAmountRequired,
    validAfter: "0",
    validBefore: String(seconds() + 120),
    nonce: `0x${randomBytes(32).toString("hex")}`,
    ...bend,
  };
}

/** Signs an authorization; `domain` overrides fields of the token's. */
export function sign(key, accepted, message, domain = {}, primaryType = "TransferWithAuthorization") {
  const { name, version } = accepted.extra;
  const chainId = accepted.network.includes(":") ? Number(accepted.network.split(":")[1]) : 84532;
  return privateKeyToAccount(key).signTypedData({
    domain: { name, version, chainId, verifyingContract: accepted.asset, ...domain },
    types: { [primaryType]: TYPES.TransferWithAuthorization },
    primaryType,
    message,
  });
}

/**
 * A payment of version 2 for the first offer of a 402.
 * @param {object} required the 402's terms
 * @param {string} key the payer's
 * @param {{authorization?: object, domain?: object, signature?: string, accepted?: object, payload?: object, more?: object}} bend
 */
export async function payment({ resource, accepts }, key, bend = {}) {
  const [offer] = accepts;
  const message = authorization(offer, privateKeyToAccount(key).address, bend.authorization);
  const signature = bend.signature ?? (await sign(key, offer, message, bend.domain));
  return {
    x402Version: 2,
    payload: { authorization: message, signature, ...bend.payload },
    resource,
    accepted: { ...offer, ...bend.accepted },
    ...bend.more,
  };
}

/** A payment of version 1 for the first offer of a 402's body. */
export async function paymentV1({ accepts }, key, bend = {}) {
  const [offer] = accepts;
  const message = authorization(offer, privateKeyToAccount(key).address, bend.authorization);
  const signature = await sign(key, offer, message);
  return { x402Version: 1, scheme: offer.scheme, network: offer.network, payload: { authorization: message, signature } };
}

/** The header that carries a payment. */
export const header = (payment) => ({ [payment.x402Version === 1 ? "x-payment" : "payment-signature"]: base64(payment) });

/** Asks for a URL with a payment. */
export function present(url, payment, init = {}) {
  return fetch(url, { redirect: "manual", ...init, headers: { ...init.headers, ...header(payment) } });
}

/** Pays for a URL once: the challenge, the payment, the answer. */
export async function buy(url, key, { init, bend } = {}) {
  const required = await challenge(url, init);
  return present(url, await payment(required, key, bend), init);
}
