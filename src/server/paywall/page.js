// The paywall's script: it finds wallets, has one sign the document that the gate wrote, sends the payment, and reloads the
// page with the pass it got. A payment that was signed is kept until it is known what became of it, for all tabs: whatever
// happens to this one, the same payment is sent again, and no second one is signed while the first may still settle.
const { offers, resource, later, now: served, words } = JSON.parse(document.getElementById("terms").textContent);
const by = (id) => document.getElementById(id);
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** The gate's time: a clock that is wrong by more than half a minute would sign for the wrong hours. */
const skew = served - Math.floor(Date.now() / 1000);
const time = () => Math.floor(Date.now() / 1000) + (Math.abs(skew) > 30 ? skew : 0);

const PLACE = `x402:${location.pathname}${location.search}`;
/** Seconds that a gate knows a payment for after its authorization has ended. */
const KNOWN = 86_400;
const kept = {
  get() {
    try {
      const known = JSON.parse(localStorage.getItem(PLACE));
      return known && known.until + KNOWN > time() ? known : undefined;
    } catch {
      return undefined; // a browser that keeps nothing
    }
  },
  set(payment) {
    try {
      if (payment) localStorage.setItem(PLACE, JSON.stringify(payment));
      else localStorage.removeItem(PLACE);
    } catch {
      // It is still in this page's memory.
    }
  },
};
/** One tab at a time, where the browser can: two would pay for the same page. */
async function locked(work) {
  let begun;
  const begin = () => (begun ??= work());
  try {
    await navigator.locks.request(PLACE, { ifAvailable: true }, (lock) => {
      if (lock) return begin();
      say(words.tab);
      return navigator.locks.request(PLACE, begin);
    });
  } catch {
    // A browser that has no locks, or none for a page that may keep nothing; or what the work itself says below.
  }
  return begin();
}

let payment = kept.get();
let busy = false;

/** Says something where it is seen, below however many wallets. What is said already is not said again: somebody may listen. */
function say(text) {
  if (by("say").textContent === text) return;
  by("say").textContent = text;
  by("say").scrollIntoView({ block: "nearest" });
}

/** Shows what went wrong, in words and by its code. */
function trouble(text, code) {
  say("");
  by("trouble").replaceChildren(...[text, code].filter(Boolean).map((line, at) => {
    const p = document.createElement("p");
    p.textContent = line;
    if (at) p.className = "mono";
    return p;
  }));
  by("trouble").scrollIntoView({ block: "nearest" });
  by("again").textContent = payment?.paid ? words.save : words.again;
  const lost = document.activeElement;
  by("again").hidden = !payment;
  // Whose button went away goes on at the one that is left.
  if (lost?.tagName === "BUTTON" && !lost.getClientRects().length) document.querySelector(payment ? "#again" : "#list button")?.focus();
}

class Told extends Error {
  constructor(text, code, number) {
    super(text);
    Object.assign(this, { code, number });
  }
}

/** A wallet's numbers that a person is told of: no, a chain it does not know, and a question that is still open. */
const NUMBERS = new Map([[4001, "rejected"], [4902, "chain"], [-32002, "pending"]]);

/** What a wallet answers; its own error messages are not shown, only what its number means. Some wrap the one that counts. */
async function ask(provider, method, params = []) {
  try {
    return await provider.request({ method, params });
  } catch (error) {
    const number = [error?.data?.originalError?.code, error?.code, error?.cause?.code].map(Number).find((one) => NUMBERS.has(one));
    throw new Told(words[NUMBERS.get(number) ?? "wallet"], number === 4001 ? "payer_wallet_rejected" : "payer_wallet_failed", number);
  }
}

/** Has a wallet be on the chain that is paid on. One that does not know it is told of it, if the gate says how. */
async function onto(provider, { chain, network }) {
  const there = async () => BigInt(await ask(provider, "eth_chainId")) === BigInt(chain);
  const change = () => ask(provider, "wallet_switchEthereumChain", [{ chainId: chain }]);
  if (await there()) return;
  try {
    await change();
  } catch (error) {
    if (error.number !== 4902 || !network) throw error;
    say(words.adding);
    await ask(provider, "wallet_addEthereumChain", [network]).catch((fault) => {
      // A wallet that cannot be told is one that does not know the chain.
      throw fault.number ? fault : error;
    });
    // Some change by themselves to what was added.
    if (!(await there())) await change();
  }
  if (!(await there())) throw new Told(words.elsewhere, "payer_wallet_failed");
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** Has a wallet sign for an offer. */
async function sign(provider, offer) {
  const { document: form, accepted, seconds } = offer;
  const [from] = await ask(provider, "eth_requestAccounts");
  if (!/^0x[\da-f]{40}$/i.test(from)) throw new Error("no account");
  await onto(provider, offer);
  say(words.sign);
  const until = time() + seconds;
  const nonce = `0x${[...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const authorization = { ...form.message, from, validAfter: String(time() - 60), validBefore: String(until), nonce };
  const signature = await ask(provider, "eth_signTypedData_v4", [from, JSON.stringify({ ...form, message: authorization })]);
  if (!/^0x([\da-f]{2}){64,4096}$/i.test(signature)) throw new Error("no signature");
  if (time() >= until) throw new Told(words.late, "payer_wallet_failed");
  return { header: base64(JSON.stringify({ x402Version: 2, payload: { signature, authorization }, resource, accepted })), until, nonce };
}

/** The message that a header of the gate's carries. */
function message(response, name) {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(response.headers.get(name)), (letter) => letter.charCodeAt(0))));
  } catch {
    return undefined;
  }
}

/** Why the gate refused, by its code. */
const reason = (response) =>
  message(response, "payment-required")?.error ?? message(response, "payment-response")?.errorReason ?? `HTTP ${response.status}`;

/** Whether the gate asks for something else by now than this page says. */
function outdated(response) {
  const asked = response?.status === 402 && message(response, "payment-required")?.accepts;
  return asked && JSON.stringify(asked) !== JSON.stringify(offers.map(({ accepted }) => accepted));
}

/** Asks for this page. */
const get = (headers = {}) =>
  fetch(location.href, { headers: { accept: "text/html", ...headers }, cache: "no-store", redirect: "manual" }).catch(() => undefined);

/** Asks with the payment, which is its own name: a rule may want one. */
const present = () => get({ "payment-signature": payment.header, "payment-pass": "cookie", "idempotency-key": payment.nonce });

const forget = () => kept.set((payment = undefined));

/**
 * Opens what was paid for. A browser that keeps no cookie for it, or does not keep that it was paid, would meet a page that
 * asks for money again: where that may be, the page is asked for first.
 */
async function enter() {
  const again = payment.paid;
  payment.paid = true;
  kept.set(payment);
  say(words.paid);
  if ((!again && kept.get()?.paid) || (await get())?.ok) return location.reload();
  by("wallets").hidden = true;
  throw new Told(words.cookies);
}

/** Sends the payment until it is known what became of it. The same one each time, so it pays once. */
async function send() {
  let free = 0;
  say(payment?.paid ? words.paid : words.paying);
  while (payment && time() < payment.until + KNOWN) {
    const response = await present();
    response?.body?.cancel();
    const { ok, status, headers } = response ?? {};
    if (ok && headers.get("payment-pass") === "cookie") return enter();
    if (status === 410 || (ok && headers.get("payment-response")) || (payment.paid && (ok || status === 402))) {
      forget();
      throw new Told(words.over);
    }
    if (status === 402 || status === 400) {
      forget();
      throw new Told(words.refused, reason(response));
    }
    // What was delivered and settles later gets its pass when it has; what was given away never does.
    if (ok && (!later || time() > payment.until + 60)) {
      forget();
      throw new Told(words.free);
    }
    const pause = Number(headers?.get("retry-after"));
    if (response && !ok && !(pause > 0)) throw new Told(words.failed, `HTTP ${status}`);
    say(response ? words.settling : words.lost);
    free += ok ? 1 : 0;
    await wait(Math.min(Math.max(pause || (free > 5 ? 30 : 2), 1), 30));
  }
  forget();
  throw new Told(words.unclear, "settlement_pending");
}

/** A browser that keeps no cookie for what was paid can still have it: as a file. */
async function save() {
  const response = await present();
  if (!response?.ok) throw new Told(words.failed, response && `HTTP ${response.status}`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = location.pathname.split("/").pop() || "page";
  link.click();
  // Some browsers begin to read it later.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  trouble(words.cookies);
}

/** Says of the buttons whether they do anything now. They stay where they are: one of them has the focus. */
function hold(on) {
  busy = on;
  for (const button of document.querySelectorAll("button")) button.setAttribute("aria-disabled", on);
}

/** One thing at a time. */
async function alone(work) {
  if (busy) return;
  hold(true);
  by("trouble").replaceChildren();
  try {
    await work();
  } catch (error) {
    trouble(error instanceof Told ? error.message : words.failed, error instanceof Told ? error.code : undefined);
  } finally {
    hold(false);
  }
}

const pay = (provider) => alone(() =>
  locked(async () => {
    say(words.connect);
    // Another tab may have paid meanwhile, or be about to; and the price may be another one.
    const response = await get();
    response?.body?.cancel();
    if (response?.ok || outdated(response)) return location.reload();
    payment = kept.get() ?? payment;
    if (!payment) {
      const chosen = document.querySelector("input[name=offer]:checked")?.value ?? 0;
      payment = await sign(provider, offers[chosen]).catch((error) => {
        // What a wallet answers that is no answer.
        throw error instanceof Told ? error : new Told(words.wallet, "payer_wallet_failed");
      });
      kept.set(payment);
    }
    return send();
  }),
);

const wallets = new Map();

/** Lists a wallet. Its name and icon are its own claims: a text, and an image without script. */
function list({ info, provider }) {
  if (typeof provider?.request !== "function" || wallets.has(info.uuid) || wallets.size >= 32) return;
  wallets.set(info.uuid, provider);
  const called = String(info.name ?? "").trim().slice(0, 60) || words.injected;
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-disabled", busy);
  let mark = document.createElement("span");
  if (/^data:image\//.test(info.icon ?? "")) {
    mark = new Image();
    mark.src = info.icon;
    mark.alt = "";
  } else {
    mark.className = "initial";
    mark.ariaHidden = "true";
    mark.textContent = called.slice(0, 1);
  }
  const name = document.createElement("span");
  name.dir = "auto";
  name.textContent = called;
  button.append(mark, name);
  button.addEventListener("click", () => pay(provider));
  const item = document.createElement("li");
  item.append(button);
  by("list").append(item);
  by("none").hidden = true;
}

by("wallets").hidden = false;
by("again").addEventListener("click", () => alone(() => (payment?.paid ? save() : locked(send))));
addEventListener("eip6963:announceProvider", ({ detail }) => detail?.info && list(detail));
dispatchEvent(new Event("eip6963:requestProvider"));
// A wallet from before EIP-6963, if none has announced itself.
setTimeout(() => {
  if (wallets.size === 0 && globalThis.ethereum) list({ info: { uuid: "injected" }, provider: globalThis.ethereum });
  by("none").hidden = wallets.size > 0;
}, 300);
// Signed before, or paid for and met again without its pass: the gate says what became of it.
if (payment) alone(() => locked(send));
document.documentElement.dataset.ready = "";
