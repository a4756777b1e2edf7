/** A report that was exported as JSON, dropped or chosen, becomes a run again. */

import { base, postReport, problemParts } from "../api.js";
import { announce, part } from "../dom.js";
import { dateTime } from "../format.js";
import { update } from "../state.js";

const JSON_ENDING = /\.json$/i;
const BRACE = "{".charCodeAt(0);

/** Whether a file is meant as a report: by its name, or because it begins like one. @param {Uint8Array} head */
export function looksLikeReport(name, head) {
  const first = head.find((byte) => byte > 32);
  return JSON_ENDING.test(name) || first === BRACE;
}

/** "Imported from run.json, measured on May 4, 2026, 10:20 AM on AMD EPYC 9B14." @param {any} report */
export function importedWords(report) {
  if (!report.imported) return "";
  const machine = report.environment?.cpu_model;
  return `Imported from ${report.imported.name}, measured on ${dateTime(report.created_at)}${machine ? ` on ${machine}` : ""}.`;
}

/** Why a file is not even sent; null when it is. @param {File} file */
export function reportRefusal(file, limits) {
  if (file.size <= limits.max_bytes) return null;
  return {
    title: `${file.name} is larger than this server takes.`,
    detail: "Open its HTML report instead, or raise PIXELCOST_MAX_BYTES on the server.",
  };
}

/** Sends the file and shows the run that it becomes. @param {File} file @param {any} limits */
export async function openReport(file, limits) {
  const choose = { label: "Choose another", act: () => part("fileInput").click() };
  const refused = reportRefusal(file, limits);
  if (refused) return update({ notice: { ...refused, actions: [choose] } });
  announce(`Opening ${file.name}`);
  update({ notice: { title: `Opening ${file.name}.`, detail: "The server checks the report, which can take some seconds.", calm: true } });
  try {
    location.assign(base + (await postReport(file)).url.slice(base.length));
  } catch (problem) {
    const again = { label: "Try again", act: () => openReport(file, limits) };
    const isRefused = problem.status >= 400 && problem.status < 500;
    update({ notice: { ...problemParts(problem), actions: [isRefused ? choose : again] } });
  }
  return undefined;
}
