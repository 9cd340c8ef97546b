// What people type, over the wasm module: loading, the payer's class, and functions that fail with X402Error only.
import * as core from "../wasm/x402_wasm.js";
import { guarded, X402Error } from "./error.js";
import { Engine } from "./payer.js";
import { Call, discard } from "./platform.js";
import { injectedWallets } from "./wallets.js";

const ENGINE = Symbol("engine");

/** A wallet and a policy. Made by `createPayer`; its methods may be passed around without it. */
class Payer {
  constructor(options) {
    const engine = new Engine(options);
    const over = (fetch) => (input, init) => engine.pay(fetch, input, init);
    Object.defineProperty(this, ENGINE, { value: { engine, over } });
    this.fetch = async (input, init) => engine.pay(engine.send, input, init);
    this.receipt = (response) => engine.receipt(response);
    this.connect = () => engine.account();
    this.explain = async (target, init) => {
      if (typeof target?.status === "number") return engine.explain(target, String(target.url ?? ""));
      const call = new Call(target, init);
      const response = await call.send(engine.send);
      try {
        return await engine.explain(response, call.url ?? "");
      } finally {
        discard(response);
        call.done();
      }
    };
    Object.freeze(this);
  }

  /** The account that pays; undefined until an injected wallet was asked for it. */
  get address() {
    return this[ENGINE].engine.address;
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
    if (payer instanceof Payer) return payer[ENGINE].over(fetch);
    let created;
    const again = (error) => {
      created = undefined; // what failed may work for the next call
      throw error;
    };
    const paying = () => (created ??= createPayer(payer).then((made) => made[ENGINE].over(fetch), again));
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
