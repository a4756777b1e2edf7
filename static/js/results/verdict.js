/**
 * The verdict in numbers beside its sentence: so much smaller, so much faster, the same answer; and how sure that is.
 * @import { KeyFigures, Report } from "../types.js"
 */

import { el, fill, part } from "../dom.js";
import { bytes, duration, isUnknown, percent, shortLabel } from "../format.js";
import { isBusy, state } from "../state.js";

const TIERS = 3; // of evidence, as the report has them: a photo, tens, hundreds

/** @param {Report} report */
export function renderVerdict(report) {
  renderFigures(report);
  renderEvidence(report);
  renderCopies(report);
}

/** @param {Report} report */
function renderFigures(report) {
  const { recommendation, photo_set } = report;
  const { figures } = recommendation;
  part("figures").hidden = !figures;
  if (figures) fill(part("figures"), smaller(figures), faster(figures), photo_set ? rightOf(report) : answer(figures));
}

const figure = (value, words, detail, look = "") =>
  el("li", {}, el("strong", { className: look }, value), words, el("span", {}, detail));

/** @param {KeyFigures} figures */
function smaller({ smaller_times: times, size_bytes: sizeBytes, reference_size_bytes: before }) {
  const detail = `${bytes(before)} → ${bytes(sizeBytes)}`;
  return times > 1 ? figure(factor(times), "smaller", detail) : figure("=", "same size", detail);
}

/** @param {KeyFigures} figures */
function faster({ faster_times: times, faster_is_clear: isClear, latency_ms: latencyMs, reference_latency_ms: beforeMs }) {
  const detail = `${duration(beforeMs)} → ${duration(latencyMs)}`;
  if (isUnknown(times)) return figure("–", "speed not known", "");
  if (!isClear) return figure("≈", "same speed", detail);
  return times >= 1 ? figure(factor(times), "faster", detail) : figure(factor(1 / times), "slower", detail, "lost");
}

/** @param {KeyFigures} figures */
function answer({ same_answer: isSame, label, score, reference_label: before, reference_score: scoreBefore }) {
  if (!label) return figure("–", "answer not known", "");
  const change = `${percent(scoreBefore)} → ${percent(score)}`;
  if (isUnknown(isSame)) return figure("–", shortLabel(label), percent(score));
  return isSame ? figure("✓", `still ${shortLabel(label)}`, change, "kept") : figure("✕", `${shortLabel(before)} → ${shortLabel(label)}`, change, "lost");
}

/** Of a set: how many answers are right, or without labels those of the original. @param {Report} report */
function rightOf({ recommendation: { variant_id: id, backend_name: name }, cells }) {
  const { top1, agreement } = cells.find((cell) => cell.variant_id === id && cell.backend_name === name)?.over_photos || {};
  const share = top1 || agreement;
  if (!share) return figure("–", "answers not known", "");
  return figure(percent(share.share), top1 ? "right answers" : "same answers",
    `${share.count} of ${share.total}, 95 %: ${percent(share.low)} to ${percent(share.high)}`);
}

/** 23.4 -> "23×", 1.92 -> "1.9×". @param {number} times */
const factor = (times) => `${times >= 10 ? Math.round(times) : times.toFixed(1)}×`;

/** How much stands behind the verdict, and what more photos would tell. @param {Report} report */
function renderEvidence(report) {
  const { evidence } = /** @type {any} */ (report);
  if (!evidence) return fill(part("evidence"));
  const reached = evidence.tiers.filter((tier) => evidence.photos >= tier.photos).length;
  const dots = "●".repeat(reached) + "○".repeat(TIERS - reached);
  const next = evidence.tiers[reached];
  const add = el("button", { type: "button", className: "quiet", onclick: () => part("addInput").click() }, addWords());
  return fill(part("evidence"), el("span", { className: "dots", "aria-hidden": "true" }, dots), ` ${evidence.sentence} `,
    next && el("span", { className: "muted" }, `${next.sentence} `), next && !isBusy() && add);
}

/** What becomes of further photos. A stored set is no longer at hand, nor is the photo of a report from a file. */
function addWords() {
  if (!state.photo || state.photo.set?.count === null) return "Choose photos";
  return state.photo.set ? "Add photos to these" : "Add photos to this one";
}

/** @param {Report} report */
function renderCopies({ plan }) {
  const chosen = state.view.copies || plan.copies || "in_advance";
  const place = /** @type {HTMLFieldSetElement} */ (part("copies"));
  for (const radio of place.querySelectorAll("input")) radio.checked = radio.value === chosen;
  place.disabled = isBusy();
}
