/** Resizing in this browser, as the page sees it: start the worker, follow it, stop it, and what to send afterwards. */

import { Problem } from "../api.js";
import { changedBytes, SIDE_PX } from "./canvas_noise.js";

export { tooHeavy } from "./copies.js";

const WORDS = {
  undecodable: {
    title: "This browser can't decode the photo.",
    detail: "Resize on the server, which may read it, or choose another photo.",
  },
  unreadable: {
    title: "This browser does not let pixels be read back (fingerprinting protection).",
    detail: "Allow canvas for this site, choose the engine canvas, or resize on the server.",
  },
  broken: {
    title: "The browser could not make the variants.",
    detail: "It may be short of memory. Use smaller sizes, or resize on the server.",
  },
};
const STOPPED = { title: "Making the variants was stopped.", type: "stopped" };

/**
 * @typedef {object} Made
 * @property {[string, Blob, string][]} parts       field, bytes and name of each variant
 * @property {Record<string, string>} fields        the form's text fields that go with them
 * @property {string[]} unable                      formats that this browser does not write
 */

/**
 * @param {import("../types.js").Photo} photo @param {Blob} blob its bytes @param {import("../types.js").PagePlan} plan
 * @param {{format: string, quality: ?number}[]} encodings of each copy
 * @param {(done: number, count: number) => void} onProgress
 * @returns {{answer: Promise<Made>, abort: () => void}}
 */
export function makeVariants(photo, blob, plan, encodings, onProgress) {
  const rows = [];
  const parts = [];
  let count = 0;
  const { stop, answer } = ask({ file: blob, plan, encodings }, (message) => {
    if (message.kind === "count") count = message.count;
    if (message.kind === "variant") {
      rows.push(message.row);
      parts.push(["variant", message.blob, partName(message.row)]);
    }
    onProgress(parts.length, count);
  });
  const variants = answer.then((message) => {
    if (!parts.length) throw new Problem(WORDS.broken);
    return { parts, fields: fieldsOf(photo, blob, rows, message), unable: message.unable };
  });
  return { answer: variants, abort: stop };
}

const partName = (row) => [row.size_px, row.format, row.quality, row.engine].filter(Boolean).join("-");

function fieldsOf(photo, blob, rows, { facts, width_px, height_px }) {
  const pageNoise = changedBytes(pageContext());
  const noisy = facts.noise_bytes + pageNoise > 0;
  const original = { name: photo.name, size_bytes: blob.size, width_px, height_px };
  return {
    variants: JSON.stringify(rows.map((row) => ({ ...row, canvas_noise: noisy }))),
    browser: JSON.stringify({ ...facts, noise_bytes: facts.noise_bytes + pageNoise, original }),
  };
}

/** The page's own canvases are tested too: some protections reach only these. */
function pageContext() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE_PX;
  return canvas.getContext("2d");
}

/**
 * A photo over the server's limits, shrunk here.
 * @param {File} file @param {{max_pixels: number, max_bytes: number}} limits
 * @returns {Promise<File>}
 */
export async function shrink(file, limits) {
  const { max_pixels, max_bytes } = limits;
  const { blob } = await ask({ file, shrink: { max_pixels, max_bytes } }, () => {}).answer;
  return new File([blob], `${file.name.replace(/\.[^.]*$/, "")} (shrunk here).jpg`, { type: "image/jpeg" });
}

/** A photo as lossless PNG, upright and in sRGB, as this browser decodes it. @param {File} file @returns {Promise<File>} */
export async function asPng(file) {
  const { blob } = await ask({ file, as_png: true }, () => {}).answer;
  return new File([blob], `${file.name.replace(/\.[^.]*$/, "")} (decoded here).png`, { type: "image/png" });
}

/** Asks a worker of its own, so that stopping it gives back all it holds. */
function ask(question, onMessage) {
  const worker = new Worker(new URL("./resize_worker.js", import.meta.url), { type: "module" });
  let stop = () => {};
  const answer = new Promise((resolve, reject) => {
    stop = () => reject(new Problem(STOPPED));
    worker.onmessage = ({ data }) => {
      if (data.kind === "failed") reject(new Problem({ ...WORDS[data.code], code: data.code }));
      else if (["done", "shrunk", "png"].includes(data.kind)) resolve(data);
      else onMessage(data);
    };
    worker.onerror = () => reject(new Problem(WORDS.broken));
  }).finally(() => worker.terminate());
  worker.postMessage(question);
  return { stop: () => stop(), answer };
}
