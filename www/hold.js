// What one call asks for beyond the limits: that it costs what is listed, or is what the offer said. The package holds the
// 402 against it; here it is only chosen.
import { by, fill, h } from "./dom.js";
import { money, shortened } from "./format.js";

const key = ({ method, path }) => `${method} ${path}`;

/** Lets a person choose; `changed()` is called when one did. */
export function offerHold(state, changed) {
  state.offers = new Map();
  state.hold = "";
  by("hold").addEventListener("change", () => {
    state.hold = by("hold").value;
    changed();
  });
}

/** An offer was seen for a route at a URL, or none that would be paid: the last one counts. */
export function seen(state, route, url, offer) {
  if (offer) state.offers.set(key(route), { url, offer });
  else state.offers.delete(key(route));
  drawHold(state);
}

/** Draws the choices that the chosen route has. What is not there any more is not held to. */
export function drawHold(state) {
  const { route, offers } = state;
  const offer = offers.get(key(route))?.offer;
  const said = offer && `${money(offer.tokens)} ${offer.symbol} to ${shortened(offer.payTo)}`;
  const choices = [
    ["", "your limits alone"],
    ["listed", route.price === null ? "the price listed: it is free" : `the price listed, ${route.price}`, route.price === null],
    ["offer", offer ? `the offer: ${said}` : "the offer: see it first", !offer],
  ];
  const chosen = held(state);
  fill(
    by("hold"),
    choices.map(([value, text, missing]) => h("option", { value, selected: value === chosen, disabled: missing }, text)),
  );
}

/** What was chosen, where this route has it. A route without it is held to the limits, until one that has it is chosen. */
function held({ hold, route, offers }) {
  const there = { listed: route.price !== null, offer: offers.has(key(route)) };
  return there[hold] ? hold : "";
}

/** The options of a call, as `payer.fetch` takes them behind `fetch`'s own. */
export function wishes(state) {
  const { route, offers } = state;
  const hold = held(state);
  if (hold === "listed") return { maxPrice: route.price };
  return hold === "offer" ? { quote: offers.get(key(route)).offer } : undefined;
}

/** Where the offer of the chosen route was seen. */
export const seenAt = ({ route, offers }) => offers.get(key(route))?.url;
