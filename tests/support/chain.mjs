// What tests ask of the local chain, over JSON-RPC with nothing but fetch. Amounts are BigInt in atomic units
// (6 decimals for the test USDC), addresses 0x strings of any case.

let id = 0;

/** One JSON-RPC call; the node's error message is the error. */
export async function rpc(url, method, params = []) {
  id += 1;
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
  });
  const { result, error } = await response.json();
  if (error) throw Object.assign(new Error(`${method}: ${error.message}`), { code: error.code, data: error.data });
  return result;
}

const word = (value) => BigInt(value).toString(16).padStart(64, "0");
const hex = (value) => `0x${BigInt(value).toString(16)}`;

const selectors = {
  balanceOf: "0x70a08231",
  authorizationState: "0xe94a0102",
  mint: "0x40c10f19",
  blacklist: "0xf9f92be4",
  unBlacklist: "0x1a895266",
  pause: "0x8456cb59",
  unpause: "0x3f4ba83a",
};

const call = (url, to, data) => rpc(url, "eth_call", [{ to, data }, "latest"]);

/** Token balance in atomic units. */
export async function balanceOf(url, asset, owner) {
  return BigInt(await call(url, asset, selectors.balanceOf + word(owner)));
}

/** Native balance in wei. */
export async function nativeBalance(url, owner) {
  return BigInt(await rpc(url, "eth_getBalance", [owner, "latest"]));
}

/** Whether an EIP-3009 nonce of this authorizer is used or canceled. */
export async function authorizationState(url, asset, authorizer, nonce) {
  return BigInt(await call(url, asset, selectors.authorizationState + word(authorizer) + word(nonce))) === 1n;
}

let last = Promise.resolve();

/**
 * Sends a transaction from one of the node's unlocked accounts and answers its receipt once it is mined; a
 * reverted transaction is an error. One after another: two that are sent at once may be given one account nonce.
 */
export function transact(url, transaction) {
  const mined = last.then(() => send(url, transaction));
  last = mined.catch(() => {});
  return mined;
}

async function send(url, transaction) {
  const [account] = await rpc(url, "eth_accounts");
  const hash = await rpc(url, "eth_sendTransaction", [{ from: account, ...transaction }]);
  const receipt = await receiptOf(url, hash);
  if (receipt.status !== "0x1") throw new Error(`transaction ${hash} reverted`);
  return receipt;
}

/** The receipt of a transaction, asked for until the node has it. */
export async function receiptOf(url, hash, tries = 2000) {
  for (let i = 0; i < tries; i += 1) {
    const receipt = await rpc(url, "eth_getTransactionReceipt", [hash]);
    if (receipt) return receipt;
  }
  throw new Error(`transaction ${hash} was not mined`);
}

/** Mints test USDC, in atomic units. */
export const mint = (url, asset, to, amount) => transact(url, { to: asset, data: selectors.mint + word(to) + word(amount) });

/** Sets an account's native balance, in wei (default one ether). */
export const fund = (url, account, wei = 10n ** 18n) => rpc(url, "anvil_setBalance", [account, hex(wei)]);

/** Sets or lifts the issuer's ban of an account. */
export const blacklist = (url, asset, account, on = true) =>
  transact(url, { to: asset, data: (on ? selectors.blacklist : selectors.unBlacklist) + word(account) });

/** Stops or resumes every transfer of the token. */
export const pause = (url, asset, on = true) => transact(url, { to: asset, data: on ? selectors.pause : selectors.unpause });

/** Places runtime code at an address. */
export const setCode = (url, address, code) => rpc(url, "anvil_setCode", [address, code]);

/** The unix second of the newest block. */
export async function chainTime(url) {
  return BigInt((await rpc(url, "eth_getBlockByNumber", ["latest", false])).timestamp);
}

/** Transactions an account has sent. */
export async function transactionCount(url, account) {
  return BigInt(await rpc(url, "eth_getTransactionCount", [account, "latest"]));
}

/** Remembers the chain; the answered function returns to it. It can be used once. */
export async function snapshot(url) {
  const point = await rpc(url, "evm_snapshot");
  return async () => {
    if (!(await rpc(url, "evm_revert", [point]))) throw new Error("the chain could not return to its snapshot");
  };
}

/** Token transfers of one transaction: `[{ asset, from, to, value }]`, addresses in lower case. */
export async function transfersIn(url, hash) {
  const topic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
  const { logs } = await receiptOf(url, hash);
  return logs
    .filter((log) => log.topics[0] === topic)
    .map((log) => ({
      asset: log.address.toLowerCase(),
      from: `0x${log.topics[1].slice(-40)}`,
      to: `0x${log.topics[2].slice(-40)}`,
      value: BigInt(log.data),
    }));
}
