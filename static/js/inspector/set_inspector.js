/** One variant of a set, closely: what each backend answered over all photos. */

import { definitions, el } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { bytes, duration, plural, signedPoints, variantName } from "../format.js";
import { state, update, writeView } from "../state.js";
import { badge } from "../results/badge.js";
import { cellReasons, differenceHint, shareText } from "../results/columns.js";

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
    ...cells.map((cell) => cellCard(cell)),
    between(report, variantId),
  ].filter(Boolean), () => select(""));
}

function select(sel) {
  update({ view: { ...state.view, sel } });
  writeView();
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
