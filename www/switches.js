// Breaking things on purpose: the switches of the local world, which stand between its parts. What they do is done to the
// running gate and chain; this page only turns them.
import { by, fill, h } from "./dom.js";
import { say } from "./result.js";

/** The parts that have a switch, what is to be known of each, and what its positions are called and do. */
const parts = [
  ["node", "The chain's node", "The gate settles through it by itself: it is its own facilitator.", {
    normal: ["As usual"],
    slow: ["Slow", "Every answer of the node comes 0.7 s late. Payments take longer; nothing else changes."],
    down: ["Down", "The facilitator is down: the gate cannot ask the chain. It answers 503, hands over nothing and takes nothing."],
    lose: ["Answers lost", "Settlements reach the chain, and nobody tells the gate. After 20 s it answers “pending”; set this to “As usual” and see the same payment served."],
  }],
  ["origin", "The origin", "It makes what is sold, behind the gate.", {
    normal: ["As usual"],
    fail: ["Fails", "The origin answers 503. It is delivered, and nothing is charged."],
    down: ["Down", "The origin is not there. The gate answers 502, and nothing is charged."],
  }],
  ["gate", "The payee", "It says what is to be paid, and answers.", {
    normal: ["As usual"],
    raised: ["Wrong price", "Its 402 asks for ten times the price. Hold the payment to what you saw, and nothing is signed; held to nothing, what your limits allow is signed."],
    dearer: ["Asks again", "Once it has a payment it asks for another, ten times as much. One call pays once: nothing more is signed."],
    lose: ["Answer lost", "The money moves and the answer is lost on its way back. The same payment is sent again and gets what it bought."],
  }],
];

/** Draws the switches and keeps `state.modes` as they are; `turned()` is called when one was. */
export async function offerSwitches(world, state, turned) {
  const radio = (part, mode, [name]) =>
    h("label", { class: "mode" }, h("input", { type: "radio", name: part, value: mode, onchange: () => turn({ [part]: mode }) }), h("span", {}, name));
  const group = ([part, title, about, modes]) =>
    h(
      "fieldset",
      { class: "modes", "aria-describedby": `about-${part}` },
      h("legend", {}, title),
      h("p", { id: `about-${part}` }, about),
      h("div", {}, Object.entries(modes).map(([mode, told]) => radio(part, mode, told))),
    );
  const mend = h("button", { type: "button", id: "mend", hidden: true, onclick: mendAll }, "Mend everything");
  const hint = h("div", { class: "broken" });
  fill(by("switches"), parts.map(group), hint, mend);

  /** What is broken now, in words. */
  function draw() {
    const broken = [];
    for (const [part, , , modes] of parts) {
      const mode = state.modes[part];
      by("switches").querySelector(`input[name="${part}"][value="${mode}"]`).checked = true;
      if (modes[mode][1]) broken.push(modes[mode][1]);
    }
    fill(hint, broken.map((sentence) => h("p", {}, sentence)));
    mend.hidden = broken.length === 0;
    turned();
  }

  async function turn(change) {
    const options = change && { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(change) };
    try {
      const response = await fetch(world.switches, options);
      if (!response.ok) throw new Error(`status ${response.status}`);
      state.modes = await response.json();
      draw();
      if (change) say(hint.textContent || "Everything is as usual.");
    } catch (error) {
      const sentence = `The switches do not answer: ${error.message}. Start the world again.`;
      fill(hint, h("p", { class: "hint bad" }, sentence));
      say(sentence);
    }
  }

  async function mendAll() {
    await turn(Object.fromEntries(parts.map(([part]) => [part, "normal"])));
    by("switches").querySelector("input:checked").focus();
  }

  await turn();
}
