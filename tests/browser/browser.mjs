// What the browser suites share: Chromium, the page opened in it with everything it complains about and asks for on
// record, and a wallet that announces itself by EIP-6963 and really signs.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { chromium } from "playwright-core";
import { privateKeyToAccount } from "viem/accounts";

import { balanceOf } from "../support/chain.mjs";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** How long a condition may take to come true; it only bounds failures. */
const PATIENCE = 30_000;

/** Sizes the page is made for. */
export const sizes = { phone: { width: 390, height: 844 }, laptop: { width: 1280, height: 860 } };

/** The browser that the front door found, or the one on PATH. */
function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const places = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "chromium"));
  const found = places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error("chromium is not on PATH; Debian's package of that name brings it");
  return found;
}

/** Starts the browser. */
export const launch = () => chromium.launch({ executablePath: executable(), args: FLAGS });

/** The chain a wallet is on before it is asked to change: not the one that is paid on. */
const ELSEWHERE = "0x1";

/**
 * A wallet's side of EIP-1193, outside the page as a real one is: it signs what it is given with the payer's key, on
 * the chain it was switched to. `refuse` names the methods its person says no to, `silent` those it never answers;
 * `answers` has methods of its own that misbehave: `(params, usual) => result`. `calls` holds every request in order.
 */
export function walletOf(world, { refuse = [], silent = [], answers = {} } = {}) {
  const account = privateKeyToAccount(world.payer.privateKey);
  const calls = [];
  let chain = ELSEWHERE;
  const answer = async (method, params) => {
    switch (method) {
      case "eth_accounts":
        return calls.some((call) => call.method === "eth_requestAccounts") ? [account.address] : [];
      case "eth_requestAccounts":
        return [account.address];
      case "eth_chainId":
        return chain;
      case "wallet_switchEthereumChain":
        chain = params[0].chainId;
        return null;
      case "eth_signTypedData_v4": {
        const document = JSON.parse(params[1]);
        if (params[0].toLowerCase() !== account.address.toLowerCase()) throw Object.assign(new Error("no such account"), { code: 4100 });
        if (BigInt(document.domain.chainId) !== BigInt(chain)) throw Object.assign(new Error("the wallet is on another chain"), { code: -32603 });
        return account.signTypedData(document);
      }
      default:
        throw Object.assign(new Error(`no method ${method}`), { code: 4200 });
    }
  };
  const request = async (method, params) => {
    calls.push({ method, params });
    if (silent.includes(method)) return new Promise(() => {});
    if (refuse.includes(method)) return { error: { code: 4001, message: "User rejected the request." } };
    const usual = () => answer(method, params);
    return Promise.resolve(answers[method] ? answers[method](params, usual) : usual()).then(
      (result) => ({ result }),
      ({ code, message, data }) => ({ error: { code, message, data } }),
    );
  };
  return { request, calls, address: account.address, asked: (method) => calls.filter((call) => call.method === method) };
}

/**
 * Runs in the page before anything else: the wallet announces itself, also when it is asked to; a late one does so
 * when the test calls `announceLate()`. `emitFromWallet(event, value)` is what a real one does by itself.
 */
function announce({ name, late }) {
  const icon = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#36c"/></svg>')}`;
  const info = { uuid: "8a7f5c1e-0d7b-4d0c-9d55-8d1c1a3f9e10", name, icon, rdns: "example.wallet" };
  const listeners = [];
  const provider = {
    async request({ method, params }) {
      const { result, error } = await globalThis.walletRequest(method, params ?? []);
      if (error) throw Object.assign(new Error(error.message), { code: error.code, data: error.data });
      return result;
    },
    on: (event, listener) => listeners.push([event, listener]),
  };
  globalThis.emitFromWallet = (event, value) => listeners.filter(([name]) => name === event).forEach(([, listener]) => listener(value));
  const detail = Object.freeze({ info: Object.freeze(info), provider });
  const tell = () => globalThis.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  if (late) {
    globalThis.announceLate = tell;
    return;
  }
  globalThis.addEventListener("eip6963:requestProvider", tell);
  tell();
}

/**
 * Opens an address; `before(tab)` runs first, `scripts` are files that run in the page before its own. Answers the tab with `faults` (console errors and exceptions; a failed request as `"402 URL"`),
 * `requests` (every address asked for) and `close()`.
 */
export async function open(browser, url, { wallet, name = "Test Wallet", late = false, scripts = [], before, ...options } = {}) {
  const context = await browser.newContext({ viewport: sizes.laptop, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(PATIENCE);
  if (wallet) {
    await context.exposeFunction("walletRequest", wallet.request);
    await context.addInitScript(announce, { name, late });
  }
  for (const path of scripts) await context.addInitScript({ path });
  const tab = await context.newPage();
  await before?.(tab);
  const [faults, requests] = [[], []];
  tab.on("pageerror", (error) => faults.push(error.message));
  tab.on("request", (request) => requests.push(request.url()));
  tab.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    const status = /the server responded with a status of (\d+)/.exec(message.text())?.[1];
    faults.push(status ? `${status} ${message.location().url}` : message.text());
  });
  await tab.goto(url);
  return { tab, faults, requests, close: () => context.close() };
}

/** Opens the page of the world and waits until it is wired. */
export async function openPage(browser, world, options) {
  const opened = await open(browser, world.page, options);
  await opened.tab.waitForSelector("html[data-ready]", { state: "attached" }).catch((error) => {
    throw new Error(`the page did not start: ${opened.faults.join("; ") || error.message}`);
  });
  return opened;
}

/** What a person does on the page, by what a person sees. */
export const on = (tab) => ({
  choose: async (name) => {
    await tab.getByRole("button", { name }).click();
    await tab.locator("#account [data-balance]").waitFor();
  },
  pick: (path) => tab.getByRole("radio", { name: path }).check(),
  limit: (text) => tab.getByLabel("Most per payment").fill(text),
  pay: () => tab.getByRole("button", { name: /and fetch|for free/ }).click(),
  offer: () => tab.getByRole("button", { name: "See the offer" }).click(),
  /** Sets the budget, in cents; what is left of it is then shown. */
  budget: async (cents, per) => {
    await tab.getByLabel("Together at most").fill(cents);
    await tab.getByLabel("Time of the budget").selectOption(per);
    await tab.locator("#spent .note").waitFor();
  },
  /** Holds the payments to the limits, to what is listed or to the offer, by the words of the choice. */
  hold: async (words) => {
    const choice = tab.getByLabel("Hold it to").locator("option", { hasText: words });
    await tab.getByLabel("Hold it to").selectOption(await choice.getAttribute("value"));
  },
  /** The log as it is shown has been read to its end. */
  logged: () => tab.locator('#log[aria-busy="false"]').waitFor(),
  /** Fires many payments; they are done when the balance was compared. */
  fire: async (count) => {
    await tab.getByLabel("Or many").selectOption(String(count));
    await tab.getByRole("button", { name: "Fire payments" }).click();
    await tab.locator("[data-agrees]").waitFor();
    await tab.locator('#result[aria-busy="false"]').waitFor();
  },
  /** Turns one switch of the local world, and waits until it is turned. */
  turn: async (part, mode) => {
    await tab.getByRole("group", { name: part }).getByRole("radio", { name: mode }).check();
    await tab.locator("#mend").waitFor();
  },
  mend: async () => {
    await tab.getByRole("button", { name: "Mend everything" }).click();
    await tab.locator("#mend").waitFor({ state: "hidden" });
  },
  /** What is folded below a step: opened, and read as JSON. */
  folded: async (step, title) => {
    const fold = tab.locator(`[data-step="${step}"] details`, { hasText: title }).last();
    await fold.locator("summary").click();
    return JSON.parse(await fold.locator("pre").innerText());
  },
  /** The counts of a list of figures by their names. */
  counts: async (place) => {
    const entries = await tab.locator(`${place} .counts > div`).all();
    return Object.fromEntries(await Promise.all(entries.map(async (one) => [await one.locator("dt").innerText(), await one.locator("dd").innerText()])));
  },
  /** The run has ended, whatever came of it. */
  ended: () => tab.locator('#result[aria-busy="false"]').waitFor(),
  receipt: () => tab.getByRole("group", { name: "Receipt" }),
  refusal: () => tab.getByRole("group", { name: "Refused" }),
  fact: (group, term) => group.locator(`dt:text-is("${term}") + dd`).innerText(),
});

/** What the payer and the payee hold, asked of the chain. */
export async function held({ rpc, asset, payTo, payer }) {
  const [paid, received] = await Promise.all([balanceOf(rpc, asset, payer.address), balanceOf(rpc, asset, payTo)]);
  return { payer: paid, payTo: received };
}

/** Atomic units that went from the payer to the payee while `work` ran; any other movement is an error. */
export async function moved(world, work) {
  const before = await held(world);
  await work();
  const after = await held(world);
  const [out, into] = [before.payer - after.payer, after.payTo - before.payTo];
  if (out !== into) throw new Error(`${out} left the payer, ${into} reached the payee`);
  return into;
}

/** Everything in the world as usual again: the switches are the world's, not the page's. */
export const mended = ({ switches }) =>
  fetch(switches, { method: "PUT", body: JSON.stringify({ node: "normal", origin: "normal", gate: "normal" }) });
