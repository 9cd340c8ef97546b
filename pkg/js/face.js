// What people type, over the wasm module: loading, the payer's class, and functions that fail with X402Error only.
import * as core from "../wasm/x402_wasm.js";
import { guarded, X402Error } from "./error.js";
import { loading } from "./loading.js";
import { Engine } from "./payer.js";
import { Call, discard } from "./platform.js";
import { injectedWallets } from "./wallets.js";

const ENGINE = Symbol("engine");

/** The log of a payer. What makes tables of it is loaded when it is asked for. */
function log(desk) {
  const entries = async (range) => (await desk.entries(range)).map((entry) => JSON.parse(entry));
  return {
    entries,
    verify: () => desk.verify(),
    export: async (format = "ndjson") => {
      if (format === "csv") return (await import("./audit.js")).csv(await entries());
      return (await desk.entries()).map((entry) => `${entry}\n`).join("");
    },
    summary: async () => (await import("./audit.js")).summary(await entries()),
  };
}

/** Opens a store that is not in memory. */
const opening = (file) => async (store) => {
  if (store?.file !== undefined) {
    if (!file) throw new X402Error("payer_invalid_options", "the payer's options are not valid: there are no files here");
    return file(store.file);
  }
  return (await import("./indexeddb.js")).indexedDbStore();
};

/** A wallet and a policy. Made by `createPayer`; its methods may be passed around without it. */
class Payer {
  constructor(options, stores) {
    const engine = new Engine(options, stores);
    const over = (fetch) => (input, init, wishes) => engine.pay(fetch, input, init, wishes);
    Object.defineProperty(this, ENGINE, { value: { engine, over } });
    this.fetch = async (input, init, wishes) => engine.pay(engine.send, input, init, wishes);
    this.spent = () => engine.desk.spent();
    this.reset = () => engine.desk.reset();
    this.reconcile = () => engine.desk.reconcile();
    this.audit = Object.freeze(log(engine.desk));
    this.receipt = (response) => engine.receipt(response);
    this.connect = () => engine.account();
    this.explain = async (target, init, wishes) => {
      if (typeof target?.status === "number") return engine.explain(target, { url: String(target.url ?? "") }, wishes);
      const call = new Call(target, init);
      const response = await call.send(engine.send);
      try {
        return await engine.explain(response, call, wishes);
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
 * @param {{now?: () => BufferSource | WebAssembly.Module, later?: () => unknown, file?: (path: string) => Promise<object>}}
 *   source the module's bytes at once, or something that `fetch` finds them at; and a store in a file, where there are any
 */
export function face({ now, later, file }) {
  const stores = opening(file);
  const { init, plain } = loading(core, { now, later });

  const createPayer = async (options) => {
    await init();
    return new Payer(options, stores);
  };

  const wrapFetchWithPayment = (fetch, payer) => {
    if (payer instanceof Payer) return payer[ENGINE].over(fetch);
    let created;
    const again = (error) => {
      created = undefined; // what failed may work for the next call
      throw error;
    };
    const paying = () => (created ??= createPayer(payer).then((made) => made[ENGINE].over(fetch), again));
    return async (input, init, wishes) => (await paying())(input, init, wishes);
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
