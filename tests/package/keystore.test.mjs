// Encrypted keys: opened as the specification's own vectors are, and as a payer's wallet.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { privateKeyToAccount } from "viem/accounts";
import { createPayer, wrapFetchWithPayment, X402Error } from "x402-wasm";
import { openKeystore, sealKeystore } from "x402-wasm/keystore";
import { answering, goods, TARGET, unpaid } from "./lib/hostile.mjs";
import { KEY } from "./lib/signer.mjs";

const { vectors } = JSON.parse(readFileSync(new URL("../vectors/keystore.json", import.meta.url), "utf8"));
const hex = (bytes) => `0x${Buffer.from(bytes).toString("hex")}`;

for (const { keystore, password, privateKey } of vectors) {
  test(`a keystore of ${keystore.crypto.kdf} is opened, and is a wallet`, async () => {
    assert.equal(hex(await openKeystore(JSON.stringify(keystore), password)), privateKey);
    const { address } = privateKeyToAccount(privateKey);
    const { fetch, calls } = answering(unpaid(), goods());
    const payer = await createPayer({ wallet: { keystore, password }, fetch });
    assert.equal(payer.address, address);
    await payer.fetch(TARGET);
    assert.equal(calls[1].payment.payload.authorization.from, address);
  });
}

test("a key that is sealed is opened again, by its password alone", async () => {
  const sealed = await sealKeystore(KEY, "a long password");
  assert.equal(hex(await openKeystore(sealed, "a long password")), KEY);
  assert.ok(!sealed.includes(KEY.slice(2)));
  const wallets = [
    [{ keystore: sealed, password: "another password" }, "payer_wrong_password"],
    [{ keystore: sealed }, "payer_invalid_keystore"],
    [{ keystore: "{}", password: "a long password" }, "payer_invalid_keystore"],
    [{ keystore: null, password: "" }, "payer_invalid_keystore"],
    [{ get keystore() { throw new Error(KEY); } }, "payer_invalid_options"],
  ];
  for (const [wallet, code] of wallets) {
    const refused = (error) => error instanceof X402Error && error.code === code && !`${error.message}${error.cause}`.includes(KEY);
    await assert.rejects(createPayer({ wallet }), refused, code);
  }
  const pay = wrapFetchWithPayment(answering(unpaid(), goods()).fetch, { wallet: { keystore: sealed, password: "a long password" } });
  assert.equal((await pay(TARGET)).status, 200);
});
