/** Follow-ups of a finished run: more repeats on the same bytes, retries, the search for the breaking point, load tests. */

import {
  addRepeats, deleteRun, findBreakingPoint, getFollowUps, getReport, isLive, problemParts, putUnderLoad, retryCells,
} from "../api.js";
import { openSection, refreshDeciding, showDeciding } from "../decide/deciding.js";
import { showLoad, wireLoadForm } from "../decide/load_form.js";
import { announce, el, fill, loadStyle, part, setText } from "../dom.js";
import { goalsQuery, isBusy, state, update, watch } from "../state.js";
import { follow } from "./events.js";
import * as words from "./follow_up_words.js";

/** The follow-up under way: null, or {id, run_id, kind, state, done, planned, text}. */
let job = null;
let problem = null; // the server's refusal, until the next try
let lost = ""; // a sentence while the event stream is broken
let following = null;
let lookedFor = ""; // the run that was asked whether something is under way
let drawn = "";
let wantsFocus = false; // it was on a button that can't have it just now

function render() {
  const { report } = state;
  if (job && job.run_id !== report?.run_id) forget();
  if (state.job !== job) update({ job });
  const offered = report ? words.offers(report, state.config) : [];
  part("followUps").hidden = !report || (!offered.length && !words.points(report).length);
  if (part("followUps").hidden) return;
  if (!isBusy()) findUnderWay(report.run_id);
  if (!job || job.kind === "load") showLoad(words.loadWords(job, lost || problem?.detail || ""));
  const signature = JSON.stringify([report.run_id, isBusy(), offered, job, problem, lost, report.breaking_points]);
  if (signature === drawn) return;
  drawn = signature;
  const focused = document.activeElement?.id;
  fill(part("followUps"), actions(offered), job && progress(), problem && refusal(), results(report));
  keepFocus(focused);
}

/** Whoever began with the keyboard finds Stop under it, and at the end a button again. @param {string} [focused] id */
function keepFocus(focused) {
  if (focused) wantsFocus = focused.startsWith("follow-up-");
  if (!wantsFocus) return;
  const enabled = /** @type {HTMLButtonElement[]} */ ([...part("followUps").querySelectorAll("button:enabled")]);
  const next = enabled.find((button) => button.id === focused) || enabled[0];
  next?.focus({ preventScroll: true });
  wantsFocus = !next;
}

function actions(offered) {
  const blocked = isBusy() || Boolean(job);
  const buttons = offered.map((offer, at) =>
    el("button", { type: "button", id: idOf(offer, at), disabled: blocked, onclick: () => start(offer) }, offer.label));
  const hints = [...new Set(offered.map(({ hint }) => hint))].join(" ");
  return el("div", { className: "follow-up-actions" }, ...buttons, el("p", { className: "hint" }, hints));
}

/** A backend's place is its own, so that the focus stays on its button. */
const idOf = ({ kind }, at) => `follow-up-${kind}${kind === "retry" ? `-${at}` : ""}`;

const ASK = {
  search: (report) => findBreakingPoint(report.run_id),
  repeats: (report, { repeats }) => addRepeats(report.run_id, repeats || words.missingRepeats(report, state.config)),
  retry: (report, { backendName, timeoutS }) => retryCells(report.run_id, backendName, timeoutS),
  load: (report, { order }) => putUnderLoad(report.run_id, order || {}),
};

function progress() {
  const bar = el("progress", { max: job.planned || 1, "aria-label": words.NAMES[job.kind] });
  if (job.state === "running" && job.share) [bar.max, bar.value] = [1, job.share];
  else if (job.state === "running" && job.planned) bar.value = job.done;
  const stop = el("button", { type: "button", id: "follow-up-stop", disabled: !job.id || job.state === "stopping", onclick: stopJob },
    job.state === "stopping" ? "Stopping" : "Stop");
  const text = el("p", { id: "follow-up-text" }, lost || job.text);
  return el("div", { className: "follow-up-progress" }, bar, text, stop);
}

function refusal() {
  return el("p", { className: "follow-up-problem", role: "alert" }, el("strong", {}, problem.title), ` ${problem.detail}`);
}

function results(report) {
  const found = words.points(report);
  return found.length ? el("ul", { className: "breaking", "aria-label": "Breaking point" }, ...found.map(result)) : null;
}

function result(point) {
  const rows = words.stepRows(point);
  const steps = rows.length > 0 && el("details", {},
    el("summary", {}, words.stepsTitle(point)),
    el("p", { className: "hint" }, words.HOW),
    el("div", { className: "table-scroll", tabIndex: 0, role: "region", "aria-label": words.stepsTitle(point) }, stepTable(rows)));
  return el("li", {}, el("p", {}, el("strong", {}, `${point.backend_name}: `), words.pointSentence(point)), steps);
}

function stepTable(rows) {
  const head = el("tr", {}, ...words.STEP_COLUMNS.map((name, at) =>
    el("th", { scope: "col", className: at < 3 ? "number" : "" }, name)));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows.map((row) =>
    el("tr", {}, ...row.map((value, at) => el("td", { className: at < 3 ? "number" : "" }, value))))));
}

export async function start(offer) {
  const { kind } = offer;
  const { report } = state;
  problem = null;
  job = { id: "", run_id: report.run_id, kind, state: "queued", done: 0, planned: 0, text: "Getting ready" };
  render();
  try {
    attach({ ...job, ...(await ASK[kind](report, offer)) });
  } catch (refused) {
    fail(refused);
  }
}

/** @param {any} begun as the server answered */
function attach(begun) {
  job = { done: 0, text: "Queued: another run is in progress", ...begun };
  render();
  if (job.kind === "load") openSection("load");
  following = follow(job.id, { onEvent, onLost, onBack });
}

/** After a reload, or on another page: something may be under way that was begun elsewhere. */
async function findUnderWay(runId) {
  if (lookedFor === runId) return;
  lookedFor = runId;
  const known = await getFollowUps(runId).catch(() => null);
  const live = known?.follow_ups.find((followUp) => isLive(followUp.state));
  if (live && !job) attach({ ...live, run_id: runId });
}

function onEvent(name, data) {
  if (!job) return;
  if (name === "state") patch({ state: job.state === "stopping" ? "stopping" : data.state, text: data.text || job.text });
  if (name === "progress")
    patch({ done: data.done, planned: data.planned, share: data.share ?? job.share, text: words.progressWords(job, data) });
  if (name === "step") update({ live: { ...state.live, steps: [...state.live.steps, data] } });
  if (name === "trial" || name === "curve") refreshDeciding();
  if (name === "progress") announce(job.text);
  if (name === "end") onEnd(data);
}

async function onEnd(data) {
  const { run_id: runId, kind } = job;
  forget();
  if (data.state === "failed") problem = { title: `${words.NAMES[kind]} ended early.`, detail: data.text };
  try {
    const report = await getReport(runId, goalsQuery());
    if (state.report?.run_id !== runId) return;
    // How long the run itself took is still so after a search or a load test, but not after more repeats.
    const isApart = kind === "search" || kind === "load";
    update({ report, run: { ...state.run, ...report.requests, text: isApart ? state.run.text : "" } });
    announce(words.endWords(kind, report));
    if (kind !== "search") await showDeciding(report);
    if (!isApart) await (await import("../results/plots.js")).drawFigures(runId);
  } catch (refused) {
    fail(refused);
  }
  render();
}

export async function stopJob() {
  const { id } = job;
  patch({ state: "stopping" });
  try {
    await deleteRun(id);
  } catch (refused) {
    fail(refused);
  }
}

/** The first attempt is silent, as for a run: a stream may end in good order. */
function onLost(attempt) {
  if (attempt < 2) return;
  lost = `Lost the connection to the server. It continues there; reconnecting (${attempt})...`;
  render();
  setText(part("announcer"), lost);
}

function onBack() {
  lost = "";
  render();
}

const patch = (changes) => {
  job = { ...job, ...changes };
  render();
};

function fail(refused) {
  forget();
  problem = problemParts(refused);
  render();
}

function forget() {
  following?.close();
  [following, job, lost] = [null, null, ""];
}

wireLoadForm({ start: (order) => start({ kind: "load", order }), stop: stopJob });

// Last, because it draws at once, with all that stands above.
await loadStyle("follow_ups");
watch(["report", "run"], render);
