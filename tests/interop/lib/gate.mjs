// Our gate in raw workerd with a config made for one run.
import { pathOf, startScript } from "./process.mjs";
import { startWorkerd } from "./workerd.mjs";

const part = (file) => pathOf(`../../../worker/${file}`, import.meta.url);

/**
 * The gate as a workerd service.
 * @param {object} config the gate's config, as gate.json holds it
 * @param {Record<string, string>} vars secrets by name
 */
export function gateService(config, vars = {}) {
  return {
    name: "gate",
    modules: [
      { name: "index.mjs", type: "esModule", path: part("index.mjs") },
      { name: "build/x402_gate.js", type: "esModule", path: part("build/x402_gate.js") },
      { name: "build/x402_gate_bg.wasm", type: "wasm", path: part("build/x402_gate_bg.wasm") },
      { name: "gate.json", type: "text", text: JSON.stringify(config) },
    ],
    vars,
    flags: ["enable_request_signal"],
    objects: { RELAYER: "Relayer", BOOK: "Book" },
  };
}

/** Starts our gate with a facilitator over HTTP, in front of the demo origin. */
export async function startGate({ world, price, facilitator }) {
  const origin = await startScript(pathOf("../../support/origin.mjs", import.meta.url), {});
  try {
    const config = {
      publicOrigin: "http://gate.localhost",
      origin: { url: origin.ready.origin },
      payTo: world.payTo,
      networks: {
        [world.network]: {
          facilitator: [{ url: facilitator.url, headers: { authorization: "secret:FACILITATOR_AUTHORIZATION" } }],
        },
      },
      default: "deny",
      routes: [{ match: "GET /quote", price }],
    };
    const gate = await startWorkerd([gateService(config, { FACILITATOR_AUTHORIZATION: `Bearer ${facilitator.token}` })]);
    const stop = async () => {
      await gate.stop();
      await origin.stop();
    };
    return { ready: { url: gate.url }, stop };
  } catch (error) {
    await origin.stop();
    throw error;
  }
}
