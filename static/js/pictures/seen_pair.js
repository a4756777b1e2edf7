/**
 * What the model sees of the two pictures on the stage: asked for by itself, when nothing is measured and the page is idle.
 * @import { Backend, Report, Variant } from "../types.js"
 */

import { problemText } from "../api.js";
import { el, fill, setText } from "../dom.js";
import { hasBytes } from "./picture_urls.js";
import { captioned, seeingBackends, seenDifference, seenPicture } from "./seen_pictures.js";

const SETTLE_MS = 500; // whoever walks along the strip asks for the last one only

/** @type {Map<string, Promise<import("./seen_pictures.js").Seen>>} by run, variant and backend: each is asked for once */
const asked = new Map();

/** The place for it, and what fills it. */
export function seenPair() {
  const place = el("div", { className: "seen-pair-pictures" });
  const words = el("p", { className: "hint", role: "status" });
  const element = el("section", { className: "seen-pair", "aria-label": "What the model sees", hidden: true },
    el("h3", {}, "What the model sees"), place, words);
  let wanted = "";
  let timer = 0;

  /** @param {Report} report @param {string} a @param {string} b ids of variants, or keys of steps @param {boolean} isOver */
  function show(report, a, b, isOver) {
    const backend = backendOf(report);
    const variants = [...new Set([a, b])].map((id) => report.variants.find((variant) => variant.id === id)).filter(Boolean);
    element.hidden = !backend || !hasBytes(report);
    if (element.hidden) return;
    const key = JSON.stringify([report.run_id, backend.name, variants.map(({ id }) => id), isOver]);
    if (key === wanted) return;
    wanted = key;
    clearTimeout(timer);
    if (!isOver || !variants.length) {
      fill(place, ...frames(2));
      return setText(words, isOver ? "" : "Shown when nothing is measured.");
    }
    timer = window.setTimeout(() => whenIdle(() => draw(report, variants, backend, key)), SETTLE_MS);
  }

  /** @param {Report} report @param {Variant[]} variants @param {Backend} backend @param {string} key */
  async function draw(report, variants, backend, key) {
    try {
      const seen = [];
      for (const variant of variants) seen.push(await once(report, variant, backend)); // one at a time
      if (key !== wanted) return;
      const difference = seen.length > 1 ? seenDifference(seen[0], seen[1]) : null;
      const letters = variants.length > 1 ? ["A", "B"] : ["A"];
      fill(place, ...seen.map(({ image }, at) => captioned(image, letters[at])),
        difference && captioned(difference.canvas, "Δ ×8"));
      const { naturalWidth: width, naturalHeight: height } = seen[0].image;
      setText(words, `${width} × ${height} px on ${backend.name}. ${difference?.words.split(";")[0] || ""}`);
    } catch (problem) {
      if (key !== wanted) return;
      wanted = ""; // the next change on the page asks again
      fill(place, ...frames(2));
      setText(words, problemText(problem));
    }
  }

  return { element, show, hide: () => (element.hidden = true) };
}

const frames = (count) => Array.from({ length: count }, () => el("figure", { className: "seen-waiting" }));

/** @param {() => void} act */
function whenIdle(act) {
  if (window.requestIdleCallback) window.requestIdleCallback(act, { timeout: 2000 });
  else act(); // Safari
}

/** The recommended one, if pixels come back from it, else the first that they come back from. @param {Report} report */
function backendOf(report) {
  const all = seeingBackends(report).filter(({ name }) =>
    report.cells.some((cell) => cell.backend_name === name && cell.count));
  return all.find(({ name }) => name === report.recommendation?.backend_name) || all[0];
}

/** A refusal is not kept: the next look asks again. @param {Report} report @param {Variant} variant @param {Backend} backend */
function once(report, variant, backend) {
  const key = JSON.stringify([report.run_id, variant.id, backend.name]);
  if (!asked.has(key)) {
    const answer = seenPicture(report, variant, backend);
    answer.catch(() => asked.delete(key));
    asked.set(key, answer);
  }
  return asked.get(key);
}
