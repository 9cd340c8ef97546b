// What an origin needs behind a gate: it checks the PAYMENT-CONTEXT that comes with a paid request. No module is loaded;
// the platform verifies the signature (Web Cryptography, Ed25519).
import { X402Error } from "./error.js";

/** Seconds that the clocks of a gate and its origin may differ by. */
const SKEW = 5;
/** Milliseconds that a key set is used for, at least and at most, and that a gate has to answer. */
const KEEP_LEAST = 60_000;
const KEEP_MOST = 86_400_000;
const PATIENCE = 10_000;
/** Key sets that are remembered. */
const SETS = 16;

const fail = (code, message, retryable = false, cause = undefined) => {
  throw new X402Error(code, message, retryable, undefined, cause);
};
const invalid = () => fail("origin_context_invalid", "the PAYMENT-CONTEXT cannot be read");

/** The bytes of base64url without padding. */
function bytes(text) {
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) invalid();
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

/** A part of a token: a JSON object. */
function object(text) {
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes(text)));
  } catch {
    invalid();
  }
  return value && typeof value === "object" && !Array.isArray(value) ? value : invalid();
}

/** By address: a key set, when it was fetched, and until when it is used. */
const sets = new Map();

function secure(address) {
  try {
    const { protocol, hostname } = new URL(address);
    return protocol === "https:" || (protocol === "http:" && /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname));
  } catch {
    return false;
  }
}

/** A key set from its address. What was fetched is used for as long as its Cache-Control says; `anew` asks again sooner. */
async function fetched(address, anew) {
  const known = sets.get(address);
  const now = Date.now();
  // A stranger's token with a made-up key must not have us ask all the time.
  if (known && now < (anew ? known.since + KEEP_LEAST : known.until)) return known.keys;
  if (!secure(address)) fail("origin_invalid_options", "keys are fetched over https only");
  let keys, age;
  try {
    const response = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(PATIENCE) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    ({ keys } = await response.json());
    if (!Array.isArray(keys)) throw new Error("not a key set");
    age = Number(/max-age=(\d+)/.exec(response.headers.get("cache-control"))?.[1] ?? 0) * 1000;
  } catch (cause) {
    fail("origin_keys_unavailable", "the gate's keys could not be fetched", true, cause);
  }
  if (sets.size >= SETS) sets.delete(sets.keys().next().value);
  sets.set(address, { keys, since: now, until: now + Math.min(Math.max(age, KEEP_LEAST), KEEP_MOST) });
  return keys;
}

/** The keys that may have signed a token: those of its name, or the only one of a set where it names none. */
function fitting(keys, kid) {
  const known = keys.filter((key) => key?.kty === "OKP" && key.crv === "Ed25519" && typeof key.x === "string");
  return kid === undefined ? (known.length === 1 ? known : []) : known.filter((key) => key.kid === kid);
}

async function signed({ x }, signature, text) {
  const { subtle } = globalThis.crypto;
  try {
    const key = await subtle.importKey("jwk", { kty: "OKP", crv: "Ed25519", x }, { name: "Ed25519" }, false, ["verify"]);
    return await subtle.verify({ name: "Ed25519" }, key, signature, new TextEncoder().encode(text));
  } catch {
    return false; // a key that is none has signed nothing
  }
}

/** Checks a PAYMENT-CONTEXT and answers its claims. Rejects with an `X402Error`: the request is not paid then. */
export async function verifyPaymentContext(header, { jwks, issuer, audience, now } = {}) {
  const address = typeof jwks === "string" || jwks instanceof URL ? String(jwks) : undefined;
  const source = address ?? (jwks === undefined && issuer ? `${issuer}/.x402/jwks.json` : undefined);
  const given = Array.isArray(jwks?.keys) ? jwks.keys : undefined;
  if (!source && !given) fail("origin_invalid_options", "name the gate's keys (jwks) or the gate (issuer)");
  const audiences = [audience].flat().map(String);
  if (audience === undefined || audiences.length === 0) fail("origin_invalid_options", "name the audience: the URL that is paid for");
  if (header === undefined || header === null || header === "") {
    fail("origin_context_missing", "the request carries no PAYMENT-CONTEXT: it is not paid");
  }

  const parts = String(header).split(".");
  if (parts.length !== 3) invalid();
  const { alg, kid, crit } = object(parts[0]);
  const claims = object(parts[1]);
  const signature = bytes(parts[2]);
  if ((alg !== "EdDSA" && alg !== "Ed25519") || crit !== undefined) invalid();

  let keys = fitting(given ?? (await fetched(source, false)), kid);
  if (keys.length === 0 && source) keys = fitting(await fetched(source, true), kid);
  const text = `${parts[0]}.${parts[1]}`;
  let genuine = false;
  for (const key of keys) genuine ||= await signed(key, signature, text);
  if (!genuine) fail("origin_context_signature", "the PAYMENT-CONTEXT is signed by nobody in the key set");

  const { iat, nbf, exp, aud, iss, scheme, amount } = claims;
  const time = (value) => Number.isSafeInteger(value) && value >= 0;
  const readable = time(iat) && time(exp) && (nbf === undefined || time(nbf)) && typeof scheme === "string";
  if (!readable || typeof amount !== "string" || !/^\d{1,78}$/.test(amount)) invalid();
  const seconds = now ?? Date.now() / 1000;
  if (!(seconds < exp + SKEW && seconds >= (nbf ?? iat) - SKEW)) {
    fail("origin_context_expired", "the PAYMENT-CONTEXT is not valid at this time");
  }
  if (![aud].flat().some((one) => audiences.includes(one))) {
    fail("origin_context_audience", "the PAYMENT-CONTEXT is for another resource");
  }
  if (issuer !== undefined && iss !== issuer) fail("origin_context_issuer", "the PAYMENT-CONTEXT is another gate's");
  return claims;
}

export { X402Error };
