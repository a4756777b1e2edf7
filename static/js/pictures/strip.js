/**
 * The filmstrip: the picture from the original down, each with the model's answer, and where that breaks.
 * @import { Frame } from "./frames.js"
 */

import { el, fill, loadStyle, part, setText } from "../dom.js";
import { bytes, percent } from "../format.js";
import { isBusy, state, update, watch } from "../state.js";
import { allVariants, answerWords, differsWords, framesOf, makingsOf, shownMaking, spokenWords, stageKey } from "./frames.js";
import { thumbUrl } from "./picture_urls.js";
import { isSharp } from "./zoom.js";

const BOX_PX = { width: 104, height: 56 }; // what a picture is fitted into, as in the style sheet
const FLIP_WORDS = "answer changes here";

let openVariant = (/** @type {string} */ variantId) => {};
let making = ""; // chosen here; "": of the chosen or recommended variant
let shownRun = "";
let reached = ""; // slot that Tab leads to; "": that of what is on the stage

const list = el("div", { id: "frames", className: "frames", role: "listbox", "aria-label": "The picture, smaller and smaller",
  "aria-orientation": "horizontal" });
const select = el("select", { id: "strip-making" });
const label = el("label", { className: "strip-making" }, el("span", {}, "Copies as"), select);

/** Once. @param {typeof openVariant} inspect shows one variant closely */
export async function wireStrip(inspect) {
  openVariant = inspect;
  await loadStyle("pictures");
  fill(part("strip"), label, list);
  select.addEventListener("change", () => {
    making = select.value;
    reached = "";
    draw();
  });
  list.addEventListener("keydown", onKey);
  watch(["report", "live", "chosen", "run"], draw);
}

function draw() {
  const { report, live, chosen } = state;
  part("strip").hidden = Boolean(report?.photo_set);
  if (!report || report.photo_set) return;
  if (report.run_id !== shownRun) [shownRun, making, reached] = [report.run_id, "", ""];
  const variants = allVariants(report, live);
  const frames = framesOf(report, shownNow(variants, chosen), live);
  drawSelect(makingsOf(variants), shownNow(variants, chosen));
  const onStage = stageKey(report, live, chosen);
  const current = frames.find(({ slot }) => slot === reached) || frames.find(({ key }) => key === onStage) || frames[0];
  const elements = frames.map((frame) => drawFrame(frame, { isCurrent: frame === current, isOnStage: frame.key === onStage }));
  place(elements);
}

/** While a run goes on the row stays the same, whatever is the best so far. */
function shownNow(variants, chosen) {
  if (making && makingsOf(variants).includes(making)) return making;
  return shownMaking(variants, isBusy() ? [chosen] : [chosen, state.report.recommendation?.variant_id]);
}

/** @param {string[]} makings @param {string} shown */
function drawSelect(makings, shown) {
  label.hidden = makings.length < 2;
  const present = [...select.options].map(({ value }) => value);
  if (present.join("\n") !== makings.join("\n")) fill(select, ...makings.map((each) => el("option", { value: each }, each)));
  if (select.value !== shown) select.value = shown;
}

const idOf = (slot) => `frame-${slot}`;

/** Puts frames that are new between those that are there; these are not touched. @param {HTMLElement[]} elements */
function place(elements) {
  const wanted = new Set(elements);
  for (const each of [...list.children]) if (!wanted.has(/** @type {HTMLElement} */ (each))) each.remove();
  elements.forEach((each, at) => list.children[at] !== each && list.insertBefore(each, list.children[at] || null));
}

/** @param {Frame} frame @param {{isCurrent: boolean, isOnStage: boolean}} how */
function drawFrame(frame, { isCurrent, isOnStage }) {
  const element = document.getElementById(idOf(frame.slot)) || newFrame(frame.slot);
  const isOver = !isBusy();
  element.dataset.key = frame.key;
  element.dataset.variant = frame.variant?.id || "";
  element.dataset.kept = frame.kept === null ? "" : String(frame.kept);
  element.tabIndex = isCurrent ? 0 : -1;
  element.setAttribute("aria-selected", String(isOnStage));
  const spoken = spokenWords(frame, isOver);
  if (element.getAttribute("aria-label") !== spoken) element.setAttribute("aria-label", spoken);
  for (const [name, on] of Object.entries({ flips: frame.flips, picked: frame.picked, waiting: frame.sizeBytes === null }))
    element.classList.toggle(name, on);
  const [flip, box, size, answer, sure] = /** @type {HTMLElement[]} */ ([...element.children]);
  setText(flip, frame.flips ? `✕ ${FLIP_WORDS}` : frame.picked ? "◉ recommended" : "");
  drawPicture(box, frame);
  setText(size.children[0], frame.slot === "reference" ? "Original" : `${frame.sizePx} px`);
  setText(size.children[1], frame.sizeBytes === null ? "" : bytes(frame.sizeBytes));
  const mark = frame.kept === false ? "✕ " : frame.kept ? "✓ " : "";
  const words = mark + answerWords(frame, isOver);
  setText(answer, words);
  setText(sure.children[0], frame.label ? percent(frame.score) : "");
  const differs = differsWords(frame.differs);
  setText(sure.children[1], differs);
  const title = [words, differs].filter(Boolean).join(", "); // for names that are cut off
  if (element.title !== title) element.title = title;
  return element;
}

/** @param {string} slot */
function newFrame(slot) {
  const span = (className, ...children) => el("span", { className }, ...children);
  const element = el("div", { id: idOf(slot), className: "frame", role: "option" },
    span("frame-flip"), span("frame-box"), span("frame-size", el("strong"), span("")), span("frame-answer"), span("frame-sure", span(""), span("frame-differs")));
  element.addEventListener("click", () => {
    choose(element);
    open(element);
  });
  return element;
}

/** A small picture is enlarged to its box with its pixels as squares: that is what the model gets. */
function drawPicture(box, frame) {
  const { report, live } = state;
  const url = frame.sizeBytes === null ? "" : thumbUrl(report, frame.key, live);
  const shown = box.firstElementChild;
  if ((shown?.getAttribute("src") || "") === url) return;
  if (!url) return fill(box);
  const image = shown || box.appendChild(el("img", { alt: "", draggable: false, decoding: "async" }));
  image.addEventListener("load", () => image.classList.toggle("sharp", isSharp(longest(image), shownLongest(image))), { once: true });
  image.addEventListener("error", () => image.getAttribute("src") === url && fill(box), { once: true });
  image.src = url;
}

const longest = ({ naturalWidth, naturalHeight }) => Math.max(naturalWidth, naturalHeight);
const shownLongest = (image) =>
  longest(image) * Math.min(BOX_PX.width / image.naturalWidth, BOX_PX.height / image.naturalHeight);

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const all = /** @type {HTMLElement[]} */ ([...list.children]);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  if (at < 0) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return open(all[at]);
  }
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = all[Math.min(all.length - 1, Math.max(0, to))];
  choose(next);
  next.focus({ preventScroll: true });
  intoSight(next);
}

/** Shows it on the stage. @param {HTMLElement} element */
function choose(element) {
  reached = element.id.slice(idOf("").length);
  if (!element.classList.contains("waiting")) update({ chosen: element.dataset.key });
  draw(); // what Tab leads to has changed, even if nothing else has
}

/** @param {HTMLElement} element */
function open(element) {
  if (element.dataset.variant) openVariant(element.dataset.variant);
}

/** Scrolls the strip only, never the page. @param {HTMLElement} element */
function intoSight(element) {
  const [left, right] = [element.offsetLeft - list.offsetLeft, element.offsetLeft - list.offsetLeft + element.offsetWidth];
  if (left < list.scrollLeft) list.scrollTo({ left: left - element.offsetWidth / 2 });
  else if (right > list.scrollLeft + list.clientWidth) list.scrollTo({ left: right - list.clientWidth + element.offsetWidth / 2 });
}
