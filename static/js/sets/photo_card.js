/** One photo of a set in a list: its picture, what it shows, and whether its answer was kept. */

import { el } from "../dom.js";
import { percent, plural, shortLabel } from "../format.js";

/** @import { SetPhoto } from "../types.js" */

/**
 * What became of the photo's answer, in words. @param {SetPhoto} photo
 * @returns {{isFlipped: boolean, words: string}}
 */
export function verdictOf({ answers, flips }) {
  if (!answers.length) return { isFlipped: false, words: "no answer" };
  const isFlipped = flips > 0;
  if (answers.length === 1) return { isFlipped, words: oneAnswer(answers[0]) };
  if (!isFlipped) return { isFlipped, words: `same answer in all ${answers.length}` };
  const others = [...new Set(answers.filter(({ kept }) => kept === false).map(({ label }) => shortLabel(label)))];
  const more = others.length > 2 ? `, and ${others.length - 2} more` : "";
  return { isFlipped, words: `flips in ${flips} of ${answers.length}: ${others.slice(0, 2).join(", ")}${more}` };
}

/** @param {import("../types.js").PhotoAnswer} answer */
function oneAnswer({ label, score, kept }) {
  const answer = `${shortLabel(label)} ${percent(score)}`;
  return kept === false ? `flips to ${answer}` : kept ? `same, ${answer}` : answer;
}

/** What the person said that it shows, and what the original was called. @param {SetPhoto} photo */
export function labelWords({ label, reference }) {
  const original = reference && `original: ${shortLabel(reference.label)} ${percent(reference.score)}`;
  const isWrong = reference?.correct === false ? " (wrong)" : "";
  return [label && `label: ${shortLabel(label)}`, original && original + isWrong].filter(Boolean).join("; ");
}

/** @param {SetPhoto} photo @param {(photo: SetPhoto) => void} onChoose */
export function photoCard(photo, onChoose) {
  const { isFlipped, words } = verdictOf(photo);
  const button = el("button", { type: "button", className: isFlipped ? "photo-card flipped" : "photo-card", "aria-haspopup": "dialog",
    "data-photo": photo.index, onclick: () => onChoose(photo) },
    picture(photo),
    el("span", { className: "photo-name" }, photo.name.split("/").pop()),
    el("span", { className: "photo-label" }, labelWords(photo)),
    el("span", { className: "photo-verdict" }, el("span", { "aria-hidden": "true" }, isFlipped ? "✕ " : "✓ "), words));
  return el("li", { title: photo.name }, button);
}

/** @param {SetPhoto} photo */
export function picture({ thumb_url: url }) {
  if (url) return el("img", { className: "photo-picture", src: url, alt: "", loading: "lazy", decoding: "async" });
  return el("span", { className: "photo-picture none" }, "no picture kept");
}

/** @param {SetPhoto[]} photos @param {(photo: SetPhoto) => void} onChoose */
export const photoGrid = (photos, onChoose) =>
  el("ul", { className: "photo-grid", "aria-label": plural(photos.length, "photo") }, ...photos.map((photo) => photoCard(photo, onChoose)));
