// A call that pays: fetching, wallets and time are awaited here; what comes next is asked of the core, step by step.
import * as core from "../wasm/x402_wasm.js";
import { Desk } from "./desk.js";
import { guarded, X402Error } from "./error.js";
import { wishes } from "./options.js";
import { Call, discard, header, quietly, text, within } from "./platform.js";
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
/** Seconds that a call which was given up waits for its store to take that down, and that an answer waits for it. */
const GRACE_SECONDS = 1;
const ANSWER_SECONDS = 10;

const walletFailed = (detail) => problem("payer_wallet_failed", detail);

/** The number by which a wallet's error says why: of the error that some wallets wrap, its own, its cause's. Nothing else of it is looked at. */
function walletRefusal(thrown) {
  let code;
  try {
    code = thrown?.data?.originalError?.code ?? thrown?.code ?? thrown?.cause?.code;
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

  /**
   * @param own the options, taken apart
   * @param stores opens the stores of this runtime, by name
   */
  constructor(own, stores) {
    this.#own = own;
    const { policy, who, secret, address } = own;
    this.#payer = guarded(() => new core.PayerCore(policy, who, secret, address));
    this.#own.secret = undefined; // the module holds it now
    const send = (...request) => {
      const fetch = this.send; // a browser's `fetch` wants to be nobody's method
      return fetch(...request);
    };
    this.desk = new Desk(this.#payer, this.#own, stores, send);
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
      const request = await this.#identity(call, about, options);
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
      quietly(() => url); // a promise is no text, and may fail
      guarded(() => about.logAs(word(url, 2048)));
    }
    return about;
  }

  /** What makes another call the same request; undefined when each is its own. */
  async #identity(call, about, options) {
    const key = call.headers.get("idempotency-key") || undefined;
    const flight = guarded(() => about.singleFlight);
    if (key === undefined && !flight) return undefined;
    const body = key === undefined ? await call.bytes() : new Uint8Array();
    if (body === undefined) throw problem("payer_invalid_options", "singleFlight needs a body of text or bytes");
    // What a call may cost belongs to it, too.
    const headers = [...call.headers, wishes(options)].join("\n");
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
    // Whoever watches has no say.
    const tell = (step, data) => void quietly(() => this.#own.onStep?.({ step, call: number, at: performance.now(), ...data }));
    const known = { logged: false, quote: undefined, pending: undefined };
    let ending;
    try {
      return await this.#decide(fetch, call, response, exchange, tell, known);
    } catch (error) {
      const ours = error instanceof X402Error;
      if (ours && known.quote && !error.details.quote) error.details = { ...error.details, quote: known.quote };
      tell("refused", { code: ours ? error.code : "" });
      // Whatever the store says now, this is what the caller has to hear; and who has given up does not wait for it.
      ending = quietly(() => this.#ended(exchange, known, ours ? error.code : "aborted"));
      if (!call.signal?.aborted) await within(ending, call.signal, Infinity);
      if (call.signal?.aborted) await within(ending, undefined, GRACE_SECONDS);
      throw error;
    } finally {
      quietly(() => ending).then(() => quietly(() => known.pending)).then(() => exchange.free());
    }
  }

  /** Takes down that a call has failed, behind what its store is still busy with. */
  async #ended(exchange, known, code) {
    await quietly(() => known.pending);
    if (!known.logged) await this.#written(exchange, "fail", known, code);
  }

  async #decide(fetch, call, response, exchange, tell, known) {
    const { signal, repeats } = call;
    if (call.url === undefined) throw problem("invalid_url");
    tell("challenge", { url: call.url, x402Version: exchange.version });
    const redirected = response.redirected === true;
    const choose = () => guarded(() => exchange.choose(this.#payer, from(response), redirected, repeats));
    const target = choose(); // what may not be paid opens no wallet

    const account = await this.account(signal);
    if (await this.#funds(exchange, account, signal)) choose();
    const date = header(response, "date", 64) ?? undefined;
    known.quote = Object.freeze(JSON.parse(guarded(() => exchange.quote(this.#payer, account, date))));
    const { approve } = this.#own;
    let sealed = await this.#reserved(exchange, "reserve", approve ? "asked" : "", call, known, tell);
    tell("decision", { quote: known.quote });
    if (!sealed && approve) {
      await this.#approved(known.quote, signal);
      guarded(() => exchange.renew(this.#payer));
      // Where the thinking took longer than the reservation held, somebody else may have paid for the same request.
      sealed = await this.#reserved(exchange, "renew", "", call, known, tell);
    }
    const { quote } = known;
    if (!sealed) {
      signal?.throwIfAborted();
      const signature = await this.#signed(exchange, account, signal);
      sealed = JSON.parse(guarded(() => exchange.seal(word(signature, MAX_TERMS))));
      tell("signed", { payer: quote.payer });
      signal?.throwIfAborted();
      await this.#written(exchange, "send", known, "", signal);
    }

    for (let sent = 1; ; sent += 1) {
      signal?.throwIfAborted();
      tell("sent", { url: target });
      let paid;
      let pause;
      let lost = false;
      try {
        paid = await call.sendPaid(fetch, target, sealed.name, sealed.value);
      } catch {
        lost = true;
        // What it failed with stays here: it may hold the request.
        signal?.throwIfAborted();
        pause = guarded(() => exchange.lost(sent));
        if (pause === undefined) throw problem("payer_network_fault", "the payment was sent and may still be taken");
      }
      if (!lost) {
        this.#received(paid, exchange, tell);
        // The answer is the caller's, whether it could be written down or not: what was sent counts already.
        await this.#written(exchange, "answer", known, String(whole(paid?.status)), signal, ANSWER_SECONDS).catch(() => tell("unwritten", {}));
        const after = header(paid, "retry-after", 64) ?? undefined;
        pause = guarded(() => exchange.again(whole(paid?.status), after, sent));
        if (pause === undefined) return paid;
        discard(paid);
      }
      tell("waiting", { seconds: pause });
      await within(new Promise(() => {}), signal, pause);
    }
  }

  /** Asks the nodes what the account has, unless the request was paid for before. Answers whether they were asked. */
  async #funds(exchange, account, signal) {
    const chain = await this.desk.chain();
    if (!chain) return false;
    let kept = false;
    if (guarded(() => exchange.named)) await this.desk.update((book, last) => void (kept = guarded(() => exchange.kept(account, book, last))));
    return !kept && chain.funds(exchange, account, signal);
  }

  /** Reserves what is wanted; answers with the payment that was made for the same request, if there is one. */
  async #reserved(exchange, what, asked, { signal }, known, tell) {
    for (;;) {
      const { wait, quote, header: sealed } = await this.#written(exchange, what, known, asked, signal);
      if (!wait) {
        known.quote = Object.freeze(quote);
        return sealed;
      }
      tell("waiting", { seconds: TURN_SECONDS });
      const { end, value } = await within(new Promise(() => {}), signal, TURN_SECONDS);
      if (end === "aborted") throw value;
      guarded(() => exchange.renew(this.#payer));
    }
  }

  /** A turn whose refusal is in the log already. */
  async #written(exchange, what, known, detail, signal, seconds = Infinity) {
    const update = this.desk.update((book, last) => {
      const written = guarded(() => exchange.turn(this.#payer, book, last, what, detail));
      return written === undefined ? undefined : JSON.parse(written);
    });
    known.pending = update;
    const { end, value } = await within(update, signal, seconds);
    if (end !== "value") throw value;
    known.pending = undefined;
    known.logged = true;
    const found = JSON.parse(guarded(() => exchange.conclude()));
    known.logged = false;
    return found;
  }

  /** Asks the approval callback; only `true` is a yes. */
  async #approved(quote, signal) {
    const { end, value } = await within((async () => this.#own.approve(quote))(), signal, Infinity);
    if (end === "value" && value === true) return;
    if (end === "aborted") throw value;
    throw end === "failed" ? problem("payer_approval_denied", "it failed", { cause: value }) : problem("payer_approval_denied");
  }

  /** Lets the wallet sign; whatever it gives is judged by the core. */
  async #signed(exchange, account, signal) {
    const { provider, account: signer } = this.#own;
    if (!provider && !signer) return guarded(() => exchange.sign(this.#payer));
    const document = () => guarded(() => exchange.document()); // from here on something may be signed
    const ask = (work) => answered(work, signal, guarded(() => exchange.seconds));
    if (signer) return ask(() => signTypedData(signer, document()));
    const request = (method, params) => ask(() => provider.request({ method, params }));
    const chain = word(await request("eth_chainId", []), 66);
    const elsewhere = guarded(() => exchange.switchFrom(chain));
    if (elsewhere) await this.#move(request, JSON.parse(elsewhere));
    return request("eth_signTypedData_v4", [account, document()]);
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
