/** Follow-ups in words: what they are called, when they are offered, what they found. Pure. */

import { isLive } from "../api.js";
import { bytes, formatName, isUnknown, plural, seconds, shortLabel } from "../format.js";

export const NAMES = { repeats: "Adding repeats", retry: "The retry", search: "The search", load: "The load test" };
export const HOW =
  "Bisection: sizes about 4 % apart, then quality, then three neighbours on either side, each copy sent once. It finds one " +
  "boundary; there may be others.";
export const STEP_COLUMNS = ["Size, px", "Quality", "Bytes", "Answer", "Kept"];

/** How many repeats a run lacks for a p90; 0 when it lacks none. */
export const missingRepeats = (report, config) => Math.max(0, config.samples_for.p90 - report.plan.repeats);

/** What can be done with a run: kind, label of its button, and what it gives. */
export function offers(report, config) {
  if (report.photo_set || report.imported) return [];
  const answered = report.cells.some((cell) => cell.count);
  const live = isLive(report.state);
  const retries = live ? [] : retriesOf(report, config.ranges.timeout_s[1]);
  if (!answered && !live) return retries;
  const missing = missingRepeats(report, config);
  const more = {
    kind: "repeats", label: `Measure p90 (${missing} more repeats)`, hint: "More repeats send the same bytes.",
  };
  const search = {
    kind: "search", label: points(report).length ? "Find the breaking point again" : "Find the breaking point",
    hint: "The breaking point is the smallest copy with the same answer; about 25 requests per backend.",
  };
  const load = {
    kind: "load", label: report.load?.length ? "Measure the capacity again" : "Measure the capacity",
    hint: "The capacity is the highest rate of requests at which p99 stays within a limit: about a minute.",
  };
  const addable = missing > 0 && (live || report.state === "done");
  return [...retries, ...(addable ? [more] : []), search, load];
}

const WITH_TIME = "deadline"; // a longer limit may help; for a server that is down it does not

/** One offer for each backend on which cells failed: to measure those again, with twice the time if that may help. */
function retriesOf(report, longestS) {
  const byBackend = new Map();
  for (const cell of report.cells.filter(({ failures, not_sent: notSent }) => failures || notSent))
    byBackend.set(cell.backend_name, [...(byBackend.get(cell.backend_name) || []), cell]);
  return [...byBackend].map(([backendName, cells]) => {
    const codes = cells.flatMap((cell) => cell.failure_reasons.map(({ code }) => code));
    const earlier = (report.additions || []).filter((addition) => addition.backend_name === backendName);
    const limitS = Math.max(report.plan.timeout_s, ...earlier.map((addition) => addition.timeout_s));
    const mayHelp = codes.includes(WITH_TIME) && !codes.includes("unreachable");
    const timeoutS = Math.min(longestS, limitS * (mayHelp ? 2 : 1));
    const limit = timeoutS === limitS ? "" : ` with ${timeoutS} s`;
    return {
      kind: "retry", backendName, timeoutS, label: `Retry ${plural(cells.length, "cell")} on ${backendName}${limit}`,
      hint: limit ? `The limit was ${limitS} s for one answer.` : "",
    };
  });
}

export const points = (report) => report.breaking_points || [];

/** "Still a tabby down to 181 px, JPEG q34. That copy is 3.1 KB." */
export function pointSentence(point) {
  const { size_bytes: sizeBytes } = point;
  return isUnknown(sizeBytes) ? point.sentence : `${point.sentence} That copy is ${bytes(sizeBytes)}.`;
}

export const stepsTitle = (point) => `${plural(point.steps.length, "copy").replace("copys", "copies")} sent`;

/** The copies from the largest to the smallest, so that one can see where the answer changes. */
export function stepRows(point) {
  const sorted = [...point.steps].sort((a, b) => b.size_px - a.size_px || b.quality - a.quality);
  return sorted.map((step) => [
    String(step.size_px), `${formatName("jpeg")} q${step.quality}`, bytes(step.size_bytes),
    shortLabel(step.label), step.kept ? "✓ kept" : "✕ changed",
  ]);
}

/** What the form of load tests shows of one: {text, isLive, isStopping, share}. @param {any} job @param {string} problem */
export function loadWords(job, problem) {
  if (!job) return { text: problem };
  return { text: problem || job.text, isLive: true, isStopping: job.state === "stopping", share: job.share || 0 };
}

/** Repeats are counted; nobody knows beforehand how many requests a search or a load test needs. */
export function progressWords(job, data) {
  if (job.kind === "search") return `Copy ${data.done}: ${data.text}`;
  return job.kind === "load" && data.eta_s ? `${data.text}, about ${seconds(data.eta_s)} left` : data.text;
}

export function endWords(kind, report) {
  if (kind === "search") return points(report).map((point) => `${point.backend_name}: ${point.sentence}`).join(" ");
  if (kind === "load") return (report.load || []).map((curve) => `${curve.backend_name}: ${curve.sentence}.`).join(" ");
  return `${kind === "retry" ? "Measured again" : "Repeats added"}. ${report.recommendation?.sentence || ""}`;
}
