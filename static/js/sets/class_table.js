/** How each class of a set fared: photos, those that flipped, right answers, each with its count and interval. */

import { el } from "../dom.js";
import { shareOf, shortLabel, variantName } from "../format.js";

/** @import { Report, SetClass, SetClasses } from "../types.js" */

/**
 * @param {Report} report @param {SetClasses} found @param {string} variantId "" for any
 * @param {(name: string) => void} onChoose called with the class whose photos are to be listed
 */
export function classTable(report, found, variantId, onChoose) {
  const columns = rightColumns(report, found, variantId);
  const heads = [found.by === "label" ? "Class" : "Original's answer", "Photos", "Photos that flip", ...columns.map(({ words }) => words)];
  return el("div", { className: "table-scroll", role: "region", "aria-label": "Classes, which may scroll sideways", tabIndex: 0 },
    el("table", { className: "class-table" },
      el("caption", {}, captionOf(found)),
      el("thead", {}, el("tr", {}, ...heads.map((words, at) => el("th", { scope: "col", className: at ? "number" : "" }, words)))),
      el("tbody", {}, ...found.rows.map((row) => classRow(row, columns, onChoose)))));
}

/** @param {SetClasses} found */
function captionOf({ total, rows }) {
  const shown = rows.length < total ? `${rows.length} of ${total.toLocaleString("en")} classes shown. ` : "";
  return `${shown}Largest share of flipped photos first. In brackets 95 % intervals (Wilson).`;
}

/** Right answers of the original, and of the chosen variant, on each backend; none where no label is known. */
function rightColumns(report, found, variantId) {
  const cells = found.rows[0]?.cells || [];
  const isReference = (id) => report.variants.some((variant) => variant.id === id && variant.is_reference);
  const several = new Set(cells.map((cell) => cell.backend_name)).size > 1;
  return cells
    .filter((cell) => found.by === "label" && (isReference(cell.variant_id) || cell.variant_id === variantId))
    .map(({ variant_id: id, backend_name: backend }) => {
      const variant = report.variants.find((each) => each.id === id);
      const name = isReference(id) ? "original" : variant ? variantName(variant) : id;
      return { id, backend, words: `Right, ${name}${several ? ` on ${backend}` : ""}` };
    });
}

/** @param {SetClass} row */
function classRow(row, columns, onChoose) {
  const right = columns.map(({ id, backend }) =>
    row.cells.find((cell) => cell.variant_id === id && cell.backend_name === backend)?.right);
  const button = el("button", { type: "button", className: "quiet", onclick: () => onChoose(row.class) }, shortLabel(row.class));
  return el("tr", {},
    el("th", { scope: "row", title: row.class }, button),
    ...[row.photos.toLocaleString("en"), shareOf(row.flipped_share), ...right.map((share) => shareOf(share || null))]
      .map((text) => el("td", { className: "number" }, text)));
}
