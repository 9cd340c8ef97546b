// A call that pays: fetching, wallets and time are awaited here; what comes next is asked of the core, step by step.
import * as core from "../wasm/x402_wasm.js";
import { Desk } from "./desk.js";
import { guarded, X402Error } from "./error.js";
import { parts, wishes } from "./options.js";
import { Call, discard, header, text, within } from "./platform.js";
import { problem } from "./problem.js";

/** Bytes of a response header, and of a body with terms, that are read. */
const MAX_TERMS = 64 * 1024;
/** Seconds that a 402 may take to say what it wants. */
const TERMS_SECONDS = 10;
/** EIP-3326: the wallet does not know the chain. */
const UNKNOWN_CHAIN = 4902;
/** Seconds that a wallet may take to say who it is: a person may have to open it first. */
const ACCOUNT_SECONDS = 600;
/** Seconds between two looks at a payment that another call or tab is making for the same request. */
const TURN_SECONDS = 0.5;

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
  /** Calls that share one payment, by what makes them the same request: who waits for the first. */
  #flights = new Map();

  /** @param stores opens the stores of this runtime, by name */
  constructor(options, stores) {
    this.#own = parts(options);
    const { policy, who, secret, address } = this.#own;
    this.#payer = guarded(() => new core.PayerCore(policy, who, secret, address));
    this.#own.secret = undefined; // the module holds it now
    this.desk = new Desk(this.#payer, this.#own, stores, (...request) => this.send(...request));
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
  async pay(fetch, input, init, options) {
    const call = new Call(input, init);
    let about;
    try {
      about = this.#about(call, options);
      const request = await this.#identity(call, about);
      if (request === undefined) return await this.#once(fetch, call, about);
      return await this.#shared(request, call, () => this.#once(fetch, call, about));
    } finally {
      about?.free();
      call.done();
    }
  }

  /** What the core knows of a call before it is sent. */
  #about(call, options) {
    const wanted = wishes(options);
    const paid = call.has("payment-signature") || call.has("x-payment");
    const about = guarded(() => new core.CallCore(wanted, call.method, call.url ?? "", paid));
    const { redactUrl } = this.#own;
    if (redactUrl) {
      let url;
      try {
        url = redactUrl(call.url ?? "");
      } catch {
        // What cannot be redacted is not logged.
      }
      guarded(() => about.logAs(word(url, 2048)));
    }
    return about;
  }

  /** What makes another call the same request; undefined when each is its own. */
  async #identity(call, about) {
    const key = call.headers.get("idempotency-key") ?? undefined;
    const flight = guarded(() => about.singleFlight);
    if (key === undefined && !flight) return undefined;
    const body = key === undefined ? await call.bytes() : new Uint8Array();
    if (body === undefined) throw problem("payer_invalid_options", "singleFlight needs a body of text or bytes");
    const headers = [...call.headers].join("\n");
    return guarded(() => about.identify(key, headers, body));
  }

  /** One call pays; the same ones that come meanwhile get copies of its answer. */
  async #shared(request, call, work) {
    for (;;) {
      const waiting = this.#flights.get(request);
      if (waiting === undefined) break;
      const { end, value } = await within(new Promise((resolve) => waiting.push(resolve)), call.signal, Infinity);
      if (end === "aborted") throw value;
      if ("error" in value) throw value.error;
      // The first call was given up by its own caller: the next one goes.
      if (value.response !== undefined) return value.response;
    }
    const waiting = [];
    this.#flights.set(request, waiting);
    const tell = (outcome) => {
      this.#flights.delete(request);
      for (const resolve of waiting) resolve(outcome());
    };
    try {
      const response = await work();
      const receipt = this.receipt(response);
      tell(() => {
        const copy = response.clone();
        if (receipt) this.#receipts.set(copy, receipt);
        return { response: copy };
      });
      return response;
    } catch (error) {
      const given = call.signal?.aborted;
      tell(() => (given ? {} : { error }));
      throw error;
    }
  }

  async #once(fetch, call, about) {
    const response = await call.send(fetch);
    const exchange = await this.#meet(response, about, call.signal);
    if (!exchange) return response;
    discard(response); // its headers are all that is needed; an unread body would hold the connection
    return this.#settle(fetch, call, response, exchange);
  }

  /** What the chain says of the payment for a response, looked for so many seconds; undefined if nothing was paid. */
  async confirm(response, { seconds = 30 } = {}) {
    const receipt = this.receipt(response);
    if (!receipt) return undefined;
    if (!(receipt.network in this.#own.rpc)) throw problem("payer_invalid_options", `rpc names no node of ${receipt.network}`);
    return (await this.desk.chain()).confirm(receipt, seconds);
  }

  /** Asks the chains about every payment that they were not asked about. Answers with how many they told of. */
  async reconcile() {
    return (await this.desk.chain())?.reconcile() ?? 0;
  }

  /** What would be paid by a response that answers a request. */
  async explain(response, { url = "", method = "GET" }, options) {
    const wanted = wishes(options);
    const about = guarded(() => new core.CallCore(wanted, method, url, false));
    let exchange;
    try {
      exchange = await this.#meet(response, about);
      if (!exchange) return JSON.parse(guarded(() => core.nothingAsked(whole(response?.status))));
      if (this.address) await (await this.desk.chain())?.funds(exchange, this.address);
      let told;
      await this.desk.update((book, last) => void (told = guarded(() => exchange.explain(this.#payer, from(response), book, last))));
      return JSON.parse(told);
    } finally {
      exchange?.free();
      about.free();
    }
  }

  /** The terms of a response, if it is a 402 of x402. */
  async #meet(response, about, signal) {
    if (response?.status !== 402) return undefined;
    const value = header(response, "payment-required", MAX_TERMS);
    if (value === undefined) throw problem("too_large");
    const terms = value ?? undefined;
    const reads = guarded(() => this.#payer.readsBody(terms !== undefined));
    const body = reads ? await text(response, MAX_TERMS, TERMS_SECONDS, signal) : undefined;
    return guarded(() => this.#payer.meet(terms, body, about));
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
    const known = { logged: false };
    try {
      return await this.#decide(fetch, call, response, exchange, tell, known);
    } catch (error) {
      const code = error instanceof X402Error ? error.code : "";
      tell("refused", { code });
      // Whatever the store says now, this is what the caller has to hear.
      if (!known.logged) await this.#written(exchange, "fail", known, code || "aborted").catch(() => {});
      throw error;
    } finally {
      exchange.free();
    }
  }

  async #decide(fetch, call, response, exchange, tell, known) {
    const { signal, repeats } = call;
    if (call.url === undefined) throw problem("invalid_url");
    tell("challenge", { url: call.url, x402Version: exchange.version });
    const redirected = response.redirected === true;
    const choose = () => guarded(() => exchange.choose(this.#payer, from(response), redirected, repeats));
    const target = choose(); // what may not be paid opens no wallet

    const account = await this.account(signal);
    const chain = await this.desk.chain();
    if (await chain?.funds(exchange, account, signal)) choose();
    const date = header(response, "date", 64) ?? undefined;
    guarded(() => exchange.quote(this.#payer, account, date));
    const { approve } = this.#own;
    let { quote, header: sealed } = await this.#reserved(exchange, "reserve", approve ? "asked" : "", signal, known);
    tell("decision", { quote });
    let seconds;
    if (!sealed) {
      await this.#approved(quote, signal);
      seconds = guarded(() => exchange.renew(this.#payer));
      // Where the thinking took longer than the reservation held, somebody else may have paid for the same request.
      if (approve) ({ quote, header: sealed } = await this.#reserved(exchange, "renew", "", signal, known));
    }
    if (!sealed) {
      signal?.throwIfAborted();
      const signature = await this.#signed(exchange, account, signal, seconds);
      sealed = JSON.parse(guarded(() => exchange.seal(word(signature, MAX_TERMS))));
      tell("signed", { payer: quote.payer });
      signal?.throwIfAborted();
      await this.#written(exchange, "send", known);
    }

    for (let sent = 1; ; sent += 1) {
      signal?.throwIfAborted();
      tell("sent", { url: target });
      let paid;
      let pause;
      try {
        paid = await call.sendPaid(fetch, target, sealed.name, sealed.value);
      } catch {
        // What it failed with stays here: it may hold the request.
        signal?.throwIfAborted();
        pause = guarded(() => exchange.lost(sent));
        if (pause === undefined) throw problem("payer_network_fault", "the payment was sent and may still be taken", { details: { quote } });
      }
      if (paid !== undefined) {
        this.#received(paid, exchange, tell);
        // The answer is the caller's, whether it could be written down or not: what was sent counts already.
        await this.#written(exchange, "answer", known, String(whole(paid?.status))).catch(() => tell("unwritten", {}));
        const after = header(paid, "retry-after", 64) ?? undefined;
        pause = guarded(() => exchange.again(whole(paid?.status), after, sent));
        if (pause === undefined) return paid;
        discard(paid);
      }
      tell("waiting", { seconds: pause });
      await within(new Promise(() => {}), signal, pause);
    }
  }

  /** Reserves what is wanted, or finds the payment that was made for the same request. */
  async #reserved(exchange, what, asked, signal, known) {
    for (;;) {
      const found = await this.#written(exchange, what, known, asked);
      if (!found.wait) return { ...found, quote: Object.freeze(found.quote) };
      const { end, value } = await within(new Promise(() => {}), signal, TURN_SECONDS);
      if (end === "aborted") throw value;
      guarded(() => exchange.renew(this.#payer));
    }
  }

  /** A turn whose refusal is in the log already. */
  async #written(exchange, what, known, detail) {
    await this.desk.update((book, last) => JSON.parse(guarded(() => exchange.turn(this.#payer, book, last, what, detail ?? ""))));
    known.logged = true;
    const found = JSON.parse(guarded(() => exchange.conclude()));
    known.logged = false;
    return found;
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
    if (elsewhere) await this.#move(ask, JSON.parse(elsewhere));
    return ask("eth_signTypedData_v4", [account, document]);
  }

  /** Moves a wallet to a chain; one that does not know the chain is told of it, if somebody has said what to tell. */
  async #move(ask, [{ chainId }]) {
    const move = () => ask("wallet_switchEthereumChain", [{ chainId }]);
    try {
      await move();
    } catch (error) {
      const chain = this.#own.chains[`eip155:${BigInt(chainId)}`];
      if (error.details?.walletCode !== UNKNOWN_CHAIN || !chain) throw error;
      await ask("wallet_addEthereumChain", [{ ...chain, chainId }]);
      await move();
    }
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
const from = (response) => (typeof response.url === "string" ? response.url : "");
