/**
 * The elements of the page: those that its template holds (SELECTORS), how new ones are made, and what fills them.
 * Data enters through textContent only.
 *
 * @import { Part } from "./types.js"
 */

import { base } from "./api.js";

/** Every element that the scripts reach for. templates/index.html holds them all. */
export const SELECTORS = {
  firstLook: "#first-look",
  announcer: "#announcer",
  theme: "#theme",
  runsButton: "#runs-button",
  helpButton: "#help-button",
  backendsButton: "#backends-button",
  backendChips: "#backend-chips",
  backendsPanel: "#backends-panel",
  backends: "#backends",
  backendsNote: "#backends-note",
  checkBackends: "#check-backends",
  notice: "#notice",
  runNotice: "#run-notice",
  setup: "#setup",
  planDrawer: "#plan-drawer",
  runPlan: "#run-plan",
  planClose: "#plan-close",
  planWords: "#plan-words",
  editPlan: "#edit-plan",
  presets: "#presets",
  autoPreview: "#auto-preview",
  autoFull: "#auto-full",
  addServer: "#add-server",
  serverAdd: "#server-add",
  qualityPreview: "#quality-preview",
  setThumbs: "#set-thumbs",
  drop: "#drop",
  fileInput: "#file",
  addInput: "#add-files",
  cameraInput: "#camera",
  choose: "#choose",
  chooseFolder: "#choose-folder",
  folderInput: "#folder",
  setLabels: "#set-labels",
  labelSources: "#label-sources",
  labelsCsv: "#labels-csv",
  labelsFile: "#labels-file",
  labelsName: "#labels-name",
  setProblems: "#set-problems",
  setHint: "#set-hint",
  camera: "#camera-button",
  sample: "#sample",
  empty: "#empty",
  photo: "#photo",
  photoImage: "#photo-image",
  photoName: "#photo-name",
  photoFacts: "#photo-facts",
  keepHint: "#keep-hint",
  form: "#plan",
  sizes: "#sizes",
  sizesHint: "#sizes-hint",
  otherSize: "#other-size",
  addSize: "#add-size",
  formats: "#formats",
  formatsHint: "#formats-hint",
  jpegQualities: "#jpeg-qualities",
  webpQualities: "#webp-qualities",
  avifQualities: "#avif-qualities",
  subsamplings: "#subsamplings",
  resamplers: "#resamplers",
  resizeHint: "#resize-hint",
  browserResize: "#browser-resize",
  engines: "#engines",
  order: "#order",
  asked: "#asked",
  labels: "#labels",
  run: "#run",
  estimate: "#estimate",
  progress: "#progress",
  progressText: "#progress-text",
  connection: "#connection",
  earlier: "#earlier",
  resultsEmpty: "#results-empty",
  resultsBody: "#results-body",
  recommendation: "#recommendation",
  figures: "#figures",
  evidence: "#evidence",
  why: "#why",
  copies: "#copies",
  share: "#share",
  exports: "#exports",
  useApi: "#use-api",
  useApiBody: "#use-api-body",
  compareWith: "#compare-with",
  stage: "#stage",
  worst: "#worst",
  strip: "#strip",
  matrix: "#matrix",
  variantsTab: "#variants-tab",
  photosTab: "#photos-tab",
  photos: "#photos",
  followUps: "#follow-ups",
  problems: "#problems",
  showLatency: "#show-latency",
  overWhat: "#over-what",
  goals: "#goals",
  goalKeep: "#goal-keep",
  goalMargin: "#goal-margin",
  goalP50: "#goal-p50",
  goalSize: "#goal-size",
  goalMarginSlider: "#goal-margin-slider",
  goalP50Slider: "#goal-p50-slider",
  goalSizeSlider: "#goal-size-slider",
  goalsOwn: "#goals-own",
  goalsProblem: "#goals-problem",
  plots: "#plots",
  deciding: "#deciding",
  compared: "#compared",
  table: "#variants",
  resizers: "#resizers",
  sortBy: "#sort-by",
  find: "#find",
  found: "#found",
  method: "#method",
  environment: "#environment",
  drawer: "#drawer",
  drawerTitle: "#drawer-title",
  drawerBody: "#drawer-body",
  drawerClose: "#drawer-close",
};

/** @template {keyof typeof SELECTORS} Name @param {Name} name @returns {Part<Name>} */
export function part(name) {
  return /** @type {Part<Name>} */ (document.querySelector(SELECTORS[name]));
}

/**
 * A new element. Properties are set as properties, `data-`, `aria-` and `role` as attributes;
 * children that are text become text nodes, never markup.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string|null|undefined|false)} children
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) setProperty(element, key, value);
  return fill(element, ...children);
}

/** @type {Record<string, Promise<unknown>>} */
const styles = {};

/** Fetches a stylesheet that the first look does without; done when it is there, or could not be fetched. */
export function loadStyle(/** @type {"deciding" | "follow_ups" | "inspector" | "pictures" | "plan" | "sets"} */ name) {
  styles[name] ||= new Promise((resolve) => {
    const href = `${base}/static/css/${name}.css`;
    document.head.append(el("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve }));
  });
  return styles[name];
}

/** Replaces what an element holds; children that are null or false are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child instanceof Node || typeof child === "string"));
  return element;
}

/** Names and what each means. @param {(string|Node)[][]} rows */
export const definitions = (rows) =>
  el("dl", {}, ...rows.flatMap(([name, words]) => [el("dt", {}, name), el("dd", {}, words)]));

/** @param {HTMLElement} element @param {string} key @param {any} value */
function setProperty(element, key, value) {
  if (value === undefined || value === null) return;
  if (key.includes("-") || key === "role" || key === "scope" || key === "list") element.setAttribute(key, value);
  else element[key] = value;
}

/** Writes only what changed, so that a selection or a screen reader is not disturbed. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {string|number} value */
export function checkChip(name, value, words) {
  return el("label", { className: "chip" }, el("input", { type: "checkbox", name, value: String(value) }), String(words));
}

/** A chip with a button that takes it away. @param {HTMLElement} chip @param {string} name what it is @param {() => void} remove */
export const removable = (chip, name, remove) => el("span", { className: "removable" }, chip,
  el("button", { type: "button", className: "quiet", "aria-label": `Remove ${name}`, title: `Remove ${name}`, onclick: remove }, "×"));

/**
 * Boxes for exactly these values, ticked where chosen; those that are there already stay, with their focus.
 * @param {HTMLElement} place @param {string} name @param {(string|number)[]} values @param {(string|number)[]} chosen
 * @param {(value: string|number) => HTMLElement} [chipOf]
 */
export function syncChips(place, name, values, chosen, chipOf = (value) => checkChip(name, value, String(value))) {
  const present = [...place.querySelectorAll("input")].map((box) => box.value);
  if (present.join("\n") !== values.join("\n")) fill(place, ...values.map(chipOf));
  for (const box of place.querySelectorAll("input")) box.checked = chosen.map(String).includes(box.value);
}

/** Values of the ticked boxes. @returns {string[]} */
export function tickedValues(place) {
  return [...place.querySelectorAll("input:checked")].map((box) => box.value);
}

/**
 * The field and its button: Enter in the field adds too, and does not start the run.
 * @param {(value: number) => string} add  "" when it took the value, else what is wrong with it
 */
export function wireAdd(input, button, hint, add) {
  const act = () => {
    setText(hint, ""); // before: what is added may put other words there
    const wrong = add(Number(input.value));
    if (wrong) {
      setText(hint, wrong);
      input.setAttribute("aria-invalid", "true");
    } else {
      input.removeAttribute("aria-invalid");
      input.value = "";
    }
  };
  button.addEventListener("click", act);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
}

/** Words about a field, beneath it and tied to it for screen readers. @param {HTMLInputElement} input */
export function writeBeneath(input, words, isWrong) {
  const id = `${input.id}-note`;
  const note = document.getElementById(id) || el("p", { id, className: isWrong ? "field-note bad" : "field-note unsure" });
  const others = (input.getAttribute("aria-describedby") || "").split(" ").filter((other) => other && other !== id);
  const ids = words ? [...others, id] : others;
  setText(note, words);
  if (words) input.closest(".field, fieldset").append(note);
  else note.remove();
  if (isWrong) input.setAttribute("aria-invalid", String(Boolean(words)));
  if (ids.length) input.setAttribute("aria-describedby", ids.join(" "));
  else input.removeAttribute("aria-describedby");
}

const ANNOUNCE_EVERY_MS = 1000;
let announceTimer = 0;
let waitingWords = "";

/** For screen readers, politely and at most once a second; the newest words win. */
export function announce(words) {
  waitingWords = words;
  if (announceTimer) return;
  announceTimer = window.setTimeout(() => {
    announceTimer = 0;
    setText(part("announcer"), waitingWords);
  }, ANNOUNCE_EVERY_MS);
}
