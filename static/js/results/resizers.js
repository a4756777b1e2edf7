/** Browser and server side by side: the report's sentence, and one row for each pair. */

import { el, fill, part } from "../dom.js";
import { UNKNOWN, variantName } from "../format.js";

/** @param {any} report with `resizers` */
export function drawResizers(report) {
  const { sentence, pairs } = report.resizers;
  const place = part("resizers");
  const signature = JSON.stringify(report.resizers);
  if (place.dataset.signature === signature) return;
  place.dataset.signature = signature;
  const isOpen = place.querySelector("details")?.open;
  fill(
    place,
    el("h2", {}, "Browser and server"),
    el("p", {}, sentence),
    el("details", { open: Boolean(isOpen) }, el("summary", {}, "Pair by pair"),
      el("div", { className: "table-scroll", role: "region", "aria-label": "Browser and server, pair by pair", tabIndex: 0 },
        pairTable(report, pairs))),
  );
}

function pairTable(report, pairs) {
  const backends = [...new Set(pairs.flatMap((pair) => Object.keys(pair.same_top1)))];
  const heads = ["Variant", "Bytes, browser ÷ server", "PSNR dB", ...backends.map((name) => `${name}: same answer`)];
  const variants = Object.fromEntries(report.variants.map((variant) => [variant.id, variant]));
  const rows = pairs.map((pair) => [
    variantName(variants[pair.browser_id]),
    pair.bytes_ratio.toFixed(2),
    psnrWords(pair),
    ...backends.map((name) => answerWords(pair.same_top1[name])),
  ]);
  const numbers = [false, true, true];
  const cell = (text, at) => el(at ? "td" : "th", { scope: at ? null : "row", className: numbers[at] ? "number" : "" }, text);
  return el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((head, at) => el("th", { scope: "col", className: numbers[at] ? "number" : "" }, head)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cell)))));
}

function psnrWords(pair) {
  if (pair.largest_difference === 0) return "same pixels";
  return pair.psnr_db === null ? UNKNOWN : pair.psnr_db.toFixed(1);
}

const answerWords = (same) => (same === undefined ? UNKNOWN : same ? "✓ yes" : "✕ no");
