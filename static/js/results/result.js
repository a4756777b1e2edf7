/**
 * What came out: the recommendation, the exports, what went wrong, how it was measured.
 * @import { Backend, Report } from "../types.js"
 */

import { base, isReadOnly, reportPath } from "../api.js";
import { definitions, el, fill, part, setText } from "../dom.js";
import { dateTime, runtimeWords, UNKNOWN } from "../format.js";
import { goalsQuery, isBusy, SAMPLE_ID, state, update, watch } from "../state.js";
import { fillForm } from "../setup/form.js";
import { badge } from "./badge.js";
import { cellReasons } from "./columns.js";
import { factName, methodWords, problemWords } from "./explain.js";
import { copyLink, copyReadOnlyLink } from "./saving.js";
import { renderMatrix, wireMatrix } from "../matrix/matrix.js";
import { renderTable, wireTable } from "./table.js";
import { openUseApi, wireUseApi } from "./use_api.js";
import { renderVerdict } from "./verdict.js";
import { renderViewBar, wireViewBar } from "./view_bar.js";

const EXPORTS = [
  ["html", "Report .html"],
  ["json", "JSON"],
  ["csv", "CSV"],
  ["zip", "Variants .zip"],
];
const JUDGED = ["html", "json", "csv"]; // what other goals change
const SIDE_BY_SIDE = "W3"; // a warning of the report
const CARD = ["/card.png", "Card .png"]; // for chats and pull requests
const ANSWERS = ["/answers.csv", "Every answer .csv"]; // of a set, in place of the variants

/** What can be begun here, and is done by modules above: handed in by wireResults(). */
const acts = {
  inspect: (/** @type {string} */ variantId) => {},
  compare: () => {},
  startRun: () => {},
};

/** Once, before results are drawn. @param {typeof acts} given */
export function wireResults(given) {
  Object.assign(acts, given);
  wireTable(given.inspect);
  wireMatrix(given.inspect);
  part("copies").addEventListener("change", async (event) => {
    const { value } = /** @type {HTMLInputElement} */ (event.target);
    (await import("./goals.js")).judgeBy({ copies: value });
  });
  part("compareWith").addEventListener("click", () => acts.compare());
  wireUseApi();
  watch(["photo"], () => state.report && renderVerdict(state.report));
  wireViewBar(async () => (await import("./plots.js")).redraw());
}

const AT_FIRST = "Results appear here as they are measured.";
const READ_ONLY_HINT = "The read-only link shows this run, other goals and all exports. From that page nothing is measured, added or removed.";
let hasBegun = false; // a run that was stopped before it was one leaves the page as it was

/** Draws everything that follows from the report so far. */
export function renderResults() {
  const { report, run } = state;
  hasBegun ||= Boolean(run);
  const promise = run ? emptyWords(run, report) : hasBegun && !report ? AT_FIRST : "";
  const shown = Boolean(report) && !promise;
  part("resultsEmpty").hidden = shown;
  part("resultsBody").hidden = !shown;
  if (promise) setText(part("resultsEmpty").firstElementChild, promise);
  if (!shown) return;
  renderRecommendation(report);
  renderVerdict(report);
  renderExports(report);
  renderProblems(report);
  renderMatrix(report);
  renderTable(report);
  renderViewBar(report);
  part("resizers").hidden = !report.resizers;
  if (report.resizers) import("./resizers.js").then(({ drawResizers }) => drawResizers(report), () => null);
  fillOnce(part("method"), el("ul", {}, ...methodWords(report).map((sentence) => el("li", {}, sentence))));
  renderEnvironment(report);
  openSelected(report);
}

/**
 * What stands in the place of results; "" once there is something to show.
 * @param {import("../types.js").RunProgress} run @param {?Report} report
 */
function emptyWords(run, report) {
  if (run.state === "queued") return "This run is queued. Results appear here once it starts.";
  if (run.state === "cancelled" && !run.done) return "Nothing was measured. Run again to get results.";
  return report ? "" : "Results appear here once the variants are made.";
}

let selectedOnce = false;

/** A link may name a variant to look at; it is opened once, when it is there. */
function openSelected(report) {
  const { sel } = state.view;
  if (selectedOnce || !sel || !report.variants.some((variant) => variant.id === sel)) return;
  selectedOnce = true;
  acts.inspect(sel);
}

/** @param {Report} report */
function renderRecommendation(report) {
  const recommendation = isWarmingUp(report) ? WARMING_UP : report.recommendation;
  const result = isBusy() ? "Result so far" : report.run_id === SAMPLE_ID ? "Sample result, measured beforehand" : report.imported ? "Imported result" : "Result";
  const eyebrow = goalsQuery() ? `${result} with other goals` : result;
  const title = recommendation?.sentence || "Nothing to recommend yet.";
  const signature = JSON.stringify([eyebrow, recommendation]);
  const card = part("recommendation");
  if (card.dataset.signature === signature) return;
  card.dataset.signature = signature;
  fill(
    card,
    el("div", { className: "recommendation-head" },
      el("p", { className: "eyebrow" }, eyebrow),
      recommendation?.variant_id && !isBusy() && badge(recommendation.validity)),
    el("h2", { id: "recommendation-title" }, title),
    recommendation?.smallest && el("p", { className: "smallest" }, recommendation.smallest.sentence),
    !isBusy() && doubts(report),
  );
  fill(part("why"), whyNot(recommendation));
}

const WARMING_UP = { sentence: "Warming up…", why: "Warm-up requests are not counted; the counted ones follow." };

/** Whether no request that counts has been answered or has failed so far. @param {Report} report */
function isWarmingUp(report) {
  return isBusy() && report.cells.every((cell) => !cell.count && !cell.failures && !cell.not_sent);
}

/** Why the recommended times are not to be trusted, and what helps. @param {Report} report */
function doubts(report) {
  const { variant_id, backend_name, validity } = report.recommendation;
  const cell = report.cells.find((other) => other.variant_id === variant_id && other.backend_name === backend_name);
  if (!cell || validity === "VALID") return null;
  return el("p", { className: "unsure" }, cellReasons(cell));
}

/** The reasons, for those who want them. @param {{why: string, next_lighter?: ?string, why_not?: string[]}} [recommendation] */
function whyNot(recommendation) {
  const { why, next_lighter: lighter, why_not: others = [] } = recommendation || {};
  const reasons = [why, lighter, ...others].filter(Boolean);
  if (!reasons.length) return null;
  return el("details", { className: "why-not" }, el("summary", {}, "Why this one"),
    el("ul", {}, ...reasons.map((reason) => el("li", {}, reason))));
}

/** @param {Report} report */
function renderExports(report) {
  const place = part("exports");
  part("compareWith").disabled = isBusy();
  const { run_id, state: how, recommendation } = report;
  const shown = [`${run_id}?${goalsQuery()}`, how, recommendation.variant_id].join(" ");
  if (place.dataset.run === shown) return;
  place.dataset.run = shown;
  const copy = el("button", { type: "button", id: "copy-link" }, "Copy link");
  copy.addEventListener("click", () => copyLink(copy));
  const all = report.photo_set ? [...EXPORTS.slice(0, -1), ANSWERS] : EXPORTS;
  const offered = report.imported ? EXPORTS.slice(0, -1) : all; // what it came with is all there is
  const links = [...offered, CARD].map(([kind, words]) => {
    const download = `pixelcost-${report.run_id}.${kind.replace("/", "")}`;
    return el("a", { className: "button", href: exportUrl(report, kind), download }, words);
  });
  const copyReadOnly = el("button", { type: "button", id: "copy-read-only", "aria-describedby": "read-only-hint" }, "Copy read-only link");
  copyReadOnly.addEventListener("click", () => copyReadOnlyLink(copyReadOnly));
  fill(place,
    el("div", { className: "buttons" }, copy, copyReadOnly, el("button", { type: "button", onclick: openUseApi }, "Use via API")),
    el("p", { className: "hint", id: "read-only-hint" }, READ_ONLY_HINT),
    el("div", { className: "buttons" }, ...links));
}

function exportUrl(report, kind) {
  const ending = kind === "json" ? "" : kind.startsWith("/") ? kind : `.${kind}`;
  const goals = JUDGED.includes(kind) ? goalsQuery() : "";
  return base + reportPath(report.run_id) + ending + (goals && `?${goals}`);
}

/** @param {Report} report */
function renderProblems(report) {
  const problems = problemWords(report);
  const signature = JSON.stringify([problems, isBusy()]);
  const place = part("problems");
  if (place.dataset.signature === signature) return;
  place.dataset.signature = signature;
  place.hidden = !problems.length;
  fill(
    place,
    el("summary", {}, `Notes (${problems.length})`),
    el("ul", {}, ...problems.map(({ who, message, code }) =>
      el("li", {}, who && el("strong", {}, `${who}: `), message, code === SIDE_BY_SIDE && oneAtATime(report)))),
  );
}

/**
 * The way out of backends that slow each other: the same run again, one backend after the other.
 * @param {Report} report
 */
function oneAtATime(report) {
  if (!state.photo || isBusy() || report.imported || isReadOnly()) return null;
  const again = () => {
    update({ plan: { ...state.plan, order: "one_at_a_time" } });
    fillForm();
    acts.startRun();
  };
  return el("button", { type: "button", className: "quiet", onclick: again }, "Run one at a time");
}

/** @param {Report} report */
function renderEnvironment(report) {
  const about = [
    ["Run", report.run_id],
    ["Started", dateTime(report.created_at)],
    [report.photo_set ? "Photos" : "Photo", `${report.source.name}, SHA-256 ${report.source.sha256}`],
    ...Object.entries(report.environment || {})
      .filter(([key]) => key !== "started_at") // the run says when it started
      .map(([key, value]) => [factName(key), valueWords(value)]),
    ...report.backends.map((backend) => [backend.name, backendWords(backend)]),
  ];
  fillOnce(part("environment"), definitions(about));
}

function valueWords(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

const PROTOCOLS = { grpc: "gRPC", rest: "REST" };

/** @param {Backend} backend */
function backendWords(backend) {
  const facts = [
    PROTOCOLS[backend.protocol] || backend.protocol,
    backend.address,
    backend.model && `model ${backend.model}${backend.version ? ` version ${backend.version}` : ""}`,
    runtimeWords(backend),
    backend.batch_size && `batches of up to ${backend.batch_size}`,
    backend.embedded && "EMBEDDED",
    backend.detail,
  ];
  return facts.filter(Boolean).join(", ");
}

/** Rewrites a part only when it changed: somebody may be reading or copying it. */
function fillOnce(place, content) {
  if (place.textContent !== content.textContent) fill(place, content);
}

