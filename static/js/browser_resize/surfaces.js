/** A photo on a canvas, upright and in sRGB, and smaller ones of it. For workers, off the page's own thread. */

import { Pica } from "../../vendor/pica.js";
import { startFor } from "./copies.js";
import { liesOnItsSide, orientationLeft, uprightTransform } from "./orientation.js";

// No WebAssembly, which the page's policy forbids, and no workers of its own: this is one already.
const pica = new Pica({ features: ["js"] });

/** It probes the browser, which does not belong to the time of the first resize. */
export const initResizer = () => pica.init();

/**
 * The photo upright, in sRGB, on white: as the server has it. On a canvas, because pica reads bitmaps of turned photos
 * by way of an element that a worker does not have; the bitmap goes at once. @param {Blob} file
 */
export async function decoded(file) {
  const orientation = await orientationLeft(file);
  const start = performance.now();
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (!bitmap) throw Object.assign(new Error("createImageBitmap refused the file"), { code: "undecodable" });
  const { width, height } = bitmap;
  const { canvas, context } = liesOnItsSide(orientation) ? surface(height, width) : surface(width, height);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(...uprightTransform(orientation, width, height));
  context.drawImage(bitmap, 0, 0);
  context.resetTransform();
  bitmap.close();
  context.getImageData(0, 0, 1, 1); // drawing may be put off until someone looks
  return { canvas, decode_ms: performance.now() - start };
}

export function surface(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  return { canvas, context: canvas.getContext("2d", { alpha: false, willReadFrequently: true }) };
}

/** Memory of a canvas comes back when it is made empty, not when it is forgotten. */
export function release(canvas) {
  canvas.width = canvas.height = 0;
}

/** @param {OffscreenCanvas} photo @returns {Promise<{canvas: OffscreenCanvas, size_px: number, resize_ms: ?number}>} */
export async function resized(photo, copy, kept) {
  const { canvas, context } = surface(copy.width_px, copy.height_px);
  if (copy.size_px === Math.max(photo.width, photo.height)) {
    context.drawImage(photo, 0, 0);
    return { ...copy, canvas, resize_ms: null };
  }
  const from = copy.engine === "pica" ? startFor(copy.size_px, kept) : null;
  const start = performance.now();
  if (copy.engine === "pica") await pica.resize(from?.canvas || photo, canvas, { filter: "lanczos3" });
  else drawSmaller(context, photo, copy);
  return { ...copy, canvas, resize_ms: (from?.resize_ms || 0) + performance.now() - start };
}

function drawSmaller(context, photo, copy) {
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, copy.width_px, copy.height_px);
  context.getImageData(0, 0, 1, 1);
}
