// Wallets of every kind, and wallets that misbehave.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";
import * as x402 from "x402-wasm";
import { challenge, honest, offer, payments, serve, terms } from "./lib/seller.mjs";
import { ADDRESS, counting, KEY, provider } from "./lib/signer.mjs";

const { createPayer } = x402;
const seller = await serve(honest());
after(() => seller.stop());

const OTHER = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"; // anvil's second account
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

test("every kind of wallet pays", async (t) => {
  const account = privateKeyToAccount(KEY);
  const wallets = {
    "a private key": { privateKey: KEY },
    "a private key without its prefix": { privateKey: KEY.slice(2) },
    "a private key in bytes": { privateKey: new Uint8Array(Buffer.from(KEY.slice(2), "hex")) },
    "a viem account": account,
    "a viem wallet client": createWalletClient({ account, chain: baseSepolia, transport: http("http://127.0.0.1:1") }),
    "an EIP-1193 provider": provider(),
    "a provider with mixed-case accounts": provider({ eth_accounts: () => [ADDRESS] }),
  };
  for (const [name, wallet] of Object.entries(wallets)) {
    await t.test(name, async () => {
      const payer = await createPayer({ wallet });
      const response = await payer.fetch(seller.url);
      assert.equal(response.status, 200);
      assert.equal(payer.receipt(response).payer, ADDRESS);
      assert.equal(payer.address, ADDRESS);
    });
  }
});

test("a provider is asked in EIP-1193's words, and only for what is needed", async () => {
  const wallet = provider();
  const payer = await createPayer({ wallet });
  assert.equal(payer.address, undefined);
  await payer.fetch(seller.url);
  assert.deepEqual(wallet.calls.map(({ method }) => method), ["eth_accounts", "eth_chainId", "eth_signTypedData_v4"]);
  const [address, document] = wallet.calls[2].params;
  assert.equal(address, ADDRESS);
  assert.deepEqual(Object.keys(JSON.parse(document).types).sort(), ["EIP712Domain", "TransferWithAuthorization"]);

  const locked = provider({ eth_accounts: () => [] });
  assert.equal(await (await createPayer({ wallet: locked })).connect(), ADDRESS);
  assert.equal(locked.count("eth_requestAccounts"), 1);
});

test("a provider on another chain is asked to switch, and its refusal is its own", async () => {
  const elsewhere = provider({ eth_chainId: () => "0x1", wallet_switchEthereumChain: () => null });
  assert.equal((await (await createPayer({ wallet: elsewhere })).fetch(seller.url)).status, 200);
  assert.deepEqual(elsewhere.calls.find(({ method }) => method === "wallet_switchEthereumChain").params, [{ chainId: "0x14a34" }]);
  const failing = (code) => () => { throw Object.assign(new Error("no"), { code }); };
  for (const [code, wanted] of [[4001, "payer_wallet_rejected"], [4902, "payer_wallet_failed"]]) {
    const wallet = provider({ eth_chainId: () => "0x1", wallet_switchEthereumChain: failing(code) });
    await assert.rejects((await createPayer({ wallet })).fetch(seller.url), (error) => error.code === wanted && error.details.walletCode === code);
    assert.equal(wallet.count("eth_signTypedData_v4"), 0);
  }
});

test("a wallet that does not know the chain is told of it, if somebody has said what to tell", async () => {
  const chain = { chainName: "Base Sepolia", rpcUrls: ["https://sepolia.base.org"], nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 } };
  let known = false;
  const wallet = provider({
    eth_chainId: () => "0x1",
    wallet_switchEthereumChain: () => {
      // As some wallets wrap it.
      if (!known) throw Object.assign(new Error("Internal JSON-RPC error."), { code: -32603, data: { originalError: { code: 4902 } } });
      return null;
    },
    wallet_addEthereumChain: () => ((known = true), null),
  });
  const payer = await createPayer({ wallet, chains: { "eip155:84532": chain } });
  assert.equal((await payer.fetch(seller.url)).status, 200);
  const { params } = wallet.calls.find(({ method }) => method === "wallet_addEthereumChain");
  assert.deepEqual(params, [{ ...chain, chainId: "0x14a34" }]);
  assert.equal(wallet.count("wallet_switchEthereumChain"), 2);

  known = false;
  const no = provider({ eth_chainId: () => "0x1", wallet_switchEthereumChain: () => { throw { code: 4902 }; }, wallet_addEthereumChain: () => { throw { code: 4001 }; } });
  await assert.rejects((await createPayer({ wallet: no, chains: { "eip155:84532": chain } })).fetch(seller.url), { code: "payer_wallet_rejected" });
  const other = provider({ eth_chainId: () => "0x1", wallet_switchEthereumChain: () => { throw { code: 4902 }; } });
  await assert.rejects((await createPayer({ wallet: other, chains: { "eip155:8453": chain } })).fetch(seller.url), { code: "payer_wallet_failed" });
  for (const chains of [{ base: chain }, { "eip155:8453": {} }, { "eip155:8453": null }]) {
    await assert.rejects(createPayer({ wallet, chains }), { code: "payer_invalid_options" });
  }
});

test("a user's no is its own error, however it is wrapped", async () => {
  const no = Object.assign(new Error("User rejected the request."), { code: 4001 });
  for (const thrown of [no, { code: 4001 }, Object.assign(new Error("wrapped"), { cause: no })]) {
    for (const wallet of [provider({ eth_signTypedData_v4: () => { throw thrown; } }), { address: ADDRESS, signTypedData: async () => { throw thrown; } }]) {
      await assert.rejects((await createPayer({ wallet })).fetch(seller.url), { code: "payer_wallet_rejected", retryable: false });
    }
  }
});

test("approval: only true is a yes, and the quote says what is paid", async () => {
  const quotes = [];
  for (const answer of [undefined, false, 1, "true", {}, Promise.resolve("yes"), null]) {
    const wallet = counting();
    const payer = await createPayer({ wallet, policy: { approve: (quote) => (quotes.push(quote), answer) } });
    await assert.rejects(payer.fetch(seller.url), { code: "payer_approval_denied" });
    assert.equal(wallet.signed.length, 0);
  }
  for (const approve of [() => { throw new Error("mine"); }, async () => { throw new Error("mine"); }]) {
    const payer = await createPayer({ wallet: counting(), policy: { approve } });
    await assert.rejects(payer.fetch(seller.url), (error) => error.code === "payer_approval_denied" && error.cause.message === "mine");
  }
  for (const approve of [() => true, async () => true]) {
    assert.equal((await (await createPayer({ wallet: counting(), policy: { approve } })).fetch(seller.url)).status, 200);
  }
  const [{ sentence, amount, tokens, symbol, payTo, payer, url }] = quotes;
  assert.equal(sentence, `Pay 0.01 USDC on eip155:84532 to ${payTo} for ${seller.url}`);
  assert.deepEqual([amount, tokens, symbol, payTo, payer, url], ["10000", "0.01", "USDC", offer().payTo, ADDRESS, seller.url]);
});

test("S-285: a wallet that hangs, rejects or signs something else costs nothing", async (t) => {
  const account = privateKeyToAccount(KEY);
  const sent = () => payments(seller).length;
  const tried = async (signTypedData, code, url = seller.url) => {
    const before = sent();
    const payer = await createPayer({ wallet: { address: ADDRESS, signTypedData } });
    await assert.rejects(payer.fetch(url), { name: "X402Error", code });
    assert.equal(sent(), before);
  };
  const parts = (signature) => [BigInt(signature.slice(0, 66)), BigInt(`0x${signature.slice(66, 130)}`), Number.parseInt(signature.slice(130), 16)];
  const joined = (r, s, v) => `0x${r.toString(16).padStart(64, "0")}${s.toString(16).padStart(64, "0")}${v.toString(16).padStart(2, "0")}`;
  const changed = (change) => async (data) => joined(...change(...parts(await account.signTypedData(data))));

  await t.test("signs for another address", () => tried((data) => privateKeyToAccount(OTHER).signTypedData(data), "payer_wallet_mismatch"));
  await t.test("signs another amount", () =>
    tried((data) => account.signTypedData({ ...data, message: { ...data.message, value: 1n } }), "payer_wallet_mismatch"));
  await t.test("signs another recipient", () =>
    tried((data) => account.signTypedData({ ...data, message: { ...data.message, to: ADDRESS } }), "payer_wallet_mismatch"));
  await t.test("a high s", () => tried(changed((r, s, v) => [r, N - s, v === 27 ? 28 : 27]), "payer_wallet_mismatch"));
  await t.test("the other v", () => tried(changed((r, s, v) => [r, s, 55 - v]), "payer_wallet_mismatch"));
  await t.test("no v, of a signature that needs one", () =>
    tried(async (data) => {
      const signature = await account.signTypedData(data);
      return `0x${signature.slice(2, 66)}${(BigInt(`0x${signature.slice(66, 130)}`) | (1n << 255n)).toString(16)}`.slice(0, parts(signature)[2] === 27 ? 130 : 128);
    }, "payer_wallet_mismatch"));
  await t.test("zeros", () => tried(async () => `0x${"00".repeat(65)}`, "payer_wallet_mismatch"));
  for (const [name, answer] of Object.entries({ nothing: undefined, null: null, "a number": 5, "an object": {}, text: "signed!", "odd hex": "0x123", bytes: new Uint8Array(65), "a long text": "0x".padEnd(1 << 20, "0") })) {
    await t.test(`answers ${name}`, () => tried(async () => answer, "payer_wallet_failed"));
  }
  await t.test("throws at once", () => tried(() => { throw new Error("no"); }, "payer_wallet_failed"));
  await t.test("hangs: it has until the authorization would expire", async () => {
    const hasty = await serve((request, response) => challenge(response, terms([offer({ maxTimeoutSeconds: 1 })])));
    await tried(() => new Promise(() => {}), "payer_wallet_failed", hasty.url);
    assert.equal(hasty.requests.length, 1);
    await hasty.stop();
  });
  await t.test("signs when it is too late", async ({ mock: { timers } }) => {
    const hasty = await serve((request, response) => challenge(response, terms([offer({ maxTimeoutSeconds: 1 })])));
    timers.enable({ apis: ["Date"], now: Date.now() });
    const late = async (data) => {
      timers.setTime(Date.now() + 2100); // a wallet that holds up the whole process: no timer fires meanwhile
      return account.signTypedData(data);
    };
    await tried(late, "payer_wallet_failed", hasty.url);
    assert.equal(hasty.requests.length, 1);
    await hasty.stop();
  });
  await t.test("EIP-2098 is taken and sent in the one form that all take", async () => {
    const compact = async (data) => {
      const [r, s, v] = parts(await account.signTypedData(data));
      return joined(r, s | (BigInt(v - 27) << 255n), 0).slice(0, 130);
    };
    const response = await (await createPayer({ wallet: { address: ADDRESS, signTypedData: compact } })).fetch(seller.url);
    assert.equal(response.status, 200);
    const { payload } = x402.decodePayment(payments(seller).at(-1).headers["payment-signature"]);
    assert.match(payload.signature, /^0x[0-9a-f]{128}1[bc]$/);
  });
});

test("S-349: what a wallet throws is not shown, whatever stands in it", async () => {
  const secret = KEY.slice(2);
  const leak = () => Object.assign(new Error(`bad key ${KEY}`, { cause: { privateKey: KEY } }), { key: KEY, stack: KEY, code: KEY });
  const wallets = [
    { address: ADDRESS, signTypedData: () => { throw leak(); } },
    { address: ADDRESS, signTypedData: async () => { throw leak(); } },
    { address: ADDRESS, signTypedData: async () => { throw KEY; } },
    { address: ADDRESS, signTypedData: async () => { throw { get code() { throw leak(); } }; } },
    provider({ eth_accounts: () => { throw leak(); } }),
    provider({ eth_chainId: () => { throw leak(); } }),
    provider({ eth_signTypedData_v4: async () => { throw leak(); } }),
  ];
  for (const wallet of wallets) {
    const payer = await createPayer({ wallet });
    for (let i = 0; i < 100; i += 1) {
      const error = await payer.fetch(seller.url).catch((thrown) => thrown);
      assert.equal(error.code, "payer_wallet_failed");
      assert.equal(error.cause, undefined);
      assert.equal(inspect(error, { depth: 10, showHidden: true }).includes(secret), false);
    }
  }
  const bad = { get privateKey() { throw leak(); } };
  const keys = [`${KEY}0`, KEY.slice(0, -1), `0x${secret}\n`, `0x${secret.slice(2)}zz`];
  for (const wallet of [bad, ...keys.map((privateKey) => ({ privateKey }))]) {
    const error = await createPayer({ wallet }).catch((thrown) => thrown);
    assert.equal(error.name, "X402Error");
    assert.equal(inspect(error, { depth: 10, showHidden: true }).includes(secret.slice(4, 40)), false);
  }
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  assert.equal(inspect(payer, { depth: 10, showHidden: true }).includes(secret), false);
});

test("S-334: values that lie, throw or are too large give our error, and the module lives on", async () => {
  const throwing = new Proxy({}, { get() { throw new Error("trap"); }, ownKeys() { throw new Error("trap"); } });
  const cyclic = {};
  cyclic.self = cyclic;
  const huge = "x".repeat(1 << 28);
  const lone = "\ud800";
  const strange = [undefined, null, 5, NaN, 10n, Symbol("x"), true, "", lone, huge, {}, [], throwing, cyclic, () => {}, new Date(NaN), new Uint8Array(3), { toJSON: () => { throw new Error("x"); } }, { a: 1n }];
  const functions = ["decodePaymentRequired", "encodePaymentRequired", "decodePayment", "encodePayment", "decodeSettlement", "encodeSettlement",
    "typedData", "digest", "sign", "recover", "address", "verifyPayment", "localKey"];
  for (const name of functions) {
    for (const first of strange) {
      for (const second of name === "digest" || name === "sign" ? strange : [undefined]) {
        assert.throws(() => x402[name](first, second), (error) => error.name === "X402Error" && typeof error.code === "string", `${name}`);
      }
    }
  }
  for (const options of strange) await assert.rejects(createPayer(options), { name: "X402Error" });
  for (const wallet of strange) await assert.rejects(createPayer({ wallet }), { name: "X402Error" });
  for (const policy of [throwing, cyclic, { payTo: lone }, { maxPerPayment: huge }, { networks: throwing }, { networks: 10n }]) {
    await assert.rejects(createPayer({ wallet: { privateKey: KEY }, policy }), { name: "X402Error" });
  }
  const payer = await createPayer({ wallet: { privateKey: KEY } });
  for (const value of strange) assert.equal(payer.receipt(value), undefined);
  for (const response of [undefined, null, 5, {}, { status: 402 }, { status: 402, headers: throwing }, { status: 402, headers: { get: () => huge } }, { status: 402, headers: { get: () => 5 } }]) {
    const odd = await createPayer({ wallet: counting(), fetch: async () => response });
    await odd.fetch("https://seller.example/").then((same) => assert.equal(same, response), (error) => assert.equal(error.name, "X402Error"));
  }
  assert.equal((await payer.fetch(seller.url)).status, 200);
});
