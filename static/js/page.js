/**
 * The page itself: its one state, its parts (SELECTORS), and the small tools that
 * put data into elements. Data enters through textContent only.
 *
 * @import { Backends, Config, PagePlan, Part, Report, View } from "./types.js"
 *
 * @typedef {object} Photo
 * @property {string} name
 * @property {?File} file          null: the photo of a stored run, fetched again when needed
 * @property {string} url          what an <img> can show
 * @property {?number} size_bytes
 * @property {?number} width_px    null: this browser can't decode it; the server will judge
 * @property {?number} height_px
 * @property {import("./setup/photo_set.js").PhotoSet} [set]  many photos in place of one
 * @property {string} [facts]      of a set: how many photos, how large
 * @property {string} [labels]     where the labels of a set come from
 * @property {?File} [csvFile]     a CSV of labels chosen for a set
 *
 * @typedef {object} RunProgress
 * @property {string} id           "" until the server has given one
 * @property {"making"|"uploading"|"queued"|"running"|"done"|"cancelled"|"failed"} state
 * @property {number} made         variants that this browser has made
 * @property {number} to_make      0 while that is not known
 * @property {number} sent_bytes
 * @property {number} total_bytes
 * @property {number} done
 * @property {number} planned
 * @property {number} failed
 * @property {number} [not_sent] of those done: left out, as the backend had stopped answering
 * @property {string} text         the server's words for how far it is; "" while there are none
 * @property {?PagePlan} plan      the plan it was started with
 * @property {?Photo} photo        the photo it was started with
 *
 * @typedef {object} Notice        something that went wrong, and what to do about it
 * @property {string} title
 * @property {string} detail
 * @property {boolean} [calm]      nothing went wrong: it only takes its time
 * @property {"top"|"run"} [at]    where it stands: above the form, or beside Run; top when left out
 * @property {string} [reference]  to quote when asking for help
 * @property {{label: string, act: () => void, keep?: boolean}[]} [actions]  keep: the notice stays
 */

import { base } from "./api.js";

/** Every element that the scripts reach for. templates/index.html holds them all. */
export const SELECTORS = {
  firstLook: "#first-look",
  announcer: "#announcer",
  theme: "#theme",
  runsButton: "#runs-button",
  helpButton: "#help-button",
  backends: "#backends",
  backendsNote: "#backends-note",
  checkBackends: "#check-backends",
  notice: "#notice",
  runNotice: "#run-notice",
  setup: "#setup",
  setupSummary: "#setup-summary",
  drop: "#drop",
  fileInput: "#file",
  cameraInput: "#camera",
  choose: "#choose",
  chooseFolder: "#choose-folder",
  folderInput: "#folder",
  setLabels: "#set-labels",
  labelSources: "#label-sources",
  labelsFile: "#labels-file",
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
  uploadOriginal: "#upload-original",
  order: "#order",
  asked: "#asked",
  labels: "#labels",
  run: "#run",
  estimate: "#estimate",
  progress: "#progress",
  progressText: "#progress-text",
  connection: "#connection",
  toResults: "#to-results",
  earlier: "#earlier",
  resultsEmpty: "#results-empty",
  resultsBody: "#results-body",
  recommendation: "#recommendation",
  exports: "#exports",
  further: "#further",
  problems: "#problems",
  showLatency: "#show-latency",
  overWhat: "#over-what",
  goals: "#goals",
  goalKeep: "#goal-keep",
  goalMargin: "#goal-margin",
  goalP50: "#goal-p50",
  goalSize: "#goal-size",
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
export function loadStyle(/** @type {"deciding" | "follow_ups" | "inspector"} */ name) {
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

/**
 * Boxes for exactly these values, ticked where chosen; those that are there already stay, with their focus.
 * @param {HTMLElement} place @param {string} name @param {(string|number)[]} values @param {(string|number)[]} chosen
 * @param {(value: string|number) => string} [wordsOf]
 */
export function syncChips(place, name, values, chosen, wordsOf = String) {
  const present = [...place.querySelectorAll("input")].map((box) => box.value);
  if (present.join("\n") !== values.join("\n")) fill(place, ...values.map((value) => checkChip(name, value, wordsOf(value))));
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

/** Of the view: no other goals than those that the run has. */
export const OWN_GOALS = { keep_top1: "", margin_points: "", max_p50_ms: "", max_size_bytes: "" };

/** All that the page knows. Read it anywhere; change it with `update` only. */
export const state = {
  config: /** @type {?Config} */ (null),
  backends: /** @type {?Backends} */ (null), // {backends, model} of /api/backends; null: not asked yet
  backendsNotice: "", // why they could not be asked
  photo: /** @type {?Photo} */ (null),
  plan: /** @type {?PagePlan} */ (null), // see setup.js
  run: /** @type {?RunProgress} */ (null),
  report: /** @type {?Report} */ (null), // the report so far, as exported
  connection: "", // a sentence while the event stream is broken
  notice: /** @type {?Notice} */ (null),
  view: /** @type {View} */ ({ sort: "", sel: "", x: "", y: "", find: "", ...OWN_GOALS }),
  theme: "auto",
};

/** @type {{keys: string[], render: () => void}[]} */
const watchers = [];

/** Calls `render` now and whenever one of the named parts of the state is replaced. */
export function watch(keys, render) {
  watchers.push({ keys, render });
  render();
}

/** Other goals than the run's own, as a query of the server; "" where there are none. */
export function goalsQuery() {
  const goals = Object.keys(OWN_GOALS).map((key) => [key, state.view[key]]);
  return new URLSearchParams(goals.filter(([, goal]) => goal)).toString();
}

/** @param {Partial<typeof state>} changes */
export function update(changes) {
  const changed = Object.keys(changes).filter((key) => state[key] !== changes[key]);
  Object.assign(state, changes);
  for (const { keys, render } of watchers) if (keys.some((key) => changed.includes(key))) render();
}

/** True while a run is under way, from the first byte sent to its last answer. */
export function isBusy() {
  return Boolean(state.run) && ["making", "uploading", "queued", "running"].includes(state.run.state);
}

const ANNOUNCE_EVERY_MS = 1000;
let announceTimer = 0;
let waitingWords = "";

/** Tells screen readers, politely and at most once a second; the newest words win. */
export function announce(words) {
  waitingWords = words;
  if (announceTimer) return;
  announceTimer = window.setTimeout(() => {
    announceTimer = 0;
    setText(part("announcer"), waitingWords);
  }, ANNOUNCE_EVERY_MS);
}

/** A place to remember small things. A browser that forbids it just forgets. */
export const memory = {
  get(key) {
    try {
      return JSON.parse(localStorage.getItem(`pixelcost.${key}`) ?? "null");
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`pixelcost.${key}`, JSON.stringify(value));
    } catch {
      // Private windows may refuse; nothing depends on it.
    }
  },
};
