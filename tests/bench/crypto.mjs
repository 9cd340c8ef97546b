// Signing and verifying one EIP-3009 payment in Node, against the viem functions the reference packages call.
import { hashTypedData, recoverAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { row, takeTurns } from "./measure.mjs";
import { authorization, typedData } from "./payments.mjs";

const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"; // anvil's first, worth nothing
const REQUIREMENTS = {
  scheme: "exact",
  network: "eip155:84532",
  amount: "10000",
  asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
  payTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
  maxTimeoutSeconds: 300,
  extra: { name: "USDC", version: "2" },
};

/** The peer's two operations, each on one authorization. */
const peer = {
  async open() {
    const account = privateKeyToAccount(KEY);
    return {
      address: account.address,
      sign: (message) => account.signTypedData(typedData(REQUIREMENTS, message)),
      // What the reference does for a payer without code: hash, recover, compare.
      verify: async (message, signature) =>
        (await recoverAddress({ hash: hashTypedData(typedData(REQUIREMENTS, message)), signature })) === message.from,
    };
  },
};

const open = {
  peer: peer.open,
  ours: async () => (await import("./ours.mjs")).openCrypto(KEY, REQUIREMENTS),
};

/** Microseconds per operation over one batch; every answer is checked against what it must be. */
async function time(batch, operation) {
  const begin = process.hrtime.bigint();
  for (const item of batch) await operation(item);
  return Number(process.hrtime.bigint() - begin) / 1000 / batch.length;
}

/** Rows for signing and verifying. */
export async function crypto(sides, { rounds, operations }) {
  const parts = Object.fromEntries(await Promise.all(sides.map(async (side) => [side, await open[side]()])));
  const reference = await peer.open();
  const fresh = async () =>
    Promise.all(Array.from({ length: operations }, async () => {
      const message = authorization(REQUIREMENTS, reference.address);
      return { message, signature: await reference.sign(message) };
    }));

  const operation = {
    sign: (part) => async ({ message, signature }) => {
      // RFC 6979 makes signatures of one message equal, whoever signs: the check is exact.
      if ((await part.sign(message)) !== signature) throw new Error("a signature differs from viem's");
    },
    verify: (part) => async ({ message, signature }) => {
      if ((await part.verify(message, signature)) !== true) throw new Error("a valid signature was refused");
    },
  };
  const turns = async (kind) => {
    const runs = Object.fromEntries(sides.map((side) => [side, async () => time(await fresh(), operation[kind](parts[side]))]));
    await takeTurns(runs, 2); // warms both up alike
    return takeTurns(runs, rounds);
  };
  const rows = [
    row("sign an EIP-3009 payment, Node", "µs", await turns("sign"), "less"),
    row("verify (typed-data hash and recover), Node", "µs", await turns("verify"), "less"),
  ];
  return { rows };
}
