/** Starts the page: wires its parts, and brings in what a step needs when it is needed. */

import { base, getBackends, getConfig, isReadOnly, problemParts, problemText, runPath } from "./api.js";
import { announce, el, fill, part, setText } from "./dom.js";
import { runtimeWords } from "./format.js";
import { isBusy, memory, repeatsToCome, state, update, watch } from "./state.js";
import { buildForm, focusProblem, isLabelKnown, runProblems } from "./setup/form.js";
import { defaultPlan, isGoal, isRestTwin, modelWords, planFromQuery, presetRepeats, unknownInQuery } from "./setup/plan.js";

const ASK_AGAIN_MS = 3000; // while a backend loads its model
const INPUTS = /** @type {const} */ (["fileInput", "cameraInput", "folderInput"]);
const KEEP_FROM_LAST_TIME = [
  "jpeg_qualities", "webp_qualities", "avif_qualities", "subsamplings", "resamplers", "repeats", "order", "resize_in",
  "browser_engines", "upload_original",
];
const STATE_WORDS = {
  ready: "ready",
  loading: "loading",
  down: "no answer",
  wrong_model: "wrong model",
  wrong_signature: "wrong signature",
  absent: "not available",
  unknown: "not checked yet",
};

/** Does something with a part of the page that is only fetched when it is needed. */
async function using(module, act) {
  const found = await module.catch(() => null);
  if (found) return act(found);
  const reload = { label: "Reload", act: () => location.reload() };
  const detail = "Is the server still running?";
  return update({ notice: { title: "Part of this page could not be loaded.", detail, actions: [reload] } });
}

const withPhoto = (act) => using(import("./setup/photo.js"), act);
const withPlan = (act) => using(import("./setup/plan_drawer.js"), act);
/** Few browsers have added a server of their own. */
const withOwnServers = (act) => memory.get("servers")?.length ? using(import("./setup/own_servers.js"), act) : null;
const withRun = (act) => using(import("./run/run.js"), act);

async function start() {
  applyTheme(memory.get("theme") || "auto");
  wire();
  if (isReadOnly()) showReadOnly();
  watch(["backends", "backendsNotice"], renderBackends);
  watch(["notice"], renderNotice);
  const first = firstLook();
  try {
    const config = first.config || (await getConfig());
    update({ config, plan: startPlan(config), view: viewFromAddress(config) });
  } catch (problem) {
    return update({ notice: { ...problemParts(problem), actions: [{ label: "Reload", act: () => location.reload() }] } });
  }
  if (state.config.keep_runs)
    setText(part("keepHint"), `Photos stay on this server. It keeps the last ${state.config.keep_runs} runs.`);
  buildForm();
  watch(["photo", "backends"], previewByItself);
  if (first.backends) showBackends(first.backends);
  else askBackends(false);
  if (!isReadOnly()) withOwnServers((own) => own.testOwn());
  const runId = document.documentElement.dataset.runId;
  if (runId) await withRun((run) => run.openRun(runId));
  else if (new URLSearchParams(location.search).get("sample")) await withPhoto((photo) => photo.useSample(false));
  else showSampleRun();
  const unknown = unknownInQuery(new URLSearchParams(location.search), state.config);
  if (unknown) update({ notice: { title: "Part of this link was left out.", detail: unknown, calm: true } });
}

/** What would start or change something is not shown; a link leads to the page that has it. */
function showReadOnly() {
  document.documentElement.toggleAttribute("data-read-only", true);
  const query = new URLSearchParams(location.search);
  query.delete("read");
  const open = el("a", { href: `${location.pathname}${query.size ? `?${query}` : ""}` }, "Open it to measure more");
  part("drop").after(el("p", { className: "read-only" }, "A shared run, to look at. ", open));
}

/** The empty page shows what a result looks like, once it has been painted. */
function showSampleRun() {
  const show = () => state.photo || isBusy() || withRun((run) => run.showSample());
  if (window.requestIdleCallback) requestIdleCallback(show, { timeout: 2000 });
  else setTimeout(show, 200); // Safari
}

/** What the server wrote into the page, so that nothing has to be asked before the first look. */
function firstLook() {
  const element = part("firstLook");
  return element ? JSON.parse(element.textContent) : {};
}

/** @param {import("./types.js").Config} config */
function startPlan(config) {
  const plan = defaultPlan(config);
  const last = memory.get("plan") || {};
  for (const key of KEEP_FROM_LAST_TIME) if (last[key] !== undefined) plan[key] = last[key];
  return planFromQuery(new URLSearchParams(location.search), plan, config);
}

/** @param {import("./types.js").Config} config */
function viewFromAddress({ ranges }) {
  const query = new URLSearchParams(location.search);
  const oneOf = (name, ...known) => (known.includes(query.get(name)) ? query.get(name) : "");
  /** As the server takes it, "none" too; "" where it would be refused. @param {Parameters<typeof isGoal>[0]} key */
  const goal = (key) => {
    const text = query.get(key)?.trim() || "";
    if (text === "none") return text;
    return text && isGoal(key, Number(text), ranges) ? String(Number(text)) : "";
  };
  return {
    sort: query.get("sort") || "",
    sel: query.get("sel") || "",
    x: oneOf("x", "bytes"),
    y: oneOf("y", "p90", "p99", "slowest"),
    find: query.get("find") || "",
    metric: oneOf("metric", "kb", "points", "cost"),
    on: query.get("on") || "",
    bars: oneOf("bars", "all"),
    keep_top1: oneOf("keep_top1", "true", "false"),
    copies: oneOf("copies", "in_advance", "per_request", "client"),
    margin_points: goal("margin_points"),
    max_p50_ms: goal("max_p50_ms"),
    max_size_bytes: goal("max_size_bytes"),
  };
}

function wire() {
  part("choose").addEventListener("click", () => part("fileInput").click());
  part("camera").addEventListener("click", () => part("cameraInput").click());
  part("sample").addEventListener("click", () => taking((photo) => photo.useSample()));
  part("chooseFolder").addEventListener("click", () => part("folderInput").click());
  for (const name of INPUTS) part(name).addEventListener("change", (event) => takeInput(event, (photo, files) => photo.takeFiles(files)));
  part("addInput").addEventListener("change", (event) => takeInput(event, (photo, files) => photo.addFiles(files)));
  part("checkBackends").addEventListener("click", () => askBackends(true));
  part("backendsButton").addEventListener("click", () => showBackendsPanel(Boolean(part("backendsPanel").hidden)));
  part("addServer").addEventListener("click", () => using(import("./setup/plan_drawer.js"), (drawer) => drawer.openServers()));
  part("editPlan").addEventListener("click", () => withPlan((drawer) => drawer.openPlan()));
  part("runsButton").addEventListener("click", () => using(import("./run/history.js"), (runs) => runs.openHistory()));
  part("helpButton").addEventListener("click", () => using(import("./results/help.js"), (help) => help.openHelp()));
  part("form").addEventListener("submit", submit);
  part("theme").addEventListener("change", () => applyTheme(part("theme").value));
  part("drawerClose").addEventListener("click", () => part("drawer").close());
  document.addEventListener("keydown", onKey);
  document.addEventListener("paste", onPaste);
  window.addEventListener("popstate", onWayBack);
  window.addEventListener("beforeprint", unfoldForPrint);
  wireDrop();
}

/** @param {Event} event @param {(photo: typeof import("./setup/photo.js"), files: File[]) => unknown} take */
function takeInput(event, take) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const files = [...input.files];
  input.value = ""; // so that choosing the same file again is noticed
  taking((photo) => take(photo, files));
}

/** Does something with a photo; a preview gives way to it, a run that somebody started does not. */
async function taking(act) {
  if (isReadOnly()) return undefined;
  if (isBusy() || state.job) {
    if (!state.run?.preview) return update({ notice: BUSY });
    await withRun((run) => run.giveWay());
  }
  return withPhoto(act);
}

const BUSY = /** @type {import("./types.js").Notice} */ ({
  title: "A run is in progress.", detail: "Cancel it, or wait for its end, to take another photo.", calm: true,
});

/** The whole page takes a dropped photo: a near miss must not open the file in the browser. */
function wireDrop() {
  const holdsFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  const mark = (on) => part("drop").classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(false);
    const files = [...event.dataTransfer.files];
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()); // gone after this handler
    taking((photo) => photo.takeDropped(files, entries.filter(Boolean)));
  });
}

/** @param {ClipboardEvent} event */
function onPaste(event) {
  const inField = /** @type {Element} */ (event.target).closest?.("input, textarea, select");
  if (inField || document.querySelector("dialog[open]")) return;
  const { files, types } = event.clipboardData; // empty once this handler has returned
  const taken = /** @type {const} */ ([[...files], [...types]]);
  taking((photo) => photo.takePaste(...taken));
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !part("drawer").open) {
    event.preventDefault();
    if (!isBusy()) part("form").requestSubmit();
  }
  if (event.key === "Escape" && isBusy() && !document.querySelector("dialog[open]")) part("form").requestSubmit();
}

/** Back and forward between runs show what the address says; a jump within the page does nothing. */
function onWayBack() {
  const shown = base + (state.run?.id ? runPath(state.run.id) : "/");
  if (location.pathname !== shown) location.reload();
}

/**
 * Paper can't be clicked: what is folded is printed open, and folded again afterwards.
 * Sections that draw when they are opened stay as they are: a plot would come too late, and their conclusion is in view.
 */
function unfoldForPrint() {
  const all = [.../** @type {NodeListOf<HTMLDetailsElement>} */ (part("resultsBody").querySelectorAll("details:not(.menu)"))];
  const folded = all.filter((details) => !details.open && !details.dataset.section);
  const tabs = all.filter((details) => details.name); // of which one is open at a time, but on paper
  const open = tabs.find((details) => details.open);
  for (const details of tabs) details.removeAttribute("name");
  for (const details of folded) details.open = true;
  window.addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    for (const details of tabs) details.name = "tabs";
    if (open) open.open = true;
  }, { once: true });
}

/** The one button: Run, or Cancel while a run goes on. @param {Event} event */
function submit(event) {
  event.preventDefault();
  if (isReadOnly()) return undefined;
  if (isBusy() || state.job?.kind === "repeats") return withRun((run) => run.cancelRun());
  if (repeatsToCome()) return withRun((run) => run.measureFully());
  if (!state.config) return undefined;
  const problems = runProblems();
  if (problems.length) {
    announce(problems.join(" "));
    if (!state.photo) part("choose").focus();
    else withPlan((drawer) => drawer.openPlan().then(focusProblem));
    return undefined;
  }
  part("planDrawer").close();
  if (!isLabelKnown() && state.plan.true_label !== sureOfLabel) return askLabel(() => part("form").requestSubmit());
  const repeats = presetRepeats(state.config, state.plan.repeats, state.photo, { set: null }); // a set's are of no use for one photo
  memory.set("plan", Object.fromEntries(KEEP_FROM_LAST_TIME.map((key) => [key, { ...state.plan, repeats }[key]])));
  return withRun((run) => run.startRun());
}

let sureOfLabel = ""; // a label that the model does not know, and that somebody wants nevertheless

/** @param {() => void} run */
const askLabel = (run) => using(import("./setup/ask_label.js"), ({ labelQuestion }) => update({ notice: labelQuestion((sure = sureOfLabel) => {
  sureOfLabel = sure;
  run();
}) }));

let previewed = null; // the photo whose preview was started, or is not to be

/** A photo that somebody has just chosen is measured shortly, if nothing stands against it. */
function previewByItself() {
  const { photo, backends } = state;
  if (!photo?.chosen || photo.set || photo === previewed || !backends || isBusy() || state.job) return;
  if (!(memory.get("auto-preview") ?? true) || runProblems().length) return;
  previewed = photo;
  if (!isLabelKnown() && state.plan.true_label !== sureOfLabel) {
    askLabel(() => withRun((run) => run.startPreview()));
    return;
  }
  withRun((run) => run.startPreview());
}

/** @param {"auto"|"light"|"dark"|string} theme */
function applyTheme(theme) {
  const known = ["light", "dark"].includes(theme) ? theme : "auto";
  document.documentElement.dataset.theme = known;
  part("theme").value = known;
  memory.set("theme", known);
  update({ theme: known });
}

async function askBackends(refresh) {
  setText(part("backendsNote"), "Checking the backends…");
  try {
    showBackends(await getBackends(refresh));
    if (refresh) withOwnServers((own) => own.testOwn());
  } catch (problem) {
    update({ backendsNotice: problemText(problem) });
  }
}

/** @param {import("./types.js").Backends} backends */
async function showBackends(backends) {
  const known = (await withOwnServers((own) => own.withOwn(backends))) || backends;
  update({ backends: known, backendsNotice: "" });
  const waiting = backends.backends.some((backend) => ["loading", "unknown"].includes(backend.state));
  if (waiting) setTimeout(() => document.hidden || askBackends(false), ASK_AGAIN_MS);
}

function renderBackends() {
  const known = state.backends;
  if (state.backendsNotice) setText(part("backendsNote"), state.backendsNotice);
  if (!known) return;
  const cards = known.backends.filter((backend) => !isRestTwin(backend, known.backends));
  fill(part("backends"), ...cards.map(backendCard));
  fill(part("backendChips"), ...cards.map(backendChip));
  if (!cards.some(({ state: how }) => ["ready", "loading", "unknown"].includes(how))) showBackendsPanel(true);
  setText(part("backendsNote"), state.backendsNotice || modelWords(known));
}

/** In the header: what is there in a word or two; the panel says the rest. @param {import("./types.js").Backend} backend */
function backendChip(backend) {
  const words = { absent: "none", ready: "" }[backend.state] ?? STATE_WORDS[backend.state] ?? backend.state;
  return el("span", { className: `backend-chip ${backend.state}` }, el("span", { className: "dot", "aria-hidden": "true" }),
    words ? `${backend.name}: ${words}` : backend.name, " ");
}

/** @param {boolean} shown */
function showBackendsPanel(shown) {
  part("backendsPanel").hidden = !shown;
  part("backendsButton").setAttribute("aria-expanded", String(shown));
}

/** @param {import("./types.js").Backend} backend */
function backendCard(backend) {
  const badge = backend.embedded && backend.state !== "absent";
  const own = "Added in this browser. No other browser's runs ask it.";
  const hint = "Runs on this machine. To size hardware, measure the hardware you will serve on.";
  return el(
    "li",
    { className: `backend ${backend.state}` },
    el("span", { className: "dot", "aria-hidden": "true" }),
    el("strong", {}, backend.name),
    el("span", { className: "visually-hidden" }, ` (${STATE_WORDS[backend.state] || backend.state}) `),
    badge && el("span", { className: "badge", title: hint }, "EMBEDDED"),
    backend.added_as && el("span", { className: "badge", title: own }, "YOURS"),
    backend.state === "ready" && runtimeWords(backend)
      && el("span", { className: "backend-detail" }, runtimeWords(backend)),
    el("span", { className: "backend-detail" }, backend.detail || STATE_WORDS[backend.state] || backend.state),
  );
}

function renderNotice() {
  const { notice } = state;
  const box = notice && noticeBox(notice);
  fill(part("notice"), notice?.at !== "run" && box);
  fill(part("runNotice"), notice?.at === "run" && box);
  if (notice && !notice.calm) box.focus(); // brings it into the window too, wherever the reader is
}

/** @param {import("./types.js").Notice} notice */
function noticeBox(notice) {
  const buttons = (notice.actions || []).map(({ label, act, keep }) =>
    el("button", { type: "button", onclick: () => { if (!keep) update({ notice: null }); act(); } }, label));
  const close = el("button", { type: "button", className: "quiet", onclick: () => update({ notice: null }) }, "Dismiss");
  return el(
    "div",
    notice.calm ? { className: "notice calm", role: "status" } : { className: "notice", role: "alert", tabIndex: -1 },
    el("p", {}, el("strong", {}, notice.title), notice.detail ? ` ${notice.detail}` : ""),
    notice.reference && !notice.detail?.includes(notice.reference) && el("p", { className: "muted" }, `Reference ${notice.reference}`),
    el("div", { className: "buttons" }, ...buttons, close),
  );
}

start().then(() => {
  document.documentElement.dataset.ready = "yes"; // tests wait for it
});
