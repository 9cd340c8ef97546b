// The keystore's two functions over its module. A key goes from one module's memory to the other's as bytes, which are wiped
// here; it is a string only where somebody asks for one.
import { X402Error } from "./error.js";

/** Calls the module; its errors are this package's. */
function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (typeof error?.code === "string") throw new X402Error(error.code, error.message);
    throw new X402Error("payer_internal", "the keystore's module failed");
  }
}

const text = (value, what) => {
  if (typeof value === "string") return value;
  throw new X402Error("payer_invalid_keystore", `the keystore cannot be read: ${what}`);
};

/** The 32 bytes of a key that is hex or bytes. */
function bytesOf(privateKey) {
  if (privateKey instanceof Uint8Array && privateKey.length === 32) return privateKey.slice();
  const digits = typeof privateKey === "string" ? /^(?:0x)?([0-9a-fA-F]{64})$/.exec(privateKey)?.[1] : undefined;
  if (!digits) throw new X402Error("invalid_key", "the private key is not valid");
  return Uint8Array.from(digits.match(/../g), (pair) => Number.parseInt(pair, 16));
}

export function face(module, source) {
  let loading;
  const load = () =>
    (loading ??= (async () => module.default({ module_or_path: await source() }))().catch((error) => {
      loading = undefined; // a module that could not be fetched may be the next time
      throw new X402Error("payer_not_loaded", "the keystore's module could not be loaded", true, {}, error);
    }));

  return {
    async openKeystore(keystore, password) {
      const file = typeof keystore === "string" ? keystore : JSON.stringify(keystore);
      text(file, "expected its JSON");
      text(password, "expected a password");
      await load();
      return guarded(() => module.openKeystore(file, password));
    },
    async sealKeystore(privateKey, password) {
      const bytes = bytesOf(privateKey);
      try {
        text(password, "expected a password");
        await load();
        return guarded(() => module.sealKeystore(bytes, password));
      } finally {
        bytes.fill(0);
      }
    },
  };
}
