/** What the model really sees of a variant: sent to a backend again, when somebody opens it. */

import { problemText } from "../api.js";
import { el, fill, setText } from "../dom.js";
import { variantName } from "../format.js";
import { captioned, seeingBackends, seenDifference, seenPicture } from "../pictures/seen_pictures.js";

/** @param {any} report @param {any} variant @param {any} other what it is compared with; the variant itself, or undefined */
export function seenSection(report, variant, other) {
  const place = el("div", { className: "seen-place" });
  const words = el("p", { role: "status", className: "seen-words" });
  const there = seeingBackends(report);
  if (!there.length) return null;
  const buttons = there.map((backend) => {
    const button = el("button", { type: "button" }, `Show for ${backend.name}`);
    button.addEventListener("click", () => ask(report, variant, other, backend, place, words));
    return button;
  });
  return el("section", { className: "seen", "aria-label": "What the model really sees" },
    el("h3", {}, "What the model really sees"),
    el("p", { className: "muted" }, "The decoded and resized input of its network. It is not kept while measuring, so the " +
      "variant is sent to a backend again."),
    el("div", { className: "buttons" }, ...buttons), words, place);
}

async function ask(report, variant, other, backend, place, words) {
  setText(words, `Waiting for ${backend.name}…`);
  words.classList.remove("problem");
  try {
    const variants = other && other !== variant ? [other, variant] : [variant];
    const seen = [];
    for (const each of variants) seen.push(await seenPicture(report, each, backend)); // one at a time
    const difference = seen.length > 1 ? seenDifference(seen[0], seen[1]) : null;
    fill(place, ...seen.map(({ image }, at) => captioned(image, variantName(variants[at]))),
      difference && captioned(difference.canvas, `Difference ×8. ${difference.words}`));
    setText(words, sentences(report, backend, seen));
  } catch (problem) {
    words.classList.add("problem");
    setText(words, problemText(problem));
    fill(place);
  }
}

function sentences(report, backend, seen) {
  const [{ image, version }] = seen;
  const scales = [...new Set(seen.map(({ scale }) => scale))];
  const apart = scales.length > 1 ? ["Their ranges differ, so no difference is drawn."] : [];
  const other = version && backend.version && version !== backend.version
    ? [`This is model version ${version}; version ${backend.version} was measured.`] : [];
  return [`Seen by ${backend.name}: ${image.naturalWidth} × ${image.naturalHeight}.`, ...scales, ...apart, ...other].join(" ");
}
