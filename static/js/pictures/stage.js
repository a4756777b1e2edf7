/**
 * The stage: two pictures of a run compared, large, and what the model sees of both.
 * @import { Photo } from "../types.js"
 */

import { el, fill, loadStyle, part, setText } from "../dom.js";
import { isBusy, state, update, watch } from "../state.js";
import { compareView } from "./compare_view.js";
import { stageKey } from "./frames.js";
import { hasBytes, picturesOf } from "./picture_urls.js";
import { seenPair } from "./seen_pair.js";

const GONE = "This picture could not be loaded. Reload the page to try again.";
const SMALL = "Small pictures from the report.";
const NONE = "This report holds no pictures.";

let first = ""; // chosen to be A here; "": the original
let shownRun = "";
/** @type {Record<string, string>} */
const looked = {};

const seen = seenPair();
const view = compareView({
  place: "stage",
  fixed: true,
  beside: seen.element,
  get: (key) => looked[key] || "",
  set: (key, value) => (looked[key] = value),
  choose,
  whyMissing: async () => GONE,
});
const origin = el("p", { className: "hint", hidden: true });

/** Once. */
export async function wireStage() {
  await loadStyle("pictures");
  fill(part("stage"), view.element, origin);
  watch(["report", "live", "chosen", "photo", "run", "job"], draw);
}

function choose(a, b) {
  first = a;
  if (b === state.chosen) draw();
  else update({ chosen: b });
}

function draw() {
  const { report, live, chosen, photo, job } = state;
  part("stage").hidden = Boolean(report?.photo_set);
  if (report?.photo_set) return;
  if (!report) return showPhoto(photo);
  if (report.run_id !== shownRun) [shownRun, first] = [report.run_id, ""];
  const pictures = picturesOf(report, live);
  const reference = report.variants.find((variant) => variant.is_reference)?.id || "";
  const isThere = (id) => pictures.some((picture) => picture.id === id);
  const a = isThere(first) ? first : isThere(reference) ? reference : pictures[0]?.id || "";
  const b = stageKey(report, live, chosen);
  view.element.hidden = !pictures.length;
  view.show(pictures, a, isThere(b) && b !== a ? b : "");
  origin.hidden = hasBytes(report);
  setText(origin, pictures.length ? SMALL : NONE);
  seen.show(report, a, b, !isBusy() && !job);
}

/** Before a run, and until its first variants are there. @param {?Photo} photo */
function showPhoto(photo) {
  seen.hide();
  origin.hidden = true;
  const isShown = Boolean(photo?.width_px && photo.url && !photo.set);
  view.element.hidden = !isShown;
  if (!isShown) return;
  const { name, url, width_px: width, height_px: height } = photo;
  view.show([{ id: "photo", url, name, short: name, facts: `${width} × ${height} px`, width, height }], "photo", "");
}
