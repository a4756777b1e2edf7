/** Rows and columns of the table of all variants: what stands in them, and their order. Pure. */

import { isLive } from "../api.js";
import {
  formatName, isUnknown, kilobytes, madeAs, milliseconds, number, percent, shortLabel, signedPoints, UNKNOWN,
} from "../format.js";

export const MARKS = { VALID: "✓", NOISY: "≈", INVALID: "⚠" };

/**
 * @import { Cell, Config, Report, Variant } from "../types.js"
 *
 * @typedef {object} Row       one variant with its cells, by backend name
 * @property {Variant} variant
 * @property {Record<string, Cell>} cells
 *
 * @typedef {object} Column
 * @property {string} key      as it stands in the address: "size", "p50:1 CPU"
 * @property {string} label
 * @property {string} group    the backend; "" for what all backends share
 * @property {boolean} number
 * @property {(row: Row) => number|string|null} value   sorts by it
 * @property {(row: Row) => string} text
 * @property {(row: Row) => string} [hint]
 */

/** @param {Report} report @returns {Row[]} in the report's order */
export function rowsOf(report) {
  return report.variants.map((variant) => ({
    variant,
    cells: Object.fromEntries(
      report.cells.filter((cell) => cell.variant_id === variant.id).map((cell) => [cell.backend_name, cell]),
    ),
  }));
}

/**
 * @param {Report} report @param {Config["samples_for"]} samplesFor
 * @param {string} [beside] which latency stands beside p50; "": p90, or the slowest if there are too few samples for it
 * @returns {Column[]}
 */
export function columnsOf(report, samplesFor, beside = "") {
  const high = highColumn(beside || (report.plan.repeats >= samplesFor.p90 ? "p90" : "slowest"));
  // While a run goes on, few samples are no flaw: marks come with the last one.
  const marked = !isLive(report.state);
  const p50 = (name) => p50Column(name, marked);
  const kinds = report.photo_set
    ? [p50, photosColumn, ...(report.photo_set.labelled ? [top1Column, differenceColumn] : []), sameColumn]
    : [p50, high, answerColumn, ...(report.source.true_label ? [correctColumn] : [])];
  const load = report.load || [];
  const capacity = (name) => (load.some((curve) => curve.backend_name === name) ? [capacityColumn(load, name)] : []);
  // A backend that is not there has nothing to show: the header and the notes name it.
  const of = ({ name, state }) => (state === "absent" ? [] : [...kinds.map((kind) => kind(name)), ...capacity(name)]);
  const places = report.variants.some((variant) => variant.engine) ? PLACE_COLUMNS : [];
  return [...VARIANT_COLUMNS, ...places, ...report.backends.flatMap(of)];
}

const shared = (key, label, number, value, text) => ({ key, label, group: "", number, value, text });
const VARIANT_COLUMNS = [
  shared("size", "Size px", true, (row) => row.variant.size_px, (row) => String(row.variant.size_px)),
  shared("format", "Format", false, (row) => row.variant.format, (row) => formatWords(row.variant)),
  shared("bytes", "KB", true, (row) => row.variant.size_bytes, (row) => kilobytes(row.variant.size_bytes)),
  shared("percent", "% of original", true, (row) => row.variant.percent_of_original, (row) => share(row)),
  shared("encode", "encode ms", true, (row) => row.variant.encode_ms, (row) => milliseconds(row.variant.encode_ms)),
];

/** For variants resized in the browser: its PNG has a fourth channel, which costs bytes. */
const PLACE_COLUMNS = [
  shared("made", "made in", false, (row) => row.variant.engine || row.variant.made_in, (row) => row.variant.made_in),
  shared("channels", "channels", true, (row) => row.variant.channels, (row) => String(row.variant.channels ?? UNKNOWN)),
];

export function formatWords(variant) {
  if (variant.is_reference && variant.engine) return `${madeAs(variant, ["quality"])}, reference`;
  if (variant.is_reference) return `${formatName(variant.format)}, original`;
  return madeAs(variant, ["quality"]);
}

function share(row) {
  const value = row.variant.percent_of_original;
  return isUnknown(value) ? UNKNOWN : value.toFixed(value < 10 ? 1 : 0);
}

function p50Column(name, marked) {
  return {
    ...measured("p50", "p50 ms", name, (cell) => cell.p50_ms, (cell) => p50Text(cell, marked)),
    hint: (row) => (row.cells[name] ? cellReasons(row.cells[name]) : ""),
  };
}

const HIGH_FIELDS = { p90: "p90_ms", p99: "p99_ms", slowest: "max_ms" };

function highColumn(label) {
  const field = HIGH_FIELDS[label];
  return (name) => measured(label, `${label} ms`, name, (cell) => cell[field], (cell) => milliseconds(cell[field]));
}

const answerColumn = (name) => measured("answer", "answer", name, (cell) => cell.reference_score, answerText);
const top1Column = (name) => ({
  ...measured("top1", "top-1 % (95 %)", name, (cell) => cell.over_photos?.top1?.share, (cell) => shareText(cell.over_photos?.top1)),
  hint: (row) => countWords(row.cells[name]?.over_photos?.top1),
});
/** Smaller sizes have more of them: a photo is never enlarged. */
const photosColumn = (name) => measured("photos", "photos", name, (cell) => cell.count, (cell) => cell.count.toLocaleString("en"));
const sameColumn = (name) => ({
  ...measured("same", "same answer %", name, (cell) => cell.over_photos?.agreement?.share, (cell) => shareText(cell.over_photos?.agreement)),
  hint: (row) => countWords(row.cells[name]?.over_photos?.agreement),
});
/** @param {?{count: number, total: number}|undefined} share */
const countWords = (share) => (share ? `${share.count.toLocaleString("en")} of ${share.total.toLocaleString("en")} photos` : "");
const differenceColumn = (name) => ({
  ...measured("difference", "difference (95 %)", name, (cell) => cell.over_photos?.difference?.points, differenceText),
  hint: (row) => differenceHint(row.cells[name]?.over_photos?.difference),
});
const correctColumn = (name) => measured("correct", "correct", name,
  (cell) => (cell.correct_top1 === null ? null : Number(cell.correct_top1)), correctText);

/** Of the cells that were put under load. @param {any[]} load @param {string} name */
function capacityColumn(load, name) {
  const of = (row) => load.find((curve) => curve.variant_id === row.variant.id && curve.backend_name === name);
  return {
    ...measured("capacity", "capacity /s", name, () => null, () => UNKNOWN),
    value: (row) => of(row)?.per_s ?? null,
    text: (row) => capacityText(of(row)),
    hint: (row) => capacityHint(of(row)),
  };
}

export const SHARED = "the load generator shared this backend's machine; a separate machine would answer more";

/** "41 (39 to 43) †"; the mark says that the load generator ran on the same machine. */
export function capacityText(curve) {
  if (!curve) return UNKNOWN;
  const mark = (curve.validity === "VALID" ? "" : ` ${MARKS[curve.validity]}`) + (curve.shares_machine ? " †" : "");
  if (isUnknown(curve.per_s)) return ["not_met", "below_unloaded"].includes(curve.outcome) ? `none${mark}` : UNKNOWN;
  if (curve.outcome === "at_least") return `≥ ${number(curve.per_s)}${mark}`;
  const interval = isUnknown(curve.high_per_s) ? "" : ` (${number(curve.low_per_s)} to ${number(curve.high_per_s)})`;
  return `${number(curve.per_s)}${interval}${mark}`;
}

function capacityHint(curve) {
  if (!curve) return "";
  const sentence = `${curve.sentence[0].toUpperCase()}${curve.sentence.slice(1)}.`;
  return [sentence, ...curve.reasons, curve.shares_machine && `† ${SHARED}.`].filter(Boolean).join(" ");
}

function measured(kind, label, name, value, text) {
  return {
    key: `${kind}:${name}`,
    label,
    group: name,
    number: kind !== "answer" && kind !== "correct",
    value: (row) => (row.cells[name] ? value(row.cells[name]) : null),
    text: (row) => (row.cells[name] ? text(row.cells[name]) : UNKNOWN),
  };
}

function p50Text(cell, marked) {
  if (!cell.count) return cell.failures ? "failed" : cell.not_sent ? "not sent" : UNKNOWN;
  const mark = marked && cell.validity !== "VALID" ? ` ${MARKS[cell.validity] || ""}` : "";
  return milliseconds(cell.p50_ms) + mark;
}

/** Why a cell is not to be trusted, or failed, in sentences. @param {Cell} cell */
export function cellReasons(cell) {
  const reasons = (cell.reasons || []).join(" ");
  const unsaid = (cell.failure_reasons || []).map(({ message }) => message).filter((message) => !reasons.includes(message.slice(1)));
  return [reasons, ...unsaid].filter(Boolean).join(" ");
}

/** The top answer, and whether it is the one that the original gets. */
function answerText(cell) {
  const [top] = cell.top || [];
  if (!top) return UNKNOWN;
  const answer = `${shortLabel(top.label)} ${percent(top.score)}`;
  if (cell.same_top1 === null) return answer;
  return cell.same_top1 ? `✓ ${answer}` : `✕ ${answer}`;
}

/** "84.2 (81.8 to 86.4)", in percent. @param {?{share: number, low: number, high: number}} share */
export function shareText(share) {
  if (!share) return UNKNOWN;
  const [middle, low, high] = [share.share, share.low, share.high].map((value) => (value * 100).toFixed(1));
  return `${middle} (${low} to ${high})`;
}

function differenceText(cell) {
  const found = cell.over_photos?.difference;
  if (!found) return UNKNOWN;
  return `${signedPoints(found.points)} (${signedPoints(found.low_points)} to ${signedPoints(found.high_points)})`;
}

/** @param {any} found a difference of the report */
export function differenceHint(found) {
  if (!found) return "";
  const { photos, gained, lost, mcnemar_p: p, mcnemar_p_holm: holm } = found;
  return `Of ${photos.toLocaleString("en")} photos, ${gained} are right only in this variant and ${lost} only in the original. ` +
    `McNemar p ${pText(p)}, corrected for all comparisons ${pText(holm)}.`;
}

/** 0.314 -> "0.31", 0.00002 -> "< 0.001". @param {number} p */
export function pText(p) {
  if (p < 0.001) return "< 0.001";
  return p.toFixed(p < 0.095 ? 3 : 2);
}

function correctText(cell) {
  if (cell.correct_top1 === null) return UNKNOWN;
  if (cell.correct_top1) return "✓ yes";
  return cell.correct_top5 ? "✕ in top 5" : "✕ no";
}

/** "yes", "no, but in the top 5", "no"; for runs with a true label. */
export function correctWords(cell) {
  if (cell.correct_top1 === null) return UNKNOWN;
  if (cell.correct_top1) return "yes";
  return cell.correct_top5 ? "no, but in the top 5" : "no";
}

/**
 * Whether a row holds all the words, in what it is called, its size or an answer; numbers are not searched.
 * @param {Row} row @param {Column[]} columns @param {string} find
 */
export function matches(row, columns, find) {
  const texts = columns.filter((column) => !column.number).map((column) => column.text(row));
  const text = [row.variant.id, `${row.variant.size_px} px`, ...texts].join(" ").toLowerCase();
  return find.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * Rows in the wanted order. Unknown values come last either way; equal ones keep their order.
 * @param {Row[]} rows @param {Column[]} columns @param {string} sort "p50:1 CPU", "-" before it turns it round
 */
export function sortRows(rows, columns, sort) {
  const { key, down } = parseSort(sort);
  const column = columns.find((column) => column.key === key);
  if (!column) return rows;
  const turn = down ? -1 : 1;
  return [...rows].sort((a, b) => compare(column.value(a), column.value(b), turn));
}

/** @param {string} sort */
export function parseSort(sort) {
  return sort.startsWith("-") ? { key: sort.slice(1), down: true } : { key: sort, down: false };
}

/** The next order when a column's head is chosen: up, down, then as measured. */
export function nextSort(sort, key) {
  const now = parseSort(sort);
  if (now.key !== key) return key;
  return now.down ? "" : `-${key}`;
}

function compare(a, b, turn) {
  if (isUnknown(a) || isUnknown(b)) return Number(isUnknown(a)) - Number(isUnknown(b));
  if (a === b) return 0;
  return (a < b ? -1 : 1) * turn;
}
