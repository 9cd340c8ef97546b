// EIP-6963: wallets announce themselves by events of the window, at any time.

const found = [];
const listeners = new Set();
let listening = false;

const text = (value, limit) => typeof value === "string" && value.length <= limit;

function announced({ detail }) {
  const { info, provider } = detail ?? {};
  if (typeof provider?.request !== "function" || !text(info?.uuid, 100) || !text(info.name, 100)) return;
  if (found.some((wallet) => wallet.info.uuid === info.uuid)) return;
  // An icon is a picture in a data URI, never something to load.
  const icon = text(info.icon, 1 << 20) && info.icon.startsWith("data:image/") ? info.icon : "";
  const rdns = text(info.rdns, 200) ? info.rdns : "";
  found.push(Object.freeze({ info: Object.freeze({ uuid: info.uuid, name: info.name, icon, rdns }), provider }));
  for (const listener of listeners) listener([...found]);
}

/** The injected wallets announced so far; a listener hears of the later ones, with the whole list. */
export function injectedWallets(listener) {
  if (typeof window === "undefined") return [];
  if (listener) listeners.add(listener);
  if (!listening) {
    listening = true;
    window.addEventListener("eip6963:announceProvider", announced);
  }
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  return [...found];
}
