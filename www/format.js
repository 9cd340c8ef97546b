// Figures and names as a person reads them. Amounts are decimal strings and BigInts, never floats.

/** Atomic units as whole tokens with at least two decimals, thousands apart: 1000000000n, 6 → "1 000.00". */
export function tokens(atomic, decimals) {
  const digits = atomic.toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "").padEnd(2, "0");
  return `${whole.replace(/\B(?=(\d{3})+$)/g, "\u202f")}.${fraction}`;
}

/** Whole tokens, as the package writes them, with at least two decimals: "0.1" → "0.10". */
export function money(text) {
  const [whole, fraction = ""] = text.split(".");
  return `${whole}.${fraction.padEnd(2, "0")}`;
}

/** The exact sum of decimal strings. */
export function sum(texts) {
  const places = Math.max(0, ...texts.map((text) => (text.split(".")[1] ?? "").length));
  const atomic = texts.reduce((total, text) => {
    const [whole, fraction = ""] = text.split(".");
    return total + BigInt(whole + fraction.padEnd(places, "0"));
  }, 0n);
  return tokens(atomic, places);
}

/** A price one cent up or down, as text; nothing when the text is no price or would fall below zero. */
export function cents(text, by) {
  const found = /^\s*\$?\s*(\d{1,12})(?:\.(\d{1,6}))?\s*$/.exec(text);
  if (!found) return undefined;
  const micro = BigInt(found[1] + (found[2] ?? "").padEnd(6, "0")) + BigInt(by) * 10_000n;
  return micro < 0n ? undefined : `$${tokens(micro, 6).replaceAll("\u202f", "")}`;
}

/** The beginning and the end of a long hex text. */
export const shortened = (text) => (text.length > 16 ? `${text.slice(0, 8)}…${text.slice(-6)}` : text);

/** Milliseconds, as precise as they deserve. */
export function duration(milliseconds) {
  if (milliseconds >= 10_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
}

/** Seconds as a person says them. */
export function span(seconds) {
  if (seconds < 120) return `${seconds} seconds`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;
}

const networks = { "eip155:84532": "Base Sepolia", "eip155:8453": "Base", "eip155:1": "Ethereum" };

/** A CAIP-2 network with its common name. */
export const network = (id) => (networks[id] ? `${networks[id]} (${id})` : id);

/** The size of a body. */
export const bytes = (count) => (count < 1024 ? `${count} bytes` : `${(count / 1024).toFixed(1)} KiB`);
