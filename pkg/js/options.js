// The options of `createPayer`, taken apart. A limit that cannot be read is refused: it would be taken for one.
import { X402Error } from "./error.js";

const refuse = (why) => {
  throw new X402Error("payer_invalid_options", `the payer's options are not valid: ${why}`);
};

/** JSON says nothing for some values; an option must say something, and say it by itself. */
function explicit(key, value) {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && !plain(value)) refuse(`${key} is a plain object`);
  const silent = value === undefined || value === null || ["function", "symbol"].includes(typeof value) || Number.isNaN(value);
  return silent || Math.abs(value) === Infinity ? refuse(`${key} has no value; leave it out for its default`) : value;
}

function callback(name, value) {
  return value === undefined || typeof value === "function" ? value : refuse(`${name} is a function`);
}

/** Whether all that an object says is its own: limits that it inherits would not be read. */
function plain(object) {
  const parent = Object.getPrototypeOf(object);
  return parent === null || Object.getPrototypeOf(parent) === null;
}

/** Which kind of wallet this is, and what is known of it. */
function wallet(value) {
  if (value?.privateKey !== undefined) return { secret: value.privateKey };
  if (value?.keystore !== undefined) return { locked: { keystore: value.keystore, password: value.password } };
  const address = value?.address ?? value?.account?.address; // viem's wallet clients keep theirs at `account`
  if (typeof value?.signTypedData === "function" && typeof address === "string") return { account: value, address };
  if (typeof value?.request === "function") return { provider: value };
  return refuse("wallet is an EIP-1193 provider, { privateKey }, { keystore, password } or an object with address and signTypedData");
}

/** Options as JSON, of which no member is lost. */
const json = (object) => JSON.stringify(object, (key, value) => (key === "" ? value : explicit(key, value)));

/** A store, or what one is made of: a name, or `{ file }`. */
function storage(store) {
  const named = store === undefined || store === "memory" || store === "indexeddb" || typeof store?.file === "string";
  const made = typeof store?.update === "function" && typeof store.entries === "function";
  return named || made ? store : refuse('store is "memory", "indexeddb", { file } or an object with update and entries');
}

/** The nodes that are asked, by network. */
function nodes(rpc) {
  for (const [network, url] of Object.entries(rpc)) {
    if (typeof url !== "string" || !URL.canParse(url)) refuse(`rpc has no URL for ${network}`);
  }
  return { ...rpc };
}

/** What a wallet is told of chains it does not know (EIP-3085), by network. */
function described(chains) {
  for (const [network, chain] of Object.entries(chains)) {
    const whole = typeof chain?.chainName === "string" && Array.isArray(chain.rpcUrls) && typeof chain.nativeCurrency === "object";
    if (!/^eip155:[1-9]\d*$/.test(network) || !whole) refuse(`chains.${network} has no chainName, rpcUrls and nativeCurrency`);
  }
  return { ...chains };
}

/** What one call asks for. @returns {string} as `pkg/src` takes it */
export function wishes(options) {
  try {
    if (options === undefined) return "{}";
    if (options === null || typeof options !== "object" || !plain(options)) refuse("a call's options are a plain object");
    return json(Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
  } catch (error) {
    if (error instanceof X402Error) throw error;
    return refuse("they cannot be read");
  }
}

/** @returns the parts, each as `pkg/src` takes it */
export function parts(options) {
  try {
    if (options === null || typeof options !== "object") refuse("expected an object");
    const { wallet: signer, policy = {}, fetch, onStep, store, owner, task, rpc = {}, chains = {}, redactUrl, ...unknown } = options;
    for (const [name, value] of Object.entries(unknown)) if (value !== undefined) refuse(`there is no option ${name}`);
    if (policy === null || typeof policy !== "object" || !plain(policy)) refuse("policy is a plain object");
    const { approve, ...limits } = policy;
    return {
      ...wallet(signer),
      policy: json(limits),
      who: json({ proves: Object.keys(nodes(rpc)), ...(owner !== undefined && { owner }), ...(task !== undefined && { task }) }),
      store: storage(store),
      rpc: nodes(rpc),
      chains: described(chains),
      redactUrl: callback("redactUrl", redactUrl),
      approve: callback("policy.approve", approve),
      fetch: callback("fetch", fetch),
      onStep: callback("onStep", onStep),
    };
  } catch (error) {
    // A getter may throw anything, and a wallet's may throw its key.
    if (error instanceof X402Error) throw error;
    return refuse("they cannot be read");
  }
}
