/**
 * What a quality costs and keeps, of one photo: a copy of a size, encoded by this browser and decoded again.
 *
 *   in   {file}                                      first: the photo
 *        {size_px, format, quality}                  then, one at a time; size_px null: the photo's own size
 *   out  {kind: "tried", size_px, format, quality, size_bytes, ssim, blob, lossless}
 *                                                    lossless: the copy as PNG, with the first answer of its size
 *        {kind: "unable", format}                    this browser does not write it
 *        {kind: "failed"}
 */

import { scaled } from "./copies.js";
import { lumaOf, ssim } from "./ssim.js";
import { decoded, initResizer, release, resized, surface } from "./surfaces.js";

/** @type {Promise<OffscreenCanvas>} */
let photo;
let copy = null; // of the size that was asked last

self.onmessage = async ({ data }) => {
  try {
    if (data.file) photo = initResizer().then(() => decoded(data.file)).then(({ canvas }) => canvas);
    else self.postMessage(await tried(data));
  } catch {
    self.postMessage({ kind: "failed" });
  }
};

async function tried({ size_px, format, quality }) {
  const isNew = copy?.size_px !== size_px;
  if (isNew) copy = await copyOf(await photo, size_px);
  const blob = await copy.canvas.convertToBlob({ type: `image/${format}`, quality: quality / 100 });
  if (blob.type !== `image/${format}`) return { kind: "unable", format };
  const similarity = ssim(copy.luma, await lumaOfFile(blob), copy.canvas.width, copy.canvas.height);
  const lossless = isNew ? await copy.canvas.convertToBlob({ type: "image/png" }) : null;
  return { kind: "tried", size_px, format, quality, size_bytes: blob.size, ssim: similarity, blob, lossless };
}

/** @param {OffscreenCanvas} whole @param {?number} sizePx */
async function copyOf(whole, sizePx) {
  if (copy) release(copy.canvas);
  const longest = Math.max(whole.width, whole.height);
  const wanted = { size_px: sizePx ?? longest, ...scaled(whole.width, whole.height, sizePx ?? longest), engine: "pica" };
  const { canvas } = await resized(whole, wanted, []);
  return { size_px: sizePx, canvas, luma: lumaOnCanvas(canvas) };
}

async function lumaOfFile(blob) {
  const bitmap = await createImageBitmap(blob);
  const { canvas, context } = surface(bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const luma = lumaOnCanvas(canvas);
  release(canvas);
  return luma;
}

function lumaOnCanvas(canvas) {
  return lumaOf(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data);
}
