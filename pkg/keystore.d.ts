/**
 * Opens an encrypted keystore (Web3 Secret Storage, version 3, as Geth and most wallets write it) and answers the 32 bytes of its key.
 * They are yours to wipe (`bytes.fill(0)`); hand them to `createPayer` as `wallet: { privateKey: bytes }`. Takes a second and,
 * for a file of the usual cost, 256 MB. Rejects with `X402Error`: `payer_wrong_password`, `payer_invalid_keystore`.
 */
export function openKeystore(keystore: string | object, password: string): Promise<Uint8Array>;

/** Writes a keystore for a private key (hex, or 32 bytes): scrypt with the usual cost, and AES-128-CTR. Answers its JSON. */
export function sealKeystore(privateKey: string | Uint8Array, password: string): Promise<string>;
