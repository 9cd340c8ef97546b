// What people type, over the wasm module: loading, the payer's class, and functions that fail with X402Error only.
import * as core from "../wasm/x402_wasm.js";
import { read } from "./desk.js";
import { guarded, X402Error } from "./error.js";
import { loading } from "./loading.js";
import { Engine } from "./payer.js";
import { parts } from "./options.js";
import { Call, discard } from "./platform.js";
import { injectedWallets } from "./wallets.js";

const ENGINE = Symbol("engine");

/** The log of a payer. What makes tables of it is loaded when it is asked for. */
function log(desk) {
  const entries = async (range) => read(await desk.entries(range));
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

/** What opens a store that is not in memory. */
const opening = (file) => (store) => {
  if (store?.file === undefined) return async () => (await import("./indexeddb.js")).indexedDbStore();
  if (!file) throw new X402Error("payer_invalid_options", "the payer's options are not valid: there are no files here");
  return file(store.file);
};

/** A wallet and a policy. Made by `createPayer`; its methods may be passed around without it. */
class Payer {
  constructor(own, stores) {
    const engine = new Engine(own, stores);
    const over = (fetch) => (input, init, wishes) => engine.pay(fetch, input, init, wishes);
    Object.defineProperty(this, ENGINE, { value: { engine, over } });
    this.fetch = async (input, init, wishes) => engine.pay(engine.send, input, init, wishes);
    this.spent = () => engine.desk.spent();
    this.reset = () => engine.desk.reset();
    this.reconcile = () => engine.reconcile();
    this.confirm = (response, options) => engine.confirm(response, options);
    this.audit = Object.freeze(log(engine.desk));
    this.receipt = (response) => engine.receipt(response);
    this.connect = () => engine.account();
    this.explain = async (target, init, wishes) => {
      if (typeof target?.status === "number") return engine.explain(target, { url: String(target.url ?? "") }, wishes);
      const call = new Call(target, init);
      let response;
      try {
        response = await call.send(engine.send);
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
 * @param {{now?: () => BufferSource | WebAssembly.Module, later?: () => unknown, file?: (path: string) => () => Promise<object>,
 *   keystore?: () => Promise<object>}} source the module's bytes at once, or something that `fetch` finds them at; a store in a
 *   file, where there are any; and what opens keystores
 */
export function face({ now, later, file, keystore }) {
  const stores = opening(file);
  const { init, plain } = loading(core, { now, later });

  const createPayer = async (options) => {
    await init();
    const { locked, ...own } = parts(options);
    if (locked === undefined) return new Payer(own, stores);
    if (!keystore) throw new X402Error("payer_invalid_options", "the payer's options are not valid: keystores cannot be opened here");
    const secret = await (await keystore()).openKeystore(locked.keystore, locked.password);
    try {
      return new Payer({ ...own, secret }, stores);
    } finally {
      secret.fill(0); // the payer has its own
    }
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
