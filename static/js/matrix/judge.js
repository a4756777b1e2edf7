/**
 * The cells of a report held against goals, as experiment/report/goals.py and experiment/photo_sets/goals.py do: from what was
 * measured, without a request. Pure.
 *
 * @import { Cell, Config, Report, Variant } from "../types.js"
 *
 * @typedef {object} Goals     as of a plan, with where copies are made; null: none, or for margin_points the usual one
 * @property {boolean} keep_top1
 * @property {?number} [margin_points]
 * @property {?number} max_p50_ms
 * @property {?number} max_size_bytes
 * @property {"in_advance"|"per_request"|"client"} [copies]
 * @property {number} [uplink_mbit_s] of the client, where that makes the copies
 *
 * @typedef {object} Judged
 * @property {Cell} cell
 * @property {Variant} variant
 * @property {number} latency_ms    what the goal for p50 is held against: with making and uploading, where these count
 * @property {?number} lost_points  of the answer's probability, or over a set of accuracy or agreement; null: not known
 * @property {boolean} keeps        the answer, as far as that is asked for
 * @property {boolean} meets        all goals
 */

import { isUnknown } from "../format.js";
import { isKnownLabel } from "../setup/plan.js";

const SAME_SCORE = 1e-6; // as in experiment/report/agreement.py: two scores that differ by less are one
const MOST_FAILED_SHARE = 0.01; // of a set's requests

/**
 * Every cell that was answered, judged. @param {Report} report @param {Goals} goals @param {Config["margins"]} margins
 * @returns {Judged[]}
 */
export function judge(report, goals, margins) {
  const variants = new Map(report.variants.map((variant) => [variant.id, variant]));
  const margin = goals.margin_points ?? margins[report.photo_set ? (report.photo_set.labelled ? "labelled" : "unlabelled") : "photo"];
  return report.cells.filter((cell) => cell.count).map((cell) => {
    const variant = variants.get(cell.variant_id);
    const extra = extraOf(report, variant, goals);
    const latencyMs = round(cell.p50_ms + (extra ?? 0), 6);
    const keeps = !goals.keep_top1 || (report.photo_set ? keepsOverSet(variant, cell, margin) : keepsOfOne(report, variant, cell, margin));
    const meets = keeps && isAnswered(report, cell) && extra !== null && isMadeThere(report, variant, goals.copies)
      && (isUnknown(goals.max_p50_ms) || latencyMs <= goals.max_p50_ms)
      && (isUnknown(goals.max_size_bytes) || variant.size_bytes <= goals.max_size_bytes);
    return { cell, variant, latency_ms: latencyMs, lost_points: lostPoints(report, variant, cell), keeps, meets };
  });
}

/** @param {number} value @param {number} digits */
const round = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits;

/** ms beside the request, as experiment/copies.py has them; null: making counts, and how long it takes is not known. */
function extraOf(report, variant, goals) {
  const { copies = "in_advance", uplink_mbit_s: mbitS } = goals;
  if (copies === "in_advance") return 0;
  const isAsUploaded = variant.is_reference && variant.encode_ms === null;
  if (!isAsUploaded && variant.encode_ms === null) return null;
  const stages = isAsUploaded ? [] : [variant.decode_ms, variant.resize_ms, variant.encode_ms];
  const makingMs = round(stages.reduce((sum, ms) => sum + round(ms ?? 0, 3), 0), 3);
  return copies === "per_request" ? makingMs : makingMs + (uploadBytes(report, variant) * 8) / (mbitS * 1000);
}

/** The copy, or the photo as it is. */
function uploadBytes(report, variant) {
  const isWhole = variant.is_reference && variant.made_in === "server";
  return isWhole ? (report.source.original || report.source).size_bytes : variant.size_bytes;
}

/** Where a run made copies in one place only, these stand for those of the other. */
function isMadeThere(report, variant, copies = "in_advance") {
  if (copies === "in_advance" || variant.is_reference) return true;
  const wanted = copies === "client" ? "browser" : "server";
  return variant.made_in === wanted || !report.variants.some((each) => !each.is_reference && each.made_in === wanted);
}

function isAnswered(report, { count, failures, not_sent: notSent = 0 }) {
  const lost = failures + notSent;
  return report.photo_set ? lost / (lost + count) <= MOST_FAILED_SHARE : lost === 0;
}

function keepsOfOne(report, variant, cell, margin) {
  const { true_label: label } = report.source;
  if (label ? cell.correct_top1 !== true : cell.same_top1 !== true) return false;
  const fall = lostPoints(report, variant, cell);
  return isUnknown(fall) || fall <= margin + 100 * SAME_SCORE;
}

/** Shown not to lose more than the margin: by the worst end of the interval. */
function keepsOverSet(variant, cell, margin) {
  const over = cell.over_photos;
  if (variant.is_reference) return true;
  if (over?.difference) return -over.difference.low_points < margin;
  return Boolean(over?.agreement) && over.agreement.low >= 1 - margin / 100;
}

/** @returns {?number} */
function lostPoints(report, variant, cell) {
  if (variant.is_reference) return 0;
  if (report.photo_set) {
    const { difference, agreement } = cell.over_photos || {};
    if (difference) return -difference.points;
    return agreement ? 100 * (1 - agreement.share) : null;
  }
  if (report.source.true_label) return fallOfRight(report, cell);
  const change = cell.reference_score_change;
  return isUnknown(change) ? null : -change;
}

/** Of the right answer's probability, against that in the original's top 5. */
function fallOfRight(report, cell) {
  const reference = report.variants.find((variant) => variant.is_reference);
  const before = report.cells.find((each) => each.backend_name === cell.backend_name && each.variant_id === reference?.id);
  const [top] = cell.top;
  const same = before?.top.find(({ label }) => isKnownLabel(report.source.true_label, [label]));
  return cell.correct_top1 && top && same ? 100 * (same.score - top.score) : null;
}
