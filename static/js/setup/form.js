/** The form: draws what the config offers, reads what the person wants into `state.plan`. */

import { checkChip, el, fill, part, removable, setText, syncChips, tickedValues, wireAdd, writeBeneath } from "../dom.js";
import { bytes, capital, optionalNumber } from "../format.js";
import { isBusy, memory, repeatsToCome, state, update, watch } from "../state.js";
import * as plans from "./plan.js";

const ORDER_NAMES = {
  auto: "Auto: in parallel, shared cores take turns",
  parallel: "All backends in parallel",
  in_turns: "All backends in turns, request by request",
  one_at_a_time: "One backend at a time",
};
const PLACES = /** @type {const} */ ({
  jpeg_qualities: "jpegQualities", webp_qualities: "webpQualities", avif_qualities: "avifQualities",
  subsamplings: "subsamplings", resamplers: "resamplers",
}); // list of the plan -> its part of the page
const QUICK = ["20", "64"];
const ENGINE_NAMES = { pica: "pica (Lanczos)", canvas: "plain canvas" };

/** Whether this browser can resize in a worker at all. */
export const canResizeHere = () => ["OffscreenCanvas", "createImageBitmap", "Worker"].every((name) => name in window);

/** The plan as it will be run with this photo in this browser. */
export const planToRun = () => plans.possiblePlan(state.plan, state.photo, canResizeHere());

/** Builds the form once the config is known, and keeps it in step with the state from then on. */
export function buildForm() {
  const { config } = state;
  part("formats").append(...config.formats.map((format) => checkChip("formats", format.key, format.name)));
  part("order").append(...config.orders.map((key) => el("option", { value: key }, ORDER_NAMES[key] || key)));
  part("labels").append(...(config.labels || []).map((value) => el("option", { value })));
  part("engines").append(...config.browser.engines.map((key) => checkChip("engines", key, ENGINE_NAMES[key] || key)));
  fillForm();
  part("form").addEventListener("input", readForm);
  wireAdd(part("otherSize"), part("addSize"), part("sizesHint"), addSize);
  for (const axis of plans.AXES.filter(({ format }) => format)) wireQualities(axis);
  watch(["plan", "photo"], renderSizes);
  watch(["plan", "backends"], renderFormats);
  watch(["plan"], renderAxes);
  watch(["plan", "photo"], renderPlace);
  watch(["plan", "photo"], renderMargin);
  watch(["plan"], renderFieldProblems);
  watch(["plan", "backends"], renderLabelHint);
  watch(["plan", "backends"], renderAsked);
  watch(["plan", "photo", "backends", "run", "report", "job"], renderRunBar);
  watch(["plan", "photo", "report"], renderPlanWords);
}

/** The longest side of the chosen photo; null while there is none or it is not known. */
function longestPx() {
  const { photo } = state;
  return photo?.width_px ? Math.max(photo.width_px, photo.height_px) : null;
}

/** Puts the plan of the state into the form's fields. */
export function fillForm() {
  const { plan } = state;
  const form = /** @type {HTMLFormElement} */ (part("form"));
  for (const key of ["repeats", "warmups", "order"]) form[key].value = plan[key];
  form.pace.value = QUICK.includes(String(plan.repeats)) ? String(plan.repeats) : "own";
  form.keep_top1.checked = plan.keep_top1;
  form.margin_points.value = plan.margin_points ?? "";
  form.resize_in.value = plan.resize_in;
  for (const box of part("engines").querySelectorAll("input")) box.checked = plan.browser_engines.includes(box.value);
  form.upload_original.checked = plan.upload_original;
  form.max_p50_ms.value = plan.max_p50_ms ?? "";
  form.max_size_kb.value = plan.max_size_bytes === null ? "" : plan.max_size_bytes / 1000;
  form.true_label.value = plan.true_label || "";
}

/** @param {Event} event */
function readForm(event) {
  const form = /** @type {HTMLFormElement} */ (part("form"));
  const target = /** @type {HTMLInputElement} */ (event.target);
  if (target.name === "pace" && target.value !== "own") form.repeats.value = target.value;
  if (target.name === "repeats") form.pace.value = QUICK.includes(target.value) ? target.value : "own";
  if (target.name === "pace" && target.value === "own") form.repeats.focus();
  if (target.closest(".add")) return; // typed, not added yet
  update({ plan: { ...state.plan, ...fieldsOf(form) } });
}

/** The plan that the fields say; a number that is none becomes NaN, which planProblems() names. */
function fieldsOf(form) {
  const sizeKb = optionalNumber(form.max_size_kb.value);
  return {
    sizes_px: checkedValues("sizes").map(Number),
    formats: tickedValues(part("formats")),
    ...Object.fromEntries(plans.AXES.map((axis) => [axis.key, valuesOf(axis)])),
    ...placeFields(form),
    repeats: form.repeats.valueAsNumber,
    warmups: form.warmups.valueAsNumber,
    order: form.order.value,
    backend_names: namedBackends(),
    keep_top1: form.keep_top1.checked,
    margin_points: optionalNumber(form.margin_points.value),
    max_p50_ms: optionalNumber(form.max_p50_ms.value),
    max_size_bytes: sizeKb === null ? null : Math.round(sizeKb * 1000),
    true_label: form.true_label.value.trim(),
  };
}

/** Where resizing can't be done here the boxes show the server, and the choice is kept for the next photo. */
function placeFields(form) {
  const { resize_in, upload_original } = state.plan;
  const isOpen = !plans.whyNotHere(state.photo, canResizeHere());
  return {
    resize_in: isOpen ? form.resize_in.value : resize_in,
    browser_engines: tickedValues(part("engines")),
    upload_original: form.upload_original.disabled ? upload_original : form.upload_original.checked,
  };
}

/** Values of the ticked boxes; a size that is too large for this photo stays chosen for the next. */
function checkedValues(name) {
  const boxes = [...part(name).querySelectorAll("input")];
  return boxes.filter((box) => box.checked || box.hasAttribute("data-kept")).map((box) => box.value);
}

/** null when the ticked backends are those that a run asks anyway. */
function namedBackends() {
  if (!state.backends) return null;
  const names = checkedValues("asked");
  const usual = plans.askedBackends(state.backends.backends, null).map((backend) => backend.name);
  return names.join("\n") === usual.join("\n") ? null : names;
}

/** @param {number} sizePx @returns {string} what is wrong with it */
function addSize(sizePx) {
  const range = state.config.ranges.sizes_px;
  if (!plans.isWhole(sizePx, range)) return `A size must be a whole number of pixels from ${range.join(" to ")}.`;
  update({ plan: { ...state.plan, sizes_px: [...new Set([...state.plan.sizes_px, sizePx])] } });
  return "";
}

/** Where the chips of an axis stand: a number's share their place with the field that adds one. @param {plans.Axis} axis */
const chipsOf = ({ key, format }) =>
  format ? /** @type {HTMLElement} */ (part(PLACES[key]).querySelector(".list")) : part(PLACES[key]);

function valuesOf(axis) {
  const values = tickedValues(chipsOf(axis));
  return axis.format ? values.map(Number) : values;
}

function wireQualities(axis) {
  const { key, name } = axis;
  const range = state.config.ranges[key];
  const [input, button, hint] = [".add input", ".add button", "p"].map((selector) => part(PLACES[key]).querySelector(selector));
  wireAdd(input, button, hint, (value) => {
    if (!plans.isWhole(value, range)) return `${name} must be a whole number from ${range.join(" to ")}.`;
    update({ plan: { ...state.plan, [key]: [...new Set([...state.plan[key], value])] } });
    return "";
  });
}

/** @param {plans.Axis} axis @param {string|number} value */
function qualityChip({ key, format, name }, value) {
  const chip = checkChip(key, value, capital(String(value)));
  if (!format || state.config.offered[key].includes(value)) return chip;
  return removable(chip, `${name} ${value}`, () => {
    shownValues[key] = shownValues[key].filter((other) => other !== value);
    leave(part(PLACES[key]).querySelector(".add input"), { ...state.plan, [key]: state.plan[key].filter((other) => other !== value) });
  });
}

/** A quality that was added stays as a chip when it is ticked off; the best one comes first. */
const shownValues = {};

function renderAxes() {
  for (const axis of plans.AXES) {
    const { key, format } = axis;
    const chosen = state.plan[key];
    shownValues[key] = [...new Set([...(shownValues[key] || state.config.offered[key]), ...chosen])];
    const values = format ? shownValues[key].sort((a, b) => b - a) : state.config.offered[key];
    syncChips(chipsOf(axis), key, values, chosen, (value) => qualityChip(axis, value));
    if (format) part(PLACES[key]).hidden = !state.plan.formats.includes(format);
  }
}

function renderPlace() {
  const form = /** @type {HTMLFormElement} */ (part("form"));
  const plan = planToRun();
  const why = plans.whyNotHere(state.photo, canResizeHere());
  for (const radio of form.resize_in) {
    radio.checked = radio.value === plan.resize_in;
    radio.disabled = Boolean(why) && radio.value !== "server";
  }
  part("browserResize").hidden = !plans.resizesHere(plan);
  form.upload_original.disabled = plan.resize_in === "both";
  form.upload_original.checked = plans.uploadsOriginal(plan);
  setText(part("resizeHint"), why || plans.placeWords(plan, state.config));
}

/** A format that no backend reads, or that the server can't write, can't be chosen, and says why. */
function renderFormats() {
  const asked = plans.askedBackends(state.backends?.backends || [], state.plan.backend_names);
  const reasons = plans.unusableFormats(state.config.formats, asked);
  const formats = state.plan.formats.filter((key) => !reasons[key]);
  if (formats.length < state.plan.formats.length) return update({ plan: { ...state.plan, formats } });
  for (const box of part("formats").querySelectorAll("input")) {
    box.checked = formats.includes(box.value);
    box.disabled = Boolean(reasons[box.value]);
    box.parentElement.title = reasons[box.value] || "";
  }
  const partly = plans.partlyUnread(state.plan, state.config.formats, asked);
  const words = [...new Set(Object.values(reasons)), ...partly].join(" ");
  setText(part("formatsHint"), words);
  return undefined;
}

function renderSizes() {
  const choices = plans.sizeChoices(state.config.offered_sizes_px, state.plan.sizes_px, longestPx());
  const present = [...part("sizes").querySelectorAll("input")].map((box) => Number(box.value));
  if (present.join() !== choices.map((choice) => choice.size_px).join()) {
    fill(part("sizes"), ...choices.map(sizeChip));
  }
  const boxes = [...part("sizes").querySelectorAll("input")];
  choices.forEach((choice, index) => syncSize(boxes[index], choice));
  const reasons = choices.filter((choice) => choice.reason && choice.chosen).map((choice) => choice.size_px);
  const note = reasons.length
    ? `${reasons.join(", ")} skipped: larger than the original (${longestPx()} px).`
    : "Sizes larger than the photo are skipped (no upscaling).";
  setText(part("sizesHint"), note);
}

/** A size that somebody added goes again, also one that can't be ticked. */
function sizeChip({ size_px: sizePx }) {
  const chip = checkChip("sizes_px", sizePx, sizePx);
  if (state.config.offered_sizes_px.includes(sizePx)) return chip;
  const without = () => ({ ...state.plan, sizes_px: state.plan.sizes_px.filter((other) => other !== sizePx) });
  return removable(chip, String(sizePx), () => leave(part("otherSize"), without()));
}

/** The focus goes where another value can be added: what had it is gone. @param {HTMLElement} next @param {import("../types.js").PagePlan} plan */
function leave(next, plan) {
  update({ plan });
  next.focus();
}

/** @param {HTMLInputElement} box */
function syncSize(box, choice) {
  box.disabled = Boolean(choice.reason);
  box.checked = choice.chosen && !choice.reason;
  box.toggleAttribute("data-kept", choice.chosen && Boolean(choice.reason));
  box.parentElement.title = choice.reason;
}

/** What keeping the answer may cost, of one photo in probability, of a set in accuracy or agreement. */
function renderMargin() {
  const { photo, plan, config } = state;
  const input = /** @type {HTMLInputElement} */ (part("form").margin_points);
  input.disabled = !plan.keep_top1;
  input.placeholder = plans.usualMargin(config.margins, photo);
  setText(input.labels[0], photo?.set ? "May lose" : "Probability may fall by");
}

const FIELDS = {
  repeats: "repeats", warmups: "warmups", margin_points: "margin_points", max_p50_ms: "max_p50_ms",
  max_size_bytes: "max_size_kb",
}; // key of the plan -> name of its field

/** Marks each field that can't be used as it is, and says beneath it why. */
function renderFieldProblems() {
  const problems = plans.fieldProblems(state.plan, state.config.ranges);
  for (const [key, name] of Object.entries(FIELDS)) writeBeneath(part("form")[name], problems[key] || "", true);
}

/** The focus goes to the first field that stands against running; the plan has to be open. */
export function focusProblem() {
  const [key] = Object.keys(plans.fieldProblems(state.plan, state.config.ranges));
  if (!key) return;
  const input = /** @type {HTMLInputElement} */ (part("form")[FIELDS[key]]);
  const folded = input.closest("details");
  if (folded) folded.open = true;
  input.focus();
}

/** Whether the true label of the plan can be met. */
export function isLabelKnown() {
  const labels = state.backends && !plans.isOneModel(state.backends) ? [] : state.config.labels || []; // another model may know more
  return plans.isKnownLabel(state.plan.true_label || "", labels);
}

function renderLabelHint() {
  const words = "The model does not know this label; accuracy would always be 0. Choose one from the list.";
  writeBeneath(part("form").true_label, isLabelKnown() ? "" : words, false);
}

function renderAsked() {
  const backends = state.backends?.backends || [];
  const present = [...part("asked").querySelectorAll("input")].map((box) => box.value);
  if (present.join("\n") !== backends.map((backend) => backend.name).join("\n")) {
    fill(part("asked"), ...backends.map((backend) => checkChip("asked", backend.name, backend.name)));
  }
  const asked = plans.askedBackends(backends, state.plan.backend_names).map((backend) => backend.name);
  for (const box of part("asked").querySelectorAll("input")) {
    box.checked = asked.includes(box.value);
    box.disabled = !plans.takesPhotos(backends.find((backend) => backend.name === box.value));
  }
}

/** What stands against running right now, in words; empty when nothing does. */
export function runProblems() {
  if (!state.photo) return ["Choose a photo first."];
  if (state.photo.labels === "csv" && !state.photo.csvFile && !state.photo.set.csv) return ["Choose the CSV file of labels."];
  const problems = plans.planProblems(planToRun(), longestPx(), state.config);
  const backends = state.backends?.backends || [];
  if (state.backends && !plans.askedBackends(backends, state.plan.backend_names).length)
    problems.push("No backend is available. The reasons are above.");
  return problems;
}

/** What a run would try, beside the button that changes it. */
function renderPlanWords() {
  const usable = plans.usableSizes(state.plan.sizes_px, longestPx());
  setText(part("planWords"), plans.planWords(state.plan, state.plan.sizes_px.filter((sizePx) => !usable.includes(sizePx))));
}

function renderRunBar() {
  const button = /** @type {HTMLButtonElement} */ (part("run"));
  const backends = state.backends?.backends || [];
  const asked = plans.askedBackends(backends, state.plan.backend_names);
  const variants = plans.countVariants(planToRun(), longestPx(), state.config);
  const label = plans.runLabel(variants, plans.answeringBackends(asked).length, state.photo?.set);
  const stops = isBusy() || state.job?.kind === "repeats";
  const missing = repeatsToCome();
  setText(button, isBusy() ? "Cancel" : stops ? "Stop" : missing ? `Measure fully (${missing} more)` : label);
  setText(part("runPlan"), label);
  part("runPlan").hidden = stops || !state.photo;
  button.classList.toggle("primary", !stops);
  button.classList.toggle("danger", stops);
  setText(part("estimate"), isBusy() ? "" : estimateText(backends));
  part("estimate").classList.toggle("problem", Boolean(state.photo) && runProblems().length > 0);
  part("form").classList.toggle("busy", isBusy());
  part("setup").toggleAttribute("inert", isBusy()); // settings of a run that goes on can't change
}

function estimateText(backends) {
  const problems = runProblems();
  if (problems.length) return problems.join(" ");
  if (state.photo.set?.count === null) return "How long it takes depends on how many photos are in the file.";
  const plan = plans.planOfAll(planToRun(), state.photo.set?.count);
  const cost = plans.estimate(plan, longestPx(), backends, memory.get("pace") || {}, state.config);
  const asked = plans.askedBackends(backends, state.plan.backend_names);
  const answering = plans.answeringBackends(asked);
  const silent = asked.filter((backend) => !answering.includes(backend)).map((backend) => backend.name);
  const leftOut = plans.leftOut(backends, state.plan.backend_names);
  const failing = silent.length ? `. No answer from ${silent.join(", ")}: tried once.` : leftOut.length ? `. Left out: ${leftOut.join(", ")}.` : "";
  return `${plans.estimateWords(cost, Boolean(state.photo.set))}${failing}`;
}

/** Size and weight of the photo in words. @param {Partial<import("../types.js").Photo>} photo */
export function photoFacts(photo) {
  if (photo.facts) return photo.facts;
  const unseen = "this browser can't show it; the server may still read it";
  const facts = [photo.width_px ? `${photo.width_px} × ${photo.height_px} px` : unseen];
  if (photo.size_bytes !== null) facts.push(bytes(photo.size_bytes));
  return facts.join(", ");
}
