/** One photo of a set, closely: what every backend said of every variant, and how to open it alone. */

import { getPhotos, problemText } from "../api.js";
import { definitions, el, fill } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { percent, plural, shortLabel, signedPoints, variantName } from "../format.js";
import { isBusy, state } from "../state.js";
import { picture } from "./photo_card.js";

/** @import { PhotoAnswer, Report, SetPhoto } from "../types.js" */

/** @param {SetPhoto} photo whose answers may be those to one variant only @param {() => void} onClose */
export async function openPhoto(photo, onClose) {
  const { report } = state;
  const answers = el("div", { role: "status" }, el("p", { className: "muted" }, "Loading its answers…"));
  openDrawer(photo.name, [
    el("div", { className: "photo-head" }, picture(photo), definitions(facts(photo))),
    answers,
    alone(photo.name),
  ], onClose);
  try {
    const { rows: [all] } = await getPhotos(report.run_id, { photo: photo.index });
    fill(answers, answerTable(report, all));
  } catch (problem) {
    fill(answers, el("p", { className: "bad" }, problemText(problem)));
  }
}

/** @param {SetPhoto} photo @returns {[string, string][]} */
function facts({ label, reference }) {
  const wrong = { true: " (right)", false: " (wrong)", null: "" };
  return [
    ["True label", label || "not given"],
    ["The original", reference ? `${reference.label}, ${percent(reference.score)}${wrong[String(reference.correct)]}` : "not answered"],
  ];
}

/** In the report's order: by size, the largest first. @param {Report} report @param {SetPhoto} photo */
function answerTable(report, { answers, flips }) {
  const place = (answer) => report.variants.findIndex(({ id }) => id === answer.variant_id);
  const sorted = [...answers].sort((a, b) => place(a) - place(b) || a.backend_name.localeCompare(b.backend_name));
  const heads = ["Variant", "Backend", "Answer", "Original's label"].map((words) => el("th", { scope: "col" }, words));
  return el("div", { className: "table-scroll", role: "region", "aria-label": "Its answers, which may scroll sideways", tabIndex: 0 },
    el("table", {},
      el("caption", {}, flips ? `${flips} of ${plural(answers.length, "answer")} differ from the original's.`
        : `All ${plural(answers.length, "answer")} are the original's.`),
      el("thead", {}, el("tr", {}, ...heads)),
      el("tbody", {}, ...sorted.map((answer) => answerRow(report, answer)))));
}

/** @param {Report} report @param {PhotoAnswer} answer */
function answerRow(report, answer) {
  const variant = report.variants.find(({ id }) => id === answer.variant_id);
  const words = `${shortLabel(answer.label)} ${percent(answer.score)}`;
  const kept = answer.kept === false;
  return el("tr", {},
    el("th", { scope: "row" }, variant ? variantName(variant) : answer.variant_id),
    el("td", {}, answer.backend_name),
    el("td", { className: kept ? "bad" : "" }, kept ? `✕ ${words}` : `✓ ${words}`),
    el("td", {}, fallWords(answer)));
}

/** Below the top 5 only a bound is known. @param {PhotoAnswer} answer */
function fallWords({ kept, fall_points: fall }) {
  if (fall === null) return "";
  return kept ? `${signedPoints(-fall)} points` : `falls by at least ${Math.max(0, fall).toFixed(1)} points`;
}

/** The server does not keep the photos of a set; this browser has them as long as the page stays open. */
function alone(name) {
  const item = state.photo?.set?.items.find(({ path }) => path === name || path.endsWith(`/${name}`) || name.endsWith(`/${path}`));
  const why = "A run of this photo alone shows every variant as a picture, what the model sees, and all samples.";
  if (!item)
    return el("p", { className: "hint" }, `${why} The server keeps no photos of a set: choose or drop ${name.split("/").pop()} from your own folder.`);
  const open = el("button", { type: "button", onclick: () => openAlone(item.file), disabled: isBusy() }, "Choose this photo alone");
  return el("div", { className: "photo-alone" }, el("p", { className: "hint" }, why), open);
}

/** @param {File} file */
async function openAlone(file) {
  const { takeFiles } = await import("../setup/photo.js");
  /** @type {HTMLDialogElement} */ (document.querySelector("#drawer")).close();
  await takeFiles([file]);
  window.scrollTo({ top: 0 });
}
