/** One variant of a set, closely: what each backend answered over all photos, and which of them it flips. */

import { getPhotos, problemText } from "../api.js";
import { definitions, el, fill, loadStyle, part } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { bytes, duration, plural, shareOf, signedPoints, variantName } from "../format.js";
import { state, update, writeView } from "../state.js";
import { badge } from "../results/badge.js";
import { cellReasons, differenceHint, shareText } from "../results/columns.js";
import { photoGrid } from "../sets/photo_card.js";
import { openPhoto } from "../sets/photo_details.js";

const MOST_SHOWN = 12; // photos; the tab has all

/** @param {string} variantId */
export function openInspector(variantId) {
  const { report } = state;
  const variant = report.variants.find(({ id }) => id === variantId);
  const cells = report.cells.filter((cell) => cell.variant_id === variantId && cell.count);
  select(variantId);
  openDrawer(variantName(variant), [
    definitions([
      ["Typical size", `${variant.width_px} × ${variant.height_px} px, ${bytes(variant.size_bytes)} (medians)`],
      ["Encoder", variant.encoder],
    ]),
    report.imported || variant.is_reference ? null : flippedPhotos(variantId),
    ...cells.map((cell) => cellCard(cell)),
    between(report, variantId),
  ].filter(Boolean), () => select(""));
}

function select(sel) {
  update({ view: { ...state.view, sel } });
  writeView();
}

/** The photos that lose their answer at this variant, worst first. @param {string} variantId */
function flippedPhotos(variantId) {
  const place = el("div", { role: "status" }, el("p", { className: "muted" }, "Loading the photos that flip…"));
  fillFlipped(place, variantId);
  return el("section", { className: "flipped-photos" }, el("h3", {}, "Photos that flip"), place);
}

async function fillFlipped(place, variantId) {
  const [found] = await Promise.all([
    getPhotos(state.report.run_id, { variant: variantId, only: "flipped", limit: MOST_SHOWN }).catch((problem) => ({ problem })),
    loadStyle("sets"),
  ]);
  if ("problem" in found) return fill(place, el("p", { className: "muted" }, problemText(found.problem)));
  const words = `${found.flipped.toLocaleString("en")} of ${plural(found.photos, "photo")}: ${shareOf(found.flipped_share)}.`;
  return fill(place, el("p", {}, words),
    found.rows.length > 0 && photoGrid(found.rows, (photo) => openPhoto(photo, () => select(""))),
    el("button", { type: "button", onclick: () => inTab(variantId) }, "Show them all under Photos"));
}

/** @param {string} variantId */
async function inTab(variantId) {
  const { showFlipped } = await import("../sets/explorer.js");
  part("drawer").close();
  showFlipped(variantId);
}

/** @param {import("../types.js").Cell} cell */
function cellCard(cell) {
  const reasons = cellReasons(cell);
  return el("section", { className: "cell-card" },
    el("h3", {}, cell.backend_name, " ", badge(cell.validity)),
    reasons && el("p", { className: "muted" }, reasons),
    definitions(rows(cell)));
}

/** @param {import("../types.js").Cell} cell */
function rows(cell) {
  const { top1, top5, agreement, difference } = cell.over_photos || {};
  const shares = /** @type {[string, import("../types.js").CountedShare][]} */ ([["Top-1", top1], ["Top-5", top5], ["Same answer as the original", agreement]]);
  return [
    ...shares.filter(([, share]) => share).map(([name, share]) =>
      [name, `${shareText(share)} %, ${share.count.toLocaleString("en")} of ${plural(share.total, "photo")}`]),
    ...(difference ? differenceRows(difference) : []),
    ["p50", `${duration(cell.p50_ms)}, slowest ${duration(cell.max_ms)}`],
    ["First warm-up", duration(cell.cold_ms)],
  ];
}

function differenceRows(difference) {
  const { points, low_points: low, high_points: high, detectable_points: detectable } = difference;
  return [
    ["Difference", `${signedPoints(points)} points (${signedPoints(low)} to ${signedPoints(high)})`],
    ["Photos that differ", differenceHint(difference)],
    ["Detectable", `differences of about ${detectable.toFixed(1)} points or more`],
  ];
}

/** How often two backends gave the same answer to this variant. @param {import("../types.js").Report} report */
function between(report, variantId) {
  const pairs = report.photo_set.between_backends.filter((pair) => pair.variant_id === variantId);
  if (!pairs.length) return null;
  const found = pairs.map(({ backend_names: [one, other], agreement }) =>
    [`${one} and ${other}`, `${shareText(agreement)} %, ${agreement.count.toLocaleString("en")} of ${plural(agreement.total, "photo")}`]);
  return el("section", {}, el("h3", {}, "Same answer on two backends"), definitions(found));
}
