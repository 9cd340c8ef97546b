// The answer's body: JSON set out, a page in a frame that may do nothing, text piece by piece as it arrives.
import { fill, h } from "./dom.js";
import { bytes, duration } from "./format.js";

/** Characters that are shown; the rest of a longer answer is counted. */
const SHOWN = 200_000;

/**
 * Reads a response to its end and shows it below `place` on the way. `moved()` is called for every piece.
 * @returns {Promise<{bytes: number, pieces: number}>}
 */
export async function showAnswer(place, response, moved) {
  const type = (response.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
  const note = h("p", { class: "note" });
  const body = h("div", {});
  fill(place, h("h3", {}, "Answer"), body, note);
  place.dataset.state = "open";
  const show = /^(application\/([\w.+-]+\+)?json|text\/html)$/.test(type) ? atOnce : /^text\/|ndjson|event-stream/.test(type) ? asItComes : counted;
  const view = show(body, type);
  const began = performance.now();
  const read = { bytes: 0, pieces: 0 };
  const decoder = new TextDecoder();
  try {
    if (response.body) {
      for await (const chunk of chunks(response.body)) {
        read.bytes += chunk.byteLength;
        read.pieces += 1;
        view.piece(decoder.decode(chunk, { stream: true }), performance.now() - began);
        moved(read);
      }
    }
    view.end(decoder.decode());
    note.textContent = `${type || "no content type"}, ${bytes(read.bytes)}${read.pieces > 1 ? ` in ${read.pieces} pieces` : ""}`;
  } catch (error) {
    view.end("");
    note.textContent = `The answer broke off after ${bytes(read.bytes)}: ${error.message}`;
    throw error;
  } finally {
    place.dataset.state = "ended";
  }
  return read;
}

/** Not every browser iterates a stream; every one has a reader. */
async function* chunks(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** JSON and pages make sense as a whole. */
function atOnce(body, type) {
  let text = "";
  return {
    piece: (piece) => (text += piece),
    end(piece) {
      text += piece;
      if (text === "") return;
      body.append(type === "text/html" ? page(text) : json(text));
    },
  };
}

/** Text appears when it arrives, with the time it took. */
function asItComes(body) {
  const list = h("ol", { class: "pieces", tabindex: "0", "aria-label": "Pieces of the answer with their times" });
  let shown = 0;
  const piece = (text, at) => {
    if (text === "" || shown > SHOWN) return;
    if (!list.isConnected) body.append(list);
    shown += text.length;
    list.append(h("li", {}, h("time", {}, `+${duration(at)}`), h("span", {}, text.replace(/\n$/, "").slice(0, SHOWN))));
    list.scrollTop = list.scrollHeight;
  };
  return { piece, end: (text) => piece(text, 0) };
}

/** What is neither is only counted. */
const counted = () => ({ piece() {}, end() {} });

function json(text) {
  try {
    return setOut(JSON.parse(text), "The answer as JSON");
  } catch {
    // An answer that says JSON and is none is shown as it came.
    return lines(text, "The answer");
  }
}

/** A value as JSON, set out line by line, its keys apart. */
export const setOut = (value, label) => lines(JSON.stringify(value, null, 2), label);

function lines(shown, label) {
  const code = h("code", {});
  const line = /^(\s*)("(?:[^"\\]|\\.)*")(: )(.*)$/;
  for (const one of shown.slice(0, SHOWN).split("\n")) {
    const found = line.exec(one);
    if (found) code.append(found[1], h("span", { class: "key" }, found[2]), `${found[3]}${found[4]}\n`);
    else code.append(`${one}\n`);
  }
  return h("pre", { tabindex: "0", role: "region", "aria-label": label }, code);
}

/** A stranger's page: no scripts, no forms, no origin, and below the policy of this page, so no requests either. */
function page(text) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  const style = parsed.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("reader.css", document.baseURI).href;
  parsed.head.prepend(style);
  const frame = h("iframe", { sandbox: "", title: parsed.title || "The answer as a page" });
  frame.srcdoc = `<!doctype html>${parsed.documentElement.outerHTML}`;
  return frame;
}
