/** Draws where two pictures differ. */

import { changedBytes, SIDE_PX } from "../browser_resize/canvas_noise.js";
import { differenceOf, differenceWords } from "./difference.js";

const LONGEST_PX = 2048; // larger pictures are compared at this size, to spare memory
const NOISE_WORDS = " This browser changes pixels that a page reads (protection against fingerprinting), so part of " +
  "this difference is noise that is in neither picture.";

/**
 * Both pictures are drawn at the size of `size`, smaller ones smoothly enlarged, and compared there.
 * @param {HTMLCanvasElement} canvas gets the difference
 * @param {HTMLImageElement} one @param {HTMLImageElement} other both loaded
 * @param {{width: number, height: number}} size
 * @returns {string} a sentence about it
 */
export function drawDifference(canvas, one, other, size) {
  const scale = Math.min(1, LONGEST_PX / Math.max(size.width, size.height));
  const width = Math.max(1, Math.round(size.width * scale));
  const height = Math.max(1, Math.round(size.height * scale));
  const out = new ImageData(width, height);
  const found = differenceOf(pixelsOf(one, width, height), pixelsOf(other, width, height), out.data);
  canvas.width = width;
  canvas.height = height;
  contextOf(canvas).putImageData(out, 0, 0);
  return differenceWords(found) + (changedBytes(contextOf(canvasOf(SIDE_PX, SIDE_PX))) ? NOISE_WORDS : "");
}

/** @param {HTMLImageElement} image */
function pixelsOf(image, width, height) {
  const context = contextOf(canvasOf(width, height));
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

const contextOf = (canvas) => canvas.getContext("2d", { willReadFrequently: true });
