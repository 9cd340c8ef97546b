// The local chain's contracts behave as the published ones do where a payer, a gate or a facilitator can see it.
// viem is the reference for ABI, typed data and signatures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createPublicClient, createWalletClient, encodeFunctionData, http, keccak256, parseAbi, parseSignature, toHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";

import * as chain from "../support/chain.mjs";
import { startWorld } from "../support/world.mjs";

const abi = parseAbi([
  "function name() view returns (string)",
  "function symbol() view returns (string)",
  "function version() view returns (string)",
  "function decimals() view returns (uint8)",
  "function totalSupply() view returns (uint256)",
  "function balanceOf(address) view returns (uint256)",
  "function allowance(address,address) view returns (uint256)",
  "function nonces(address) view returns (uint256)",
  "function DOMAIN_SEPARATOR() view returns (bytes32)",
  "function authorizationState(address,bytes32) view returns (bool)",
  "function transfer(address,uint256) returns (bool)",
  "function transferFrom(address,address,uint256) returns (bool)",
  "function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
  "function transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
  "function receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
  "function receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
  "function cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)",
  "function cancelAuthorization(address,bytes32,bytes)",
  "function permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
  "function permit(address,address,uint256,uint256,bytes)",
  "event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)",
  "event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce)",
]);
const authorization = ["from:address", "to:address", "value:uint256", "validAfter:uint256", "validBefore:uint256", "nonce:bytes32"];
const struct = (fields) => fields.map((field) => ({ name: field.split(":")[0], type: field.split(":")[1] }));
const types = {
  TransferWithAuthorization: struct(authorization),
  ReceiveWithAuthorization: struct(authorization),
  CancelAuthorization: struct(["authorizer:address", "nonce:bytes32"]),
  Permit: struct(["owner:address", "spender:address", "value:uint256", "nonce:uint256", "deadline:uint256"]),
};

let world, rpc, asset, client, wallet, payer, domain;
before(async () => {
  world = await startWorld();
  ({ rpc, asset } = world);
  client = createPublicClient({ chain: baseSepolia, transport: http(rpc), pollingInterval: 20 });
  payer = privateKeyToAccount(world.payer.privateKey);
  // The tenth account of the chain: it sends what others signed.
  const [account] = (await chain.rpc(rpc, "eth_accounts")).slice(9);
  wallet = createWalletClient({ account, chain: baseSepolia, transport: http(rpc) });
  domain = { name: "USDC", version: "2", chainId: 84532, verifyingContract: asset };
});
after(() => world?.stop());

const stranger = () => privateKeyToAccount(generatePrivateKey());
const freshNonce = () => keccak256(toHex(generatePrivateKey()));
const read = (functionName, ...args) => client.readContract({ address: asset, abi, functionName, args });
const sign = (account, primaryType, message) => account.signTypedData({ domain, types, primaryType, message });

function message(over = {}) {
  return { from: payer.address, to: world.payTo, value: 10_000n, validAfter: 0n, validBefore: 2n ** 40n, nonce: freshNonce(), ...over };
}
const words = (m) => [m.from, m.to, m.value, m.validAfter, m.validBefore, m.nonce];
function split(signature) {
  const { r, s, yParity } = parseSignature(signature);
  return [27 + yParity, r, s];
}

/** Sends a call and answers its receipt; a revert throws what the contract said. */
async function send(functionName, args, account = wallet.account) {
  const { request } = await client.simulateContract({ address: asset, abi, functionName, args, account });
  return client.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
}
const refused = (promise, reason) => assert.rejects(promise, (error) => error.message.includes(reason) || assert.fail(error.message));

test("the token says what Base Sepolia's says", async () => {
  assert.deepEqual(
    await Promise.all(["name", "symbol", "version", "decimals"].map((name) => read(name))),
    ["USDC", "USDC", "2", 6],
  );
  // Source: keccak of the EIP-712 domain, computed with viem 2.57.0; equal to the deployed contract's.
  assert.equal(await read("DOMAIN_SEPARATOR"), "0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818");
});

describe("transferWithAuthorization", () => {
  for (const [overload, tail] of [["(v, r, s)", split], ["(bytes)", (signature) => [signature]]]) {
    test(`${overload} moves the money once and remembers the nonce`, async () => {
      const m = message();
      const args = [...words(m), ...tail(await sign(payer, "TransferWithAuthorization", m))];
      const before = [await read("balanceOf", m.from), await read("balanceOf", m.to)];
      const { transactionHash, logs } = await send("transferWithAuthorization", args);
      assert.deepEqual(await chain.transfersIn(rpc, transactionHash), [
        { asset: asset.toLowerCase(), from: m.from.toLowerCase(), to: m.to.toLowerCase(), value: m.value },
      ]);
      assert.deepEqual(logs[0].topics.slice(2), [m.nonce]);
      assert.equal(await read("balanceOf", m.from), before[0] - m.value);
      assert.equal(await read("balanceOf", m.to), before[1] + m.value);
      assert.equal(await chain.authorizationState(rpc, asset, m.from, m.nonce), true);
      await refused(send("transferWithAuthorization", args), "FiatTokenV2: authorization is used or canceled");
    });
  }

  const attempt = async (over, signer = payer, change = (args) => args) => {
    const m = message(over);
    return send("transferWithAuthorization", change([...words(m), ...split(await sign(signer, "TransferWithAuthorization", m))]));
  };
  test("is bounded in time, to the second", async () => {
    const now = (await client.getBlock()).timestamp;
    await refused(attempt({ validAfter: now + 600n }), "FiatTokenV2: authorization is not yet valid");
    await refused(attempt({ validBefore: now }), "FiatTokenV2: authorization is expired");
  });
  test("refuses another signer, another amount, and more than there is", async () => {
    await refused(attempt({}, stranger()), "FiatTokenV2: invalid signature");
    await refused(attempt({}, payer, (args) => args.with(2, 10_001n)), "FiatTokenV2: invalid signature");
    await refused(attempt({ value: 2n ** 200n }), "ERC20: transfer amount exceeds balance");
  });
  test("refuses a high s, a v that is not 27 or 28, and another length", async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const high = (args) => args.with(6, 55 - args[6]).with(8, toHex(order - BigInt(args[8]), { size: 32 }));
    await refused(attempt({}, payer, high), "ECRecover: invalid signature 's' value");
    await refused(attempt({}, payer, (args) => args.with(6, args[6] - 27)), "ECRecover: invalid signature 'v' value");
    await refused(attempt({}, payer, (args) => [...args.slice(0, 6), "0x1234"]), "ECRecover: invalid signature length");
  });
  test("obeys the issuer's switches", async () => {
    const banned = stranger().address;
    await chain.blacklist(rpc, asset, banned);
    await refused(attempt({ to: banned }), "Blacklistable: account is blacklisted");
    await chain.pause(rpc, asset);
    await refused(attempt({}), "Pausable: paused");
    await chain.pause(rpc, asset, false);
    await attempt({});
  });
});

test("receiveWithAuthorization is for the payee alone, in both overloads", async () => {
  for (const tail of [split, (signature) => [signature]]) {
    const m = message({ to: wallet.account.address });
    const args = [...words(m), ...tail(await sign(payer, "ReceiveWithAuthorization", m))];
    await refused(send("receiveWithAuthorization", args, payer.address), "FiatTokenV2: caller must be the payee");
    await refused(send("transferWithAuthorization", args), "FiatTokenV2: invalid signature");
    await send("receiveWithAuthorization", args);
    assert.equal(await read("authorizationState", m.from, m.nonce), true);
  }
});

test("a canceled authorization moves nothing, in both overloads", async () => {
  for (const tail of [split, (signature) => [signature]]) {
    const m = message();
    const cancel = await sign(payer, "CancelAuthorization", { authorizer: m.from, nonce: m.nonce });
    const { logs } = await send("cancelAuthorization", [m.from, m.nonce, ...tail(cancel)]);
    assert.equal(logs.length, 1);
    const args = [...words(m), await sign(payer, "TransferWithAuthorization", m)];
    await refused(send("transferWithAuthorization", args), "FiatTokenV2: authorization is used or canceled");
  }
});

test("permit allows what was signed, once per nonce, in both overloads", async () => {
  for (const tail of [split, (signature) => [signature]]) {
    const spender = wallet.account.address;
    const m = { owner: payer.address, spender, value: 777n, nonce: await read("nonces", payer.address), deadline: 2n ** 40n };
    const args = [m.owner, m.spender, m.value, m.deadline, ...tail(await sign(payer, "Permit", m))];
    await send("permit", args);
    assert.equal(await read("allowance", m.owner, spender), 777n);
    await refused(send("permit", args), "EIP2612: invalid signature");
    await refused(send("permit", args.with(3, 1n)), "FiatTokenV2: permit is expired");
    await send("transferFrom", [m.owner, world.payTo, 700n]);
    await refused(send("transferFrom", [m.owner, world.payTo, 78n]), "ERC20: transfer amount exceeds allowance");
  }
});

test("an account with code answers for itself by EIP-1271", async () => {
  const owner = stranger();
  const account = stranger().address;
  const { deployedBytecode } = JSON.parse(readFileSync(contract("TestWallet")));
  await chain.setCode(rpc, account, deployedBytecode);
  const setOwner = parseAbi(["function setOwner(address)"]);
  await chain.transact(rpc, { to: account, data: encodeFunctionData({ abi: setOwner, args: [owner.address] }) });
  await chain.mint(rpc, asset, account, 10_000n);
  const m = message({ from: account });
  const signature = await sign(owner, "TransferWithAuthorization", m);
  const wrong = await sign(stranger(), "TransferWithAuthorization", m);
  await refused(send("transferWithAuthorization", [...words(m), wrong]), "FiatTokenV2: invalid signature");
  // Longer than any account's own signature: the wallet's format is the wallet's business.
  await send("transferWithAuthorization", [...words(m), `${signature}c0ffee`]);
  assert.equal(await read("balanceOf", account), 0n);
});

/** The compiled artifact of a test contract, where the build puts it. */
function contract(name) {
  const target = process.env.X402_XTASK ? join(dirname(process.env.X402_XTASK), "..") : fileURLToPath(new URL("../../target", import.meta.url));
  return join(target, "contracts", `${name}.json`);
}

test("Multicall3 answers viem's batches, each call failing for itself", async () => {
  const contracts = [
    { address: asset, abi, functionName: "balanceOf", args: [payer.address] },
    { address: asset, abi, functionName: "transferFrom", args: [payer.address, wallet.account.address, 1n] },
    { address: asset, abi, functionName: "name" },
  ];
  const [balance, moved, name] = await client.multicall({ contracts });
  assert.equal(balance.result, await read("balanceOf", payer.address));
  assert.equal(moved.status, "failure");
  assert.equal(name.result, "USDC");
  await assert.rejects(client.multicall({ contracts, allowFailure: false }));
});

test("the chain's clock goes on without transactions", async () => {
  const height = await client.getBlockNumber();
  const next = await new Promise((resolve, reject) => {
    const unwatch = client.watchBlockNumber({ onBlockNumber: (number) => number > height && (unwatch(), resolve(number)), onError: reject });
  });
  assert.ok(next > height);
});

test("a snapshot is returned to", async () => {
  const back = await chain.snapshot(rpc);
  const account = stranger().address;
  await chain.mint(rpc, asset, account, 5n);
  await chain.fund(rpc, account, 7n);
  assert.deepEqual([await chain.balanceOf(rpc, asset, account), await chain.nativeBalance(rpc, account)], [5n, 7n]);
  await back();
  assert.deepEqual([await chain.balanceOf(rpc, asset, account), await chain.nativeBalance(rpc, account)], [0n, 0n]);
});
