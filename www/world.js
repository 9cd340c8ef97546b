// The local world this page is served from: where the gate and the chain are, what is sold, and the demo's test key.

/** Reads the world's description. */
export async function readWorld() {
  const response = await fetch("/world.json");
  if (!response.ok) throw new Error(`world.json: ${response.status}`);
  return response.json();
}

/** One question to the chain; its own error is the error. */
export async function ask(world, method, params = []) {
  const response = await fetch(world.rpc, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = await response.json();
  if (error) throw new Error(error.message);
  return result;
}

/** balanceOf(address), ERC-20. */
const BALANCE_OF = "0x70a08231";

/** The balance of an account in atomic units of the world's asset, asked of the chain. */
export async function balance(world, address) {
  const data = BALANCE_OF + address.slice(2).toLowerCase().padStart(64, "0");
  return BigInt(await ask(world, "eth_call", [{ to: world.asset, data }, "latest"]));
}

/** Decimals of the world's asset, a test USDC. */
export const DECIMALS = 6;
