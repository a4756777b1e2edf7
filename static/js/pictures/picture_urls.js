/**
 * Where pictures of a run come from: the bytes that were sent, or the small pictures that travel with a report. Pure.
 * @import { Live, Report, Variant } from "../types.js"
 */

import { base, reportPath, variantPath } from "../api.js";
import { bytes, madeAs, variantName } from "../format.js";
import { allVariants, stepKey } from "./frames.js";

export const SAMPLE_RUN = "sample"; // is stored with the app, as a report

/** Whether the server has the very bytes that were sent. @param {Report} report */
export const hasBytes = (report) => !report.imported && report.run_id !== SAMPLE_RUN;

/** Of the small picture; "" where there is none. @param {Report} report @param {string} key @param {Live} live */
export function thumbUrl(report, key, live) {
  const named = [...live.variants, ...live.steps].some(({ picture }) => picture === key);
  if (named || report.has_pictures?.includes(key)) return `${base}${reportPath(report.run_id)}/thumbs/${encodeURIComponent(key)}`;
  const isVariant = allVariants(report, live).some(({ id }) => id === key);
  return isVariant && hasBytes(report) ? bytesUrl(report, key) : ""; // a run from before there were small pictures
}

/** @param {Report} report @param {string} variantId */
export const bytesUrl = (report, variantId) => base + variantPath(report.run_id, variantId);

/** @param {Pick<Variant, "width_px" | "height_px" | "size_bytes">} variant */
export const sizeWords = (variant) => `${variant.width_px} × ${variant.height_px} px, ${bytes(variant.size_bytes)}`;

/**
 * Every picture of a run that two can be compared of: as sent where the bytes are there, else the small one.
 * @param {Report} report @param {Live} live @returns {import("./compare_view.js").Picture[]}
 */
export function picturesOf(report, live) {
  const variants = allVariants(report, live).map((variant) => ({
    id: variant.id, name: variantName(variant), short: shortName(variant), facts: sizeWords(variant), width: variant.width_px, height: variant.height_px,
    url: hasBytes(report) ? bytesUrl(report, variant.id) : thumbUrl(report, variant.id, live),
  }));
  return [...variants, ...stepPictures(report, live)].filter(({ url }) => url);
}

const shortName = (variant) => (variant.is_reference && !variant.engine ? "the original" : variantName(variant));

/** Copies of the search for the breaking point: only their small pictures are kept, which up to 192 px are what was sent. */
function stepPictures(report, live) {
  const all = [...(report.breaking_points || []).flatMap(({ steps }) => steps), ...live.steps.map(({ step }) => step)];
  const unique = [...new Map(all.map((step) => [stepKey(step), step])).entries()];
  const ratio = report.source.height_px / report.source.width_px;
  const sides = (px) => (ratio <= 1 ? [px, Math.max(1, Math.round(px * ratio))] : [Math.max(1, Math.round(px / ratio)), px]);
  return unique.sort(([, one], [, other]) => other.size_px - one.size_px || other.quality - one.quality).map(([key, step]) => {
    const [width, height] = sides(step.size_px);
    const name = `${step.size_px} px ${madeAs({ format: "jpeg", quality: step.quality }, ["quality"])}`;
    const facts = sizeWords({ width_px: width, height_px: height, size_bytes: step.size_bytes });
    return { id: key, name, short: name, facts, width, height, url: thumbUrl(report, key, live) };
  });
}
