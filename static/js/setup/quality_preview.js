/**
 * A quality of the photo at hand, tried in this browser before anything is sent: bytes, likeness, and how it looks.
 * One attempt at a time: while it is computed only the newest wish is kept.
 */

import { el, fill, part, setText } from "../dom.js";
import { bytes, formatName } from "../format.js";
import { isBusy, state, update, watch } from "../state.js";
import { canResizeHere } from "./form.js";
import { photoBlob } from "./photo.js";
import { AXES, usableSizes } from "./plan.js";

const FIRST_QUALITY = 80;
const WRITTEN = ["jpeg", "webp"]; // lossy, and written by canvases
const NOTE = "Encoded by this browser. The server's encoder (Pillow; for JPEG libjpeg-turbo, 4:2:0) gives slightly other bytes.";

const chosen = { size_px: /** @type {?number|undefined} */ (undefined), // null: the photo's own; undefined: not chosen yet
  format: WRITTEN[0], quality: FIRST_QUALITY };
let worker = /** @type {?Worker} */ (null);
let isComputing = false;
let asked = ""; // what it was asked last
let ofPhoto = null; // the photo that the worker has
const urls = { lossless: "", tried: "" };

const slider = /** @type {HTMLInputElement} */ (el("input", { type: "range", id: "quality-slider", min: "1", max: "100", value: String(FIRST_QUALITY) }));
const shownQuality = el("span", { className: "quality-shown" });
const sizes = /** @type {HTMLSelectElement} */ (el("select", { id: "quality-size" }));
const formats = el("div", { className: "chips" });
const result = el("output", { id: "quality-result", htmlFor: "quality-slider" });
const before = /** @type {HTMLImageElement} */ (el("img", { alt: "The lossless copy of this size", hidden: true }));
const after = /** @type {HTMLImageElement} */ (el("img", { alt: "The same copy at this quality", hidden: true }));
const add = /** @type {HTMLButtonElement} */ (el("button", { type: "button" }));
const why = el("p", { className: "hint" });
const controls = el("div", { className: "quality-controls" });
const fold = /** @type {HTMLDetailsElement} */ (el("details", { className: "more" }));

/** Puts it into its place; nothing is computed before it is unfolded. */
export function mountQualityPreview() {
  if (part("qualityPreview").childElementCount) return;
  const field = (id, words, control) => el("div", { className: "field" }, el("label", { htmlFor: id }, words), control);
  fill(formats, ...WRITTEN.map((format) => el("label", { className: "chip" },
    el("input", { type: "radio", name: "quality_format", value: format, checked: format === chosen.format }), formatName(format))));
  fill(controls,
    el("div", { className: "row" },
      el("fieldset", {}, el("legend", {}, "Format"), formats),
      field("quality-size", "Size", sizes),
      el("div", { className: "field grow" }, el("label", { htmlFor: "quality-slider" }, "Quality ", shownQuality), slider)),
    el("p", {}, result),
    el("div", { className: "quality-pictures" }, before, after),
    add, el("p", { className: "hint" }, NOTE));
  fill(fold, el("summary", {}, "Try a quality on this photo"), why, controls);
  fill(part("qualityPreview"), fold);
  wire();
}

function wire() {
  slider.addEventListener("input", () => choose({ quality: slider.valueAsNumber }));
  // On input, which reaches them before the form: it replaces the plan then, and all is drawn anew.
  sizes.addEventListener("input", () => choose({ size_px: sizes.value ? Number(sizes.value) : null }));
  formats.addEventListener("input", (event) => choose({ format: /** @type {HTMLInputElement} */ (event.target).value }));
  add.addEventListener("click", addToPlan);
  fold.addEventListener("toggle", render);
  part("planDrawer").addEventListener("close", stop);
  watch(["photo", "plan", "run"], render);
}

function choose(changes) {
  Object.assign(chosen, changes);
  render();
}

/** Why nothing can be tried; "" when something can. */
function whyNot() {
  const { photo } = state;
  if (!canResizeHere()) return "This browser can't encode in the background (it has no OffscreenCanvas).";
  if (!photo) return "Choose a photo first.";
  if (photo.set) return "Choose a single photo: a set has no one picture to look at.";
  if (!photo.width_px) return "This browser can't decode this photo.";
  return isBusy() ? "A run is under way: what this would compute would disturb its times." : "";
}

function render() {
  const reason = whyNot();
  setText(why, reason);
  controls.hidden = Boolean(reason);
  if (reason || !fold.open) return stop();
  renderSizes();
  setText(shownQuality, String(chosen.quality));
  slider.setAttribute("aria-valuetext", `quality ${chosen.quality}`);
  setText(add, `Add q${chosen.quality} to the plan`);
  const key = qualitiesKey();
  add.disabled = state.plan[key].includes(chosen.quality) && state.plan.formats.includes(chosen.format);
  if (add.disabled) setText(add, `q${chosen.quality} is in the plan`);
  if (ofPhoto && ofPhoto !== state.photo) forget();
  return next();
}

function renderSizes() {
  const { width_px, height_px } = state.photo;
  const usable = usableSizes(state.plan.sizes_px, Math.max(width_px, height_px)).sort((a, b) => b - a);
  const values = [...usable.map(String), ""];
  if (chosen.size_px === undefined || !values.includes(String(chosen.size_px ?? ""))) chosen.size_px = usable[0] ?? null;
  if ([...sizes.options].map((option) => option.value).join() !== values.join())
    fill(sizes, ...values.map((value) => el("option", { value }, value ? `${value} px` : "as the photo")));
  sizes.value = String(chosen.size_px ?? "");
}

const qualitiesKey = () => /** @type {"jpeg_qualities"|"webp_qualities"} */ (AXES.find(({ format }) => format === chosen.format).key);

/** Asks for the newest choice, once the worker is free. */
async function next() {
  if (isComputing || asked === JSON.stringify(chosen)) return;
  isComputing = true;
  if (!worker && !(await start())) return;
  asked = JSON.stringify(chosen);
  worker.postMessage(chosen);
}

/** A worker that has the photo; false if it was left or is gone meanwhile. */
async function start() {
  const { photo } = state;
  ofPhoto = photo;
  setText(result, "Computing…");
  const file = await photoBlob(photo).catch(() => null);
  if (ofPhoto !== photo) return false;
  if (!file) setText(result, "The photo of this run is no longer stored. Choose it again.");
  if (!file) return false;
  worker = new Worker(new URL("../browser_resize/quality_worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => show(data);
  worker.onerror = () => show({ kind: "failed" });
  worker.postMessage({ file });
  return true;
}

function show(answer) {
  isComputing = false;
  if (answer.kind === "tried") showTried(answer);
  else if (answer.kind === "unable") setText(result, `This browser does not write ${formatName(answer.format)}.`);
  else setText(result, "This browser could not encode the photo. It may be short of memory: choose a smaller size.");
  next();
}

function showTried(answer) {
  setText(result, `q${answer.quality}: ${bytes(answer.size_bytes)} (of ${bytes(state.photo.size_bytes)}), SSIM ${answer.ssim.toFixed(3)}`
    + " against the lossless copy of this size");
  if (answer.lossless) showPicture(before, "lossless", answer.lossless);
  showPicture(after, "tried", answer.blob);
}

/** @param {HTMLImageElement} image @param {"lossless"|"tried"} key @param {Blob} blob */
function showPicture(image, key, blob) {
  if (urls[key]) URL.revokeObjectURL(urls[key]);
  urls[key] = URL.createObjectURL(blob);
  image.src = urls[key];
  image.hidden = false;
}

function addToPlan() {
  const key = qualitiesKey();
  const { plan } = state;
  update({ plan: {
    ...plan,
    [key]: [...new Set([...plan[key], chosen.quality])],
    formats: [...new Set([...plan.formats, chosen.format])],
  } });
}

/** The photo in the worker may take hundreds of megabytes, so it goes when nobody looks. */
function stop() {
  if (ofPhoto) forget();
}

function forget() {
  worker?.terminate();
  worker = ofPhoto = null;
  isComputing = false;
  asked = "";
  before.hidden = after.hidden = true;
  setText(result, "");
}
