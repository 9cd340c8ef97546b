// `x402-wasm wallet`: a key in an encrypted file.
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

import { address, generatePrivateKey } from "x402-wasm";
import { sealKeystore } from "x402-wasm/keystore";

import { DEFAULT, keystore, withKey } from "./keys.js";
import { input, print, secret, somebody, tell, Usage, words } from "./terminal.js";

export const help = `x402-wasm wallet new        makes a key and keeps it, encrypted; prints its address
x402-wasm wallet import     takes a key (hex) from standard input
x402-wasm wallet address    prints the address; needs no password
x402-wasm wallet export     prints the key in the open, with --show-the-key

  --wallet FILE   where (default ~/.x402/wallet.json; X402_HOME names another folder)

The password is asked for, or X402_PASSWORD. The file is a keystore of version 3, as Geth and most wallets read it.
`;

export async function run(args) {
  const { values, positionals: [what, ...more] } = words(args, { wallet: { type: "string" }, "show-the-key": { type: "boolean" } }, help);
  if (more.length > 0) throw new Usage(`there is nothing to do with ${more[0]}`, help);
  const file = values.wallet ?? DEFAULT();
  switch (what) {
    case "new":
      return keep(file, generatePrivateKey());
    case "import":
      return keep(file, (somebody() ? await secret("Private key: ", "X402_PRIVATE_KEY") : String(await input())).trim());
    case "address": {
      const { address: digits } = JSON.parse(await keystore(file));
      print(typeof digits === "string" ? `0x${digits.replace(/^0x/, "")}` : await withKey(values.wallet, (key) => address(key)));
      return 0;
    }
    case "export":
      if (!values["show-the-key"]) throw new Usage("whoever sees the key has the money: say --show-the-key", help);
      return withKey(values.wallet ?? DEFAULT(), (key) => (print(`0x${Buffer.from(key).toString("hex")}`), 0));
    default:
      throw new Usage(what === undefined ? "say what to do with the wallet" : `there is no wallet ${what}`, help);
  }
}

/** Writes a new file; one that is there is somebody's money and is left alone. */
async function keep(file, key) {
  const account = address(key); // refuses what is no key before anything is asked
  const password = await secret("Password: ", "X402_PASSWORD");
  if (password.length < 8) throw new Usage("a password has at least 8 characters");
  if (process.env.X402_PASSWORD === undefined && (await secret("The same again: ", "X402_PASSWORD")) !== password) {
    throw new Usage("the passwords differ");
  }
  const text = await sealKeystore(key, password);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, "wx", 0o600).catch((error) => {
    throw error.code === "EEXIST" ? new Usage(`${file} is there already; say --wallet FILE`) : error;
  });
  try {
    await handle.writeFile(`${text}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  tell(`Kept in ${file}. Without its password it is lost.`);
  print(account);
  return 0;
}
