// The two gates under raw workerd, each with the same facilitator stub and the same body behind it.
import { gateService } from "../interop/lib/gate.mjs";
import { pathOf } from "../interop/lib/process.mjs";
import { startWorkerd } from "../interop/lib/workerd.mjs";
import { workerBundle } from "./bundle.mjs";
import { CORES } from "./measure.mjs";

const NETWORK = "eip155:84532";
const PAY_TO = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const PRICE = "$0.01";

const script = (name, file) => ({
  name,
  modules: [{ name: "index.mjs", type: "esModule", path: pathOf(`peers/${file}`, import.meta.url) }],
});

/** Our gate's config: the facilitator is another service of the same workerd, so its URL only needs to parse. */
export const CONFIG = {
  publicOrigin: "https://gate.test",
  origin: { service: "ORIGIN" },
  payTo: PAY_TO,
  networks: { [NETWORK]: { facilitator: [{ url: "https://facilitator.test" }] } },
  default: "deny",
  routes: [{ match: "GET /quote", price: PRICE }],
};

async function peerService(services = {}) {
  return {
    name: "gate",
    modules: [{ name: "index.mjs", type: "esModule", text: await workerBundle("peers/worker.mjs") }],
    vars: { NETWORK, PAY_TO, PRICE },
    services,
    outbound: "facilitator",
    flags: ["nodejs_compat"],
  };
}

/** Starts a side's gate, pinned to the measured core. */
const starter = (service) => async () =>
  startWorkerd([await service(), script("facilitator", "facilitator.mjs"), script("origin", "origin.mjs")], { cpu: CORES.server });

export const startSide = {
  ours: starter(() => ({ ...gateService(CONFIG), services: { ORIGIN: "origin" }, outbound: "facilitator" })),
  peer: starter(peerService),
  /** The peer doing a gate's job: its handler asks the origin that is behind ours. */
  proxy: starter(() => peerService({ ORIGIN: "origin" })),
  /** No gate: what the platform alone takes for requests and writes like ours. */
  bare: starter(() => ({ ...script("gate", "bare.mjs"), services: { ORIGIN: "origin" }, objects: { BOOK: "Book" }, outbound: "facilitator" })),
};

/** Starts a workerd whose Worker does nothing. */
export const startEmpty = () => startWorkerd([script("empty", "empty.mjs")], { cpu: CORES.server });
