/** How a program does what is recommended here: a command to copy, of POST /api/classify. */

import { base } from "../api.js";
import { copyText } from "../clipboard.js";
import { announce, el, setText } from "../dom.js";
import { goalsQuery, state } from "../state.js";

const SAID_MS = 2500;

/** Folded up; null without a recommendation that the server can carry out. @param {import("../types.js").Report} report */
export function useApi(report) {
  if (!canClassify(report)) return null;
  const needsToken = state.config.needs_token;
  const command = classifyCommand(location.origin + base, report.run_id, goalsQuery(), needsToken);
  const copy = el("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    setText(copy, (await copyText(command)) ? "Copied" : "Press Ctrl+C");
    announce(copy.textContent);
    setTimeout(() => setText(copy, "Copy"), SAID_MS);
  });
  return el("details", { className: "use-api" },
    el("summary", {}, "Use via API"),
    el("p", {}, "Prepares a photo as recommended here, sends it once, and returns labels, bytes and times as JSON.",
      needsToken ? " Set PIXELCOST_TOKEN to the server's token first." : ""),
    el("pre", { tabIndex: 0, "aria-label": "Command that classifies a photo" }, command),
    copy);
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
