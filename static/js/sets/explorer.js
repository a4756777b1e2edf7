/** The photos of a set on the page: which lost their answer, worst first, and of which classes they are. */

import { getClasses, getPhotos, problemText } from "../api.js";
import { announce, el, fill, loadStyle, part, setText } from "../dom.js";
import { plural, shareOf, shortLabel, variantName } from "../format.js";
import { isBusy, state, update, watch, writeView } from "../state.js";
import { classTable } from "./class_table.js";
import { photoGrid } from "./photo_card.js";
import { openPhoto } from "./photo_details.js";

/** @import { Report, SetClasses, SetPhotos } from "../types.js" */

/** What is chosen, and its key in the address. */
const KEYS = /** @type {const} */ ({
  variant: "set_variant", backend: "set_backend", label: "set_class", only: "set_only", page: "set_page", classPage: "set_class_page",
});
const ONLY = [["", "all, worst first"], ["flipped", "only flipped"], ["wrong", "only wrong"]];
const MOST_CLASSES = 50; // on one page

const status = el("p", { className: "set-status", role: "status" });
const controls = el("div", { className: "set-controls", role: "group", "aria-label": "Which photos are shown" });
const grid = el("div", { className: "set-photos" });
const pager = el("nav", { className: "buttons", "aria-label": "Pages of photos" });
const classes = el("section", { className: "set-classes" });
const CHOSEN_HINT = "Photos that flip get another answer than the original does. The server keeps no photo of a set, only pictures of 96 px.";

let shown = ""; // id of the run whose controls stand there
let asked = 0; // how often, so that an answer to an earlier question is known
let drawn = ""; // the question that was answered last

/** Lists the photos that one variant flips, in the tab. @param {string} variantId */
export function showFlipped(variantId) {
  choose({ variant: variantId, only: "flipped", label: "", backend: "" });
  part("photosTab").open = true;
  part("photosTab").scrollIntoView({ block: "start" });
  part("photosTab").querySelector("summary").focus();
}

function render() {
  const { report } = state;
  const has = Boolean(report?.photo_set?.measured) && !report.imported;
  part("photosTab").hidden = !has;
  if (!has) return leave();
  if (shown !== report.run_id) begin(report);
  syncControls(report);
  if (part("photosTab").open) draw();
}

/** Another run than a set: its tab goes, and what it showed with it. */
function leave() {
  if (part("photosTab").open) part("variantsTab").open = true;
  if (!state.report) return; // the next report may be of the same run
  shown = "";
}

/** @param {Report} report */
function begin(report) {
  const query = new URLSearchParams(location.search);
  const isFirst = shown === "" && !drawn;
  const kept = Object.values(KEYS).map((key) => [key, isFirst ? query.get(key) || "" : ""]);
  shown = report.run_id;
  update({ view: { ...state.view, ...Object.fromEntries(kept) } });
  writeView();
  if (kept.some(([, value]) => value)) part("photosTab").open = true;
}

const chosen = (/** @type {keyof typeof KEYS} */ key) => state.view[KEYS[key]] || "";

/** Another choice begins on the first page. @param {Partial<Record<keyof typeof KEYS, string>>} changes */
function choose(changes) {
  const turned = "page" in changes || "classPage" in changes;
  const all = turned ? changes : { ...changes, page: "", classPage: "" };
  const view = Object.fromEntries(Object.entries(all).map(([key, value]) => [KEYS[key], value]));
  update({ view: { ...state.view, ...view } });
  writeView();
  syncControls(state.report);
  draw();
}

/** Offers what the report knows; selects stay, with their focus. @param {Report} report @param {string[]} [names] of classes */
function syncControls(report, names = []) {
  const variants = report.variants.filter((variant) => !variant.is_reference).map((variant) => [variant.id, variantName(variant)]);
  const backends = report.backends.filter((backend) => backend.state !== "absent").map(({ name }) => [name, name]);
  if (!controls.childElementCount) fill(controls, ...["variant", "backend", "label", "only"].map(makeSelect));
  fillSelect("variant", [["", "any variant"], ...variants]);
  fillSelect("backend", [["", "any backend"], ...backends]);
  select("backend").parentElement.hidden = backends.length < 2;
  if (names.length) fillSelect("label", [["", "all classes"], ...names.map((name) => [name, shortLabel(name)])]);
  fillSelect("only", ONLY.filter(([value]) => value !== "wrong" || report.photo_set.labelled));
}

const WORDS = { variant: "Variant", backend: "Backend", label: "Class", only: "Show" };
const select = (key) => /** @type {HTMLSelectElement} */ (controls.querySelector(`[data-key="${key}"]`));

function makeSelect(key) {
  const onchange = (event) => choose({ [key]: event.target.value });
  return el("label", {}, `${WORDS[key]} `, el("select", { "data-key": key, onchange }));
}

/** @param {string[][]} options value and words; what the address names and nobody offers stays as a choice */
function fillSelect(key, options) {
  const place = select(key);
  const value = chosen(key);
  const all = options.some(([offered]) => offered === value) ? options : [...options, [value, shortLabel(value)]];
  const signature = JSON.stringify(all);
  if (place.dataset.options !== signature) fill(place, ...all.map(([offered, words]) => el("option", { value: offered }, words)));
  place.dataset.options = signature;
  place.value = value;
}

/** Asks for what is chosen, and shows it unless something newer was asked for. */
async function draw() {
  const { report } = state;
  const nth = (asked += 1);
  await loadStyle("sets");
  const cell = { variant: chosen("variant"), backend: chosen("backend") };
  const question = { ...cell, label: chosen("label"), only: chosen("only"), page: chosen("page") };
  const signature = JSON.stringify([report.run_id, report.requests, question, chosen("classPage")]);
  if (signature === drawn) return;
  const answer = await Promise.all([
    getPhotos(report.run_id, question),
    getClasses(report.run_id, { ...cell, page: chosen("classPage"), limit: MOST_CLASSES }),
  ]).catch((problem) => ({ problem }));
  if (nth !== asked || report.run_id !== shown) return;
  if ("problem" in answer) return showProblem(answer.problem);
  drawn = signature;
  const [photos, found] = answer;
  keepingFocus(() => fill(grid, photos.rows.length ? photoGrid(photos.rows, open) : el("p", {}, noneWords())));
  setText(status, statusWords(report, photos));
  if (!isBusy()) announce(status.textContent);
  drawPager(photos);
  drawClasses(report, found);
}

/** A link may name what this set does not have. */
function showProblem(problem) {
  setText(status, problemText(problem));
  const reset = () => choose({ variant: "", backend: "", label: "", only: "" });
  fill(grid, el("button", { type: "button", onclick: reset }, "Show all photos"));
  fill(pager);
}

/** @param {import("../types.js").SetPhoto} photo */
function open(photo) {
  openPhoto(photo, () => /** @type {HTMLElement} */ (grid.querySelector(`[data-photo="${photo.index}"]`))?.focus());
}

/** While a run goes on the list is drawn again and again. */
function keepingFocus(redraw) {
  const index = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.photo;
  redraw();
  if (index) /** @type {HTMLElement} */ (grid.querySelector(`[data-photo="${index}"]`))?.focus();
}

const noneWords = () => ({ flipped: "No photo flips here.", wrong: "No answer is wrong here." })[chosen("only")] || "No photos here.";

/** "12 of 30 photos flip at 24 px PNG on 1 CPU: 40 % of 30 (25 to 58)." @param {Report} report @param {SetPhotos} photos */
function statusWords(report, photos) {
  const variant = report.variants.find(({ id }) => id === chosen("variant"));
  const at = variant ? ` at ${variantName(variant)}` : " in at least one variant";
  const on = chosen("backend") ? ` on ${chosen("backend")}` : "";
  const of = chosen("label") ? ` of ${shortLabel(chosen("label"))}` : "";
  const flip = photos.flipped === 1 ? "flips" : "flip";
  const wrong = report.photo_set.labelled ? ` ${photos.wrong.toLocaleString("en")} got a wrong answer.` : "";
  return `${photos.flipped.toLocaleString("en")} of ${plural(photos.photos, "photo")}${of} ${flip}${at}${on}: ${shareOf(photos.flipped_share)}.${wrong}`;
}

/** @param {SetPhotos} photos */
function drawPager({ page, page_size: size, total, rows }) {
  const first = (page - 1) * size + 1;
  const step = (to, words, can) =>
    el("button", { type: "button", "data-step": words, disabled: !can, onclick: () => turn(to, words) }, words);
  const range = rows.length ? `${first.toLocaleString("en")} to ${(first + rows.length - 1).toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
  fill(pager, ...(total > size ? [step(page - 1, "Previous", page > 1), step(page + 1, "Next", page * size < total)] : []),
    el("span", { className: "muted" }, range));
}

async function turn(page, words) {
  update({ view: { ...state.view, [KEYS.page]: page > 1 ? String(page) : "" } });
  writeView();
  await draw();
  /** @type {HTMLElement} */ (pager.querySelector(`[data-step="${words}"]:enabled, button:enabled`))?.focus();
}

/** @param {Report} report @param {SetClasses} found */
function drawClasses(report, found) {
  syncControls(report, found.rows.map((row) => row.class).sort());
  const table = classTable(report, found, chosen("variant"), (name) => {
    choose({ label: name });
    part("photosTab").scrollIntoView({ block: "start" });
  });
  const last = Math.ceil(found.total / found.page_size);
  const step = (to, words) => el("button", { type: "button", disabled: to < 1 || to > last, onclick: () => choose({ classPage: to > 1 ? String(to) : "" }) }, words);
  fill(classes, el("h3", {}, found.by === "label" ? "By class" : "By the original's answer"), table,
    last > 1 && el("nav", { className: "buttons", "aria-label": "Pages of classes" }, step(found.page - 1, "Previous classes"), step(found.page + 1, "More classes")));
}

fill(part("photos"), controls, status, grid, pager, el("p", { className: "hint" }, CHOSEN_HINT), classes);
part("photosTab").addEventListener("toggle", () => part("photosTab").open && draw());
watch(["report"], render);
