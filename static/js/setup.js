/** The form: draws what the config offers, reads what the person wants into `state.plan`. */

import { bytes, plural, seconds } from "./format.js";
import { el, fill, isBusy, memory, part, setText, state, update, watch } from "./page.js";
import * as plans from "./plan.js";

const ORDER_NAMES = {
  auto: "Auto: in parallel, shared cores take turns",
  parallel: "All backends in parallel",
  one_at_a_time: "One backend after the other",
};
const RESAMPLER_NAMES = { lanczos: "Lanczos", bicubic: "Bicubic", bilinear: "Bilinear", box: "Box", nearest: "Nearest" };
const QUICK = ["20", "64"];

/** Builds the form once the config is known, and keeps it in step with the state from then on. */
export function buildForm() {
  const { config } = state;
  part("formats").append(...config.formats.map(formatChip));
  part("resampler").append(...config.resamplers.map((key) => option(key, RESAMPLER_NAMES[key] || key)));
  part("order").append(...config.orders.map((key) => option(key, ORDER_NAMES[key] || key)));
  part("labels").append(...(config.labels || []).map((label) => el("option", { value: label })));
  fillForm();
  part("form").addEventListener("input", readForm);
  part("addSize").addEventListener("click", addSize);
  part("otherSize").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault(); // Enter adds the size; it must not start the run
      addSize();
    }
  });
  watch(["plan", "photo"], renderSizes);
  watch(["plan"], renderFieldProblems);
  watch(["plan"], renderLabelHint);
  watch(["plan", "backends"], renderAsked);
  watch(["plan", "photo", "backends", "run"], renderRunBar);
}

/** The longest side of the chosen photo; null while there is none or it is not known. */
export function longestPx() {
  const { photo } = state;
  return photo?.width_px ? Math.max(photo.width_px, photo.height_px) : null;
}

/** Puts the plan of the state into the form's fields. */
export function fillForm() {
  const { plan } = state;
  const form = /** @type {HTMLFormElement} */ (part("form"));
  for (const key of ["jpeg_quality", "repeats", "warmups", "resampler", "order"]) form[key].value = plan[key];
  for (const input of part("formats").querySelectorAll("input")) input.checked = plan.formats.includes(input.value);
  form.pace.value = QUICK.includes(String(plan.repeats)) ? String(plan.repeats) : "own";
  form.keep_top1.checked = plan.keep_top1;
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
  if (target === part("otherSize")) return;
  update({ plan: { ...state.plan, ...fieldsOf(form) } });
}

/** The plan that the fields say; a number that is none becomes NaN, which planProblems() names. */
function fieldsOf(form) {
  const sizeKb = optionalNumber(form.max_size_kb.value);
  return {
    sizes_px: checkedValues("sizes").map(Number),
    formats: checkedValues("formats"),
    jpeg_quality: form.jpeg_quality.valueAsNumber,
    repeats: form.repeats.valueAsNumber,
    warmups: form.warmups.valueAsNumber,
    resampler: form.resampler.value,
    order: form.order.value,
    backend_names: namedBackends(),
    keep_top1: form.keep_top1.checked,
    max_p50_ms: optionalNumber(form.max_p50_ms.value),
    max_size_bytes: sizeKb === null ? null : Math.round(sizeKb * 1000),
    true_label: form.true_label.value.trim(),
  };
}

const optionalNumber = (text) => (text.trim() === "" ? null : Number(text.trim().replace(",", ".")));

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

function addSize() {
  const input = /** @type {HTMLInputElement} */ (part("otherSize"));
  const sizePx = Number(input.value);
  if (!Number.isInteger(sizePx) || sizePx < 16 || sizePx > 8192) {
    setText(part("sizesHint"), "A size is a whole number of pixels from 16 to 8192.");
    input.setAttribute("aria-invalid", "true");
    return;
  }
  input.removeAttribute("aria-invalid");
  input.value = "";
  update({ plan: { ...state.plan, sizes_px: [...new Set([...state.plan.sizes_px, sizePx])] } });
}

function renderSizes() {
  const choices = plans.sizeChoices(state.config.offered_sizes_px, state.plan.sizes_px, longestPx());
  const present = [...part("sizes").querySelectorAll("input")].map((box) => Number(box.value));
  if (present.join() !== choices.map((choice) => choice.size_px).join()) {
    fill(part("sizes"), ...choices.map((choice) => checkChip("sizes_px", choice.size_px, choice.size_px)));
  }
  const boxes = [...part("sizes").querySelectorAll("input")];
  choices.forEach((choice, index) => syncSize(boxes[index], choice));
  const reasons = choices.filter((choice) => choice.reason && choice.chosen).map((choice) => choice.size_px);
  const note = reasons.length
    ? `${reasons.join(", ")} skipped: larger than the original (${longestPx()} px).`
    : "Nothing is enlarged: sizes above the photo's own are skipped.";
  setText(part("sizesHint"), note);
}

/** @param {HTMLInputElement} box */
function syncSize(box, choice) {
  box.disabled = Boolean(choice.reason);
  box.checked = choice.chosen && !choice.reason;
  box.toggleAttribute("data-kept", choice.chosen && Boolean(choice.reason));
  box.parentElement.title = choice.reason;
}

const FIELDS = {
  jpeg_quality: "jpeg_quality", repeats: "repeats", warmups: "warmups", max_p50_ms: "max_p50_ms",
  max_size_bytes: "max_size_kb",
}; // key of the plan -> name of its field

/** Marks each field that can't be used as it is, and says beneath it why. */
function renderFieldProblems() {
  const problems = plans.fieldProblems(state.plan);
  for (const [key, name] of Object.entries(FIELDS)) tellBeneath(part("form")[name], problems[key] || "", true);
}

/** The focus goes to the first field that stands against running. */
export function focusProblem() {
  const [key] = Object.keys(plans.fieldProblems(state.plan));
  if (!key) return;
  const input = part("form")[FIELDS[key]];
  const folded = input.closest("details");
  if (folded) folded.open = true;
  input.focus();
}

function renderLabelHint() {
  const isKnown = plans.isKnownLabel(state.plan.true_label || "", state.config.labels || []);
  const words = "The model does not know this label; accuracy would always be 0. Choose one from the list.";
  tellBeneath(part("form").true_label, isKnown ? "" : words, false);
}

/** Words about a field, beneath it and tied to it for screen readers. @param {HTMLInputElement} input */
function tellBeneath(input, words, isWrong) {
  const id = `${input.id}-note`;
  const note = document.getElementById(id) || el("p", { id, className: isWrong ? "field-note bad" : "field-note unsure" });
  const others = (input.getAttribute("aria-describedby") || "").split(" ").filter((each) => each && each !== id);
  const ids = words ? [...others, id] : others;
  setText(note, words);
  if (words) input.closest(".field, fieldset").append(note);
  else note.remove();
  if (isWrong) input.setAttribute("aria-invalid", String(Boolean(words)));
  if (ids.length) input.setAttribute("aria-describedby", ids.join(" "));
  else input.removeAttribute("aria-describedby");
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
    box.disabled = backends.find((backend) => backend.name === box.value).state === "absent";
  }
}

/** What stands against running right now, in words; empty when nothing does. */
export function runProblems() {
  if (!state.photo) return ["Choose a photo first."];
  const problems = plans.planProblems(state.plan, longestPx());
  const backends = state.backends?.backends || [];
  if (state.backends && !plans.askedBackends(backends, state.plan.backend_names).length)
    problems.push("No backend can be asked. See above what each of them says.");
  return problems;
}

function renderRunBar() {
  const button = /** @type {HTMLButtonElement} */ (part("run"));
  const backends = state.backends?.backends || [];
  const asked = plans.askedBackends(backends, state.plan.backend_names);
  const label = plans.runLabel(plans.countVariants(state.plan, longestPx()), plans.answeringBackends(asked).length);
  setText(button, isBusy() ? "Cancel" : label);
  button.classList.toggle("primary", !isBusy());
  button.classList.toggle("danger", isBusy());
  setText(part("estimate"), isBusy() ? "" : estimateText(backends));
  part("estimate").classList.toggle("problem", Boolean(state.photo) && runProblems().length > 0);
  part("form").classList.toggle("busy", isBusy());
  part("setup").toggleAttribute("inert", isBusy()); // settings of a run that goes on can't change
}

function estimateText(backends) {
  const problems = runProblems();
  if (problems.length) return problems.join(" ");
  const cost = plans.estimate(state.plan, longestPx(), backends, memory.get("pace") || {});
  const asked = plans.askedBackends(backends, state.plan.backend_names);
  const answering = plans.answeringBackends(asked);
  const silent = asked.filter((backend) => !answering.includes(backend)).map((backend) => backend.name);
  const failing = silent.length ? `. Requests to ${silent.join(", ")} would fail now.` : "";
  return `${plural(cost.requests, "request")}, about ${seconds(cost.seconds)}${failing}`;
}

/** Size and weight of the photo in words. @param {import("./page.js").Photo} photo */
export function photoFacts(photo) {
  const facts = [photo.width_px ? `${photo.width_px} × ${photo.height_px} px` : "size not known here"];
  if (photo.size_bytes !== null) facts.push(bytes(photo.size_bytes));
  return facts.join(", ");
}

const option = (value, words) => el("option", { value }, words);
const formatChip = (format) => checkChip("formats", format.key, format.name);

function checkChip(name, value, words) {
  return el("label", { className: "chip" }, el("input", { type: "checkbox", name, value: String(value) }), String(words));
}
