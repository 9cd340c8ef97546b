// What is wrong with how a server asks to be paid, by what it answered. Each finding has a level (`wrong`: payers fail or are
// misled; `poor`: some do, or caches keep what they must not; `fine`), a code and a sentence.

/** A price above this, in tokens that are dollars, is worth a second look. */
const DEAR = 1;
/** Bytes of headers that common servers and proxies take in all. */
const LARGE = 8 * 1024;

const named = (header, name) => (header ?? "").toLowerCase().split(",").map((part) => part.trim()).some((part) => part === name || part === "*");

/** @returns {{level: "wrong" | "poor" | "fine", code: string, sentence: string}[]} */
export function judge(seen) {
  const found = [];
  const say = (level) => (code, sentence) => found.push({ level, code, sentence });
  const to = { wrong: say("wrong"), poor: say("poor"), fine: say("fine") };
  if (seen.plainly.status !== 402) {
    to.wrong("status", `it answers ${seen.plainly.status} to those who do not pay, not 402: nothing is sold here, or it is given away`);
    return found;
  }
  place(seen, to);
  if (seen.terms.error) {
    to.wrong("encoding", `its terms cannot be read: ${seen.terms.error.message}`);
    return found;
  }
  terms(seen, to);
  caches(seen, to);
  pages(seen, to);
  strangers(seen, to);
  return found;
}

function place({ url, header, plainly }, { wrong, poor, fine }) {
  const { protocol, hostname } = new URL(url);
  const here = hostname === "localhost" || hostname.endsWith(".localhost") || /^127(\.\d+){3}$|^\[::1\]$/.test(hostname);
  if (protocol === "https:" || here) fine("https", "it is asked over https, or on this machine");
  else wrong("https", "plain http: whoever is on the way can change who is paid");
  if (!header) return poor("header", "no PAYMENT-REQUIRED header: only version 1, in the body");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(header.trim())) wrong("base64", "PAYMENT-REQUIRED is not plain base64 (RFC 4648 §4, with its padding)");
  const bytes = [...plainly.headers].reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  if (bytes > LARGE) poor("size", `its headers are ${bytes} bytes; many servers take 8 kB of them`);
  return undefined;
}

function terms({ url, terms: { value }, decision }, { wrong, poor, fine }) {
  fine("encoding", `its terms can be read: version ${value.x402Version}, ${value.accepts.length} offer${value.accepts.length === 1 ? "" : "s"}`);
  const resource = value.resource?.url ?? value.accepts[0]?.resource;
  if (!resource || !URL.canParse(resource)) poor("resource", "it does not say by URL what is sold");
  else if (new URL(resource).origin !== new URL(url).origin || new URL(resource).pathname !== new URL(url).pathname) {
    poor("resource", `it says that it sells ${resource}, and was asked for ${url}`);
  }
  if (decision.unread > 0) wrong("offers", `${decision.unread} of its offers cannot be read`);
  for (const [at, offer] of decision.offers.entries()) {
    const nth = `offer ${at + 1}`;
    // Those that cannot be read are not among the decision's.
    const { extra } = (decision.unread === 0 && value.accepts[at]) || {};
    if (offer.reason === "payer_asset_domain_mismatch") {
      wrong("domain", `${nth} names another EIP-712 domain${extra ? ` (${extra.name}, ${extra.version})` : ""} than its token has: no signature will verify`);
    }
    if (/^0*$/.test(offer.amount)) wrong("price", `${nth} costs nothing, and asks to be paid`);
    else if (!offer.tokens) poor("asset", `${nth} is paid in a token that payers do not know`);
    else if (Number(offer.tokens) > DEAR) poor("price", `${nth} costs ${offer.tokens} ${offer.symbol}: most payers' caps are below that`);
    if (/^0x0{40}$/i.test(offer.payTo)) wrong("payee", `${nth} pays the zero address`);
    if (offer.maxTimeoutSeconds === 0) wrong("validity", `${nth} leaves no time to pay`);
    else if (offer.maxTimeoutSeconds > 3600) poor("validity", `${nth} asks for a signature that is good for ${offer.maxTimeoutSeconds} seconds`);
  }
  if (decision.offers.every(({ reason }) => reason === undefined)) fine("offers", "each of its offers can be paid");
}

function caches({ plainly }, { poor, fine }) {
  const control = plainly.headers.get("cache-control") ?? "";
  if (/no-store|private/.test(control)) fine("cache", "no shared cache keeps the 402");
  else poor("cache", `a shared cache may keep the 402 (cache-control: ${control || "none"}), and give it to who has paid`);
}

function pages({ method, fromPage, preflight, page }, { poor, fine }) {
  const allows = (headers) => ["*", page].includes(headers?.get("access-control-allow-origin"));
  if (!allows(fromPage.headers)) return poor("cors", "pages of other origins cannot read the 402");
  const hidden = ["payment-required", "payment-response"].filter((name) => !named(fromPage.headers.get("access-control-expose-headers"), name));
  if (hidden.length > 0) poor("cors", `pages may read the 402 but not its ${hidden.map((name) => name.toUpperCase()).join(" and ")}`);
  const passes = preflight.status >= 200 && preflight.status < 300 && allows(preflight.headers);
  const takes = named(preflight.headers?.get("access-control-allow-headers"), "payment-signature");
  const may = ["GET", "HEAD", "POST"].includes(method) || named(preflight.headers?.get("access-control-allow-methods"), method.toLowerCase());
  if (passes && takes && may) return hidden.length > 0 ? undefined : fine("cors", "pages of other origins can pay");
  return poor("cors", `a browser asks first whether it may send PAYMENT-SIGNATURE, and is answered ${preflight.status ?? "nothing"}`);
}

function strangers({ broken }, { wrong, fine }) {
  if (broken.status >= 200 && broken.status < 300) wrong("unpaid", "it serves who sends a payment that is none");
  else if (broken.status >= 400 && broken.status < 500) fine("unpaid", `a bogus payment is refused (${broken.status})`);
  else wrong("unpaid", `a payment that is none gets ${broken.status ?? "no answer"}`);
}
