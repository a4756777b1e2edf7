/**
 * The cells of a report held against goals, as experiment/report/goals.py and experiment/photo_sets/goals.py do: from what was
 * measured, without a request. Pure.
 *
 * @import { Cell, Config, Report, Variant } from "../types.js"
 *
 * @typedef {object} Goals     as of a plan; null: none, or for margin_points the usual one
 * @property {boolean} keep_top1
 * @property {?number} [margin_points]
 * @property {?number} max_p50_ms
 * @property {?number} max_size_bytes
 *
 * @typedef {object} Judged
 * @property {Cell} cell
 * @property {Variant} variant
 * @property {?number} latency_ms   what the goal for p50 is held against; null: not measured
 * @property {?number} lost_points  of the answer's probability, or over a set of accuracy or agreement; null: not known
 * @property {boolean} keeps        the answer, as far as that is asked for
 * @property {boolean} meets        all goals
 */

import { isUnknown } from "../format.js";

const SAME_SCORE = 1e-6; // as in experiment/report/agreement.py: two scores that differ by less are one
const MOST_FAILED_SHARE = 0.01; // of a set's requests

/**
 * Every cell that was answered, judged. @param {Report} report @param {Goals} goals @param {Config["margins"]} margins
 * @param {string} copies where copies are made @returns {Judged[]}
 */
export function judge(report, goals, margins, copies) {
  const variants = new Map(report.variants.map((variant) => [variant.id, variant]));
  const margin = goals.margin_points ?? margins[report.photo_set ? (report.photo_set.labelled ? "labelled" : "unlabelled") : "photo"];
  return report.cells.filter((cell) => cell.count).map((cell) => {
    const variant = variants.get(cell.variant_id);
    const latencyMs = latencyOf(variant, cell, copies);
    const keeps = !goals.keep_top1 || (report.photo_set ? keepsOverSet(variant, cell, margin) : keepsOfOne(report, variant, cell, margin));
    const meets = keeps && isAnswered(report, cell)
      && (isUnknown(goals.max_p50_ms) || latencyMs <= goals.max_p50_ms)
      && (isUnknown(goals.max_size_bytes) || variant.size_bytes <= goals.max_size_bytes);
    return { cell, variant, latency_ms: latencyMs, lost_points: lostPoints(report, variant, cell), keeps, meets };
  });
}

/** One request; where copies are made for each request, with the making. @param {Variant} variant @param {Cell} cell @param {string} copies */
export function latencyOf(variant, cell, copies) {
  if (cell.p50_ms === null || copies === "in_advance" || variant.is_reference) return cell.p50_ms;
  const makingMs = [variant.decode_ms, variant.resize_ms, variant.encode_ms].reduce((sum, ms) => sum + (ms ?? 0), 0);
  return cell.p50_ms + makingMs;
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
  const change = cell.reference_score_change;
  return isUnknown(change) ? null : -change;
}
