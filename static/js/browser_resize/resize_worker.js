/**
 * Makes copies of one photo, off the page's own thread: decode once, resize, encode, let go.
 *
 *   in   {file, plan, encodings}                   make the plan's variants: each of its copies in each encoding
 *        {file, shrink: {max_pixels, max_bytes}}   make one photo that is within the limits
 *        {file, as_png: true}                      make a lossless PNG of it
 *   out  {kind: "count", count}                    of the variants to come
 *        {kind: "variant", row, blob}              one of them; `row` is what the server wants to know of it
 *        {kind: "done", facts, unable, width_px, height_px}
 *        {kind: "shrunk", blob, width_px, height_px}
 *        {kind: "png", blob}
 *        {kind: "failed", code, detail}            code: "undecodable", "unreadable" or "broken"
 */

import { changedBytes, SIDE_PX } from "./canvas_noise.js";
import { browserName, copiesOf, longestWithin, scaled } from "./copies.js";
import { decoded, initResizer, release, resized, surface } from "./surfaces.js";

const PICA_VERSION = "10.0.3"; // pica does not say; tests/page/test_browser_page.py compares it with VERSIONS
const KEEP_PIXELS = 8e6; // larger copies are not kept to be resized again
const SHRUNK_QUALITY = 0.92;
const SHRINK_STEP = 0.85; // of the side, while the file is too large
const ENGINE_WORDS = { pica: `pica ${PICA_VERSION} (Lanczos 3)`, canvas: "canvas drawImage (high)" };

self.onmessage = async ({ data }) => {
  try {
    if (data.shrink) await shrink(data.file, data.shrink);
    else if (data.as_png) await toPng(data.file);
    else await makeAll(data.file, data.plan, data.encodings);
  } catch (error) {
    const code = error.code === "ERR_GET_IMAGE_DATA" ? "unreadable" : error.code === "undecodable" ? error.code : "broken";
    self.postMessage({ kind: "failed", code, detail: String(error.message || error) });
  }
};

/** @param {Blob} file @param {any} plan @param {{format: string, quality: ?number}[]} encodings */
async function makeAll(file, plan, encodings) {
  const facts = { name: browserName(navigator.userAgent), clock_resolution_us: clockResolutionUs(), noise_bytes: noise() };
  await initResizer(); // it probes the browser, which does not belong to the resize time
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

/** Pixels that come back changed would be another photo. @param {Blob} file */
async function toPng(file) {
  if (noise() > 0) throw Object.assign(new Error("canvas noise"), { code: "ERR_GET_IMAGE_DATA" });
  const { canvas } = await decoded(file);
  self.postMessage({ kind: "png", blob: await canvas.convertToBlob({ type: "image/png" }) });
  release(canvas);
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
