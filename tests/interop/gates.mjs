// The gates of the matrix, each with the facilitator that settles for it.
import { fund } from "../support/chain.mjs";
import { versionOf } from "./clients.mjs";
import { startGate } from "./lib/gate.mjs";
import { pathOf, startScript } from "./lib/process.mjs";

// The reference facilitator's own account, of anvil's well-known mnemonic; it only pays the local chain's gas.
const FACILITATOR_KEY = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6";

const reference = `@x402/evm ${versionOf("@x402/evm")} over HTTP`;
const hono = `@x402/hono ${versionOf("@x402/hono")}`;

/** Starts the reference facilitator and a way to ask it how often it settled. */
async function startFacilitator(world) {
  const token = "interop"; // so that the authorization header is exercised too
  const { ready, stop } = await startScript(pathOf("peers/reference-facilitator.mjs", import.meta.url), {
    rpc: world.rpc, key: FACILITATOR_KEY, network: world.network, token,
  });
  await fund(world.rpc, ready.address); // whatever the world gave it: gas is not what this suite is about
  const settlements = async () => {
    const response = await fetch(`${ready.url}/counts`, { headers: { authorization: `Bearer ${token}` } });
    return (await response.json()).settle;
  };
  return { url: ready.url, token, settlements, stop };
}

const startReferenceGate = (world, price, { url, token }) =>
  startScript(pathOf("peers/reference-gate.mjs", import.meta.url), {
    payTo: world.payTo, network: world.network, price, facilitator: url, token,
  });

/** Both ends of a started thing as one, stopped in reverse. */
const together = (gate, facilitator) => ({
  url: gate.ready.url,
  settlements: facilitator.settlements,
  async stop() {
    await gate.stop();
    await facilitator.stop();
  },
});

/** Starts a gate on a started facilitator, and stops the latter if the former does not come up. */
async function onFacilitator(world, startOn) {
  const facilitator = await startFacilitator(world);
  try {
    return together(await startOn(facilitator), facilitator);
  } catch (error) {
    await facilitator.stop();
    throw error;
  }
}

/**
 * @typedef {object} Gate
 * @property {string} name
 * @property {string} facilitator who verifies and settles for it
 * @property {number[]} versions protocol versions it accepts
 * @property {(world: object, price: string) => Promise<{url: string, settlements?: () => Promise<number>, stop?: () => Promise<void>}>} start
 */

/** @type {Gate[]} */
export const gates = [
  { name: "x402-gate", facilitator: "embedded", versions: [2, 1], start: async (world) => ({ url: world.gate }) },
  {
    name: "x402-gate",
    facilitator: reference,
    versions: [2, 1],
    start: (world, price) => onFacilitator(world, (facilitator) => startGate({ world, price, facilitator })),
  },
  {
    name: hono,
    facilitator: reference,
    versions: [2],
    start: (world, price) => onFacilitator(world, (facilitator) => startReferenceGate(world, price, facilitator)),
  },
  {
    name: hono,
    facilitator: "x402-gate",
    versions: [2],
    async start(world, price) {
      const { ready, stop } = await startReferenceGate(world, price, world.facilitator);
      return { url: ready.url, stop };
    },
  },
];
