/** The question that the page answers, the words it uses, and how to read its marks. */

import { definitions, el } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { state } from "../state.js";
import { badge } from "./badge.js";

const QUESTION = [
  "A classifier sees a small square of pixels, whatever you send. So a smaller or more compressed photo often gives the same " +
    "answer, faster and for fewer bytes. How small is too small, in which format, and on which hardware? That depends on " +
    "your model, your photos and your servers, so it has to be measured.",
  "Choose a photo. Smaller and smaller copies of it are sent to every backend, many times each. The sentence on top says what " +
    "to serve; the plots and the table show what each choice costs.",
];
const KEYS = [
  ["Ctrl or ⌘ + Enter", "Run"],
  ["Esc", "Stop the run; close this panel"],
  ["Paste", "A photo from the clipboard, anywhere on the page"],
];

export function openHelp() {
  const { definitions: words = [], validity = [] } = state.config || {}; // none: the server did not answer
  openDrawer("Help", [
    section("The question", ...QUESTION.map((text) => el("p", {}, text))),
    section("Words", definitions(words.map(({ term, text }) => [term, text]))),
    section("Can I trust this number?", definitions(validity.map(({ term, text }) => [badge(term), text])),
      el("p", { className: "muted" }, "In the table, ≈ beside a time means NOISY and ⚠ means INVALID. Beside an answer, " +
        "✓ means the same answer as the original's and ✕ a different one.")),
    section("Keys", definitions(KEYS)),
  ]);
}

/** @param {string} title @param {...Node} content */
function section(title, ...content) {
  return el("section", { className: "help-part" }, el("h3", {}, title), ...content);
}
