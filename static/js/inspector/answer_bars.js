/** The answers to a variant beside those to the original, as bars. */

import { el } from "../dom.js";
import { percent } from "../format.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {object} Answer
 * @property {string} label
 * @property {?number} score  probability 0..1; null: below this variant's top 5
 * @property {?number} was    of the original; null: below its top 5, or nothing to compare with
 */

/**
 * The top 5, and after them what was in the original's top 5 only.
 * @param {any} cell @param {any} [referenceCell] the same backend's; missing for the original itself
 * @returns {Answer[]}
 */
export function answersOf(cell, referenceCell) {
  const before = new Map((referenceCell?.top || []).map(({ label, score }) => [label, score]));
  const now = cell.top.map(({ label, score }) => ({ label, score, was: before.get(label) ?? null }));
  const kept = new Set(now.map(({ label }) => label));
  const lost = [...before].filter(([label]) => !kept.has(label)).map(([label, was]) => ({ label, score: null, was }));
  return [...now, ...lost];
}

/** "66 %, original 71 %". @param {Answer} answer @param {boolean} compared @param {string} [base] what it is compared with */
export function scoreWords({ score, was }, compared, base = "original") {
  const now = score === null ? "below the top 5" : percent(score);
  if (!compared) return now;
  return `${now}, ${base} ${was === null ? "below its top 5" : percent(was)}`;
}

/**
 * @param {any} cell @param {any} referenceCell undefined for the original itself @param {string} [trueLabel] the one that is right
 * @param {string} [base] what it is compared with
 */
export function answerBars(cell, referenceCell, trueLabel = "", base = "original") {
  const compared = Boolean(referenceCell);
  const items = answersOf(cell, referenceCell).map((answer) =>
    el("li", {},
      el("span", { className: "answer-label" }, answer.label, answer.label === trueLabel ? " ✓ true label" : ""),
      bar(answer),
      el("span", { className: "answer-score" }, scoreWords(answer, compared, base))));
  const legend = compared &&
    el("p", { className: "muted answers-legend" }, key("bar-now"), " this variant", key("bar-ghost"),  ` the ${base}`);
  return el("div", { className: "answer-block" }, el("ol", { className: "answers", "aria-label": "Top answers" }, ...items), legend);
}

/** The original's bar is an outline behind and around the variant's. @param {Answer} answer */
function bar({ score, was }) {
  const drawn = shape("svg", { class: "bar", "aria-hidden": "true", focusable: "false" });
  if (score !== null) drawn.append(shape("rect", { class: "bar-now", y: "3", height: "8", width: `${100 * score}%` }));
  if (was !== null) drawn.append(shape("rect", { class: "bar-ghost", y: "1", height: "12", width: `${100 * was}%` }));
  return drawn;
}

function key(name) {
  const drawn = shape("svg", { class: "bar-key", "aria-hidden": "true", focusable: "false" });
  drawn.append(shape("rect", { class: name, x: "1", y: "2", width: "22", height: "10" }));
  return drawn;
}

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
