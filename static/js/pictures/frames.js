/**
 * The frames of the filmstrip: which pictures, in which order, with which answers. Pure.
 * @import { Live, Report, SearchStep, Variant } from "../types.js"
 */

import { isLive } from "../api.js";
import { bytes, formatName, isUnknown, madeAs, percent, shortLabel, variantName } from "../format.js";

/**
 * @typedef {object} Frame
 * @property {string} key        of its picture: a variant's id, or "step-31-79" for a copy of the breaking-point search
 * @property {?Variant} variant  null: a step of the search, or not made yet
 * @property {number} sizePx     longest side
 * @property {string} making     "JPEG q85"
 * @property {?number} sizeBytes null: not made yet
 * @property {string} label      the top answer, short; "" while there is none
 * @property {?number} score     its probability
 * @property {?boolean} kept     whether it is the answer to keep; null: it is the reference, or not known
 * @property {boolean} failed    it was asked, and nothing came back
 * @property {string[]} differs  backends whose answer is another one
 * @property {boolean} picked    it is the recommended one
 * @property {boolean} flips     the answer was kept up to the frame before
 * @property {string} slot       its place in the strip, whatever stands there: what is shown already need not be drawn anew
 * @property {?number} [quality]
 */

/** @type {Live} */
export const NOTHING_LIVE = { variants: [], steps: [] };

export const stepKey = ({ size_px, quality }) => `step-${size_px}-${quality}`;

/** What variants of one row of the strip have in common: "JPEG q85", "PNG browser/pica". @param {Partial<Variant>} variant */
export const makingOf = (variant) => madeAs(variant, ["quality"]);

/** Every way of making in a run, in the order of its plan. @param {Variant[]} variants */
export const makingsOf = (variants) =>
  [...new Set(variants.filter((variant) => !variant.is_reference).map(makingOf))];

/**
 * The way of making that is shown: that of the chosen variant, else of the recommended one, else JPEG, else the first.
 * @param {Variant[]} variants @param {(?string)[]} ids the first that names a variant counts
 */
export function shownMaking(variants, ids) {
  const named = ids.map((id) => variants.find((variant) => variant.id === id && !variant.is_reference)).find(Boolean);
  const all = makingsOf(variants);
  return named ? makingOf(named) : all.find((making) => making.startsWith("JPEG")) || all[0] || "";
}

/**
 * The picture that stands beside the original on the stage: the chosen one, else the recommended one, else the smallest
 * copy; "" if there is none.
 * @param {Report} report @param {Live} live @param {string} chosen
 */
export function stageKey(report, live, chosen) {
  const variants = allVariants(report, live);
  const steps = [...(report.breaking_points || []).flatMap((point) => point.steps), ...live.steps.map(({ step }) => step)];
  if (chosen && [...variants.map(({ id }) => id), ...steps.map(stepKey)].includes(chosen)) return chosen;
  const copies = variants.filter((variant) => !variant.is_reference);
  const best = copies.find(({ id }) => id === report.recommendation?.variant_id);
  const making = shownMaking(variants, []);
  return best?.id || copies.findLast((variant) => makingOf(variant) === making)?.id || "";
}

/**
 * From the original down to the smallest copy that anything was asked about.
 * @param {?Report} report null: the run has only begun
 * @param {string} making of shownMaking()
 * @param {Live} [live]
 * @returns {Frame[]}
 */
export function framesOf(report, making, live = NOTHING_LIVE) {
  const variants = allVariants(report, live).filter((variant) => variant.is_reference || makingOf(variant) === making);
  const made = variants.map((variant) => variantFrame(variant, report));
  const waiting = waitingFrames(report, made, making);
  const planned = [...made, ...waiting].sort(bySize);
  const frames = [...planned, ...stepFrames(planned, stepsOf(report, live))].sort(bySize);
  return markFlips(frames);
}

/** Frames of what a run will still make keep the place, so that nothing moves when it comes. @param {?Report} report @param {Frame[]} made */
function waitingFrames(report, made, making) {
  if (!report || !isLive(report.state)) return [];
  const isMade = (px) => made.some(({ variant, sizePx }) => sizePx === px && (!variant.is_reference || variant.engine));
  const sizesPx = [...new Set(report.plan.sizes_px)].filter((px) => !report.skipped_sizes_px.includes(px) && !isMade(px));
  const hasReference = made.some(({ variant }) => variant.is_reference) || report.source.original;
  return [...(hasReference ? [] : [waitingReference(report)]), ...sizesPx.map((px) => emptyFrame(px, making))];
}

/** Those of the report, and after them those that came since. @param {?Report} report @param {Live} live */
export function allVariants(report, live) {
  const known = report?.variants || [];
  return [...known, ...live.variants.filter(({ id }) => !known.some((variant) => variant.id === id))];
}

/** Largest first; the original before a copy of its size, and of one size the best quality first. */
function bySize(one, other) {
  const isOriginal = ({ slot }) => Number(slot === "reference");
  return isOriginal(other) - isOriginal(one) || other.sizePx - one.sizePx || (other.quality ?? 101) - (one.quality ?? 101);
}

const NO_ANSWER = { label: "", score: null, kept: null, failed: false, differs: [], picked: false, flips: false };

/** @param {Report} report */
function waitingReference({ source }) {
  const sizePx = Math.max(source.width_px, source.height_px);
  return { ...emptyFrame(sizePx, formatName(source.media_type.replace("image/", ""))), key: "planned-reference", slot: "reference" };
}

function emptyFrame(sizePx, making) {
  return { ...NO_ANSWER, key: `planned-${sizePx}`, slot: `size-${sizePx}`, variant: null, sizePx, making, sizeBytes: null };
}

/** @param {Variant} variant @param {?Report} report @returns {Frame} */
function variantFrame(variant, report) {
  const frame = { ...NO_ANSWER, key: variant.id, slot: variant.is_reference ? "reference" : `size-${variant.size_px}`, variant, sizePx: variant.size_px, quality: variant.quality,
    making: makingOf(variant), sizeBytes: variant.size_bytes };
  const kept = variant.is_reference ? { kept: null } : {}; // its own answer is the one to keep
  return report ? { ...frame, ...answerOf(report, variant.id), ...kept } : frame;
}

/** What the recommended backend says, or the first that says anything; and who says something else. */
function answerOf(report, variantId) {
  const cells = report.cells.filter((cell) => cell.variant_id === variantId);
  const answered = cells.filter((cell) => cell.top.length);
  const best = report.recommendation?.backend_name;
  const cell = answered.find(({ backend_name: name }) => name === best) || answered[0];
  const picked = report.recommendation?.variant_id === variantId;
  if (!cell) return { picked, failed: cells.some(({ failures }) => failures > 0) };
  const differs = answered.filter((other) => other.top[0].label !== cell.top[0].label).map((other) => other.backend_name);
  return { picked, differs, label: shortLabel(cell.top[0].label), score: cell.top[0].score, kept: cell.same_top1 };
}

/**
 * Of the search on the recommended backend; of the one that has steps where that has none.
 * @returns {SearchStep[]}
 */
function stepsOf(report, live) {
  const points = (report?.breaking_points || []).map(({ backend_name: name, steps }) => ({ name, steps }));
  for (const { backend_name: name, step } of live.steps) {
    const point = points.find((each) => each.name === name);
    if (!point) points.push({ name, steps: [step] });
    else if (!point.steps.some((each) => stepKey(each) === stepKey(step))) point.steps = [...point.steps, step];
  }
  const best = report?.recommendation?.backend_name;
  return (points.find(({ name, steps }) => name === best && steps.length) || points.find(({ steps }) => steps.length))?.steps || [];
}

/**
 * Steps where they tell something: below the smallest size of the plan, and around the size where the answer changes.
 * @param {Frame[]} planned @param {SearchStep[]} steps
 */
function stepFrames(planned, steps) {
  const [below, above] = gap(planned);
  const smallest = Math.min(...planned.map(({ sizePx }) => sizePx));
  const there = new Set(planned.map(({ sizePx }) => sizePx));
  const wanted = steps.filter(({ size_px: px }) => !there.has(px) && (px < smallest || (px > below && px < above)));
  return tellingOf(wanted).map((step) => ({
    ...NO_ANSWER, key: stepKey(step), slot: stepKey(step), variant: null, sizePx: step.size_px, quality: step.quality, sizeBytes: step.size_bytes,
    making: makingOf({ format: "jpeg", quality: step.quality }), label: shortLabel(step.label), score: step.score, kept: step.kept,
  }));
}

/** Sizes between which the answer changes, as far as the plan's own copies tell. */
function gap(planned) {
  const at = planned.findIndex(({ kept }) => kept === false);
  return at > 0 ? [planned[at].sizePx, planned[at - 1].sizePx] : [0, 0];
}

/** Of each size the best quality, and the worst that still keeps the answer: what lies between says nothing new. */
function tellingOf(steps) {
  const sizes = [...new Set(steps.map(({ size_px: px }) => px))];
  return sizes.flatMap((px) => {
    const same = steps.filter((step) => step.size_px === px).sort((one, other) => other.quality - one.quality);
    const last = same.findLast(({ kept }) => kept);
    return last && last !== same[0] ? [same[0], last] : [same[0]];
  });
}

/** @param {Frame[]} frames */
function markFlips(frames) {
  let wasKept = true; // the original's own answer is the one to keep
  for (const frame of frames) {
    frame.flips = frame.kept === false && wasKept;
    if (frame.kept !== null) wasKept = frame.kept;
  }
  return frames;
}

/** "Original (451 px PNG)", "31 px JPEG q79". @param {Frame} frame */
export function frameName({ variant, slot, sizePx, making }) {
  if (slot === "reference" && !variant) return `Original (${sizePx} px ${making})`;
  return variant?.is_reference ? variantName(variant) : `${sizePx} px ${making}`.trim();
}

/** "Egyptian cat"; what stands in its place while there is none. @param {Frame} frame @param {boolean} isOver */
export function answerWords({ label, failed }, isOver) {
  return label || (failed ? "no answer" : isOver ? "not asked" : "…");
}

/** All that a frame shows, in one sentence. @param {Frame} frame @param {boolean} isOver the run has ended */
export function spokenWords(frame, isOver) {
  const { sizeBytes, kept, differs, picked, flips, label } = frame;
  const judged = isUnknown(kept) || !label ? "" : kept ? "answer kept" : flips ? "answer changes here" : "another answer";
  const answer = label ? `${label} ${percent(frame.score)}` : answerWords(frame, isOver);
  return [
    frameName(frame),
    sizeBytes === null ? "not made yet" : bytes(sizeBytes),
    answer === "…" ? "no answer yet" : answer,
    judged,
    differsWords(differs),
    picked && "recommended",
  ].filter(Boolean).join(", ");
}

/** "differs on 1 CPU"; "" where all backends agree. @param {string[]} differs */
export const differsWords = (differs) => (differs.length ? `differs on ${differs.join(" and ")}` : "");
