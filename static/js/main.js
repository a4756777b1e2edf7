/** Starts the page: wires its parts, and brings in what a step needs when it is needed. */

import { getBackends, getConfig } from "./api.js";
import { buildForm, runProblems } from "./setup.js";
import { defaultPlan, isRestTwin, planFromQuery } from "./plan.js";
import { announce, el, isBusy, memory, part, setText, state, update, watch } from "./page.js";

const ASK_AGAIN_MS = 3000; // while a backend loads its model
const KEEP_FROM_LAST_TIME = ["jpeg_quality", "repeats", "resampler", "order"];
const STATE_WORDS = {
  ready: "ready",
  loading: "loading",
  down: "no answer",
  wrong_model: "wrong model",
  wrong_signature: "wrong signature",
  absent: "not here",
  unknown: "not asked yet",
};

const photoModule = () => import("./photo.js");
const runModule = () => import("./run.js");

async function start() {
  applyTheme(memory.get("theme") || "auto");
  wire();
  watch(["backends", "backendsNotice"], renderBackends);
  watch(["notice"], renderNotice);
  const first = firstLook();
  try {
    const config = first.config || (await getConfig());
    update({ config, plan: startPlan(config), view: viewFromAddress() });
  } catch (problem) {
    return update({ notice: { ...words(problem), actions: [{ label: "Reload", act: () => location.reload() }] } });
  }
  if (state.config.keep_runs)
    setText(document.querySelector("#keep-hint"), keepWords(state.config.keep_runs));
  buildForm();
  if (first.backends) showBackends(first.backends);
  else askBackends(false);
  const runId = document.documentElement.dataset.runId;
  if (runId) (await runModule()).openRun(runId);
  else if (new URLSearchParams(location.search).get("sample")) (await photoModule()).useSample();
}

/** What the server wrote into the page, so that nothing has to be asked before the first look. */
function firstLook() {
  const element = document.querySelector("#first-look");
  return element ? JSON.parse(element.textContent) : {};
}

const keepWords = (runs) => `Photos stay on this server and are kept: last ${runs} runs.`;

function startPlan(config) {
  const plan = defaultPlan(config);
  const last = memory.get("plan") || {};
  for (const key of KEEP_FROM_LAST_TIME) if (last[key] !== undefined) plan[key] = last[key];
  return planFromQuery(new URLSearchParams(location.search), plan, config.formats.map((format) => format.key));
}

function viewFromAddress() {
  const query = new URLSearchParams(location.search);
  return { sort: query.get("sort") || "", sel: query.get("sel") || "" };
}

function wire() {
  part("choose").addEventListener("click", () => part("fileInput").click());
  part("camera").addEventListener("click", () => part("cameraInput").click());
  part("sample").addEventListener("click", async () => (await photoModule()).useSample());
  for (const name of ["fileInput", "cameraInput"]) part(name).addEventListener("change", takeInput);
  part("checkBackends").addEventListener("click", () => askBackends(true));
  part("runsButton").addEventListener("click", async () => (await import("./history.js")).openHistory());
  part("form").addEventListener("submit", submit);
  part("theme").addEventListener("change", () => applyTheme(part("theme").value));
  part("drawerClose").addEventListener("click", () => part("drawer").close());
  document.addEventListener("keydown", onKey);
  document.addEventListener("paste", onPaste);
  wireDrop();
}

/** @param {Event} event */
async function takeInput(event) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const files = [...input.files];
  input.value = ""; // so that choosing the same file again is noticed
  (await photoModule()).takeFiles(files);
}

/** The whole page takes a dropped photo: a near miss must not open the file in the browser. */
function wireDrop() {
  const holdsFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  const mark = (on) => part("drop").classList.toggle("over", on);
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(!isBusy());
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  document.addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    mark(false);
    if (!isBusy()) (await photoModule()).takeFiles([...event.dataTransfer.files]);
  });
}

/** @param {ClipboardEvent} event */
async function onPaste(event) {
  const inField = /** @type {Element} */ (event.target).closest?.("input, textarea, select");
  if (inField || isBusy() || part("drawer").open) return;
  (await photoModule()).takePaste(event.clipboardData);
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !part("drawer").open) {
    event.preventDefault();
    if (!isBusy()) part("form").requestSubmit();
  }
  if (event.key === "Escape" && isBusy() && !part("drawer").open) part("form").requestSubmit();
}

/** The one button: Run, or Cancel while a run goes on. @param {Event} event */
async function submit(event) {
  event.preventDefault();
  if (!isBusy() && !state.config) return;
  const run = await runModule();
  if (isBusy()) return run.cancelRun();
  const problems = runProblems();
  if (problems.length) {
    announce(problems.join(" "));
    if (!state.photo) part("choose").focus();
    return;
  }
  const kept = Object.fromEntries(KEEP_FROM_LAST_TIME.map((key) => [key, state.plan[key]]));
  memory.set("plan", kept);
  run.startRun();
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
  setText(part("backendsNote"), "Asking the backends how they are");
  try {
    showBackends(await getBackends(refresh));
  } catch (problem) {
    update({ backendsNotice: `${problem.title} ${problem.detail}` });
  }
}

/** @param {{backends: any[], model: any}} backends */
function showBackends(backends) {
  update({ backends, backendsNotice: "" });
  const waiting = backends.backends.some((backend) => ["loading", "unknown"].includes(backend.state));
  if (waiting) setTimeout(() => document.hidden || askBackends(false), ASK_AGAIN_MS);
}

function renderBackends() {
  const known = state.backends;
  if (state.backendsNotice) setText(part("backendsNote"), state.backendsNotice);
  if (!known) return;
  const cards = known.backends.filter((backend) => !isRestTwin(backend, known.backends));
  part("backends").replaceChildren(...cards.map(backendCard));
  setText(part("backendsNote"), state.backendsNotice || modelWords(known));
}

function modelWords({ backends, model }) {
  if (!backends.length)
    return "No backends are configured. Set TF_SERVERS, for example TF_SERVERS=\"GPU:tf-gpu:8500;8-CPU:tf-cpu8:8500\", " +
      "or start with python -m webapp.";
  if (!model?.title) return model?.name ? `Model: ${model.name}` : "";
  return model.knows ? `${model.title}: knows ${model.knows}` : model.title;
}

function backendCard(backend) {
  const badge = backend.embedded && backend.state !== "absent";
  const hint = "Runs on this machine. To size hardware, measure the hardware you will serve on.";
  return el(
    "li",
    { className: `backend ${backend.state}` },
    el("span", { className: "dot", "aria-hidden": "true" }),
    el("strong", {}, backend.name),
    el("span", { className: "visually-hidden" }, ` (${STATE_WORDS[backend.state] || backend.state}) `),
    badge && el("span", { className: "badge", title: hint }, "EMBEDDED"),
    el("span", { className: "backend-detail" }, backend.detail || STATE_WORDS[backend.state] || backend.state),
  );
}

const words = (problem) => ({ title: problem.title || String(problem), detail: problem.detail || "" });

function renderNotice() {
  const { notice } = state;
  part("notice").replaceChildren(...(notice ? [noticeBox(notice)] : []));
}

/** @param {import("./page.js").Notice} notice */
function noticeBox(notice) {
  const buttons = (notice.actions || []).map(({ label, act }) =>
    el("button", { type: "button", onclick: () => { update({ notice: null }); act(); } }, label));
  const close = el("button", { type: "button", className: "quiet", onclick: () => update({ notice: null }) }, "Dismiss");
  return el(
    "div",
    { className: "notice", role: "alert" },
    el("p", {}, el("strong", {}, notice.title), notice.detail ? ` ${notice.detail}` : ""),
    notice.reference && el("p", { className: "muted" }, `Reference ${notice.reference}`),
    el("div", { className: "buttons" }, ...buttons, close),
  );
}

start().then(() => {
  document.documentElement.dataset.ready = "yes"; // tests wait for it
});
