/**
 * The plan: what to try. Pure arithmetic, no elements; units stand in the names.
 * Its keys are those of the report's `plan`, so it is sent as it is.
 */

import { formatName } from "./format.js";

const FIRST_GUESS_MS = 25; // per request, until a run on this machine has shown better
const ENOUGH_SIZES = 3; // fewer than this teach little: small photos get the small sizes too

/** A plan with the server's defaults. @param {any} config of /api/config */
export function defaultPlan(config) {
  const { sizes_px, formats, ...rest } = config.plan;
  return { ...rest, sizes_px: [...sizes_px], formats: [...formats], backend_names: null, true_label: "" };
}

/**
 * The chips to show: what is offered and what was added, each with the reason it can't be used.
 * @param {number[]} offeredPx @param {number[]} chosenPx
 * @param {?number} longestPx of the photo; null: no photo yet, or not known
 */
export function sizeChoices(offeredPx, chosenPx, longestPx) {
  const all = [...new Set([...offeredPx, ...chosenPx])].sort((a, b) => b - a);
  return all.map((sizePx) => {
    const tooLarge = longestPx !== null && sizePx > longestPx;
    const reason = tooLarge ? `Larger than the original (${longestPx} px)` : "";
    return { size_px: sizePx, chosen: chosenPx.includes(sizePx), reason };
  });
}

/** The chosen sizes that the photo allows. @returns {number[]} */
export function usableSizes(chosenPx, longestPx) {
  return chosenPx.filter((sizePx) => longestPx === null || sizePx <= longestPx);
}

/**
 * Sizes to begin with for a photo. A small one gets every size that fits, unless the person
 * has chosen sizes of their own. @param {any} config @returns {number[]}
 */
export function presetSizes(config, chosenPx, longestPx) {
  const untouched = chosenPx.join() === config.plan.sizes_px.join();
  if (!untouched || usableSizes(chosenPx, longestPx).length >= ENOUGH_SIZES) return chosenPx;
  return [...new Set([...chosenPx, ...usableSizes(config.offered_sizes_px, longestPx)])];
}

/** How many images are sent to each backend; the original is one of them. */
export function countVariants(plan, longestPx) {
  return usableSizes(plan.sizes_px, longestPx).length * plan.formats.length + 1;
}

/** The backends that a run would ask: those named, else each once. REST twins only when named. */
export function askedBackends(backends, names) {
  if (names) return backends.filter((backend) => names.includes(backend.name));
  return backends.filter((backend) => backend.state !== "absent" && !isRestTwin(backend, backends));
}

/** Those that answer, or may do so soon. The others are asked all the same, and fail. */
export function answeringBackends(backends) {
  return backends.filter((backend) => !["down", "wrong_model", "wrong_signature"].includes(backend.state));
}

/**
 * Whether a true label can ever be met: case and underscores don't matter, any synonym will do,
 * as in experiment/agreement.py. @param {string} label @param {string[]} known of the model; [] when not known
 */
export function isKnownLabel(label, known) {
  const names = (text) => text.split(",").map((name) => name.trim().toLowerCase().replaceAll("_", " ")).filter(Boolean);
  if (!known.length || !names(label).length) return true;
  const wanted = names(label);
  return known.some((each) => names(each).some((name) => wanted.includes(name)));
}

/** The same server offered a second time, over REST. */
export function isRestTwin(backend, backends) {
  return backend.protocol === "rest" && backends.some((other) => backend.name === `${other.name} over REST`);
}

/**
 * Requests and time of a run. Embedded backends take turns under "auto", others go side by side.
 * @param {Record<string, number>} paceMs mean time per request on each backend, from earlier runs
 */
export function estimate(plan, longestPx, backends, paceMs) {
  const asked = answeringBackends(askedBackends(backends, plan.backend_names));
  const perBackend = countVariants(plan, longestPx) * (plan.warmups + plan.repeats);
  const times = asked.map((backend) => ({
    together: plan.order === "one_at_a_time" || (plan.order === "auto" && backend.embedded),
    ms: perBackend * (paceMs[backend.name] ?? FIRST_GUESS_MS),
  }));
  const inTurn = times.filter((time) => time.together).reduce((sum, time) => sum + time.ms, 0);
  const sideBySide = Math.max(0, ...times.filter((time) => !time.together).map((time) => time.ms));
  return { requests: perBackend * asked.length, seconds: Math.max(inTurn, sideBySide) / 1000 };
}

/** Mean time per request of each backend in a report: what `estimate` learns from. */
export function paceOf(report) {
  const pace = {};
  for (const backend of report.backends) {
    const samples = report.cells.filter((cell) => cell.backend_name === backend.name).flatMap((c) => c.samples_ms);
    if (samples.length) pace[backend.name] = samples.reduce((sum, ms) => sum + ms, 0) / samples.length;
  }
  return pace;
}

/** Everything that stands against running, one sentence each. */
export function planProblems(plan, longestPx) {
  const problems = [];
  if (!plan.sizes_px.length) problems.push("Choose at least one size.");
  else if (!usableSizes(plan.sizes_px, longestPx).length)
    problems.push(`All chosen sizes are larger than the photo (${longestPx} px). Choose a smaller one.`);
  if (!plan.formats.length) problems.push("Choose at least one format.");
  problems.push(...Object.values(fieldProblems(plan)));
  if (plan.backend_names && !plan.backend_names.length) problems.push("Choose at least one backend.");
  return problems;
}

/** What is wrong in a field, by the key of the plan that the field fills. @returns {Record<string, string>} */
export function fieldProblems(plan) {
  const problems = {};
  if (!isWhole(plan.jpeg_quality, 1, 100)) problems.jpeg_quality = "JPEG quality is a whole number from 1 to 100.";
  if (!isWhole(plan.repeats, 1, 1000)) problems.repeats = "Repeats is a whole number from 1 to 1000.";
  if (!isWhole(plan.warmups, 0, 100)) problems.warmups = "Warm-up requests is a whole number from 0 to 100.";
  if (isBadGoal(plan.max_p50_ms)) problems.max_p50_ms = "The p50 goal is a number of milliseconds above 0.";
  if (isBadGoal(plan.max_size_bytes)) problems.max_size_bytes = "The size goal is a number of kilobytes above 0.";
  return problems;
}

const isBadGoal = (goal) => goal !== null && !(goal > 0);
const isWhole = (value, low, high) => Number.isInteger(value) && value >= low && value <= high;

/** "Run 11 variants x 3 backends". */
export function runLabel(variants, backends) {
  return `Run ${variants} variant${variants === 1 ? "" : "s"} × ${backends} backend${backends === 1 ? "" : "s"}`;
}

/**
 * The plan that an address asks for: ?sizes=1024,512&fmt=jpeg,png&q=85&repeat=20. It prepares
 * a run and never starts one; what makes no sense is left out.
 */
export function planFromQuery(query, plan, formats) {
  const numbers = (query.get("sizes") || "").split(",").map(Number).filter((size) => isWhole(size, 16, 8192));
  const known = (query.get("fmt") || "").split(",").filter((key) => formats.includes(key));
  const quality = Number(query.get("q"));
  const repeats = Number(query.get("repeat"));
  return {
    ...plan,
    sizes_px: numbers.length ? [...new Set(numbers)] : plan.sizes_px,
    formats: known.length ? [...new Set(known)] : plan.formats,
    jpeg_quality: isWhole(quality, 1, 100) ? quality : plan.jpeg_quality,
    repeats: isWhole(repeats, 1, 1000) ? repeats : plan.repeats,
  };
}

/** One line about what a stored run tried. */
export function planWords(plan, skippedPx) {
  const sizes = plan.sizes_px.filter((sizePx) => !skippedPx.includes(sizePx)).join(", ");
  const formats = plan.formats
    .map((key) => (key === "jpeg" ? `JPEG q${plan.jpeg_quality}` : formatName(key)))
    .join(", ");
  return `${sizes} px · ${formats} · ${plan.repeats} repeats`;
}
