// The paywall's script: it finds wallets, has one sign the document that the gate wrote, sends the payment, and reloads the
// page with the pass it got. A payment that was signed is kept until it is known what became of it, for all tabs: whatever
// happens to this one, the same payment is sent again, and no second one is signed while the first may still settle.
const { offers, resource, now: served, words } = JSON.parse(document.getElementById("terms").textContent);
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
const locked = (work) => (navigator.locks ? navigator.locks.request(PLACE, work) : work());

let payment = kept.get();
let busy = false;

const say = (text) => (by("say").textContent = text);

/** Shows what went wrong, in words and by its code. */
function trouble(text, code) {
  say("");
  by("trouble").replaceChildren(...[text, code].filter(Boolean).map((line, at) => {
    const p = document.createElement("p");
    p.textContent = line;
    if (at) p.className = "mono";
    return p;
  }));
  by("again").hidden = !payment;
  by("again").textContent = payment?.paid ? words.save : words.again;
}

class Told extends Error {
  constructor(text, code) {
    super(text);
    this.code = code;
  }
}

/** What a wallet answers; its own error messages are not shown, only what its number means. */
async function ask(provider, method, params = []) {
  try {
    return await provider.request({ method, params });
  } catch (error) {
    const number = error?.code ?? error?.cause?.code;
    if (number === 4001) throw new Told(words.rejected, "payer_wallet_rejected");
    if (number === 4902) throw new Told(words.chain, "payer_wallet_failed");
    throw new Told(words.wallet, "payer_wallet_failed");
  }
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** Has a wallet sign for an offer. */
async function sign(provider, { document: form, accepted, chain, seconds }) {
  const [from] = await ask(provider, "eth_requestAccounts");
  if (!from) throw new Told(words.wallet, "payer_wallet_failed");
  if (BigInt(await ask(provider, "eth_chainId")) !== BigInt(chain)) await ask(provider, "wallet_switchEthereumChain", [{ chainId: chain }]);
  say(words.sign);
  const until = time() + seconds;
  const nonce = `0x${[...crypto.getRandomValues(new Uint8Array(32))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const authorization = { ...form.message, from, validAfter: String(time() - 60), validBefore: String(until), nonce };
  const signature = await ask(provider, "eth_signTypedData_v4", [from, JSON.stringify({ ...form, message: authorization })]);
  if (time() >= until) throw new Told(words.late, "payer_wallet_failed");
  return { header: base64(JSON.stringify({ x402Version: 2, payload: { signature, authorization }, resource, accepted })), until, nonce };
}

/** Why the gate refused, by its code. */
function reason(response) {
  try {
    return JSON.parse(atob(response.headers.get("payment-required"))).error;
  } catch {
    return `HTTP ${response.status}`;
  }
}

/** Asks for this page. */
const get = (headers = {}) =>
  fetch(location.href, { headers: { accept: "text/html", ...headers }, cache: "no-store", redirect: "manual" }).catch(() => undefined);

/** Asks with the payment, which is its own name: a rule may want one. */
const present = () => get({ "payment-signature": payment.header, "payment-pass": "cookie", "idempotency-key": payment.nonce });

const forget = () => kept.set((payment = undefined));

/** Sends the payment until it is known what became of it. The same one each time, so it pays once. */
async function send() {
  let free = 0;
  while (payment && time() < payment.until + KNOWN) {
    say(words.paying);
    const response = await present();
    response?.body?.cancel();
    if (response?.ok && response.headers.get("payment-pass") === "cookie") {
      payment.paid = time();
      kept.set(payment);
      say(words.paid);
      location.reload();
      return;
    }
    if (response?.status === 402) {
      forget();
      throw new Told(words.refused, reason(response));
    }
    if (response?.ok && response.headers.get("payment-response")) {
      forget();
      throw new Told(words.over);
    }
    // What was delivered and is not settled yet gets its pass when it is; what was given away never does.
    if (response?.ok && (free += 1) > 5) {
      forget();
      throw new Told(words.free);
    }
    const pause = Number(response?.headers.get("retry-after"));
    if (!response || response.ok || pause > 0) {
      if (response && !response.ok) say(words.settling);
      await wait(Math.min(Math.max(pause || 2, 1), 30));
      continue;
    }
    throw new Told(words.failed, `HTTP ${response.status}`);
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
  URL.revokeObjectURL(link.href);
}

/** One thing at a time. */
async function alone(work) {
  if (busy) return;
  busy = true;
  by("trouble").replaceChildren();
  by("again").hidden = true;
  for (const button of by("list").querySelectorAll("button")) button.disabled = true;
  try {
    await work();
  } catch (error) {
    trouble(error instanceof Told ? error.message : words.failed, error instanceof Told ? error.code : undefined);
  } finally {
    busy = false;
    for (const button of by("list").querySelectorAll("button")) button.disabled = false;
  }
}

const pay = (provider) => alone(() => {
  say(words.connect);
  return locked(async () => {
    // Another tab may have paid meanwhile, or be about to.
    if ((await get())?.ok) return location.reload();
    payment = kept.get() ?? payment;
    if (!payment) {
      const chosen = document.querySelector("input[name=offer]:checked")?.value ?? 0;
      payment = await sign(provider, offers[chosen]);
      kept.set(payment);
    }
    return send();
  });
});

const wallets = new Map();

/** Lists a wallet. Its name and icon are its own claims: a text, and an image without script. */
function list({ info, provider }) {
  if (typeof provider?.request !== "function" || wallets.has(info.uuid) || wallets.size >= 32) return;
  wallets.set(info.uuid, provider);
  const button = document.createElement("button");
  button.type = "button";
  button.disabled = busy;
  let mark = document.createElement("span");
  if (/^data:image\//.test(info.icon ?? "")) {
    mark = new Image();
    mark.src = info.icon;
    mark.alt = "";
  } else {
    mark.className = "initial";
    mark.ariaHidden = "true";
    mark.textContent = String(info.name).slice(0, 1);
  }
  const name = document.createElement("span");
  name.textContent = String(info.name).slice(0, 60);
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
  if (wallets.size === 0 && globalThis.ethereum) list({ info: { uuid: "injected", name: words.injected }, provider: globalThis.ethereum });
}, 300);
if (payment?.paid && time() - payment.paid < 30) {
  // Paid a moment ago, and met again without its pass.
  trouble(words.cookies);
  by("wallets").hidden = true;
} else if (payment?.paid) {
  forget();
} else if (payment) {
  alone(() => locked(send));
}
document.documentElement.dataset.ready = "";
