// Two small charts of many payments, drawn by hand: how long each took, and what was spent by when. A shape says what a
// colour says, and a sentence says it all.
import { h } from "./dom.js";
import { duration, money } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 168;
/** Room for what is written beside. */
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 46, 10, 24];

function s(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, String(value));
  element.append(...children.flat(Infinity).filter(Boolean));
  return element;
}

/** The value below which this share of sorted values lies; the nearest one that exists. */
export const percentile = (sorted, share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];

/** 1, 2 or 5 times a power of ten, at or above. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

/** A frame with a scale from zero to `most` on the left and words below; `draw(x, y)` fills it. */
function frame({ title, label, width, span, most, unit, below }, draw) {
  const x = (at) => LEFT + (at / span) * (width - LEFT - RIGHT);
  const y = (amount) => HEIGHT - BOTTOM - (amount / most) * (HEIGHT - BOTTOM - TOP);
  const value = (share) => (share === 0 ? "0" : unit(share * most));
  const lines = [0, 0.5, 1].map((share) => [
    s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(share * most), y2: y(share * most) }),
    s("text", { class: "scale", x: LEFT - 8, y: y(share * most) + 4, "text-anchor": "end" }, value(share)),
  ]);
  const words = s("text", { class: "scale", x: LEFT, y: HEIGHT - 5 }, below);
  const svg = s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label }, lines, words, draw(x, y));
  return h("figure", { class: "chart" }, h("figcaption", {}, title), svg);
}

/** Paid is a dot, refused a square, failed a cross. */
const marks = {
  paid: (x, y) => s("circle", { class: "paid", cx: x, cy: y, r: 3 }),
  refused: (x, y) => s("rect", { class: "refused", x: x - 3, y: y - 3, width: 6, height: 6 }),
  failed: (x, y) => s("path", { class: "failed", d: `M${x - 3.5} ${y - 3.5}l7 7m0-7l-7 7` }),
};

/** How long each took, in the order they began; `runs` are `{ ms, outcome }`. */
export function latencies(runs, count, width) {
  const done = runs.filter(Boolean);
  const sorted = done.map(({ ms }) => ms).sort((a, b) => a - b);
  const [half, most] = [percentile(sorted, 0.5), percentile(sorted, 0.95)];
  const label = `Half of ${sorted.length} took at most ${duration(half)}, 95 of 100 at most ${duration(most)}.`;
  const draw = (x, y) => {
    const line = (value, name) => [
      s("line", { class: "level", x1: LEFT, x2: x(count), y1: y(value), y2: y(value) }),
      s("text", { class: "scale", x: x(count) + 6, y: y(value) + 4 }, name),
    ];
    // Two names on top of each other are none.
    const apart = y(half) - y(most) > 12;
    return [line(half, "p50"), apart && line(most, "p95"), runs.map((run, index) => run && marks[run.outcome](x(index + 0.5), y(run.ms)))];
  };
  return frame({ title: "Time of each", label, width, span: count, most: round(sorted.at(-1)), unit: duration, below: `1 to ${count}, in the order they began` }, draw);
}

/** What was spent by when; `paid` are `{ at, tokens }` in the order they were answered. */
export function spending(paid, symbol, width) {
  const total = Number(paid.reduce((sum, { tokens }) => sum + Number(tokens), 0).toFixed(6));
  const end = paid.at(-1).at;
  const label = `${money(String(total))} ${symbol} within ${duration(end)}.`;
  let sum = 0;
  const draw = (x, y) => {
    const path = paid.map(({ at, tokens }) => `H${x(at).toFixed(1)}V${y((sum += Number(tokens))).toFixed(1)}`);
    return s("path", { class: "sum", d: `M${x(0)} ${y(0)}${path.join("")}` });
  };
  const unit = (value) => money(String(Number(value.toPrecision(3))));
  return frame({ title: `Spent, in ${symbol}`, label, width, span: end, most: round(total), unit, below: `0 to ${duration(end)}` }, draw);
}
