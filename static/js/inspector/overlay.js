/** Two pictures of the same thing, laid over each other: slider, blink, difference, zoom. */

import { el, fill, setText } from "../dom.js";
import { state, update, writeView } from "../state.js";
import { hold, blinker } from "./blink.js";
import { drawDifference } from "./difference_canvas.js";
import { isSharp, scaleOf, scaleWords, shownSize, sliderValue, splitAt, ZOOMS } from "./zoom.js";

const LOOKS = [["slider", "Slider"], ["blink", "Blink"], ["difference", "Difference ×8"]];
const MOST_HIGH_PX = 480;
const LEAST_HIGH_PX = 160;

/**
 * @typedef {object} Picture
 * @property {string} url
 * @property {string} name    "512 px JPEG"
 * @property {string} facts   "512 × 341 px, 28 KB"
 * @property {number} width   its own pixels
 * @property {number} height
 */

// What changes with every step stands in a style sheet of our own: the page has no inline styles.
const live = new CSSStyleSheet();
live.insertRule(".compare { --split: 50%; }");
document.adoptedStyleSheets = [...document.adoptedStyleSheets, live];
const setLive = (name, value) => /** @type {CSSStyleRule} */ (live.cssRules[0]).style.setProperty(name, value);

/**
 * @param {Picture} before the original, whose pixels set the scale
 * @param {?Picture} after null: there is only one picture to look at
 * @param {() => Promise<string>} whyMissing asked when a picture does not come
 */
export function compareView(before, after, whyMissing) {
  const pictures = [before, after].filter(Boolean).map(image);
  const canvas = el("canvas", { className: "difference", hidden: true, role: "img", "aria-label": "Difference, eight times as strong" });
  const picture = el("div", { className: "compare-picture" }, ...pictures, after && canvas,
    after && el("div", { className: "split-line", "aria-hidden": "true" }));
  const frame = el("div", { className: "compare-frame", tabIndex: 0, role: "group", "aria-label": "Pictures, which may scroll" }, picture);
  const parts = { before, after, pictures, canvas, picture, frame, tags: el("p", { className: "compare-tags", "aria-hidden": "true" }),
    controls: el("div", { className: "compare-controls" }), zoomed: el("span", { className: "muted" }), value: 50, tool: null };
  const bar = el("div", { className: "compare-bar" },
    after && choice("Compare by", "look", LOOKS, (look) => setLook(parts, look)),
    choice("Zoom", "zoom", ZOOMS, () => resize(parts)), parts.zoomed);
  const section = el("section", { className: "compare", "aria-label": "Pictures" }, bar, parts.tags, frame, parts.controls);
  wire(parts);
  if (after) setLook(parts, lookNow());
  else fill(parts.tags, tag(before));
  whenLoaded(parts, section, whyMissing);
  return section;
}

/** What the address says, else the first: the usual one. */
const chosenOf = (key, options) => (options.find(([value]) => value === state.view[key]) || options[0])[0];
const lookNow = () => chosenOf("look", LOOKS);
const zoomNow = () => chosenOf("zoom", ZOOMS);

/** @param {Picture} picture */
function image({ url, name }) {
  return el("img", { src: url, alt: name, draggable: false, decoding: "async" });
}

/** One of several, as radio buttons. The choice stays in the address, but for the first: it is the usual one. */
function choice(legend, key, options, onChange) {
  const [[usual]] = options;
  const chosen = chosenOf(key, options);
  const chips = options.map(([value, words]) => {
    const radio = el("input", { type: "radio", name: `compare-${key}`, value, checked: value === chosen });
    radio.addEventListener("change", () => {
      update({ view: { ...state.view, [key]: value === usual ? "" : value } });
      writeView();
      onChange(value);
    });
    return el("label", { className: "chip" }, radio, words);
  });
  return el("fieldset", {}, el("legend", { className: "visually-hidden" }, legend), el("div", { className: "chips" }, ...chips));
}

function wire(parts) {
  const { frame } = parts;
  new ResizeObserver(() => resize(parts)).observe(frame);
  frame.addEventListener("scroll", () => moveLine(parts));
  frame.addEventListener("pointerdown", (event) => drag(parts, event));
  frame.addEventListener("pointermove", (event) => event.buttons && drag(parts, event));
}

/** With a mouse or pen the line follows; a finger scrolls. @param {PointerEvent} event */
function drag(parts, event) {
  const slider = parts.controls.querySelector("input[type=range]");
  if (!slider || event.pointerType === "touch") return;
  const { left } = parts.frame.getBoundingClientRect();
  const seen = Math.min(parts.frame.clientWidth, parts.picture.clientWidth);
  const margin = Math.max(0, (parts.frame.clientWidth - parts.picture.clientWidth) / 2);
  setValue(parts, slider, Math.round(Math.min(100, Math.max(0, (100 * (event.clientX - left - margin)) / seen))));
}

function resize(parts) {
  const { before, after, frame, pictures } = parts;
  const high = Math.min(MOST_HIGH_PX, Math.max(LEAST_HIGH_PX, window.innerHeight * 0.55));
  const scale = scaleOf(zoomNow(), before, { width: frame.clientWidth, height: high });
  const shown = shownSize(before, scale);
  const middle = middleOf(parts);
  setLive("--shown-width", `${shown.width}px`);
  setLive("--shown-height", `${shown.height}px`);
  [before, after].filter(Boolean).forEach((picture, at) =>
    pictures[at].classList.toggle("sharp", isSharp(picture.width, shown.width)));
  parts.canvas.classList.toggle("sharp", isSharp(before.width, shown.width));
  setText(parts.zoomed, zoomNow() === "fit" ? scaleWords(scale) : "");
  frame.scrollTo(middle.x * shown.width - frame.clientWidth / 2, middle.y * shown.height - frame.clientHeight / 2);
  moveLine(parts);
}

/** What stands in the middle of what is in sight, as a share of the picture: it stays there when the zoom changes. */
function middleOf({ frame, picture }) {
  const share = (scrolled, seen, whole) => (whole > seen ? (scrolled + seen / 2) / whole : 0.5);
  return {
    x: share(frame.scrollLeft, frame.clientWidth, picture.clientWidth),
    y: share(frame.scrollTop, frame.clientHeight, picture.clientHeight),
  };
}

function moveLine({ frame, picture, value }) {
  const sight = { left: frame.scrollLeft, width: frame.clientWidth, whole: picture.clientWidth || 1 };
  setLive("--split", `${splitAt(value, sight)}%`);
}

/** @param {"slider"|"blink"|"difference"|string} look */
function setLook(parts, look) {
  parts.tool?.stop();
  parts.tool = null;
  parts.picture.dataset.look = look;
  parts.canvas.hidden = look !== "difference";
  delete parts.picture.dataset.shows;
  ({ slider: useSlider, blink: useBlink, difference: useDifference })[look]?.(parts);
}

function useSlider(parts) {
  const { before, after } = parts;
  const slider = el("input", { type: "range", min: "0", max: "100", step: "1", className: "split",
    "aria-label": `How much of ${after.name} is shown` });
  slider.addEventListener("input", () => setValue(parts, slider, Number(slider.value)));
  slider.addEventListener("keydown", (event) => {
    const value = sliderValue(event.key, Number(slider.value));
    if (value === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    setValue(parts, slider, value);
  });
  const jump = (words, value) => el("button", { type: "button", onclick: () => setValue(parts, slider, value) }, words);
  fill(parts.tags, tag(after, "◧ "), tag(before, "◨ "));
  fill(parts.controls, slider, el("div", { className: "buttons" }, jump("Original", 0), jump("Half", 50), jump("Variant", 100)));
  setValue(parts, slider, parts.value);
}

/** Which picture stands where. @param {Picture} picture */
function tag({ name, facts }, side = "") {
  return el("span", {}, side, el("strong", {}, name), ` ${facts}`);
}

function setValue(parts, slider, value) {
  parts.value = value;
  slider.value = String(value);
  slider.setAttribute("aria-valuetext", `${value} % ${parts.after.name}, ${100 - value} % original`);
  moveLine(parts);
}

function useBlink(parts) {
  const { before, after, picture, frame, controls, tags } = parts;
  const show = (which) => {
    picture.dataset.shows = which;
    fill(tags, tag(which === "before" ? before : after));
  };
  show("after");
  const stopHolding = hold(frame, show);
  const blink = blinker(show);
  fill(controls, ...blink.controls);
  parts.tool = { stop: () => { blink.stop(); stopHolding(); } };
}

function useDifference(parts) {
  fill(parts.tags, el("span", {}, "Difference ×8: black where nothing changed"));
  fill(parts.controls, el("p", { role: "status" }, "Comparing…"));
  Promise.all(parts.pictures.map((picture) => picture.decode()))
    .then(() => drawDifference(parts.canvas, parts.pictures[0], parts.pictures[1], parts.before))
    .then((words) => parts.picture.dataset.look === "difference" && setText(parts.controls.firstElementChild,
      `${words} Compared at ${parts.canvas.width} × ${parts.canvas.height} px.`))
    .catch(() => setText(parts.controls.firstElementChild, "Nothing to compare: a picture could not be loaded."));
}

/** A picture that is not there any more is said in words; nothing is left to compare then. */
function whenLoaded({ pictures }, section, whyMissing) {
  const came = pictures.map((picture) => new Promise((resolve, reject) => {
    picture.addEventListener("load", resolve);
    picture.addEventListener("error", reject);
    if (picture.complete && picture.naturalWidth) resolve(null);
  }));
  Promise.all(came).then(() => (section.dataset.loaded = "yes"), async () => {
    fill(section, el("p", { className: "missing", role: "status" }, await whyMissing()));
  });
}
