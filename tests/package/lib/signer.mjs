// Wallets that count what they are asked to sign.
import { privateKeyToAccount } from "viem/accounts";

/** Anvil's first account, worth nothing anywhere else. */
export const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
export const ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/** A viem account that counts. */
export function counting(account = privateKeyToAccount(KEY)) {
  const signer = {
    address: account.address,
    signed: [],
    async signTypedData(document) {
      signer.signed.push(document);
      return account.signTypedData(document);
    },
  };
  return signer;
}

/** An EIP-1193 wallet that counts; `answers` replaces what it says to a method. */
export function provider(answers = {}, account = privateKeyToAccount(KEY)) {
  const wallet = {
    calls: [],
    async request({ method, params }) {
      wallet.calls.push({ method, params });
      if (answers[method]) return answers[method](params);
      switch (method) {
        case "eth_accounts":
        case "eth_requestAccounts":
          return [account.address.toLowerCase()];
        case "eth_chainId":
          return "0x14a34";
        case "eth_signTypedData_v4":
          return account.signTypedData(JSON.parse(params[1]));
        default:
          throw Object.assign(new Error(`no ${method}`), { code: 4200 });
      }
    },
    count: (method) => wallet.calls.filter((call) => call.method === method).length,
  };
  return wallet;
}
