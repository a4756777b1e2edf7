/**
 * The matrix: every size by format, quality and backend; its colour says what was chosen, its marks what to beware of.
 * @import { Report } from "../types.js"
 * @typedef {import("./judge.js").Judged} Judged
 */

import { el, fill, part, setText } from "../dom.js";
import { bytes, duration, isUnknown, kilobytes, madeAs, milliseconds, shortLabel, UNKNOWN, variantName } from "../format.js";
import { isBusy, memory, state, update, writeView } from "../state.js";
import { judge } from "./judge.js";

const HEATS = 7; // shades, from the best to the worst value of the metric

/** @type {Record<string, {name: string, value: (found: Judged) => ?number, text: (found: Judged) => string}>} */
const METRICS = {
  "": { name: "latency, ms", value: (found) => found.latency_ms, text: (found) => milliseconds(found.latency_ms) },
  kb: { name: "file size, KB", value: (found) => found.variant.size_bytes, text: (found) => kilobytes(found.variant.size_bytes) },
  points: { name: "points lost", value: (found) => found.lost_points, text: (found) => lostText(found.lost_points) },
  cost: { name: "cost of a million answers", value: costOf, text: (found) => costText(costOf(found)) },
};

let onChoose = /** @type {(variantId: string) => void} */ (() => {});
let focused = ""; // key of the cell that Tab reaches

/** @param {(variantId: string) => void} choose called with the variant of a chosen cell */
export function wireMatrix(choose) {
  onChoose = choose;
  part("matrix").addEventListener("keydown", onKey);
}

/** @param {Report} report @param {import("./judge.js").Goals} [goals] other goals than the plan's, while a slider moves */
export function renderMatrix(report, goals = report.plan) {
  const place = part("matrix");
  const judged = judge(report, goals, state.config.margins);
  place.hidden = !judged.length;
  if (place.hidden) return;
  const shown = shownBackends(report, judged);
  const signature = JSON.stringify([report.run_id, shown, report.variants.map(({ id }) => id), optionsOf(report)]);
  if (place.dataset.signature !== signature) {
    place.dataset.signature = signature;
    fill(place, head(report), el("div", { className: "table-scroll", tabIndex: -1 }, tableOf(report, shown)),
      el("p", { className: "hint" }, report.photo_set ? `${LEGEND_OF_SETS} ${LEGEND}` : LEGEND));
  }
  paint(place, report, judged);
}

const LEGEND = "◉ recommended · ✕ the answer changes · ≈ noisy · faded: misses a goal. Select a cell to inspect it.";

const LEGEND_OF_SETS = "○ few of the photos, so not shaded ·";

/** A column for each way to encode, and in it one for each backend. */
const kindOf = (variant) => (variant.is_reference ? "" : madeAs(variant));
const keyOf = (sizePx, kind, name) => `${sizePx}|${kind}|${name}`;

function optionsOf(report) {
  return report.backends.filter(({ name }) => report.cells.some((cell) => cell.backend_name === name && cell.count)).map(({ name }) => name);
}

/** On a narrow screen one backend at a time, the recommended one first. */
function shownBackends(report, judged) {
  const names = optionsOf(report);
  if (names.includes(state.view.on)) return [state.view.on];
  if (!matchMedia("(max-width: 719.98px)").matches || names.length < 2) return names;
  return [report.recommendation.backend_name || judged[0].cell.backend_name];
}

function head(report) {
  const names = optionsOf(report);
  const metric = el("select", { onchange: () => choose({ metric: metric.value }) },
    ...Object.entries(METRICS).map(([value, { name }]) => el("option", { value }, name)));
  metric.value = state.view.metric in METRICS ? state.view.metric : "";
  const backend = el("select", { onchange: () => choose({ on: backend.value }) }, el("option", { value: "" }, "all backends"),
    ...names.map((name) => el("option", { value: name }, name)));
  backend.value = state.view.on || "";
  return el("div", { className: "section-head" }, el("h2", {}, "Every size and format"),
    el("label", {}, "Show ", metric), names.length > 1 && el("label", {}, "on ", backend), el("p", { id: "matrix-count", className: "muted", role: "status" }));
}

/** @param {Partial<import("../types.js").View>} changes */
function choose(changes) {
  update({ view: { ...state.view, ...changes } });
  writeView();
  renderMatrix(state.report);
}

function tableOf(report, names) {
  const kinds = [...new Set(report.variants.filter((variant) => !variant.is_reference).map(kindOf))];
  const sizes = [...new Set(report.variants.map(({ size_px: sizePx }) => sizePx))].sort((a, b) => b - a);
  const cellOf = (sizePx, kind, name) => {
    const variant = report.variants.find((each) => each.size_px === sizePx && (each.is_reference ? "" : kindOf(each)) === kind);
    return el("td", variant ? { "data-key": keyOf(sizePx, kind, name), "data-variant": variant.id, role: "gridcell", tabIndex: -1, onclick: () => onChoose(variant.id) } : { role: "gridcell" });
  };
  const reference = report.variants.find((variant) => variant.is_reference);
  const columns = [...(reference ? [""] : []), ...kinds];
  const several = names.length > 1;
  const top = el("tr", {}, el("th", { scope: "col", rowSpan: several ? 2 : 1 }, "px"), ...columns.map((kind) =>
    el("th", { scope: several ? "colgroup" : "col", colSpan: names.length, className: "group" }, kind || "original")));
  const second = several && el("tr", {}, ...columns.flatMap(() => names.map((name) => el("th", { scope: "col" }, name))));
  return el("table", { role: "grid", "aria-label": "Every size by format and backend" }, el("thead", {}, top, second),
    el("tbody", {}, ...sizes.map((sizePx) => el("tr", {}, el("th", { scope: "row" }, String(sizePx)),
      ...columns.flatMap((kind) => names.map((name) => cellOf(sizePx, kind, name)))))));
}

/** Colours and marks; nothing moves. @param {HTMLElement} place @param {Report} report @param {Judged[]} judged */
function paint(place, report, judged) {
  const metric = METRICS[state.view.metric] || METRICS[""];
  const values = judged.filter(({ cell }) => !isFew(report, cell)).map(metric.value).filter((value) => !isUnknown(value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const best = report.recommendation;
  const found = new Map(judged.map((each) => [keyOf(each.variant.size_px, kindOf(each.variant), each.cell.backend_name), each]));
  for (const cell of /** @type {NodeListOf<HTMLElement>} */ (place.querySelectorAll("td[data-key]"))) {
    const each = found.get(cell.dataset.key);
    if (!each) {
      setText(cell, isBusy() ? "…" : UNKNOWN);
      continue;
    }
    const isBest = each.variant.id === best.variant_id && each.cell.backend_name === best.backend_name;
    const few = isFew(report, each.cell);
    setText(cell, [isBest ? "◉ " : "", few ? "○ " : "", each.keeps || each.cell.same_top1 !== false ? "" : "✕ ", metric.text(each), noisy(each) ? " ≈" : ""].join(""));
    if (few) delete cell.dataset.heat;
    else cell.dataset.heat = String(heat(metric.value(each), low, high));
    cell.classList.toggle("few", few);
    cell.classList.toggle("best", isBest);
    cell.classList.toggle("flipped", each.cell.same_top1 === false);
    cell.classList.toggle("noisy", noisy(each));
    cell.classList.toggle("unmet", !each.meets);
    const photos = photosWords(each.cell);
    if (photos) cell.dataset.photos = photos;
    cell.setAttribute("aria-label", [wordsOf(each, isBest), few && "few photos", photos].filter(Boolean).join(", "));
  }
  const reachable = place.querySelector(`td[data-key="${CSS.escape(focused)}"]`) || place.querySelector("td.best") || place.querySelector("td[data-key]");
  for (const cell of /** @type {NodeListOf<HTMLElement>} */ (place.querySelectorAll("td[tabindex]"))) cell.tabIndex = cell === reachable ? 0 : -1;
  const count = judged.filter(({ meets }) => meets).length;
  setText(place.querySelector("#matrix-count"), `${count} of ${judged.length} meet the goals`);
}

const noisy = ({ cell }) => !isBusy() && cell.validity !== "VALID";

/** The whole of a cell in words. @param {Judged} each @param {boolean} isBest */
function wordsOf(each, isBest) {
  const [top] = each.cell.top;
  return [
    `${variantName(each.variant)} on ${each.cell.backend_name}: ${duration(each.latency_ms)}, ${bytes(each.variant.size_bytes)}`,
    top && shortLabel(top.label), each.cell.same_top1 === false && "the answer changes", isBest && "recommended",
    noisy(each) && "noisy", !each.meets && "misses a goal",
  ].filter(Boolean).join(", ");
}

/** Whether a cell stands for so few photos of the set that it says little beside the others. @param {Report} report */
function isFew(report, cell) {
  const over = /** @type {any} */ (cell).over_photos;
  const share = over?.top1 || over?.agreement;
  const { labelled, measured } = report.photo_set || {};
  return Boolean(share) && share.total < state.config.few_photos * (labelled || measured);
}

/** Of a set, in the cell beneath its value: "31 % of 30" are right, or without labels get the original's answer. */
function photosWords(cell) {
  const { top1, agreement } = cell.over_photos || {};
  const share = top1 || agreement;
  return share ? `${Math.round(100 * share.share)} % of ${share.total.toLocaleString("en")}` : "";
}

/** 0 for the best value, on a scale of ratios; losses may be 0 or less, so theirs is linear. */
function heat(value, low, high) {
  if (isUnknown(value) || high <= low) return 0;
  const share = low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.min(HEATS - 1, Math.floor(share * HEATS));
}

function lostText(points) {
  if (isUnknown(points)) return UNKNOWN;
  return points.toFixed(1).replace("-0.0", "0.0").replace("-", "−");
}

/** Of a million answers, one after another, at the price that was typed under "Cost". @param {Judged} found */
function costOf({ cell, latency_ms: latencyMs }) {
  const typed = new URLSearchParams(location.search).getAll("price").map((text) => [text.slice(0, text.lastIndexOf(":")), text.slice(text.lastIndexOf(":") + 1)]);
  const own = Object.fromEntries(typed)[cell.backend_name] ?? (memory.get("prices") || {})[cell.backend_name];
  const price = Number(own ?? state.report?.backends.find(({ name }) => name === cell.backend_name)?.price_per_hour);
  return price > 0 && latencyMs ? (price * latencyMs * 1e6) / 3_600_000 : null;
}

const costText = (cost) => (isUnknown(cost) ? UNKNOWN : cost.toFixed(cost < 10 ? 2 : 0));

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

/** Arrows walk from cell to cell, Enter chooses. @param {KeyboardEvent} event */
function onKey(event) {
  const cell = /** @type {HTMLElement} */ (/** @type {Element} */ (event.target).closest("td[data-key]"));
  if (!cell) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return onChoose(cell.dataset.variant);
  }
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = [...part("matrix").querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")]);
  let row = rows.findIndex((cells) => cells.includes(/** @type {HTMLTableCellElement} */ (cell)));
  let column = rows[row].indexOf(/** @type {HTMLTableCellElement} */ (cell));
  do [row, column] = [row + step[0], column + step[1]];
  while (rows[row]?.[column] && !rows[row][column].dataset.key); // over what there is not, as the original at other sizes
  const next = rows[row]?.[column];
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  focused = next.dataset.key;
  next.focus();
}
