/** "Use via API" at the foot of the page: this run again by curl, Python or the command line, and one answer as recommended. */

import { base, getAgain, problemText } from "../api.js";
import { copyText } from "../clipboard.js";
import { announce, el, fill, part, setText } from "../dom.js";
import { goalsQuery, isBusy, state, watch } from "../state.js";

const SAID_MS = 2500;
const KINDS = /** @type {const} */ ({ curl: "curl", python: "Python", cli: "Command line" });
const AGAIN = "Each measures the photo of that name as this run did: same sizes, formats, qualities, backends, repeats and goals.";
const TOKEN = " This server asks for a token: the commands read it from PIXELCOST_TOKEN, and hold none.";

let shown = ""; // what the commands were fetched for

/** Once. What is folded up asks nothing. */
export function wireUseApi() {
  part("useApi").addEventListener("toggle", render);
  watch(["report", "run", "view"], render);
}

/** Unfolds it and goes there. */
export function openUseApi() {
  part("share").open = false;
  part("useApi").open = true;
  const summary = part("useApi").querySelector("summary");
  summary.scrollIntoView({ block: "start" });
  summary.focus({ preventScroll: true });
}

async function render() {
  const { report } = state;
  if (!part("useApi").open || !report || isBusy()) return;
  const wanted = [report.run_id, goalsQuery(), report.plan.repeats, report.recommendation.variant_id].join(" ");
  if (shown === wanted) return;
  shown = wanted;
  const kinds = Object.keys(KINDS);
  try {
    const texts = await Promise.all(kinds.map((kind) => getAgain(report.run_id, /** @type {any} */ (kind), goalsQuery())));
    if (shown === wanted) show(report, Object.fromEntries(kinds.map((kind, at) => [kind, texts[at]])));
  } catch (problem) {
    shown = ""; // the next look asks again
    fill(part("useApiBody"), el("p", { role: "alert" }, problemText(problem)));
  }
}

/** @param {import("../types.js").Report} report @param {Record<string, string>} texts by kind */
function show(report, texts) {
  const needsToken = state.config.needs_token;
  fill(part("useApiBody"),
    el("h3", {}, "This run again"),
    el("p", { className: "muted" }, AGAIN, needsToken && TOKEN),
    ...Object.entries(KINDS).map(([kind, name]) => command(kind, name, texts[kind])),
    canClassify(report) && el("h3", {}, "One answer, as recommended"),
    canClassify(report) && el("p", { className: "muted" }, "Prepares a photo as recommended here, sends it once, and returns labels, bytes and times as JSON."),
    canClassify(report) && command("classify", "curl", classifyCommand(location.origin + base, report.run_id, goalsQuery(), needsToken)));
}

/** @param {string} kind @param {string} name @param {string} text */
function command(kind, name, text) {
  const what = kind === "classify" ? "the command that classifies a photo" : `this run for ${name}`;
  const copy = el("button", { type: "button", className: "quiet", "aria-label": `Copy ${what}` }, "Copy");
  copy.addEventListener("click", async () => {
    setText(copy, (await copyText(text)) ? "Copied" : "Press Ctrl+C");
    announce(copy.textContent);
    setTimeout(() => setText(copy, "Copy"), SAID_MS);
  });
  return el("div", { className: "command", "data-kind": kind },
    el("div", { className: "command-head" }, el("strong", {}, name), copy),
    el("pre", { tabIndex: 0, role: "region", "aria-label": `${name}: ${what}` }, text));
}

/** @param {import("../types.js").Report} report */
export function canClassify(report) {
  const chosen = report.variants.find((variant) => variant.id === report.recommendation.variant_id);
  return !["queued", "running"].includes(report.state) && chosen !== undefined && chosen.made_in !== "browser";
}

/**
 * The token is not known here, and a copied text should not hold it: the shell reads it from its environment.
 * @param {string} place origin and path of the app @param {string} runId
 * @param {string} goals other ones than the run's, or "" @param {boolean} needsToken
 */
export function classifyCommand(place, runId, goals, needsToken) {
  const token = needsToken ? '-H "Authorization: Bearer $PIXELCOST_TOKEN" ' : "";
  const url = `${place}/api/classify?run=${encodeURIComponent(runId)}${goals && `&${goals}`}`;
  return `curl ${token}-F file=@photo.jpg '${url.replaceAll("'", "%27")}'`;
}
