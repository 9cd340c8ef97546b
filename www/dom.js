// Elements without a framework. Text is always text: nothing that came from a server or a wallet is parsed as markup.

/**
 * An element: `h("dd", { class: "mono" }, "text", child)`. Properties that start with `on` are listeners; `false`,
 * `null` and `undefined` leave an attribute or a child out, `true` writes an attribute without a value.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** The element with this id; the page's own markup has it. */
export const by = (id) => document.getElementById(id);

/** Puts these children in the place of what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** A list of names and values; a value that is `undefined` or empty leaves its line out. */
export function facts(entries) {
  const lines = entries.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return h("dl", { class: "facts" }, lines.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** A value that is copied character by character: an address, a hash. */
export const exact = (text) => h("span", { class: "mono" }, text);

/** A small label: `good`, `bad`, `warn`, or none of them. */
export const chip = (text, mood = "") => h("span", { class: `chip ${mood}` }, text);

/** Brings an element into view if its beginning is not. */
export function show(element) {
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight * 0.6) element.scrollIntoView({ block: "start" });
}
