/**
 * Makes copies of one photo, off the page's own thread: decode once, resize, encode, let go.
 *
 *   in   {file, plan, encodings}                   make the plan's variants: each of its copies in each encoding
 *        {file, shrink: {max_pixels, max_bytes}}   make one photo that is within the limits
 *   out  {kind: "count", count}                    of the variants to come
 *        {kind: "variant", row, blob}              one of them; `row` is what the server wants to know of it
 *        {kind: "done", facts, unable, width_px, height_px}
 *        {kind: "shrunk", blob, width_px, height_px}
 *        {kind: "failed", code, detail}            code: "undecodable", "unreadable" or "broken"
 */

import { Pica } from "../../vendor/pica.js";
import { changedBytes, SIDE_PX } from "./canvas_noise.js";
import { browserName, copiesOf, longestWithin, scaled, startFor } from "./copies.js";
import { liesOnItsSide, orientationLeft, uprightTransform } from "./orientation.js";

const PICA_VERSION = "10.0.3"; // pica does not say; tests/page/test_browser_page.py compares it with VERSIONS
const KEEP_PIXELS = 8e6; // larger copies are not kept to be resized again
const SHRUNK_QUALITY = 0.92;
const SHRINK_STEP = 0.85; // of the side, while the file is too large
const ENGINE_WORDS = { pica: `pica ${PICA_VERSION} (Lanczos 3)`, canvas: "canvas drawImage (high)" };

// No WebAssembly, which the page's policy forbids, and no workers of its own: this is one already.
const pica = new Pica({ features: ["js"] });

self.onmessage = async ({ data }) => {
  try {
    if (data.shrink) await shrink(data.file, data.shrink);
    else await makeAll(data.file, data.plan, data.encodings);
  } catch (error) {
    const code = error.code === "ERR_GET_IMAGE_DATA" ? "unreadable" : error.code === "undecodable" ? error.code : "broken";
    self.postMessage({ kind: "failed", code, detail: String(error.message || error) });
  }
};

/** @param {Blob} file @param {any} plan @param {{format: string, quality: ?number}[]} encodings */
async function makeAll(file, plan, encodings) {
  const facts = { name: browserName(navigator.userAgent), clock_resolution_us: clockResolutionUs(), noise_bytes: noise() };
  await pica.init(); // it probes the browser, which does not belong to the resize time
  const photo = await decoded(file);
  const { width: width_px, height: height_px } = photo.canvas;
  const copies = copiesOf(plan, width_px, height_px);
  self.postMessage({ kind: "count", count: copies.length * encodings.length });
  const [unable, kept] = [new Set(), []];
  for (const copy of copies) {
    const resizedCopy = await resized(photo.canvas, copy, kept);
    for (const encoding of encodings) await encode(resizedCopy, encoding, photo.decode_ms, facts, unable);
    if (copy.engine === "pica" && copy.width_px * copy.height_px <= KEEP_PIXELS) kept.push(resizedCopy);
    else release(resizedCopy.canvas);
  }
  release(photo.canvas);
  kept.forEach(({ canvas }) => release(canvas));
  self.postMessage({ kind: "done", facts, unable: [...unable], width_px, height_px });
}

/**
 * The photo upright, in sRGB, on white: as the server has it. On a canvas, because pica reads bitmaps of turned photos
 * by way of an element that a worker does not have; the bitmap goes at once. @param {Blob} file
 */
async function decoded(file) {
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

function surface(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  return { canvas, context: canvas.getContext("2d", { alpha: false, willReadFrequently: true }) };
}

/** Memory of a canvas comes back when it is made empty, not when it is forgotten. */
function release(canvas) {
  canvas.width = canvas.height = 0;
}

/** @param {OffscreenCanvas} photo @returns {Promise<{canvas: OffscreenCanvas, size_px: number, resize_ms: ?number}>} */
async function resized(photo, copy, kept) {
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

async function encode(copy, { format, quality }, decodeMs, facts, unable) {
  const start = performance.now();
  const blob = await copy.canvas.convertToBlob({ type: `image/${format}`, quality: quality === null ? undefined : quality / 100 });
  const encodeMs = performance.now() - start;
  if (blob.type !== `image/${format}`) return unable.add(format); // a browser writes PNG for what it can't write
  const row = {
    format, size_px: copy.size_px, quality, engine: copy.engine, decode_ms: rounded(decodeMs), resize_ms: rounded(copy.resize_ms),
    encode_ms: rounded(encodeMs), canvas_noise: facts.noise_bytes > 0,
    encoder: `${ENGINE_WORDS[copy.engine]}, ${facts.name} canvas encoder`,
  };
  return self.postMessage({ kind: "variant", row, blob });
}

const rounded = (ms) => (ms === null ? null : Math.round(ms * 1000) / 1000);

/** Bytes that come back changed from a canvas of this worker. */
const noise = () => changedBytes(surface(SIDE_PX, SIDE_PX).context);

/** The smallest step that this browser's clock makes. */
function clockResolutionUs() {
  const steps = Array.from({ length: 8 }, () => {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    return now - start;
  });
  return Math.round(Math.min(...steps) * 1e6) / 1e3;
}

/** One JPEG of the photo, as large as the limits allow. @param {Blob} file */
async function shrink(file, limits) {
  const { canvas: photo } = await decoded(file);
  let sizePx = longestWithin(photo.width, photo.height, limits.max_pixels);
  for (;;) {
    const copy = { size_px: sizePx, ...scaled(photo.width, photo.height, sizePx), engine: "pica" };
    const { canvas } = await resized(photo, copy, []);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: SHRUNK_QUALITY });
    release(canvas);
    if (blob.size <= limits.max_bytes || sizePx < 64) {
      release(photo);
      return self.postMessage({ kind: "shrunk", blob, width_px: copy.width_px, height_px: copy.height_px });
    }
    sizePx = Math.floor(sizePx * SHRINK_STEP);
  }
}
