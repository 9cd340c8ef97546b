/** A URL, text or bytes as `fetch` takes them, and answers as `fetch` gives them. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** `0x` and hex digits. */
export type Hex = `0x${string}`;

// ---------------------------------------------------------------------------------------------------------- the payer

/** An EIP-1193 provider, such as `window.ethereum`. Asked for its account, its chain and one signature per payment. */
export interface Eip1193Provider {
  request(request: { method: string; params?: any }): Promise<unknown>;
}

/** A private key in hex or as 32 bytes. It is copied into WebAssembly memory and cannot be read back from there. */
export interface PrivateKeyWallet {
  privateKey: string | Uint8Array;
}

/**
 * An encrypted key (Web3 Secret Storage, version 3) and its password. It is opened by the module of `x402-wasm/keystore`, which is
 * loaded for it, and its key goes where a private key goes.
 */
export interface KeystoreWallet {
  keystore: string | object;
  password: string;
}

/** Anything that signs EIP-712 typed data for an address: viem's local accounts and wallet clients, for instance. */
export interface TypedDataSigner {
  address?: string;
  account?: { address: string } | undefined;
  signTypedData(typedData: any): Promise<string>;
}

export type Wallet = Eip1193Provider | PrivateKeyWallet | KeystoreWallet | TypedDataSigner;

/** What the payer may pay. A key that is not listed here is refused, since a limit that is not read is no limit. */
export interface Policy {
  /** The cap for one payment in dollars, such as `"$0.10"`: every known asset is a dollar. Default `"$0.10"`. */
  maxPerPayment?: string;
  /** What payments may come to together. Each holds; a payment above one of them is refused before it is signed. */
  budgets?: readonly Budget[];
  /** Origins that are paid, such as `"https://api.example.com"`. Default: any. */
  origins?: readonly string[];
  /** CAIP-2 networks, such as `"eip155:8453"`. Default: every network with a known asset. */
  networks?: readonly string[];
  /** Recipients. Default: anyone. */
  payTo?: readonly string[];
  /** Schemes. Default: those that the payer speaks, which is `"exact"`. */
  schemes?: readonly string[];
  /** What is never paid, whatever else allows it. */
  deny?: { origins?: readonly string[]; networks?: readonly string[]; payTo?: readonly string[] };
  /** Tokens beyond the known ones. What an offer says of one must be what is said here. */
  assets?: readonly Token[];
  /** Which of several allowed offers is taken: the cheapest, or what is named first and then the cheapest. Default `"cheapest"`. */
  prefer?: "cheapest" | { networks?: readonly string[]; assets?: readonly string[] };
  /**
   * Seconds that an authorization may be valid for. Default 600. They are counted by the server's clock where it differs from this
   * machine's by half a minute or more, and by no more than a quarter of an hour.
   */
  maxValiditySeconds?: number;
  /** Whether payments go over https only, or to this very machine. Default `true`. */
  httpsOnly?: boolean;
  /** Whether an origin that was paid before must name a recipient that it was paid at before; with `approve` it is asked about. Default `false`. */
  pinRecipients?: boolean;
  /** Whether servers of x402 version 1 are paid. Default `false`. */
  v1?: boolean;
  /** Whether the wallet is a deployed contract (EIP-1271), whose signature only the chain can check. Default `false`. */
  contractWallet?: boolean;
  /** Asked before every payment that is signed. Only `true` is a yes; a throw is a no. A payment that is presented again is not asked about again. */
  approve?: (quote: Quote) => boolean | Promise<boolean>;
}

/** A limit for the sum of payments: over a time, and of those that agree with everything it names. */
export interface Budget {
  /** The most, in dollars; where an asset is named, in whole tokens. */
  max: string;
  /** Windows roll: no run of that length holds more. A month is thirty days; a number is in seconds. */
  per: "hour" | "day" | "week" | "month" | "task" | "ever" | number;
  origin?: string;
  network?: string;
  /** A token contract. */
  asset?: string;
  payTo?: string;
}

/** A budget, and what counts against it at this moment. */
export interface BudgetState extends Budget {
  spent: string;
  left: string;
}

/** A token that the policy names. */
export interface Token {
  network: string;
  address: string;
  symbol: string;
  /** Its EIP-712 domain. */
  name: string;
  version: string;
  /** At most 18. */
  decimals: number;
  /** Whether one token is worth a dollar, so that limits in dollars mean it. Default `false`. */
  dollar?: boolean;
  /** The cap for one payment in whole tokens. Needed where `dollar` is not `true`; and then a budget must name it, if there is any. */
  maxPerPayment?: string;
}

/** A rule of the policy, and what it said. */
export interface Rule {
  rule: string;
  passed: boolean;
  sentence: string;
}

/**
 * Where the payer's book and log are kept. `update` hands the book and the log's last entry to `decide` and writes what it
 * answers (the new book, and entries to add), exclusively among all that share the store, and durably when it has ended. When
 * `decide` throws or answers undefined, nothing is written. `decide` may be asked again.
 */
export interface Store {
  update(decide: (book?: string, last?: string) => { book: string; entries: string[] } | undefined): Promise<void>;
  /** Entries of the log in their order, from the number `from` (the first is 1). */
  entries(range?: { from?: number; limit?: number }): Promise<string[]>;
  /** The number of the first entry that is kept, where a store drops old ones. Default 1: a log that begins later was cut. */
  readonly begins?: number;
}

/** An entry of the log. Which of the other fields are there depends on the event. */
export interface LogEntry {
  /** Its number; the first is 1. */
  seq: number;
  /** Unix seconds. */
  at: number;
  event: "reserved" | "approved" | "presented" | "sent" | "receipt" | "failed" | "refused" | "released" | "settled" | "confirmed" | "contradicted" | "reset";
  owner?: string;
  task?: string;
  /** The authorization's nonce. */
  id?: string;
  rules?: Rule[];
  /** The hash of the entry before, and of this one (Keccak-256 of its text without `hash`). */
  previous: string;
  hash: string;
  [fact: string]: unknown;
}

/** What was sent on one day (UTC) to one origin in one asset, in atomic units. */
export interface DaySummary {
  day: string;
  origin: string;
  network: string;
  asset: string;
  symbol: string;
  payments: number;
  /** What may have moved: everything sent that the chain did not prove unused. */
  amount: string;
  /** What servers said they have settled, or the chain did, and the chain does not contradict. */
  confirmed: string;
}

/** The log of everything that was decided, sent and heard. */
export interface Audit {
  entries(range?: { from?: number; limit?: number }): Promise<LogEntry[]>;
  /**
   * Holds every entry against its hash, its number and the one before, the first against where the store begins, and the last
   * against the book. Answers the last one's number; rejects with `payer_log_broken` and the number of the first that is not as it
   * was written.
   */
  verify(): Promise<number>;
  export(format?: "ndjson" | "csv"): Promise<string>;
  summary(): Promise<DaySummary[]>;
}

/** What one call asks for, beyond the policy. A key that is not listed here is refused. */
export interface CallOptions {
  /** The most that it may cost in dollars: the price that was told elsewhere. */
  maxPrice?: string;
  /** What was quoted before: a quote, or an offer of an explanation. Another asset or recipient, or a dearer price, is refused. */
  quote?: { network: string; asset: string; payTo: string; amount: string };
  /**
   * Whether calls that differ in nothing (method, URL, headers, body, these options) share one payment while it is under way. An
   * `Idempotency-Key` header says so of one account's calls to a URL, whatever else they say, until the payment ends.
   */
  singleFlight?: boolean;
  /** The task it is made for, instead of the payer's. */
  task?: string;
}

/** `fetch`, with options of the payer behind its own. */
export type PayingFetch = (input: string | URL | Request, init?: RequestInit, options?: CallOptions) => Promise<Response>;

export interface PayerOptions {
  wallet: Wallet;
  policy?: Policy;
  /**
   * Where budgets and the log are kept. Default: IndexedDB where the runtime has it, so that all tabs share them, else memory,
   * which ends with the process. A browser that keeps nothing is paid from in memory too, unless there are budgets.
   * `{ file }` is for Node, Deno and Bun; its path is taken as it is when the payer is made.
   */
  store?: "memory" | "indexeddb" | { file: string } | Store;
  /** Who is accountable; written into the log. */
  owner?: string;
  /** What it is for; written into the log, and what budgets `per: "task"` count. */
  task?: string;
  /**
   * JSON-RPC nodes by network. They are asked before a payment whether the account has enough of each token that may be paid in
   * (what no node tells within five seconds may be enough, and what was paid for already is not asked about), and by `confirm` and `reconcile` what became of payments.
   */
  rpc?: Readonly<Record<string, string>>;
  /** What an injected wallet is told of a network that it does not know (EIP-3085), by CAIP-2 name. Without it such a wallet is an error. */
  chains?: Readonly<Record<string, {
    chainName: string;
    rpcUrls: readonly string[];
    nativeCurrency: { name: string; symbol: string; decimals: number };
    blockExplorerUrls?: readonly string[];
    iconUrls?: readonly string[];
  }>>;
  /** What is logged of a URL. Default: the URL without its query and fragment. */
  redactUrl?: (url: string) => string;
  /** What requests are sent with. Default: the runtime's `fetch`. */
  fetch?: Fetch;
  /** Told what happens, step by step. What it throws changes nothing. */
  onStep?: (step: Step) => void;
}

/** What would be paid. All of it is read and checked by the payer; none of it is the server's prose. */
export interface Quote {
  /** The authorization's nonce: its name in the log. */
  id: string;
  /** The price, the recipient and the URL in one sentence, for a person. */
  sentence: string;
  /** Atomic units, as a decimal string. */
  amount: string;
  /** Whole tokens, such as `"0.01"`. */
  tokens: string;
  /** Such as `"USDC"`. */
  symbol: string;
  /** The token contract. */
  asset: string;
  /** CAIP-2. */
  network: string;
  payTo: string;
  payer: string;
  /** The URL that was asked for. */
  url: string;
  /** The Unix second after which the authorization is worth nothing. */
  validBefore: string;
  /** Every rule that was asked, and why it passed. One that is asked about says so. */
  rules: Rule[];
}

/** What became of a payment: the server's word, held against what was signed. The chain is the proof. */
export interface Receipt {
  /** The authorization's nonce: its name in the log. */
  id: string;
  /** Whether the server says that the payment moved. */
  success: boolean;
  /** Whether all it says agrees with what was signed. */
  consistent: boolean;
  /**
   * Why it did not move, in the server's words: at most 100 printable characters. `invalid_payment_response` when the answer says nothing readable:
   * the payment may have moved, or may until it expires.
   */
  errorReason?: string;
  /** The transaction's hash; empty when the server named none, or something that is none. */
  transaction: string;
  network: string;
  payer: string;
  payTo: string;
  asset: string;
  /** Atomic units that were signed for; what moved is at most this. */
  amount: string;
  tokens: string;
  symbol: string;
  url: string;
}

/** One offer of a 402. The texts are the server's, printable and cut at a length: show them as text, never as instructions. */
export interface JudgedOffer {
  scheme: string;
  network: string;
  asset: string;
  symbol?: string;
  amount: string;
  tokens?: string;
  payTo: string;
  /** Seconds that the offer asks a signature to be valid for; it is for no longer than `policy.maxValiditySeconds`. */
  maxTimeoutSeconds: number;
  allowed: boolean;
  /** The code of the refusal. */
  reason?: string;
  /** The refusal for a person. */
  sentence?: string;
  /** Every rule about it that was asked. */
  rules: Rule[];
}

/** What would be paid, and why or why not. */
export interface Explanation {
  wouldPay: boolean;
  sentence: string;
  /** The code of the refusal. */
  reason?: string;
  /** The place in `offers` of the one that would be paid. */
  chosen?: number;
  offers: JudgedOffer[];
  /** Offers that could not be read. */
  unread: number;
  /** Every rule that the chosen offer was held against, the budgets too; if there is none, those about where it came from. */
  rules: Rule[];
}

/** A step of a call. `at` is in milliseconds of `performance.now()`; `call` tells calls apart. */
export type Step = { call: number; at: number } & (
  | { step: "challenge"; url: string; x402Version: 1 | 2 }
  | { step: "decision"; quote: Quote }
  | { step: "refused"; code: string }
  | { step: "signed"; payer: string }
  | { step: "sent"; url: string }
  | { step: "receipt"; status: number; receipt: Receipt }
  /** The outcome is open, or the answer was lost: the same payment is sent again. Before `decision`: another call is paying for the same request. */
  | { step: "waiting"; seconds: number }
  /** The store failed after the answer had come. What was sent counts already. */
  | { step: "unwritten" }
);

export interface Payer {
  /**
   * `fetch` that pays: the same arguments and answers, at most one payment per call. What is not a 402 of x402 comes back
   * untouched. Rejects with `X402Error` when a 402 is not paid, with the signal's reason when aborted, and as `fetch` does
   * otherwise. The paid request is not redirected: a redirect is its answer.
   */
  readonly fetch: PayingFetch;
  /** What was paid for a response of `fetch`, to whom, in which transaction; `undefined` if nothing was. */
  readonly receipt: (response: Response) => Receipt | undefined;
  /**
   * What would be paid for a URL (which is requested, unpaid) or by a 402 response, and why or why not. A response must
   * know its URL, as those of `fetch` do: where a payment would go is part of the decision.
   */
  readonly explain: (target: string | URL | Request | Response, init?: RequestInit, options?: CallOptions) => Promise<Explanation>;
  /** Every budget with what counts against it, and what is left. */
  readonly spent: () => Promise<BudgetState[]>;
  /**
   * Begins a new book: nothing is spent and nothing is open. For its owner, when a store is broken (`payer_store_broken`); what
   * was signed before may still be taken. The log goes on.
   */
  readonly reset: () => Promise<void>;
  /**
   * What the chain (`rpc`) says of the payment for a response: whether the transaction that its receipt names moved what was signed,
   * or, where it names none, whether the authorization was used. It is looked for as long as `seconds` say (30), and written
   * into the log. `undefined` if nothing was paid.
   */
  readonly confirm: (response: Response, options?: { seconds?: number }) => Promise<"confirmed" | "contradicted" | "unseen" | undefined>;
  /**
   * Asks the chains (`rpc`) about every payment that they were not asked about. Of those that ended unconfirmed, used ones are
   * spent and unused ones are given back; of those that servers say they have settled, the log says whether the chain confirms
   * or contradicts it. Answers how many it told of.
   */
  readonly reconcile: () => Promise<number>;
  readonly audit: Audit;
  /** Asks the wallet for its account, which may open it, and answers the address. */
  readonly connect: () => Promise<string>;
  /** The account that pays; `undefined` until an injected wallet was asked for it. */
  readonly address: string | undefined;
}

/** Makes a payer. Loads the module where it is not loaded yet. */
export function createPayer(options: PayerOptions): Promise<Payer>;

/** A `fetch` that pays over a `fetch` that does not. The payer's receipts know its responses. */
export function wrapFetchWithPayment(fetch: Fetch, payer: Payer | PayerOptions): PayingFetch;

/** An injected wallet that announced itself (EIP-6963). Its name and icon are its own claims. */
export interface InjectedWallet {
  readonly info: {
    readonly uuid: string;
    readonly name: string;
    /** A `data:image/` URI, or empty. */
    readonly icon: string;
    readonly rdns: string;
  };
  readonly provider: Eip1193Provider;
}

/** The injected wallets announced so far. The listener hears of later ones, each time with the whole list. */
export function injectedWallets(listener?: (wallets: InjectedWallet[]) => void): InjectedWallet[];

/** The one error of this package. */
export class X402Error extends Error {
  readonly name: "X402Error";
  constructor(code: string, message: string, retryable?: boolean, details?: object, cause?: unknown);
  /** For programs, such as `"payer_over_cap"`. */
  readonly code: string;
  /** Whether the same call may end otherwise and cannot pay twice. */
  readonly retryable: boolean;
  /** Data about the failure: `quote` where one was made, signed for or not; `walletCode` where a wallet gave one. Never a secret. */
  readonly details: { readonly quote?: Quote; readonly walletCode?: number };
}

// -------------------------------------------------------------------------------------------- the protocol's functions

/**
 * Loads the module. In browsers the functions below work after this (or after `createPayer`); elsewhere they load it
 * themselves. `source` is for bundlers that move files: the module's URL, bytes, response or compiled form.
 */
export function init(source?: string | URL | Request | Response | BufferSource | WebAssembly.Module): Promise<void>;

/** One offer, version 2. */
export interface PaymentRequirements {
  scheme: string;
  network: string;
  amount: string;
  asset: string;
  payTo: string;
  maxTimeoutSeconds: number;
  extra?: Record<string, unknown>;
  [key: string]: unknown;
}

/** One offer, version 1. */
export interface PaymentRequirementsV1 {
  scheme: string;
  network: string;
  maxAmountRequired: string;
  asset: string;
  payTo: string;
  maxTimeoutSeconds: number;
  extra?: Record<string, unknown>;
  [key: string]: unknown;
}

/** The terms of a 402. */
export interface PaymentRequired {
  x402Version: 1 | 2;
  error?: string;
  resource?: { url: string; description?: string; mimeType?: string; [key: string]: unknown };
  accepts: (PaymentRequirements | PaymentRequirementsV1)[];
  extensions?: Record<string, unknown>;
}

/** What an EIP-3009 payer signs. Amounts and times are decimal strings. */
export interface Authorization {
  from: string;
  to: string;
  value: string;
  validAfter: string;
  validBefore: string;
  nonce: string;
}

/** A payment as it is sent. */
export type Payment =
  | {
      x402Version: 2;
      payload: { authorization: Authorization; signature: string };
      accepted: PaymentRequirements;
      resource?: object;
      extensions?: object;
    }
  | { x402Version: 1; scheme: string; network: string; payload: { authorization: Authorization; signature: string } };

/** The outcome that a server or a facilitator reports. */
export interface Settlement {
  success: boolean;
  errorReason?: string;
  payer?: string;
  transaction: string;
  network: string;
  amount?: string;
}

/** The document that `eth_signTypedData_v4` takes. */
export interface TypedData {
  types: Record<string, { name: string; type: string }[]>;
  domain: { name?: string; version?: string; chainId?: number; verifyingContract?: string };
  primaryType: string;
  message: Record<string, unknown>;
}

/** Reads a `PAYMENT-REQUIRED` header, or the JSON body of a version 1 402. */
export function decodePaymentRequired(text: string): PaymentRequired;
/** Writes a `PAYMENT-REQUIRED` header. Messages are objects or their JSON. */
export function encodePaymentRequired(message: PaymentRequired | string): string;
/** Reads a `PAYMENT-SIGNATURE` or `X-PAYMENT` header. */
export function decodePayment(header: string): Payment;
/** Writes the header of a payment: `PAYMENT-SIGNATURE` for version 2, `X-PAYMENT` for version 1. */
export function encodePayment(payment: Payment | string): string;
/** Reads a `PAYMENT-RESPONSE` or `X-PAYMENT-RESPONSE` header. */
export function decodeSettlement(header: string): Settlement;
/** Writes a `PAYMENT-RESPONSE` header. */
export function encodeSettlement(settlement: Settlement | string): string;

/** The EIP-712 document that authorizes a payment under some terms. */
export function typedData(requirements: PaymentRequirements | PaymentRequirementsV1 | string, authorization: Authorization | string): TypedData;
/** Its hash: the 32 bytes that are signed. */
export function digest(requirements: PaymentRequirements | PaymentRequirementsV1 | string, authorization: Authorization | string): Hex;
/** Signs 32 bytes: 65 bytes `r ‖ s ‖ v`, low s, v 27 or 28, deterministic (RFC 6979). */
export function sign(privateKey: string | Uint8Array, digest: string): Hex;
/** The address that signed 32 bytes. Takes 65 bytes, or the 64 of EIP-2098; a high s is refused. */
export function recover(digest: string, signature: string): Hex;
/** The address of a private key. */
export function address(privateKey: string | Uint8Array): Hex;
/** A fresh private key from the runtime's secure randomness. It is yours to keep. */
export function generatePrivateKey(): Hex;

/** Checks a payment against terms without the chain: shape, terms, times, signature. `now` is in Unix seconds. */
export function verifyPayment(
  payment: Payment | string,
  requirements: PaymentRequirements | PaymentRequirementsV1 | string,
  now?: number,
): { isValid: boolean; invalidReason?: string; payer?: string };

/** A private key that stays in WebAssembly memory until `free()`, which wipes it. For many signatures. */
export interface LocalKey {
  readonly address: Hex;
  sign(digest: string): Hex;
  signAuthorization(requirements: PaymentRequirements | PaymentRequirementsV1 | string, authorization: Authorization | string): Hex;
  free(): void;
}

/** Takes a private key. */
export function localKey(privateKey: string | Uint8Array): LocalKey;
