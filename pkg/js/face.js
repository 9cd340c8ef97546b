// What people type, over the wasm module: loading, the payer's class, and functions that fail with X402Error only.
import * as core from "../wasm/x402_wasm.js";
import { X402Error } from "./error.js";
import { parts } from "./options.js";
import { Call, discard } from "./platform.js";
import { injectedWallets } from "./wallets.js";

const CORE = Symbol("core");

/** Runs a call into wasm. What else than our error comes out is a fault of the module, and no riddle for the caller. */
function guarded(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof X402Error) throw error;
    throw new X402Error("payer_internal", "the payer's module failed, or what was called had been freed");
  }
}

/** The runtime's own `fetch`, looked up when it is called: others may have replaced it. */
const runtimeFetch = (...call) => globalThis.fetch(...call);

/** A wallet and a policy. Made by `createPayer`; its methods may be passed around without it. */
class Payer {
  constructor(options) {
    const own = parts(options);
    const payer = guarded(() => new core.PayerCore(own));
    const send = own.fetch ?? runtimeFetch;
    const over = (fetch) => (input, init) => guarded(() => payer.fetch(fetch, input, init));
    Object.defineProperty(this, CORE, { value: { payer, over } });
    this.fetch = over(send);
    this.receipt = (response) => Object.freeze(guarded(() => payer.receipt(response)));
    this.connect = () => guarded(() => payer.connect());
    this.explain = async (target, init) => {
      if (typeof target?.status === "number") return guarded(() => payer.explain(target, String(target.url ?? "")));
      const call = new Call(target, init);
      const response = await call.send(send);
      try {
        return await guarded(() => payer.explain(response, call.url ?? ""));
      } finally {
        discard(response);
        call.done();
      }
    };
    Object.freeze(this);
  }

  /** The account that pays; undefined until an injected wallet was asked for it. */
  get address() {
    return guarded(() => this[CORE].payer.address);
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
    if (payer instanceof Payer) return payer[CORE].over(fetch);
    let created;
    const again = (error) => {
      created = undefined; // what failed may work for the next call
      throw error;
    };
    const paying = () => (created ??= createPayer(payer).then((made) => made[CORE].over(fetch), again));
    return async (input, init) => (await paying())(input, init);
  };

  const localKey = (privateKey) => {
    const address = plain("address")(privateKey); // loads, and refuses what is no key
    const key = guarded(() => new core.LocalKey(privateKey));
    return Object.freeze({
      address,
      sign: (digest) => guarded(() => key.sign(digest)),
      signAuthorization: (terms, authorization) => guarded(() => key.signAuthorization(terms, authorization)),
      free: () => key.free(),
    });
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
