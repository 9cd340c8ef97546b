// Our package in a real page: Chromium, no bundler, a wallet behind EIP-1193, another origin than the gate's.
import { chromium } from "playwright-core";
import { privateKeyToAccount } from "viem/accounts";
import { pathOf, startScript } from "./process.mjs";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** The wallet's side of EIP-1193. */
function wallet({ payer, network }) {
  const account = privateKeyToAccount(payer.privateKey);
  return async (method, params) => {
    switch (method) {
      case "eth_requestAccounts":
      case "eth_accounts":
        return [account.address];
      case "eth_chainId":
        return `0x${Number(network.split(":")[1]).toString(16)}`;
      case "eth_signTypedData_v4":
        return account.signTypedData(typeof params[1] === "string" ? JSON.parse(params[1]) : params[1]);
      default:
        throw new Error(`the wallet does not know ${method}`);
    }
  };
}

/**
 * Opens the page in Chromium, served from a port of its own: every request to a gate is cross-origin.
 * @returns {Promise<{pay: (url: string) => Promise<object>, close: () => Promise<void>}>}
 */
export async function openBrowser(world) {
  const server = await startScript(pathOf("../../support/static.mjs", import.meta.url), {
    root: pathOf("../page", import.meta.url),
    pkg: pathOf("../../../pkg", import.meta.url),
  });
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS }).catch(async (error) => {
    await server.stop();
    throw error;
  });
  const close = async () => {
    await browser.close();
    await server.stop();
  };
  try {
    const tab = await browser.newPage();
    const faults = [];
    tab.on("pageerror", (error) => faults.push(error.message));
    tab.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    await tab.exposeFunction("walletRequest", wallet(world));
    await tab.goto(server.ready.page);
    await tab.waitForFunction(() => document.title === "ready").catch((error) => {
      throw new Error(`the page did not load the package: ${faults.join("; ") || error.message}`);
    });
    return {
      close,
      async pay(url) {
        try {
          return await tab.evaluate((target) => window.pay(target), url);
        } catch (error) {
          return { ok: false, error: [error.message.split("\n")[0], ...faults.splice(0)].join("; ") };
        }
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
