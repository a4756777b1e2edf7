/**
 * What the model sees of a variant: sent to a backend again, and drawn.
 * @import { Backend, Report, Variant } from "../types.js"
 */

import { getAnswer, seenPath } from "../api.js";
import { el } from "../dom.js";
import { variantName } from "../format.js";
import { drawDifference } from "./difference_canvas.js";

/**
 * @typedef {object} Seen
 * @property {HTMLImageElement} image
 * @property {string} scale      how its values were scaled to 8 bits, in words
 * @property {?number} version   of the model
 */

/** A queue answers with labels only, and who is absent with nothing. @param {Report} report */
export const seeingBackends = (report) =>
  report.backends.filter(({ state, protocol }) => state !== "absent" && protocol !== "queue");

/** One picture with what the server says about it. Throws Problem. @param {Report} report @param {Variant} variant @param {Backend} backend @returns {Promise<Seen>} */
export async function seenPicture(report, variant, backend) {
  const answer = await getAnswer(seenPath(report.run_id, variant.id, backend.name));
  const image = el("img", { alt: `${variantName(variant)} as ${backend.name} sees it`, className: "sharp" });
  image.src = URL.createObjectURL(await answer.blob());
  await image.decode();
  URL.revokeObjectURL(image.src);
  return {
    image,
    scale: answer.headers.get("x-pixelcost-scale") || "",
    version: Number(answer.headers.get("x-pixelcost-model-version")) || null,
  };
}

/**
 * Null where the two were scaled to 8 bits differently: their levels can't be compared.
 * @param {Seen} one @param {Seen} other @returns {?{canvas: HTMLCanvasElement, words: string}}
 */
export function seenDifference(one, other) {
  if (one.scale !== other.scale) return null;
  const canvas = el("canvas", { className: "sharp", role: "img", "aria-label": "Their difference, eight times as strong" });
  const size = { width: one.image.naturalWidth, height: one.image.naturalHeight };
  return { canvas, words: drawDifference(canvas, one.image, other.image, size) };
}

/** @param {HTMLElement} picture @param {string} words */
export const captioned = (picture, words) => el("figure", {}, picture, el("figcaption", { className: "muted" }, words));
