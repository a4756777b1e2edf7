/** What the model really sees of a variant: sent to a backend again, when somebody opens it. */

import { getAnswer, problemText, seenPath } from "../api.js";
import { el, fill, setText } from "../dom.js";
import { variantName } from "../format.js";
import { drawDifference } from "./difference_canvas.js";

/** @param {any} report @param {any} variant @param {any} reference the original; the variant itself, or undefined */
export function seenSection(report, variant, reference) {
  const place = el("div", { className: "seen-place" });
  const words = el("p", { role: "status", className: "seen-words" });
  const there = report.backends.filter(({ state, protocol }) => state !== "absent" && protocol !== "queue");
  if (!there.length) return null; // a queue answers with labels only
  const buttons = there.map((backend) => {
    const button = el("button", { type: "button" }, `Show for ${backend.name}`);
    button.addEventListener("click", () => ask(report, variant, reference, backend, place, words));
    return button;
  });
  return el("section", { className: "seen", "aria-label": "What the model really sees" },
    el("h3", {}, "What the model really sees"),
    el("p", { className: "muted" }, "The decoded and resized input of its network. It is not kept while measuring, so the " +
      "variant is sent to a backend again."),
    el("div", { className: "buttons" }, ...buttons), words, place);
}

async function ask(report, variant, reference, backend, place, words) {
  setText(words, `Waiting for ${backend.name}…`);
  words.classList.remove("problem");
  try {
    const others = reference && reference !== variant ? [reference] : [];
    const pictures = [];
    for (const each of [...others, variant]) pictures.push(await pictureOf(report, each, backend)); // one at a time
    fill(place, ...pictures.map(({ figure }) => figure), others.length > 0 && differenceFigure(pictures));
    setText(words, sentences(report, backend, pictures));
  } catch (problem) {
    words.classList.add("problem");
    setText(words, problemText(problem));
    fill(place);
  }
}

/** One picture with what the server says about it. Throws Problem. */
async function pictureOf(report, variant, backend) {
  const answer = await getAnswer(seenPath(report.run_id, variant.id, backend.name));
  const image = el("img", { alt: `${variantName(variant)} as ${backend.name} sees it`, className: "sharp" });
  image.src = URL.createObjectURL(await answer.blob());
  await image.decode();
  URL.revokeObjectURL(image.src);
  return {
    image,
    figure: el("figure", {}, image, el("figcaption", { className: "muted" }, variantName(variant))),
    scale: answer.headers.get("x-pixelcost-scale") || "",
    version: Number(answer.headers.get("x-pixelcost-model-version")) || null,
  };
}

/** Null where the two were scaled to 8 bits differently: their levels can't be compared. @param {any[]} pictures */
function differenceFigure([one, other]) {
  if (one.scale !== other.scale) return null;
  const canvas = el("canvas", { className: "sharp", role: "img", "aria-label": "Their difference, eight times as strong" });
  const size = { width: one.image.naturalWidth, height: one.image.naturalHeight };
  const words = drawDifference(canvas, one.image, other.image, size);
  return el("figure", {}, canvas, el("figcaption", { className: "muted" }, `Difference ×8. ${words}`));
}

function sentences(report, backend, pictures) {
  const [{ image, version }] = pictures;
  const scales = [...new Set(pictures.map(({ scale }) => scale))];
  const apart = scales.length > 1 ? ["Their ranges differ, so no difference is drawn."] : [];
  const other = version && backend.version && version !== backend.version
    ? [`This is model version ${version}; version ${backend.version} was measured.`] : [];
  return [`Seen by ${backend.name}: ${image.naturalWidth} × ${image.naturalHeight}.`, ...scales, ...apart, ...other].join(" ");
}
