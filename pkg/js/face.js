// What people type, over the wasm module: loading, the payer's class, and functions that fail with X402Error only.
import * as core from "../wasm/x402_wasm.js";
import { X402Error } from "./error.js";
import { injectedWallets } from "./wallets.js";

const HIDDEN = Symbol("payer");

/** Runs a call into wasm. A fault of the module itself (out of memory) must not surface as a runtime's riddle. */
function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      throw new X402Error("payer_internal", "the payer's module failed; load the page or start the process again");
    }
    throw error;
  }
}

/** A wallet and a policy. Made by `createPayer`; its methods may be passed around without it. */
class Payer {
  constructor(options) {
    const payer = guarded(() => new core.PayerCore(options));
    Object.defineProperty(this, HIDDEN, { value: payer });
    this.fetch = (input, init) => guarded(() => payer.fetch(undefined, input, init));
    this.receipt = (response) => guarded(() => payer.receipt(response));
    this.explain = (target, init) => guarded(() => payer.explain(target, init));
    this.connect = () => guarded(() => payer.connect());
    Object.freeze(this);
  }

  get address() {
    return guarded(() => this[HIDDEN].address);
  }
}

/**
 * The package for one runtime.
 * @param {{now?: () => BufferSource | WebAssembly.Module, later?: () => unknown}} source the module's bytes at once, or
 *   something that `fetch` finds them at
 */
export function face({ now, later }) {
  let loaded = false;
  let loading;

  const loadNow = (module) => {
    core.initSync({ module });
    loaded = true;
  };

  /** Loads the module. Needed before the plain functions where it cannot be read at once: in browsers. */
  const init = (source) => {
    if (loaded) return Promise.resolve();
    if (source === undefined && now) return Promise.resolve().then(() => loaded || loadNow(now()));
    loading ??= core.default({ module_or_path: source ?? later() }).then(
      () => {
        loaded = true;
      },
      (cause) => {
        loading = undefined; // the next call may find the network better
        throw new X402Error("payer_not_loaded", "the payer's module could not be loaded", true, {}, cause);
      },
    );
    return loading;
  };

  const plain = (name) => (...values) => {
    if (!loaded) {
      if (!now) throw new X402Error("payer_not_loaded", "the payer's module is not loaded yet: await init() first", true);
      loadNow(now());
    }
    return guarded(() => core[name](...values));
  };

  const createPayer = async (options) => {
    await init();
    return new Payer(options);
  };

  const wrapFetchWithPayment = (fetch, payer) => {
    if (payer instanceof Payer) return (input, init) => guarded(() => payer[HIDDEN].fetch(fetch, input, init));
    let created;
    return async (input, init) => (await (created ??= createPayer({ ...payer, fetch }))).fetch(input, init);
  };

  const localKey = (privateKey) => {
    plain("address")(privateKey); // loads, and refuses what is no key
    return new core.LocalKey(privateKey);
  };

  return {
    init,
    createPayer,
    wrapFetchWithPayment,
    injectedWallets,
    localKey,
    decodePaymentRequired: plain("decodePaymentRequired"),
    encodePaymentRequired: plain("encodePaymentRequired"),
    decodePayment: plain("decodePayment"),
    encodePayment: plain("encodePayment"),
    decodeSettlement: plain("decodeSettlement"),
    encodeSettlement: plain("encodeSettlement"),
    typedData: plain("typedData"),
    digest: plain("digest"),
    sign: plain("sign"),
    recover: plain("recover"),
    address: plain("address"),
    verifyPayment: plain("verifyPayment"),
    generatePrivateKey: plain("generatePrivateKey"),
  };
}
