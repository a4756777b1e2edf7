/** The question that the page answers, the words it uses, and how to read its marks. */

import { definitions, el } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { badge } from "./badge.js";

const QUESTION = [
  "A classifier sees a small square of pixels, whatever you send. So a smaller or more compressed photo often gives the same " +
    "answer, faster and for fewer bytes. How small is too small, in which format, and on which hardware? That depends on " +
    "your model, your photos and your servers, so it has to be measured.",
  "Choose a photo. Copies of it, step by step smaller, go to every backend many times over. The sentence on top says what to " +
    "serve; the plots and the table say what each choice costs.",
];
const WORDS = [
  ["Variant", "One copy of the photo: a size, a format, a quality. The original is one of them."],
  ["Backend", "A model server that the variants are sent to."],
  ["Latency", "From building a request to its parsed answer, as this app sees it. Making the variant is not part of it."],
  ["Server time", "The server's own stages, if it reports them."],
  ["p50, p90, p99", "Half, 90 % and 99 % of the requests were faster. p90 needs 64 samples, p99 662."],
  ["Recommended", "Of the variants that answered every request and meet the goals, the one with the fewest bytes. By default " +
    "the top answer must stay the same, with a probability at most 5 points lower."],
  ["Agreement", "The same top answer as this backend gives to the original. It does not say that the answer is right."],
  ["Accuracy", "The answer is right. Only known when you name what the photo shows, or send photos with labels."],
];
const BADGES = [
  ["VALID", "No failures, an interval within 10 % of p50, nothing disturbed the measurement."],
  ["NOISY", "The interval is wider than 10 %. More repeats narrow it; so does a quieter machine."],
  ["INVALID", "Failures, shared cores measured at the same time, or too few samples. Do not rely on the times."],
];
const KEYS = [
  ["Ctrl or ⌘ + Enter", "Run"],
  ["Esc", "Stop the run; close this panel"],
  ["Paste", "A photo from the clipboard, anywhere on the page"],
];

export function openHelp() {
  openDrawer("Help", [
    section("The question", ...QUESTION.map((text) => el("p", {}, text))),
    section("Words", definitions(WORDS)),
    section("Can I trust this number?", definitions(BADGES.map(([name, words]) => [badge(name), words])),
      el("p", { className: "muted" }, "In the table ≈ stands for NOISY and ✕ beside a time for INVALID. Beside an answer, " +
        "✓ is the same answer as the original's and ✕ another one.")),
    section("Keys", definitions(KEYS)),
  ]);
}

/** @param {string} title @param {...Node} content */
function section(title, ...content) {
  return el("section", { className: "help-part" }, el("h3", {}, title), ...content);
}
