// Who pays: the wallets that announce themselves by EIP-6963, and the local world's own test key.
import { createPayer, injectedWallets } from "x402-wasm";

import { by, chip, fill, h } from "./dom.js";
import { tokens } from "./format.js";
import { balance, DECIMALS } from "./world.js";

function entry({ name, icon, detail, chosen, busy, choose }) {
  const state = busy ? "Asking…" : chosen ? "Pays" : "Choose";
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "wallet", "aria-pressed": String(chosen), onclick: choose },
      h("span", { class: "icon", "aria-hidden": "true" }, icon ? h("img", { src: icon, alt: "" }) : name.slice(0, 1).toUpperCase()),
      h("span", {}, h("b", {}, name), h("small", {}, detail)),
      h("span", { class: "state" }, state),
    ),
  );
}

/**
 * Fills the list of payers and keeps it current. `chosen(payer)` is called with `{ wallet, address, name, local }` when
 * one was chosen and has told its address, and with nothing when it went away; `failed(error)` when it did not.
 */
export function offerWallets(world, { chosen, failed }) {
  let found = [];
  let current;
  let asking;

  const demo = {
    key: "demo",
    name: "Demo key",
    detail: "Test money of this local world",
    wallet: { privateKey: world.payer.privateKey },
    local: true,
  };

  function choices() {
    const injected = found.map(({ info, provider }) => ({
      key: info.uuid,
      name: info.name,
      icon: info.icon,
      detail: "Browser wallet",
      wallet: provider,
      local: false,
    }));
    return [...injected, demo];
  }

  /** A wallet may never answer; then another one can be chosen, and the last choice counts. */
  async function choose({ key, name, wallet, local }) {
    if (asking === key) return;
    asking = key;
    draw();
    const payer = await createPayer({ wallet });
    const outcome = await payer.connect().then((address) => ({ address }), (error) => ({ error }));
    if (asking !== key) return;
    asking = undefined;
    if (outcome.error) {
      failed(outcome.error, name);
    } else {
      current = { key, name, wallet, local, address: outcome.address };
      follow(wallet);
      chosen(current);
    }
    draw();
  }

  /** A wallet whose person changes the account pays with the new one. */
  const followed = new WeakSet();
  function follow(provider) {
    if (typeof provider?.on !== "function" || followed.has(provider)) return;
    followed.add(provider);
    provider.on("accountsChanged", ([address]) => {
      if (current?.wallet !== provider) return;
      current = address ? { ...current, address } : undefined;
      chosen(current);
      draw();
    });
  }

  function draw() {
    const focused = document.activeElement?.closest?.("#wallets [data-key]")?.dataset.key;
    const list = choices().map((option) => {
      const item = entry({
        ...option,
        chosen: current?.key === option.key,
        busy: asking === option.key,
        choose: () => choose(option),
      });
      item.dataset.key = option.key;
      return item;
    });
    fill(by("wallets"), list);
    if (focused) list.find((item) => item.dataset.key === focused)?.firstElementChild.focus();
    by("wallets-hint").textContent = found.length
      ? ""
      : "No browser wallet has announced itself. One that does appears here; the demo key needs none.";
    by("wallets-hint").hidden = found.length > 0;
  }

  // Wallets may announce themselves at any time after the page.
  found = injectedWallets((wallets) => {
    found = wallets;
    draw();
  });
  draw();
}

/** Shows what an account holds, as the chain says it now. */
export async function showAccount(world, payer) {
  const place = by("account");
  if (!payer) return fill(place);
  const held = await balance(world, payer.address).then(
    (atomic) => [tokens(atomic, DECIMALS), h("small", {}, " test USDC")],
    () => [h("small", {}, "The chain does not answer")],
  );
  return fill(
    place,
    h("div", { class: "held" }, h("span", { class: "money", "data-balance": "" }, held), payer.local && chip("Test key", "warn")),
    h("p", { class: "address mono" }, payer.address),
  );
}
