/** Two pictures of the same thing, laid over each other: slider, blink, difference; zoom, pan. */

import { el, fill, setText } from "../dom.js";
import { capital } from "../format.js";
import { blinker, hold } from "./blink.js";
import { drawDifference } from "./difference_canvas.js";
import { wireGestures } from "./gestures.js";
import {
  isSharp, isZoom, scaleOf, scaleWords, scrollFor, shownSize, sliderValue, splitAt, wheelFactor, zoomOf, ZOOMS,
} from "./zoom.js";

const LOOKS = [["slider", "Slider"], ["blink", "Blink"], ["difference", "Difference ×8"]];
const SHORT_LOOKS = LOOKS.map(([look, words]) => [look, words.split(" ")[0]]);
const MOST_HIGH_PX = 480;
const LEAST_HIGH_PX = 160;
const KEY_FACTOR = 1.25;
const HOW = "Ctrl and the wheel, two fingers, or + and − zoom, after a click the wheel alone; drag to move.";

/**
 * @typedef {object} Picture
 * @property {string} id
 * @property {string} url
 * @property {string} name    "Original (451 px PNG)", "512 px JPEG"
 * @property {string} short   "the original", "512 px JPEG"
 * @property {string} facts   "512 × 341 px, 28 KB"
 * @property {number} width   its own pixels, or those of what it is a small picture of
 * @property {number} height
 *
 * @typedef {object} Options
 * @property {string} place                    "stage" or "inspector": one view of each stands on the page
 * @property {(key: string) => string} get     how it is looked at: "look", "zoom"; "" is the usual one
 * @property {(key: string, value: string, isMoving: boolean) => void} set  isMoving: more changes follow at once
 * @property {(a: string, b: string) => void} choose  somebody wants these two
 * @property {() => Promise<string>} whyMissing  asked when a picture does not come
 * @property {boolean} [fixed]                 its height comes from the style sheet, and there are fewer controls
 * @property {HTMLElement} [beside]            stands beside the pictures
 */

// What changes with every step stands in a style sheet of our own: the page has no inline styles.
const live = new CSSStyleSheet();
document.adoptedStyleSheets = [...document.adoptedStyleSheets, live];
/** @type {Record<string, CSSStyleDeclaration>} */
const rules = {};

/** The changing values of the view of one place. @param {string} place */
function ruleOf(place) {
  rules[place] ||= /** @type {CSSStyleRule} */ (
    live.cssRules[live.insertRule(`.compare[data-place="${place}"] { --split: 50%; }`, live.cssRules.length)]).style;
  return rules[place];
}

/** @param {Options} options */
export function compareView(options) {
  const view = new CompareView(options);
  return { element: view.section, show: view.show.bind(view), stop: () => view.tool?.stop() };
}

class CompareView {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.a = /** @type {?Picture} */ (null);
    this.b = /** @type {?Picture} */ (null);
    this.value = 50; // where the line stands in what is in sight
    this.middle = { x: 0.5, y: 0.5 }; // of the picture, in the middle of what is in sight
    this.scale = 1;
    this.tool = null;
    this.images = [image(), image()];
    this.canvas = el("canvas", { className: "difference", hidden: true, role: "img", "aria-label": "Difference, eight times as strong" });
    this.line = el("div", { className: "split-line", "aria-hidden": "true" });
    this.picture = el("div", { className: "compare-picture" }, ...this.images, this.canvas, this.line);
    this.frame = el("div", { className: "compare-frame", tabIndex: 0, role: "group", "aria-label": `Pictures. ${HOW}` }, this.picture);
    this.tags = el("p", { className: "compare-tags", "aria-hidden": "true" });
    this.controls = el("div", { className: "compare-controls" });
    this.missing = el("p", { className: "missing", role: "status", hidden: true });
    this.zoomed = el("span", { className: "muted zoomed" });
    this.looks = this.choice("Compare by", "look", options.fixed ? SHORT_LOOKS : LOOKS, (look) => this.setLook(look));
    this.zooms = this.options.fixed ? this.zoomButtons() : this.choice("Zoom", "zoom", ZOOMS, (zoom) => this.setZoom(zoom));
    this.pair = [this.pairSelect("A"), this.pairSelect("B")];
    this.bar = el("div", { className: "compare-bar" }, this.looks, el("div", { className: "pair" }, ...this.pair.map(({ label }) => label)),
      el("div", { className: "zooms" }, this.zooms, this.zoomed));
    this.main = el("div", { className: "compare-main" }, this.tags, this.frame, this.missing, this.controls);
    this.section = el("section", { className: "compare", "aria-label": "Pictures", "data-place": options.place },
      this.bar, el("div", { className: "compare-row" }, this.main, options.beside), options.fixed ? null : el("p", { className: "hint" }, HOW));
    this.frame.title = options.fixed ? HOW : "";
    this.wire();
  }

  /**
   * Which pictures there are to choose from, and which two are shown. What is shown already stays as it is.
   * @param {Picture[]} all @param {string} a @param {string} b "": only one picture to look at
   */
  show(all, a, b) {
    const find = (id) => all.find((picture) => picture.id === id) || null;
    const [one, other] = [find(a) || find(b) || all[0], find(a) ? find(b) : null];
    const isSame = sameOf(this.a, one) && sameOf(this.b, other);
    this.pair.forEach(({ select }, at) => fillSelect(select, all, [one, other][at]?.id || "", at === 1));
    if (isSame || !one) return;
    [this.a, this.b] = [one, other];
    this.section.removeAttribute("data-loaded");
    this.missing.hidden = true;
    this.frame.hidden = false;
    [one, other].forEach((picture, at) => setImage(this.images[at], picture));
    if (other && !this.looks.isConnected) this.bar.prepend(this.looks);
    if (!other) this.looks.remove();
    this.line.hidden = !other;
    this.setLook(other ? this.chosen("look", LOOKS) : "");
    this.resize();
    this.whenLoaded();
  }

  /** What was chosen the last time, else the first: the usual one. @param {string} key @param {string[][]} options */
  chosen(key, options) {
    const value = this.options.get(key);
    return (options.find(([each]) => each === value) || options[0])[0];
  }

  zoom() {
    const zoom = this.options.get("zoom") || "fit";
    return isZoom(zoom) ? zoom : "fit";
  }

  /** One of several, as radio buttons. The first is the usual one, and needs no place in the address. */
  choice(legend, key, options, onChange) {
    const chosen = this.chosen(key, options);
    const name = this.options.place === "stage" ? `stage-${key}` : `compare-${key}`;
    const chips = options.map(([value, words]) => {
      const radio = el("input", { type: "radio", name, value, checked: value === chosen });
      radio.addEventListener("change", () => {
        this.options.set(key, value === options[0][0] ? "" : value, false);
        onChange(value);
      });
      return el("label", { className: "chip" }, radio, words);
    });
    return el("fieldset", {}, el("legend", { className: "visually-hidden" }, legend), el("div", { className: "chips" }, ...chips));
  }

  zoomButtons() {
    const button = (words, label, act) => el("button", { type: "button", "aria-label": label, onclick: act }, words);
    return el("div", { className: "buttons", role: "group", "aria-label": "Zoom" },
      button("−", "Smaller", () => this.zoomBy(1 / KEY_FACTOR)),
      button("Fit", "Fit the picture", () => this.setZoom("fit")),
      button("+", "Larger", () => this.zoomBy(KEY_FACTOR)));
  }

  /** @param {"A"|"B"} letter */
  pairSelect(letter) {
    const select = el("select", { "data-pair": letter.toLowerCase() });
    select.addEventListener("change", () => {
      const [a, b] = this.pair.map((each) => each.select.value);
      this.options.choose(a, b);
    });
    return { select, label: el("label", {}, el("span", {}, `${letter}:`), " ", select) };
  }

  setLive(name, value) {
    ruleOf(this.options.place).setProperty(name, value);
  }

  wire() {
    const { frame } = this;
    new ResizeObserver(() => this.resize()).observe(frame);
    frame.addEventListener("scroll", () => this.onScroll());
    frame.addEventListener("keydown", (event) => this.onKey(event));
    wireGestures({
      frame, wheelFactor,
      canPan: () => this.canPan(),
      lineX: () => (this.slider() ? this.line.getBoundingClientRect().left : null),
      moveLine: (clientX) => this.moveLineTo(clientX),
      scale: () => this.scale,
      zoomAt: (scale, clientX, clientY) => this.zoomAt(scale, clientX, clientY),
    });
  }

  slider = () => /** @type {?HTMLInputElement} */ (this.controls.querySelector("input[type=range]"));
  canPan = () => this.picture.clientWidth > this.frame.clientWidth + 1 || this.picture.clientHeight > this.frame.clientHeight + 1;

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const factor = { "+": KEY_FACTOR, "=": KEY_FACTOR, "-": 1 / KEY_FACTOR }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(factor || event.key === "0")) return;
    event.preventDefault();
    if (factor) this.zoomBy(factor);
    else this.setZoom("fit");
  }

  moveLineTo(clientX) {
    const { left } = this.frame.getBoundingClientRect();
    const seen = Math.min(this.frame.clientWidth, this.picture.clientWidth);
    const margin = Math.max(0, (this.frame.clientWidth - this.picture.clientWidth) / 2);
    this.setValue(Math.round(Math.min(100, Math.max(0, (100 * (clientX - left - margin)) / seen))));
  }

  /** The larger of the two sets the scale: 100 % is one of its pixels on one of the screen. */
  base() {
    return this.b && this.b.width > this.a.width ? this.b : this.a;
  }

  room() {
    const { width, height } = this.frame.getBoundingClientRect();
    const high = Math.min(MOST_HIGH_PX, Math.max(LEAST_HIGH_PX, window.innerHeight * 0.55));
    return { width: Math.max(1, Math.floor(width) - 2), height: this.options.fixed ? Math.max(1, Math.floor(height) - 2) : high };
  }

  setZoom(zoom, isMoving = false) {
    this.options.set("zoom", zoom === "fit" ? "" : zoom, isMoving);
    this.resize();
  }

  zoomBy(factor) {
    const { left, top, width, height } = this.frame.getBoundingClientRect();
    this.zoomAt(this.scale * factor, left + width / 2, top + height / 2);
  }

  /** What lies under the place stays there. False: it is as small, or as large, as it gets. */
  zoomAt(scale, clientX, clientY) {
    if (!this.a) return false;
    const zoom = zoomOf(scale, scaleOf("fit", this.base(), this.room()));
    if (zoom === this.zoom()) return false;
    const frame = this.frame.getBoundingClientRect();
    const before = this.picture.getBoundingClientRect();
    const [x, y] = [(clientX - before.left) / before.width, (clientY - before.top) / before.height];
    this.setZoom(zoom, true);
    this.scrollTo(scrollFor(x, this.picture.clientWidth, clientX - frame.left), scrollFor(y, this.picture.clientHeight, clientY - frame.top));
    return true;
  }

  scrollTo(left, top) {
    this.frame.scrollTo({ left, top, behavior: "instant" });
    this.onScroll();
  }

  resize() {
    if (!this.a || !this.frame.clientWidth) return;
    const { frame } = this;
    const base = this.base();
    this.scale = scaleOf(this.zoom(), base, this.room());
    const shown = shownSize(base, this.scale);
    const { x, y } = this.middle;
    this.setLive("--shown-width", `${shown.width}px`);
    this.setLive("--shown-height", `${shown.height}px`);
    this.sharpen(shown.width);
    this.section.classList.toggle("pannable", this.canPan());
    this.showZoom();
    this.scrollTo(x * shown.width - frame.clientWidth / 2, y * shown.height - frame.clientHeight / 2);
  }

  /** Enlarged pixels are squares, so that one sees what there is. @param {number} [shownWidth] */
  sharpen(shownWidth = this.picture.clientWidth) {
    this.images.forEach((img) => img.naturalWidth && img.classList.toggle("sharp", isSharp(img.naturalWidth, shownWidth)));
    this.canvas.classList.toggle("sharp", isSharp(this.base().width, shownWidth));
  }

  showZoom() {
    const zoom = this.zoom();
    const radios = [...this.zooms.querySelectorAll("input")];
    for (const radio of radios) radio.checked = radio.value === zoom;
    setText(this.zoomed, zoom !== "fit" && radios.some(({ value }) => value === zoom) ? "" : scaleWords(this.scale));
  }

  onScroll() {
    const { frame, picture } = this;
    if (!frame.clientWidth) return; // closed: what was in the middle comes back
    const share = (scrolled, seen, whole) => (whole > seen ? (scrolled + seen / 2) / whole : 0.5);
    this.middle = {
      x: share(frame.scrollLeft, frame.clientWidth, picture.clientWidth),
      y: share(frame.scrollTop, frame.clientHeight, picture.clientHeight),
    };
    this.moveLine();
  }

  moveLine() {
    const { frame, picture, value } = this;
    this.setLive("--split", `${splitAt(value, { left: frame.scrollLeft, width: frame.clientWidth, whole: picture.clientWidth || 1 })}%`);
  }

  /** @param {string} look "" where there is one picture only */
  setLook(look) {
    this.tool?.stop();
    this.tool = null;
    this.picture.dataset.look = look;
    this.canvas.hidden = look !== "difference";
    delete this.picture.dataset.shows;
    if (look === "slider") this.useSlider();
    else if (look === "blink") this.useBlink();
    else if (look === "difference") this.useDifference();
    else {
      fill(this.controls);
      fill(this.tags, tag(this.a));
    }
  }

  useSlider() {
    const { a, b } = this;
    const slider = el("input", { type: "range", min: "0", max: "100", step: "1", className: "split",
      "aria-label": `Line between ${a.short}, left, and ${b.short}, right` });
    slider.addEventListener("input", () => this.setValue(Number(slider.value)));
    slider.addEventListener("keydown", (event) => {
      const value = sliderValue(event.key, Number(slider.value));
      if (value === null || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.setValue(value);
    });
    const jump = (words, value) => el("button", { type: "button", onclick: () => this.setValue(value) }, words);
    fill(this.tags, tag(a, "◧ "), tag(b, "◨ "));
    // Each button shows what stands on its side of the line.
    fill(this.controls, slider, !this.options.fixed && el("div", { className: "buttons sides" }, jump(`◧ ${capital(a.short)}`, 100), jump("Half", 50), jump(`${capital(b.short)} ◨`, 0)));
    this.setValue(this.value);
  }

  setValue(value) {
    this.value = value;
    const slider = this.slider();
    slider.value = String(value);
    slider.setAttribute("aria-valuetext", `${value} % ${this.a.short}, ${100 - value} % ${this.b.short}`);
    this.moveLine();
  }

  useBlink() {
    const { a, b } = this;
    const show = (which) => {
      this.picture.dataset.shows = which;
      fill(this.tags, tag(which === "before" ? a : b));
    };
    show("after");
    const stopHolding = hold(this.frame, show, () => !this.canPan());
    const blink = blinker(show, a.short, !this.options.fixed);
    fill(this.controls, ...blink.controls);
    this.tool = { stop: () => { blink.stop(); stopHolding(); } };
  }

  useDifference() {
    const { a, b, canvas, controls, images } = this;
    const isStill = () => this.a === a && this.b === b && this.picture.dataset.look === "difference";
    const base = this.base();
    const words = el("p", { role: "status" }, "Comparing…");
    fill(this.tags, el("span", {}, "Difference ×8: black where nothing changed"));
    fill(controls, words);
    Promise.all(images.map((img) => img.decode()))
      .then(() => isStill() && drawDifference(canvas, images[0], images[1], base))
      .then((found) => found && setText(words, `${found} Compared at ${canvas.width} × ${canvas.height} px.`))
      .catch(() => isStill() && setText(words, "Nothing to compare: a picture could not be loaded."));
  }

  /** A picture that is not there any more is said in words; nothing is left to compare then. */
  whenLoaded() {
    const { a, b } = this;
    const isStill = () => this.a === a && this.b === b;
    const shown = this.images.slice(0, b ? 2 : 1);
    Promise.all(shown.map(loaded)).then(() => {
      if (!isStill()) return;
      this.section.dataset.loaded = "yes";
      this.sharpen();
    }, async () => {
      const words = await this.options.whyMissing();
      if (!isStill()) return;
      this.tool?.stop();
      this.frame.hidden = true;
      this.missing.hidden = false;
      setText(this.missing, words);
      fill(this.controls);
    });
  }
}

const image = () => el("img", { alt: "", draggable: false, decoding: "async" });
const sameOf = (one, other) => one?.url === other?.url && one?.name === other?.name;

/** @param {HTMLImageElement} img @param {?Picture} picture */
function setImage(img, picture) {
  img.hidden = !picture;
  img.alt = picture?.name || "";
  if (!picture) img.removeAttribute("src");
  else if (img.getAttribute("src") !== picture.url) img.src = picture.url;
}

/** @param {HTMLImageElement} img @returns {Promise<unknown>} */
function loaded(img) {
  if (img.complete && img.naturalWidth) return Promise.resolve();
  return new Promise((resolve, reject) => {
    img.addEventListener("load", resolve, { once: true });
    img.addEventListener("error", reject, { once: true });
  });
}

/** @param {HTMLSelectElement} select @param {Picture[]} all @param {string} chosen id @param {boolean} mayBeNone */
function fillSelect(select, all, chosen, mayBeNone) {
  const wanted = [...(mayBeNone && !chosen ? [["", "nothing"]] : []), ...all.map(({ id, name }) => [id, name])];
  const present = [...select.options].map(({ value, text }) => [value, text]);
  if (JSON.stringify(wanted) !== JSON.stringify(present)) fill(select, ...wanted.map(([value, words]) => el("option", { value }, words)));
  if (select.value !== chosen) select.value = chosen;
}

/** Which picture stands where. @param {Picture} picture */
function tag({ name, facts }, side = "") {
  return el("span", {}, side, el("strong", {}, name), el("span", { className: "facts" }, ` ${facts}`));
}
