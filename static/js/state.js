/**
 * All that the page knows, and who is called when it changes.
 *
 * @import { Backends, Config, Live, Notice, PagePlan, Photo, Report, RunProgress, View } from "./types.js"
 */

import { isLive } from "./api.js";

/** The stored run that comes with the app. */
export const SAMPLE_ID = "sample";

/** Of the view: no other goals than those that the run has. */
export const OWN_GOALS = { keep_top1: "", margin_points: "", max_p50_ms: "", max_size_bytes: "", copies: "" };

/** All that the page knows. Read it anywhere; change it with `update` only. */
export const state = {
  config: /** @type {?Config} */ (null),
  backends: /** @type {?Backends} */ (null), // {backends, model} of /api/backends; null: not asked yet
  backendsNotice: "", // why they could not be asked
  photo: /** @type {?Photo} */ (null),
  plan: /** @type {?PagePlan} */ (null),
  run: /** @type {?RunProgress} */ (null),
  report: /** @type {?Report} */ (null), // the report so far, as exported
  /** What came since that report: variants that were made, steps of the search for the breaking point. */
  live: /** @type {Live} */ ({ variants: [], steps: [] }),
  chosen: "", // picture that is compared on the stage: a variant's id or a step's key; "": the recommended variant's
  job: /** @type {?import("./types.js").Job} */ (null), // the follow-up of the run that is under way
  connection: "", // a sentence while the event stream is broken
  notice: /** @type {?Notice} */ (null),
  view: /** @type {View} */ ({ sort: "", sel: "", x: "", y: "", find: "", metric: "", on: "", bars: "", ...OWN_GOALS }),
  theme: "auto",
};

/** @type {{keys: string[], render: () => void}[]} */
const watchers = [];

/** Calls `render` now and whenever one of the named parts of the state is replaced. */
export function watch(keys, render) {
  watchers.push({ keys, render });
  render();
}

const prefersDark = () => matchMedia("(prefers-color-scheme: dark)");

/** "light" or "dark", as the page looks now. */
export function lookNow() {
  if (state.theme === "light" || state.theme === "dark") return state.theme;
  return prefersDark().matches ? "dark" : "light";
}

/** Calls `redraw` now and whenever lookNow() may have changed. */
export function whenLookChanges(redraw) {
  watch(["theme"], redraw);
  prefersDark().addEventListener("change", redraw);
}

/** Other goals than the run's own, as a query of the server; "" where there are none. */
export function goalsQuery() {
  const goals = Object.keys(OWN_GOALS).map((key) => [key, state.view[key]]);
  const isByClient = (state.view.copies || state.report?.plan.copies) === "client"; // then the uplink counts too
  const wanted = isByClient ? new URLSearchParams(location.search).get("uplink") || memory.get("uplink") || "" : "";
  const uplink = /^(3g|\d+(\.\d+)?)$/i.test(wanted) ? wanted : ""; // an address written by hand may hold anything
  return new URLSearchParams([...goals, ["uplink", uplink]].filter(([, goal]) => goal)).toString();
}

/** @param {Partial<typeof state>} changes */
export function update(changes) {
  const changed = Object.keys(changes).filter((key) => state[key] !== changes[key]);
  Object.assign(state, changes);
  for (const { keys, render } of watchers) if (keys.some((key) => changed.includes(key))) render();
}

/** True while a run is under way, from the first byte sent to its last answer. */
export function isBusy() {
  return Boolean(state.run) && (["making", "uploading"].includes(state.run.state) || isLive(state.run.state));
}

/** Whether the form asks for something else than the results on the page answer. */
export function hasChanged() {
  const { run, plan, photo } = state;
  if (!run?.plan || isBusy()) return false;
  return run.photo !== photo || JSON.stringify(run.plan) !== JSON.stringify(plan);
}

/** Repeats that the plan has and the preview on the page lacks; 0 where what is shown is no preview of this plan. */
export function repeatsToCome() {
  const { run, report, plan } = state;
  if (!run?.preview || run.state !== "done" || !report || hasChanged()) return 0;
  return Math.max(0, plan.repeats - report.plan.repeats);
}

/** Puts the view into the address, so that a link and a reload show the same. */
export function writeView() {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(state.view)) value ? query.set(key, value) : query.delete(key);
  const text = query.toString();
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
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
