// What to fetch: the routes of the local gate as its config lists them, and the body of the one that takes one.
import { by, fill, h } from "./dom.js";
import { seenAt, wishes } from "./hold.js";

const EXAMPLE = `{
  "title": "Weekly figures",
  "visits": 1280,
  "paid": 412
}`;

/** Draws the routes; `picked(route)` is called with the chosen one, the first paid one at once. */
export function offerRoutes(world, picked) {
  const first = Math.max(0, world.routes.findIndex((route) => route.price !== null));
  const row = (route, index) =>
    h(
      "label",
      { class: "route" },
      h("input", { type: "radio", name: "route", value: index, checked: index === first }),
      h(
        "span",
        { class: "row" },
        h("span", { class: "method" }, route.method),
        h("span", { class: "path" }, route.path),
        h("span", { class: route.price === null ? "price free" : "price" }, route.price ?? "free"),
      ),
    );
  const legend = by("routes").querySelector("legend");
  fill(by("routes"), legend, world.routes.map(row));
  by("body").value = EXAMPLE;

  const pick = () => {
    const route = world.routes[Number(new FormData(by("request")).get("route"))];
    by("body-part").hidden = !takesBody(route);
    by("pay").textContent = route.price === null ? "Fetch for free" : `Pay ${route.price} and fetch`;
    picked(route);
  };
  by("routes").addEventListener("change", pick);
  pick();
}

/** Whether a request of this method carries a body. */
export const takesBody = (route) => ["POST", "PUT", "PATCH"].includes(route.method);

/** The arguments for `fetch`: the same that a program would write. A payee that misbehaves has an address of its own. */
export function request(world, { route, modes }) {
  const url = (modes.gate === "normal" ? world.gate : `${world.switches}/gate`) + route.path;
  if (!takesBody(route)) return { url, init: { method: route.method } };
  const body = by("body").value;
  return { url, init: { method: route.method, headers: { "content-type": typeOf(body) }, body } };
}

function typeOf(text) {
  try {
    JSON.parse(text);
    return "application/json";
  } catch {
    return "text/plain;charset=utf-8";
  }
}

/** The program that does what the page is set to do. */
export function program(world, state) {
  const { payer, policy } = state;
  const { url, init } = request(world, state);
  const wallet = payer?.local ? "{ privateKey }" : "window.ethereum";
  const { maxPrice, quote } = wishes(state) ?? {};
  return `import { createPayer } from "x402-wasm";

const payer = await createPayer({
  wallet: ${wallet},
  policy: ${policyText(policy)},
  store: "indexeddb",   // budgets and the log, for all tabs
});
${fetching(url, init, maxPrice, quote && seenAt(state))}

payer.receipt(response);        // what was paid, to whom, in which transaction
await payer.audit.entries();    // the log: all that was decided, sent and heard
await payer.audit.verify();     // how many of its entries hold together`;
}

/** The call, and what it is held to: a price, or the offer that was explained at a URL before. */
function fetching(url, init, maxPrice, explained) {
  const sent = init.body === undefined ? "" : `{\n  method: "${init.method}",\n  headers: { "content-type": "${init.headers["content-type"]}" },\n  body,\n}`;
  if (explained) {
    const named = sent && `const init = ${sent};\n`;
    return `${named}const { offers, chosen } = await payer.explain("${explained}"${sent && ", init"});   // what you saw
const response = await payer.fetch("${url}", ${sent ? "init" : "{}"}, { quote: offers[chosen] });`;
  }
  const more = maxPrice ? `, ${sent || "{}"}, { maxPrice: "${maxPrice}" }` : sent && `, ${sent}`;
  return `const response = await payer.fetch("${url}"${more});`;
}

/** A policy as a person writes it. */
const policyText = (policy) => JSON.stringify(policy).replace(/"(\w+)":/g, " $1: ").replaceAll(",", ", ").replaceAll("}", " }").replace(/ +/g, " ");
