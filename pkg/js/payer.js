// A call that pays: fetching, wallets and time are awaited here; what comes next is asked of the core, step by step.
import * as core from "../wasm/x402_wasm.js";
import { guarded, X402Error } from "./error.js";
import { parts } from "./options.js";
import { Call, discard, header, text, within } from "./platform.js";

/** Bytes of a response header, and of a body with terms, that are read. */
const MAX_TERMS = 64 * 1024;
/** Seconds that a 402 may take to say what it wants. */
const TERMS_SECONDS = 10;
/** Seconds that a wallet may take to say who it is: a person may have to open it first. */
const ACCOUNT_SECONDS = 600;

/** An error of the core, by its code. */
function problem(code, detail = "", more = {}) {
  const error = guarded(() => core.problem(code, detail));
  if ("cause" in more) Object.defineProperty(error, "cause", { value: more.cause, configurable: true, writable: true });
  return Object.assign(error, { details: more.details ?? {} });
}

const walletFailed = (detail) => problem("payer_wallet_failed", detail);

/** The number by which a wallet's error says why, its own or its cause's. Nothing else of the error is looked at. */
function walletRefusal(thrown) {
  let code;
  try {
    code = thrown?.code ?? thrown?.cause?.code;
  } catch {
    // A getter that throws has nothing to say.
  }
  const number = Number.isInteger(code) && Math.abs(code) < 2 ** 31 ? code : undefined;
  return Object.assign(guarded(() => core.walletRefusal(number)), { details: number === undefined ? {} : { walletCode: number } });
}

/** What a wallet answers. What it throws is never shown: a careless signer's error may hold its key. */
async function answered(ask, signal, seconds) {
  const { end, value } = await within((async () => ask())(), signal, seconds);
  if (end === "value") return value;
  if (end === "aborted") throw value;
  throw end === "late" ? walletFailed("it did not answer in time") : walletRefusal(value);
}

/** A string that a wallet gave, as long as one may be. */
const word = (value, limit) => (typeof value === "string" && value.length <= limit ? value : "");

/** Asks an account as viem has them: without the domain's own type, and integers as `BigInt`. */
function signTypedData(account, document) {
  const { domain, primaryType, message, types: { EIP712Domain, ...types } } = JSON.parse(document);
  for (const { name, type } of types[primaryType]) {
    if (type.startsWith("uint")) message[name] = BigInt(message[name]);
  }
  return account.signTypedData({ domain, types, primaryType, message });
}

/** The payer's own clockwork behind the face: one wallet, one policy, the receipts of its calls. */
export class Engine {
  #payer;
  #own;
  #receipts = new WeakMap();
  #calls = 0;

  constructor(options) {
    this.#own = parts(options);
    const { policy, secret, address } = this.#own;
    this.#payer = guarded(() => new core.PayerCore(policy, secret, address));
    this.#own.secret = undefined; // the module holds it now
  }

  get address() {
    return guarded(() => this.#payer.address);
  }

  /** The `fetch` of this payer: the one it was given, or the runtime's as it is when it is called. */
  get send() {
    return this.#own.fetch ?? globalThis.fetch;
  }

  receipt(response) {
    return this.#receipts.get(response);
  }

  /** The account that pays; a provider may ask its user. */
  async account(signal) {
    const { provider } = this.#own;
    if (!provider) return this.address;
    for (const method of ["eth_accounts", "eth_requestAccounts"]) {
      const accounts = await answered(() => provider.request({ method, params: [] }), signal, ACCOUNT_SECONDS);
      const first = Array.isArray(accounts) ? word(accounts[0], 42) : "";
      if (first) return guarded(() => this.#payer.account(first));
    }
    throw walletFailed("it has no account");
  }

  /** `fetch` with at most one payment. */
  async pay(fetch, input, init) {
    const call = new Call(input, init);
    try {
      guarded(() => core.refusePaid(call.has("payment-signature"), call.has("x-payment")));
      const response = await call.send(fetch);
      const exchange = await this.#meet(response, call.signal);
      if (!exchange) return response;
      discard(response); // its headers are all that is needed; an unread body would hold the connection
      return await this.#settle(fetch, call, response, exchange);
    } finally {
      call.done();
    }
  }

  /** What would be paid by a response that answers a request for `asked`. */
  async explain(response, asked) {
    const exchange = await this.#meet(response);
    if (!exchange) return JSON.parse(guarded(() => core.nothingAsked(whole(response?.status))));
    try {
      return JSON.parse(guarded(() => exchange.explain(this.#payer, asked, answeredFrom(response, asked))));
    } finally {
      exchange.free();
    }
  }

  /** The terms of a response, if it is a 402 of x402. */
  async #meet(response, signal) {
    if (response?.status !== 402) return undefined;
    const value = header(response, "payment-required", MAX_TERMS);
    if (value === undefined) throw problem("too_large");
    const terms = value ?? undefined;
    const reads = guarded(() => this.#payer.readsBody(terms !== undefined));
    const body = reads ? await text(response, MAX_TERMS, TERMS_SECONDS, signal) : undefined;
    return guarded(() => this.#payer.meet(terms, body));
  }

  async #settle(fetch, call, response, exchange) {
    const number = (this.#calls += 1);
    const tell = (step, data) => {
      try {
        this.#own.onStep?.({ step, call: number, at: performance.now(), ...data });
      } catch {
        // Whoever watches has no say.
      }
    };
    try {
      return await this.#decide(fetch, call, response, exchange, tell);
    } catch (error) {
      tell("refused", { code: error instanceof X402Error ? error.code : "" });
      throw error;
    } finally {
      exchange.free();
    }
  }

  async #decide(fetch, call, response, exchange, tell) {
    const { signal, url: asked, method, repeats } = call;
    if (asked === undefined) throw problem("invalid_url");
    tell("challenge", { url: asked, x402Version: exchange.version });
    const redirected = response.redirected === true;
    const answer = answeredFrom(response, asked);
    const target = guarded(() => exchange.choose(this.#payer, method, asked, answer, redirected, repeats));

    const account = await this.account(signal);
    const date = header(response, "date", 64) ?? undefined;
    const quote = Object.freeze(JSON.parse(guarded(() => exchange.quote(this.#payer, account, date))));
    tell("decision", { quote });
    await this.#approved(quote, signal);

    const seconds = guarded(() => exchange.renew(this.#payer));
    const signature = await this.#signed(exchange, account, signal, seconds);
    const { name, value } = JSON.parse(guarded(() => exchange.seal(word(signature, MAX_TERMS))));
    tell("signed", { payer: quote.payer });

    for (let sent = 1; ; sent += 1) {
      signal?.throwIfAborted();
      tell("sent", { url: target });
      let paid;
      let pause;
      try {
        paid = await call.sendPaid(fetch, target, name, value);
      } catch {
        // What it failed with stays here: it may hold the request.
        signal?.throwIfAborted();
        pause = guarded(() => exchange.lost(method, sent));
        if (pause === undefined) throw problem("payer_network_fault", "the payment was sent and may still be taken", { details: { quote } });
      }
      if (paid !== undefined) {
        this.#received(paid, exchange, tell);
        const after = header(paid, "retry-after", 64) ?? undefined;
        pause = guarded(() => exchange.again(whole(paid?.status), after, sent));
        if (pause === undefined) return paid;
        discard(paid);
      }
      tell("waiting", { seconds: pause });
      await within(new Promise(() => {}), signal, pause);
    }
  }

  /** Asks the approval callback, if there is one; only `true` is a yes. */
  async #approved(quote, signal) {
    const { approve } = this.#own;
    if (!approve) return;
    const { end, value } = await within((async () => approve(quote))(), signal, Infinity);
    if (end === "value" && value === true) return;
    if (end === "aborted") throw value;
    throw problem("payer_approval_denied", "", { details: { quote }, ...(end === "failed" && { cause: value }) });
  }

  /** Lets the wallet sign; whatever it gives is judged by the core. */
  async #signed(exchange, account, signal, seconds) {
    const { provider, account: signer } = this.#own;
    if (!provider && !signer) return guarded(() => exchange.sign(this.#payer));
    const document = guarded(() => exchange.document());
    if (signer) return answered(() => signTypedData(signer, document), signal, seconds);
    const ask = (method, params) => answered(() => provider.request({ method, params }), signal, seconds);
    const chain = word(await ask("eth_chainId", []), 66);
    const elsewhere = guarded(() => exchange.switchFrom(chain));
    if (elsewhere) await ask("wallet_switchEthereumChain", JSON.parse(elsewhere));
    return ask("eth_signTypedData_v4", [account, document]);
  }

  /** Reads what the answer says of the payment, and keeps it beside the answer. */
  #received(paid, exchange, tell) {
    const said = header(paid, "payment-response", MAX_TERMS) ?? header(paid, "x-payment-response", MAX_TERMS);
    const receipt = Object.freeze(JSON.parse(guarded(() => exchange.receipt(said ?? undefined))));
    if (paid !== null && typeof paid === "object") this.#receipts.set(paid, receipt);
    tell("receipt", { status: whole(paid?.status), receipt });
  }
}

const whole = (status) => (Number.isInteger(status) && status >= 0 && status < 65_536 ? status : 0);

/** Where a response came from; what was made by hand has no address of its own. */
const answeredFrom = (response, asked) => (typeof response.url === "string" && response.url !== "" ? response.url : asked);
