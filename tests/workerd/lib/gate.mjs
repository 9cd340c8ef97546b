// Our gate in raw workerd for one file of tests, with a config, secrets and servers of its own, on the world's chain.
import { privateKeyToAccount } from "viem/accounts";

import { gateService } from "../../interop/lib/gate.mjs";
import { startWorkerd } from "../../interop/lib/workerd.mjs";
import { fund, mint } from "../../support/chain.mjs";
import { world } from "../../support/world.mjs";
import { freshKey } from "./raw.mjs";

export { freshKey, raw, target, until } from "./raw.mjs";

export const chain = world();
export const TOKEN = "a-token-for-the-facilitator-api";

/** A payer with some test USDC (in atomic units; one dollar if nothing is said). */
export async function freshPayer(amount = 1_000_000n) {
  const key = freshKey();
  await mint(chain.rpc, chain.asset, privateKeyToAccount(key).address, amount);
  return key;
}

/** A relayer's key with coin for its gas. */
export async function freshRelayer(wei) {
  const key = freshKey();
  await fund(chain.rpc, privateKeyToAccount(key).address, wei);
  return key;
}

/** The parts of a config that tests rarely care for. */
export function config(origin, network, routes, more = {}) {
  return {
    publicOrigin: "http://gate.test",
    origin: { url: origin.url },
    payTo: chain.payTo,
    networks: { [chain.network]: network },
    default: "deny",
    routes,
    ...more,
  };
}

/** A network that the gate settles on itself. */
export const embedded = { rpc: ["secret:RPC_URL"], facilitator: "embedded", relayer: "secret:RELAYER_KEY" };

/** A network that others settle on. */
export const remote = (...facilitators) => ({ facilitator: facilitators.map(({ url }) => ({ url })) });

/**
 * Starts a gate. `config` may be an object or, to be wrong on purpose, text. `change` may change the service before it
 * starts; `storage` is a directory that outlives it.
 * @returns {Promise<{url: string, log: () => string, relayer: string, stop: () => Promise<void>}>} `relayer` is an address
 */
export async function startGate(config, secrets = {}, { change = (service) => service, storage } = {}) {
  const key = secrets.RELAYER_KEY ?? (await freshRelayer());
  const vars = { RPC_URL: chain.rpc, RELAYER_KEY: key, FACILITATOR_TOKEN: TOKEN, ...secrets };
  const service = gateService(config, vars);
  if (typeof config === "string") service.modules.find(({ name }) => name === "gate.json").text = config;
  const gate = await startWorkerd([change(service)], { verbose: true, storage });
  return { ...gate, relayer: privateKeyToAccount(key).address };
}
