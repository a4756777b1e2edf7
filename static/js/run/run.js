/** One run on the page: start it, open a stored one, follow it, cancel it. */

import * as api from "../api.js";
import { announce, el, fill, part, setText } from "../dom.js";
import { formatName, plural, progressText } from "../format.js";
import { goalsQuery, hasChanged, isBusy, memory, OWN_GOALS, repeatsToCome, SAMPLE_ID, state, update, watch, writeView } from "../state.js";
import { NOTHING_LIVE } from "../pictures/frames.js";
import { wireStage } from "../pictures/stage.js";
import { wireStrip } from "../pictures/strip.js";
import { renderResults, wireResults } from "../results/result.js";
import { fillForm, photoFacts, planToRun } from "../setup/form.js";
import { importedWords } from "../setup/import_report.js";
import { serverFields } from "../setup/own_servers.js";
import { formParts, photoBlob, setPhoto, showPhotoLine } from "../setup/photo.js";
import { encodingsHere, paceOf, resizesHere, uploadsOriginal, withLists } from "../setup/plan.js";
import { follow } from "./events.js";

const REFRESH_EVERY_MS = 1500;
const FIRST_REFRESH_MS = 100; // after the first variant: its picture is what one waits for
const LONGEST_ANSWER_MS = 10_000; // an answer that takes longer is asked for again
const NO_DOUBLE_CLICK_MS = 600; // the second click of a double click on Run must not cancel
const BACK_WORDS_MS = 4000;

const UNUSABLE_PHOTO = [
  "not_an_image", "format_not_allowed", "heic_not_supported", "empty_file", "too_many_bytes", "too_many_pixels",
  "side_too_long", "truncated", "damaged",
];

const NEW_RUN = /** @type {import("../types.js").RunProgress} */ ({
  id: "", state: "uploading", made: 0, to_make: 0, sent_bytes: 0, total_bytes: 0, done: 0, planned: 0, failed: 0, text: "", preview: false,
  plan: null, photo: null,
});

let following = null;
let upload = null;
let startedAt = 0;
let refreshTimer = 0;
let drawing = null;

watch(["run", "connection", "plan", "photo", "job", "report"], renderProgress);
wireResults({ inspect, compare, startRun });
wireStage();
wireStrip(inspect);
watch(["report", "run"], renderResults);
watch(["report"], showFollowUps);
watch(["report"], showPhotos);
watch(["run", "plan", "photo"], () => (part("earlier").hidden = !hasChanged() || !state.report));
watch(["theme"], () => refreshTimer && refresh()); // table and plots change together

const STOPPED = /** @type {import("../types.js").Notice} */ ({
  title: "Stopped before anything was measured.", detail: "Run again as soon as you like.", calm: true, at: "run",
});

/** A closer look at one variant. @param {string} variantId */
async function inspect(variantId) {
  const module = state.report.photo_set ? import("../inspector/set_inspector.js") : import("../inspector/inspector.js");
  (await module).openInspector(variantId);
}

async function compare() {
  (await import("../decide/compare.js")).openChooser();
}

/** With the first report; from then on they draw themselves. */
function showFollowUps() {
  if (state.report) import("./follow_ups.js").catch(() => null);
}

/** As showFollowUps(), of a set. */
function showPhotos() {
  if (state.report?.photo_set) import("../sets/worst.js").catch(() => null); // and with it the explorer
}

// As few as have a 95 % interval of their median, so that a preview can be judged; the full measurement adds to them.
const PREVIEW = { repeats: 6, warmups: 1 };

/** What a new photo starts by itself: the plan with few repeats. */
export const startPreview = () => startRun(true);

/** Sends the photo with the plan and follows the run that begins. */
export async function startRun(preview = false) {
  if (isBusy()) return; // the second click of a double click, while this module was on its way
  const { photo, plan } = state;
  startedAt = Date.now();
  const view = { ...state.view, ...OWN_GOALS }; // what runs now has its own
  update({ run: { ...NEW_RUN, total_bytes: photo.size_bytes, preview, plan, photo }, report: null, live: NOTHING_LIVE, chosen: "", view, notice: null, connection: "" });
  try {
    const { true_label: trueLabel, upload_original: _, ...asked } = planToRun();
    const sent = preview ? { ...asked, repeats: Math.min(asked.repeats, PREVIEW.repeats), warmups: Math.min(asked.warmups, PREVIEW.warmups) } : asked;
    const { parts, fields } = await toSend(photo, planToRun());
    upload = api.postRun(parts, sent, trueLabel || null, (sentBytes, totalBytes) =>
      patchRun({ sent_bytes: sentBytes, total_bytes: totalBytes }), { ...fields, ...serverFields(sent.backend_names) });
    const answer = await upload.answer;
    history.pushState(null, "", api.base + api.runPath(answer.id));
    writeView();
    await prepareFrames(answer.id);
    patchRun({ id: answer.id, state: answer.state });
    followRun(answer.id);
  } catch (problem) {
    update({ run: null });
    if (problem.type === "stopped") return update({ notice: STOPPED });
    showProblem(problem, [wayOut(problem)], "run");
  }
}

/**
 * What goes with the plan: the photo, and before it is sent, the variants that are made here.
 * @returns {Promise<{parts: [string, Blob, string][], fields: Record<string, string>}>}
 */
async function toSend(photo, plan) {
  if (!resizesHere(plan)) return { parts: await formParts(photo), fields: {} };
  const [{ makeVariants, tooHeavy }, blob] = await Promise.all([import("../browser_resize/browser_resize.js"), photoBlob(photo)]);
  patchRun({ state: "making" });
  upload = makeVariants(photo, blob, plan, encodingsHere(plan, state.config), (made, toMake) => patchRun({ made, to_make: toMake }));
  const { parts, fields, unable } = await upload.answer;
  if (unable.length) {
    const title = `This browser does not write ${unable.map(formatName).join(", ")}.`;
    update({ notice: { title, detail: "Those variants are left out.", calm: true } });
  }
  const original = uploadsOriginal(plan) ? [["file", blob, photo.name]] : [];
  const all = /** @type {[string, Blob, string][]} */ ([...original, ...parts]);
  const problem = tooHeavy(all, state.config.limits);
  if (problem) throw new api.Problem({ ...problem, code: "broken" });
  patchRun({ state: "uploading", total_bytes: all.reduce((sum, [, content]) => sum + content.size, 0) });
  return { parts: all, fields };
}

const UNABLE_HERE = ["undecodable", "unreadable", "broken", "variants_refused"];

function onServer() {
  update({ plan: { ...state.plan, resize_in: "server" } });
  startRun();
}

/** Sending the same unreadable photo again would not help. */
function wayOut(problem) {
  if (UNABLE_HERE.includes(problem.code)) return { label: "Resize on the server", act: onServer };
  if (UNUSABLE_PHOTO.includes(problem.code)) return { label: "Choose another", act: () => part("fileInput").click() };
  return { label: "Try again", act: startRun };
}

/** Shows a stored run, or goes on with one that is under way. @param {string} id */
export async function openRun(id) {
  try {
    const report = await api.getReport(id, goalsQuery());
    await prepareFrames(id);
    update({ report, live: NOTHING_LIVE, chosen: "", run: { ...NEW_RUN, id, state: report.state, ...report.requests } });
    showSetupOf(report);
    if (isBusy()) followRun(id);
    else await drawResults();
  } catch (problem) {
    if (problem.status === 404) showGone();
    else showProblem(problem, [{ label: "Try again", act: () => openRun(id) }]);
  }
}

/** A preview, or what followed it by itself, ends for another photo. What it measured stays among the runs. */
export async function giveWay() {
  following?.close();
  stopRefreshing();
  const { job, run } = state;
  if (!job && !run.id) upload?.abort();
  else await api.deleteRun(job?.id || run.id).catch(() => null);
  update({ run: null, report: null, connection: "" });
}

/** The rest of the plan's repeats, after its preview: on the same bytes, as part of the same run. */
export async function measureFully() {
  (await import("./follow_ups.js")).start({ kind: "repeats", repeats: repeatsToCome() });
}

/** Whether somebody else's run is under way or queued: what starts by itself must not hold it up. */
async function othersWait() {
  const { runs } = await api.getRuns("?limit=20").catch(() => ({ runs: [] }));
  return runs.some((run) => api.isLive(run.state));
}

/** The stored run of the sample, until there is another photo. */
export async function showSample() {
  const report = await api.getReport(SAMPLE_ID, goalsQuery()).catch(() => null);
  if (!report || state.photo || state.run) return; // without it the page is as empty as before
  await prepareFrames(SAMPLE_ID);
  update({ report });
  whenSeen(part("plots"), () => state.report === report && drawResults());
}

/** Once, when a part of the page comes near the window. */
function whenSeen(place, act) {
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    act();
  }, { rootMargin: "300px" });
  watcher.observe(place);
}

/** Stops the run, or the upload before it. What was measured is kept. */
export async function cancelRun() {
  if (state.job) return (await import("./follow_ups.js")).stopJob();
  if (Date.now() - startedAt < NO_DOUBLE_CLICK_MS) return;
  const { id } = state.run;
  if (!id) return upload?.abort();
  try {
    await api.deleteRun(id);
  } catch (problem) {
    showProblem(problem, [{ label: "Try again", act: cancelRun }], "run");
  }
}

function followRun(id) {
  following?.close();
  following = follow(id, { onEvent, onLost, onBack });
}

const patchRun = (changes) => update({ run: { ...state.run, ...changes } });

function onEvent(name, data) {
  if (name === "state") patchRun({ state: data.state, text: data.text || "" });
  if (name === "source") patchRun({ planned: data.requests_planned });
  if (name === "progress") patchRun({ done: data.done, planned: data.planned, failed: data.failed, not_sent: data.not_sent, text: data.text });
  if (name === "variant") update({ live: { ...state.live, variants: [...state.live.variants, data] } });
  if (name === "end") onEnd(data);
  else if (name === "variant") refreshTimer ||= window.setTimeout(refresh, FIRST_REFRESH_MS);
  else if (name === "progress") refreshTimer ||= window.setTimeout(refresh, REFRESH_EVERY_MS);
}

async function onEnd(data) {
  stopRefreshing();
  try {
    const report = await api.getReport(state.run.id, goalsQuery());
    memory.set("pace", { ...memory.get("pace"), ...paceOf(report) });
    update({ report, run: { ...state.run, state: data.state, text: data.text, ...report.requests }, connection: "" });
    await drawing;
    await drawResults();
    announce(`${progressText(state.run)} ${report.recommendation?.sentence || ""}`);
    if (repeatsToCome() && (memory.get("auto-full") ?? true) && !(await othersWait())) await measureFully();
  } catch (problem) {
    patchRun({ state: data.state, text: data.text });
    showProblem(problem, [{ label: "Try again", act: () => openRun(state.run.id) }]);
  }
}

/** Fetches the report so far, again and again until the run ends. The wait does not depend on how long drawing takes: plotly.js alone takes seconds to arrive on a busy machine. */
async function refresh() {
  clearTimeout(refreshTimer);
  const mine = (refreshTimer = window.setTimeout(refresh, LONGEST_ANSWER_MS));
  // A lost server is noticed by the event stream, which says so; the next refresh makes up for this one.
  const report = await api.getReport(state.run.id, goalsQuery()).catch(() => null);
  if (refreshTimer !== mine) return; // the run ended meanwhile, or a newer refresh began
  if (report) showSoFar(report);
  clearTimeout(mine);
  refreshTimer = window.setTimeout(refresh, REFRESH_EVERY_MS);
}

function showSoFar(report) {
  update({ report });
  tellWhatTheServerRead(report);
  drawing ||= drawResults().catch(() => null).finally(() => (drawing = null));
}

function stopRefreshing() {
  clearTimeout(refreshTimer);
  refreshTimer = 0;
}

async function drawResults() {
  await (await import("../results/plots.js")).drawFigures(state.report.run_id);
  if (!isBusy()) await (await import("../decide/deciding.js")).showDeciding(state.report);
}

/** Frames before content, so that nothing moves when the plots arrive. */
async function prepareFrames(id) {
  (await import("../results/plots.js")).makeFrames(id);
}

/** A run that was removed meanwhile is not worth waiting for. */
async function checkStillThere(id) {
  try {
    await api.getReport(id);
  } catch (problem) {
    if (problem.status !== 404) return;
    following.close();
    stopRefreshing();
    update({ run: null, connection: "" });
    showGone();
  }
}

/** The first attempt is silent: a server may end a stream in good order and expect us back. */
function onLost(attempt) {
  if (attempt < 2) return;
  if (attempt > 2) checkStillThere(state.run.id);
  const words = `Lost the connection to the server. The run continues there; reconnecting (${attempt})...`;
  update({ connection: words });
  announce(words);
}

function onBack() {
  if (!state.connection) return;
  const words = "Back. Nothing was lost.";
  update({ connection: words });
  announce(words);
  setTimeout(() => state.connection === words && update({ connection: "" }), BACK_WORDS_MS);
}

function renderProgress() {
  const { run, connection } = state;
  const bar = /** @type {HTMLProgressElement} */ (part("progress"));
  bar.hidden = !run;
  part("progressText").hidden = !run;
  // Once something is changed, what the next run would cost stands beside how the last one ended.
  part("estimate").hidden = Boolean(run) && !hasChanged();
  part("connection").hidden = !connection;
  fill(part("connection"), ...(connection ? connectionWords(connection) : []));
  if (!run) return setTitle("");
  const { job } = state;
  fillBar(bar, job?.kind === "repeats" ? { ...run, done: job.done, planned: job.planned } : run);
  bar.toggleAttribute("data-adding", job?.kind === "repeats");
  const words = runWords(run, job);
  setText(part("progressText"), words);
  if (isBusy()) announce(words);
  setTitle(isBusy() && run.planned ? `${Math.floor((100 * run.done) / run.planned)} % · ` : "");
}

/** @param {import("../types.js").RunProgress} run @param {?import("../types.js").Job} job */
function runWords(run, job) {
  if (job?.kind === "repeats") return `Preview shown. Measuring fully: ${job.text}`;
  if (!run.preview) return progressText(run);
  const missing = repeatsToCome();
  if (missing) return `Preview done: ${plural(state.report.plan.repeats, "repeat")} of each. ${missing} more give firm numbers.`;
  return isBusy() ? `Preview. ${progressText(run)}` : progressText(run);
}

function connectionWords(connection) {
  if (connection.startsWith("Back")) return [connection];
  const retry = el("button", { type: "button", className: "quiet", onclick: () => following?.retryNow() }, "Try now");
  return [connection, " ", retry];
}

/** @param {HTMLProgressElement} bar */
function fillBar(bar, run) {
  const steps = { making: [run.made, run.to_make], uploading: [run.sent_bytes, run.total_bytes] };
  const [value, max] = steps[run.state] || [run.done, run.planned];
  bar.max = max || 1;
  if (max || !isBusy()) bar.value = value;
  else bar.removeAttribute("value");
  bar.className = run.state;
  bar.toggleAttribute("data-failures", run.failed > 0);
}

/** @param {string} prefix */
function setTitle(prefix) {
  const name = state.photo ? `${state.photo.name} – ` : "";
  document.title = `${prefix}${name}Pixelcost`;
}

/** The photo and plan of a stored run, folded to one line: the results are what one came for. */
function showSetupOf(report) {
  const reference = report.variants.find((variant) => variant.is_reference);
  const asUploaded = !report.photo_set && !report.imported && !report.source.original
    && reference?.encoder.startsWith("as uploaded"); // with or without its metadata, the picture is the same
  const { true_label: trueLabel, width_px, height_px, name } = report.source;
  const stored = withLists(report.plan);
  const known = /** @type {any} */ (Object.fromEntries(Object.keys(state.plan).map((key) => [key, stored[key] ?? state.plan[key]])));
  if (asUploaded) {
    const url = api.base + api.variantPath(state.run.id, reference.id);
    setPhoto({ name, file: null, url, size_bytes: reference.size_bytes, width_px, height_px });
  }
  const plan = { ...known, seed: null, true_label: trueLabel || "", upload_original: !report.source.original };
  update({ plan, run: { ...state.run, plan, photo: state.photo } });
  fillForm();
  if (!asUploaded) showSource(report);
}

/** Of a photo that this browser can't decode, as HEIC, nothing was known when it was chosen. */
function tellWhatTheServerRead({ source }) {
  const { photo, run } = state;
  if (!photo || photo.width_px || photo.facts || photo.set || photo !== run?.photo || !source.width_px) return;
  photo.facts = sourceFacts(source); // in place: it is still the photo of this run
  setText(part("photoFacts"), photo.facts);
}

/** "HEIC, 4032 × 3024 px, 1.9 MB". */
const sourceFacts = (source) => `${formatName(source.media_type.replace("image/", ""))}, ${photoFacts(source)}`;

/** The intake of a run whose photo can't be sent again: what it was, without its picture. */
function showSource(report) {
  const { source } = report;
  const facts = report.photo_set
    ? setFacts(report.photo_set, source.name)
    : sourceFacts(source);
  showPhotoLine({ name: source.name, facts: report.imported ? `${facts}. ${importedWords(report)}` : facts, url: "" });
}

/** @param {import("../types.js").PhotoSet} set @param {string} name of the source, which may be the count itself */
function setFacts({ count, labelled }, name) {
  const photos = plural(count, "photo");
  return `${name === photos ? "" : `${photos}, `}${labelled.toLocaleString("en")} with a known label`;
}

function showGone() {
  const kept = state.config.keep_runs ? ` (the last ${state.config.keep_runs} are kept)` : "";
  const again = { label: "Start a new run", act: () => location.assign(`${api.base}/`) };
  const json = { label: "Choose its JSON", act: () => part("fileInput").click() };
  const detail = `It may have been deleted${kept}. If you have its JSON, drop it here.`;
  update({ notice: { title: "Run not found.", detail, actions: [json, again] } });
}

/** @param {any} problem @param {any[]} actions @param {"top"|"run"} [at] beside the button that was pressed */
function showProblem(problem, actions, at = "top") {
  const copy = { label: "Copy details", keep: true, act: () => copyDetails(problem) };
  const all = problem.reference ? [...actions, copy] : actions;
  update({ notice: { ...api.problemParts(problem), actions: all, at } });
}

/** What whoever runs the server needs to find the cause in its log. */
async function copyDetails(problem) {
  const { copyText } = await import("../clipboard.js");
  const details = [problem.title, problem.detail, `Status ${problem.status}`, location.href, new Date().toISOString()];
  announce((await copyText(details.join("\n"))) ? "Details copied." : "Press Ctrl+C to copy the details.");
}
