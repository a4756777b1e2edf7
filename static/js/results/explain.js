/**
 * What a report says in sentences: what went wrong, and how it was measured. Pure.
 * @import { Report } from "../types.js"
 */

import { comparedWith, dateTime, plural } from "../format.js";

/** Everything that the reader must know, worst first. @param {Report} report @returns {{who: string, message: string, code?: string}[]} */
export function problemWords(report) {
  const whole = report.failure ? [{ who: "The run failed", message: report.failure.message }] : [];
  return [...whole, ...report.warnings.map(({ code, message }) => ({ who: "", message, code }))]; // W8 and W10 name failures
}

const ORDER_WORDS = {
  auto: "Backends were measured in parallel; embedded ones that share cores took turns.",
  parallel: "All backends were measured in parallel.",
  one_at_a_time: "One backend was measured after the other.",
};

const DECODE_WORDS =
  "If a server does not report its decoding time, requests that only decode and resize are sent between the others. They do " +
  "not count as samples; the rest of the latency is the model and its answer.";

const STEPS_WORDS =
  "Smaller copies are made in steps from larger ones where that gives nearly the same picture (as a rule over 50 dB PSNR). " +
  "A copy's resize time covers all steps from the original.";

/** The sentences of "How this was measured". @param {Report} report @param {number} usualMargin of one photo, in points */
export function methodWords(report, usualMargin) {
  const { plan } = report;
  const setWords = report.photo_set ? wordsOfSet(report) : [];
  return [
    ...setWords,
    `Each variant went to each backend ${plan.warmups} times to warm up, which do not count, and then ` +
      `${plan.repeats} times in random order (seed ${plan.seed}).`,
    ...(report.additions || []).filter((added) => !added.retried?.length).map((added) =>
      `${added.repeats} of these ${plan.repeats} repeats were added on ${dateTime(added.created_at)}, on the same bytes ` +
        `(seed ${added.seed}).`),
    `${ORDER_WORDS[plan.order]} Each backend had one request at a time.`,
    "Latency is the time from building the request to the parsed answer, seen by this app. Making the variant is " +
      "never part of it.",
    ...(report.cells.some((cell) => cell.decode_request_ms) ? [DECODE_WORDS] : []),
    "A variant's name lists only non-default settings. The defaults: q85 for JPEG, q80 for WebP, q65 for AVIF, 4:2:0, Lanczos.",
    "p50 is the median with a distribution-free 95 % interval. p90 is shown from 64 samples, p99 from 662.",
    `The same answer means the same top answer as this backend gave to the ${comparedWith(report)}. ` +
      (report.source.true_label
        ? `Accuracy compares with the true label, ${report.source.true_label}.`
        : "Without a true label this is agreement, not accuracy."),
    ...(report.photo_set ? [] : [goalWords(report, usualMargin)]),
    ...(plan.resize_in === "browser" ? [] : [STEPS_WORDS]),
    ...placeWords(report),
    ...(report.source.notes || []),
  ];
}

/** What a recommended copy of one photo had to fulfil. @param {Report} report @param {number} usualMargin */
function goalWords({ plan, source }, usualMargin) {
  const chosen = "Of the variants that answered every request and meet the goals, the one with the fewest bytes is recommended.";
  if (!plan.keep_top1) return `${chosen} The answer was allowed to change.`;
  const answer = source.true_label ? "The top answer must be the true label" : "The top answer must stay";
  const points = plan.margin_points ?? usualMargin;
  return `${chosen} ${answer}, and its probability may fall by at most ${pointWords(points)}.`;
}

/** @param {number} points of a margin */
const pointWords = (points) => `${points} ${points === 1 ? "point" : "points"}`;

/** @param {Report} report whose variants a browser made, perhaps */
function placeWords(report) {
  if (!report.variants?.some((variant) => variant.engine)) return [];
  return [
    "Variants with “browser/” in their name were resized in the browser, by the engine named; the server made the others. The " +
    "browser's stage times are wall-clock time, the server's are CPU time.",
    "pica makes copies smaller than a quarter of an existing size from that size, and its resize time covers both steps; " +
      "plain canvas makes each from the photo.",
    "A browser writes PNG as RGBA, where the server writes RGB. The model drops the fourth channel, but the bytes hold it.",
  ];
}

/** @param {Report} report of a set */
function wordsOfSet(report) {
  const { count, measured, labelled, margin_points: margin } = report.photo_set;
  return [
    `${measured.toLocaleString("en")} of ${plural(count, "photo")} were measured, one after another in random order; ` +
      `${labelled.toLocaleString("en")} have a label that the model knows. Bytes, sizes and p50 are medians.`,
    "Top-1 is the share of those whose label is the first answer, with Wilson's 95 % interval. The difference is against the " +
      "original on the same photos, with Newcombe's paired interval; p is McNemar's, exact.",
    report.plan.keep_top1
      ? `A variant is recommended only when its interval shows that it loses less than ${pointWords(margin)}.`
      : "The fewest bytes are recommended, whatever they lose: the answer was allowed to change.",
  ];
}

const FACT_NAMES = {
  app_version: "Pixelcost",
  python: "Python",
  platform: "System",
  cpu_model: "Processor",
  cpu_count: "Cores it may use",
  load_1m: "Load of the last minute, processes",
  memory_mb: "Memory, MB",
  pillow: "Pillow",
  libjpeg_turbo: "libjpeg-turbo",
  browser: "Browser that resized",
  browser_clock_resolution_us: "Resolution of its clock, µs",
  browser_noise_bytes: "Pixel bytes that it changed in a test",
  clock_resolution_us: "Clock resolution, µs",
  heartbeat_max_ms: "Latest wake-up of the clock thread, ms",
  heartbeat_late_share: "Share of its wake-ups that were late",
};

/** What a fact about the environment is called. @param {string} key */
export function factName(key) {
  return FACT_NAMES[key] || key.replaceAll("_", " ");
}
