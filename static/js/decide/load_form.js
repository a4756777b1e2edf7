/**
 * What to put under load: the form of the section "Under load". The load itself is begun, followed and stopped by a module
 * above, which is handed in.
 *
 * @typedef {object} LoadChoices   of the server: the default order, and what else can be chosen
 * @property {string[]} variant_ids
 * @property {string[]} backend_names
 * @property {number} limit_ms
 * @property {number} budget_s
 * @property {string[]} variants
 * @property {string[]} backends
 * @property {string} [note]   why some backends of the run are not offered
 * @property {[number, number]} limit_range_ms
 * @property {[number, number]} budget_range_s
 */

import { el, fill, setText } from "../dom.js";
import { plural, seconds, typedNumber, variantName } from "../format.js";

const acts = { start: (/** @type {any} */ order) => {}, stop: () => {} };
let under = { text: "", isLive: false, isStopping: false, share: 0 };
let form = /** @type {any} */ (null); // the newest one
let wantsFocus = false; // it was on a button that can't have it just now

/** Once: what the buttons do. @param {typeof acts} given */
export const wireLoadForm = (given) => void Object.assign(acts, given);

/** An empty place for the form, which fillLoadForm() fills when the choices are known. */
export const makeLoadForm = () => el("fieldset", { className: "load-form", hidden: true });

/** Built once for each place, so that what was typed stays. @param {HTMLElement} place @param {LoadChoices} choices @param {any} report */
export function fillLoadForm(place, choices, report) {
  if (!choices.variants.length || place.childElementCount) return;
  place.hidden = false;
  form = {
    variants: chips("Variants", choices.variants, choices.variant_ids, named(report)),
    backends: chips("Backends", choices.backends, choices.backend_names, (name) => name),
    limit: field("load-limit", "p99 at most", "ms", choices.limit_ms),
    budget: field("load-budget", "Time for each", "s", choices.budget_s),
    start: el("button", { type: "button", id: "load-start", className: "strong", onclick: start }, "Measure the capacity"),
    stop: el("button", { type: "button", id: "load-stop", hidden: true, onclick: () => acts.stop() }, "Stop"),
    bar: el("progress", { max: 1, "aria-label": "Progress of the load test" }), // in the page only while something goes on
    status: el("p", { className: "hint", id: "load-status", role: "status" }),
  };
  fill(place, el("legend", { className: "visually-hidden" }, "What to put under load"),
    form.variants.node, form.backends.node, choices.note && el("p", { className: "hint" }, choices.note),
    el("div", { className: "row" }, form.limit.node, form.budget.node),
    el("div", { className: "load-run" }, form.start, form.stop, form.status));
  place.addEventListener("input", showStatus);
  showStatus();
}

/** What goes on: shown beside the button that began it. @param {Partial<typeof under>} changes */
export function showLoad(changes) {
  under = { text: "", isLive: false, isStopping: false, share: 0, ...changes };
  if (form) showStatus();
}

const named = (report) => (id) => {
  const variant = report.variants.find((each) => each.id === id);
  return variant ? variantName(variant) : id;
};

const FEW = 10; // more are chosen from a list, one by one

/** Boxes to tick; of many only those that are chosen, with a list of the others. */
function chips(title, all, chosen, nameOf) {
  const list = el("div", { className: "chips" });
  const others = el("select", { "aria-label": `Another of the ${title.toLowerCase()}` });
  const box = (value) => el("label", { className: "chip" },
    el("input", { type: "checkbox", value, checked: chosen.includes(value) }), nameOf(value));
  const isFew = all.length <= FEW;
  fill(list, ...all.filter((value) => isFew || chosen.includes(value)).map(box), !isFew && others);
  const fillOthers = () => fill(others, el("option", { value: "" }, "Another…"),
    ...all.filter((value) => !ticked().all.includes(value)).map((value) => el("option", { value }, nameOf(value))));
  const boxes = () => /** @type {HTMLInputElement[]} */ ([...list.querySelectorAll("input")]);
  const ticked = () => ({ all: boxes().map(({ value }) => value), on: boxes().filter(({ checked }) => checked).map(({ value }) => value) });
  fillOthers();
  others.addEventListener("change", () => {
    const added = box(others.value);
    added.querySelector("input").checked = true;
    list.insertBefore(added, others);
    fillOthers();
    showStatus();
  });
  const group = el("div", { role: "group", "aria-label": title }, el("p", { className: "group-title" }, title), list);
  return { node: group, chosen: () => ticked().on };
}

function field(id, label, unit, value) {
  const input = el("input", { id, inputMode: "decimal", size: 6, autocomplete: "off", value: String(value), "aria-describedby": "load-status" });
  return {
    input,
    node: el("div", { className: "field" }, el("label", { htmlFor: id }, label), el("span", { className: "unit" }, input, ` ${unit}`)),
  };
}

/** What is typed, as the server takes it; a text that is no number goes as it is, and the server says what is wrong. */
function order() {
  const numberOf = ({ input }) => typedNumber(input.value) ?? input.value;
  return {
    variant_ids: form.variants.chosen(), backend_names: form.backends.chosen(),
    p99_ms: numberOf(form.limit), budget_s: numberOf(form.budget),
  };
}

const start = () => acts.start(order());

/** "2 cells, about 50 s." @param {number} cells @param {number} budgetS */
export const lengthWords = (cells, budgetS) =>
  (cells ? `${plural(cells, "pair")} of variant and backend, about ${seconds(cells * budgetS)}.` : "Choose a variant and a backend.");

function showStatus() {
  const { variant_ids: variants, backend_names: backends, budget_s: budgetS } = order();
  const cells = variants.length * backends.length;
  setText(form.status, under.text || lengthWords(cells, Number(budgetS) || 0));
  const focused = document.activeElement;
  form.start.disabled = under.isLive || !cells;
  form.start.hidden = under.isLive;
  form.stop.hidden = !under.isLive;
  form.stop.disabled = under.isStopping;
  setText(form.stop, under.isStopping ? "Stopping" : "Stop");
  keepFocus(focused);
  form.bar.value = under.share;
  if (!under.isLive) form.bar.remove();
  else if (!form.bar.isConnected) form.status.before(form.bar);
}

/** Whoever began with the keyboard finds Stop in the place of the button, and at the end the button again. @param {?Element} focused */
function keepFocus(focused) {
  if (focused === form.start || focused === form.stop) wantsFocus = true;
  else if (focused && focused !== document.body) wantsFocus = false;
  const next = under.isLive ? form.stop : form.start;
  if (!wantsFocus || next.disabled) return;
  next.focus({ preventScroll: true });
}
