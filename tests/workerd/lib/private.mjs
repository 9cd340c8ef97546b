// A chain of one's own: what a test does to blocks and pools is nobody else's business.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { privateKeyToAccount } from "viem/accounts";

import { stopper } from "../../interop/lib/process.mjs";
import { fund, mint, rpc } from "../../support/chain.mjs";
import { chain, freshKey, until } from "./gate.mjs";

const require = createRequire(import.meta.url);

/** The native binary: that of the platform's package, or the one on PATH where npm brings none. */
function binary() {
  try {
    return join(dirname(require.resolve("@foundry-rs/anvil-linux-amd64/package.json")), "bin", "anvil");
  } catch {
    return "anvil";
  }
}

/**
 * Starts a chain like the world's, with the same contracts and nothing else on it.
 * @param {number} chainId Base Sepolia's, or another's
 * @returns {Promise<object>} its `rpc`, `stop()`, a `payer()` with a dollar, a funded `relayer()`, and short ways to what
 *   a node's owner may do: `automine(on)`, `mine(blocks)`, `drop(hash)`, `receipt(hash)`; `pooled(hash)` and `mined(hash)` end
 *   when a transaction waits for a block, or is in one
 */
export async function startPrivate(chainId = 84532) {
  const child = spawn(binary(), ["--chain-id", String(chainId), "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const stop = stopper(child);
  let url;
  for await (const line of createInterface({ input: child.stdout })) {
    url = line.match(/^Listening on (\S+)/)?.[1];
    if (url) break;
  }
  child.stdout.resume();
  if (!url) throw new Error("the chain did not start");
  const own = (method, ...params) => rpc(`http://${url}`, method, params);
  for (const address of [chain.asset, "0xcA11bde05977b3631167028862bE2a173976CA11"]) {
    await own("anvil_setCode", address, await rpc(chain.rpc, "eth_getCode", [address, "latest"]));
  }
  return {
    rpc: `http://${url}`,
    stop,
    own,
    async payer(amount = 1_000_000n) {
      const key = freshKey();
      await mint(`http://${url}`, chain.asset, privateKeyToAccount(key).address, amount);
      return key;
    },
    async relayer(wei) {
      const key = freshKey();
      await fund(`http://${url}`, privateKeyToAccount(key).address, wei);
      return key;
    },
    automine: (on) => own("evm_setAutomine", on),
    mine: (blocks = 1) => own("anvil_mine", `0x${blocks.toString(16)}`),
    drop: (hash) => own("anvil_dropTransaction", hash),
    receipt: (hash) => own("eth_getTransactionReceipt", hash),
    pooled: (hash) => until(() => own("eth_getTransactionByHash", hash)),
    mined: (hash) => until(() => own("eth_getTransactionReceipt", hash)),
  };
}
