/**
 * The plan: what to try. Pure arithmetic, no elements; units stand in the names.
 * Its keys are those of the report's `plan`, so it is sent as it is.
 *
 * @import { Backend, Backends, Config, PagePlan, Plan, Report } from "../types.js"
 *
 * @typedef {object} Axis
 * @property {"jpeg_qualities"|"webp_qualities"|"avif_qualities"|"subsamplings"|"resamplers"} key   of the list in the plan
 * @property {string} name
 * @property {string} query     its name in an address
 * @property {string} [format]  that the numbers belong to
 */

import { formatName, plural, seconds } from "../format.js";

const FIRST_GUESS_MS = 25; // per request, until a run on this machine has shown better
/** Where copies are made: beforehand and stored, on the server for each request, or on the client. */
export const COPIES = /** @type {any[]} */ (["in_advance", "per_request", "client"]);
const CHOICES = { copies: COPIES, resize: ["server", "browser", "both"] }; // by their name in an address
const ENOUGH_SIZES = 3; // fewer than this teach little: small photos get the small sizes too

/**
 * What variants differ in beside size and format: a list of the plan for each. Those with a `format` are
 * numbers that belong to it; the others are choices that the server offers.
 */
export const AXES = /** @type {Axis[]} */ ([
  { key: "jpeg_qualities", name: "JPEG quality", format: "jpeg", query: "q" },
  { key: "webp_qualities", name: "WebP quality", format: "webp", query: "webp" },
  { key: "avif_qualities", name: "AVIF quality", format: "avif", query: "avif" },
  { key: "subsamplings", name: "chroma subsampling", query: "sub" },
  { key: "resamplers", name: "resize filter", query: "filter" },
]);
const SINGLE = { jpeg_quality: "jpeg_qualities", resampler: "resamplers" }; // older keys, for one value

/**
 * A plan with its lists where an older one, or one of an older report, has single values only.
 * @param {Plan} plan @returns {import("../types.js").ListedPlan}
 */
export function withLists(plan) {
  const lists = /** @type {any} */ ({ webp_qualities: [80], avif_qualities: [65], subsamplings: ["4:2:0"], ...plan });
  for (const [single, many] of Object.entries(SINGLE)) lists[many] = plan[many] ?? [plan[single]];
  return lists;
}

/** A plan with the server's defaults. @param {Config} config @returns {PagePlan} */
export function defaultPlan(config) {
  const { jpeg_quality: _, resampler: __, ...rest } = withLists(config.plan);
  return { ...structuredClone(rest), backend_names: null, true_label: "", upload_original: true };
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
 * has chosen sizes of their own. @param {Config} config @returns {number[]}
 */
export function presetSizes(config, chosenPx, longestPx) {
  const untouched = chosenPx.join() === config.plan.sizes_px.join();
  if (!untouched || usableSizes(chosenPx, longestPx).length >= ENOUGH_SIZES) return chosenPx;
  return [...new Set([...chosenPx, ...usableSizes(config.offered_sizes_px, longestPx)])];
}

/**
 * How many images are sent to each backend; the original is one of them, unless it stays in the browser. A copy
 * as large as the photo is not resized, so that filters don't multiply it. @param {PagePlan} plan @param {Config} config
 */
export function countVariants(plan, longestPx, config) {
  const copies = usableSizes(plan.sizes_px, longestPx).map((sizePx) => (sizePx === longestPx ? 1 : plan.resamplers.length));
  const onServer = sum(copies) * sum(plan.formats.map((key) => encodings(plan, key, config)));
  if (!resizesHere(plan)) return onServer + 1;
  return Number(uploadsOriginal(plan)) + (plan.resize_in === "both" ? onServer : 0) + countHere(plan, longestPx, config);
}

/**
 * Everything that a browser encodes of one copy, in the plan's order; what no canvas writes is left out.
 * @param {PagePlan} plan @param {Config} config @returns {{format: string, quality: ?number}[]}
 */
export function encodingsHere(plan, config) {
  return plan.formats.filter((key) => config.browser.formats.includes(key)).flatMap((format) => {
    const qualities = AXES.find((axis) => axis.format === format)?.key;
    return (qualities ? plan[qualities] : [null]).map((quality) => ({ format, quality }));
  });
}

/** Names of the chosen formats that no canvas writes. @param {PagePlan} plan @param {Config} config */
const unwrittenHere = (plan, config) => plan.formats.filter((key) => !config.browser.formats.includes(key)).map(formatName);

/** The copy as large as the photo is made by the first engine alone, as in copies.js. */
function countHere(plan, longestPx, config) {
  const engines = usableSizes(plan.sizes_px, longestPx).map((sizePx) => (sizePx === longestPx ? 1 : plan.browser_engines.length));
  return sum(engines) * encodingsHere(plan, config).length;
}

/** Whether the browser makes variants. */
export const resizesHere = (plan) => ["browser", "both"].includes(plan.resize_in);

/** Whether the photo itself is sent: always if the server resizes it. */
export const uploadsOriginal = (plan) => plan.resize_in !== "browser" || plan.upload_original !== false;

/** Why this photo can't be resized in this browser; "" when it can. @param {?any} photo @param {boolean} able */
export function whyNotHere(photo, able) {
  if (!able) return "This browser can't resize in the background (it has no OffscreenCanvas), so the server does it.";
  if (photo?.set) return "A set of photos is resized on the server.";
  if (photo && !photo.width_px) return "This browser can't decode this photo, so the server resizes it.";
  return "";
}

/** The plan as it will be run: on the server if this browser can't resize. */
export const possiblePlan = (plan, photo, able) =>
  resizesHere(plan) && whyNotHere(photo, able) ? { ...plan, resize_in: "server" } : plan;

/** What the choice of place means, in a sentence or two. @param {Config} config */
export function placeWords(plan, config) {
  if (!resizesHere(plan)) return "";
  const unwritten = unwrittenHere(plan, config);
  const missing = unwritten.length ? ` A browser can't write ${unwritten.join(" or ")}.` : "";
  const rgba = plan.formats.includes("png") ? " A browser's PNG is RGBA, so larger than the server's." : "";
  if (!uploadsOriginal(plan))
    return `The photo stays in this browser; the largest variant is the reference that answers are compared with.${rgba}${missing}`;
  const both = plan.resize_in === "both" ? " Each variant is made twice and compared." : "";
  return `The copies are made in this browser and sent with the original, which is the reference.${both}${rgba}${missing}`;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** In how many ways a format is encoded: the product of its lists. */
function encodings(plan, key, config) {
  const { axes = [] } = config.formats.find((format) => format.key === key) || {};
  return axes.reduce((product, list) => product * plan[list].length, 1);
}

/** Whether quality is on an axis of this run. */
export function triesQualities(plan) {
  const lists = withLists(plan);
  return AXES.some(({ key, format }) => format && plan.formats.includes(format) && lists[key].length > 1);
}

/**
 * Why formats can't be tried, by key: the server can't write them, or no backend that is asked reads them, as far as known.
 * @param {Config["formats"]} formats @param {Backend[]} asked
 */
export function unusableFormats(formats, asked) {
  const probed = asked.filter((backend) => backend.reads);
  const refused = (format) => probed.length > 0 && probed.length === answeringBackends(asked).length
    && probed.every((backend) => !backend.reads.includes(format.media_type));
  const names = (probed[0]?.reads || []).map((type) => formatName(type.replace("image/", "")));
  const reason = `This model reads ${names.slice(0, -1).join(", ")} and ${names.at(-1)}.`;
  const reasons = formats.map((format) => [format.key, format.why_not || (refused(format) && reason)]);
  return Object.fromEntries(reasons.filter(([, why]) => why));
}

/** Of the chosen formats those that some of the backends refuse, in sentences. */
export function partlyUnread(plan, formats, asked) {
  return formats.filter((format) => plan.formats.includes(format.key)).flatMap((format) => {
    const names = asked.filter(({ reads }) => reads && !reads.includes(format.media_type)).map(({ name }) => name);
    return names.length ? [`${names.join(", ")} can't read ${format.name}: those variants will not be sent there.`] : [];
  });
}

/** Whether decoding is measured apart on a backend, as in experiment/measure/schedule.py. */
const splitsDecode = (plan, backend) => Boolean((plan.split_decode ?? !backend.runtime) && backend.decode_signature);

/** Whether a run would send it anything, as BackendInfo.takes_photos. @param {Backend} backend */
export const takesPhotos = (backend) => !["absent", "wrong_signature"].includes(backend.state);

/**
 * The backends that a run would ask: those named, else each once that answers, as to_ask() of experiment/backends/addresses.py.
 * REST twins only when named. @param {Backend[]} backends @param {?string[]} names
 */
export function askedBackends(backends, names) {
  const able = backends.filter(takesPhotos);
  if (names) return able.filter((backend) => names.includes(backend.name));
  const each = able.filter((backend) => !isRestTwin(backend, backends));
  const answering = answeringBackends(each);
  return answering.length ? answering : each;
}

/** Names of those that a run of all backends would leave out, as they don't answer. @param {Backend[]} backends @param {?string[]} names */
export function leftOut(backends, names) {
  if (names) return [];
  const asked = askedBackends(backends, null);
  return backends.filter((backend) => takesPhotos(backend) && !asked.includes(backend) && !isRestTwin(backend, backends)).map(({ name }) => name);
}

/** Those that answer, or may do so soon. @param {Backend[]} backends */
export function answeringBackends(backends) {
  return backends.filter((backend) => !["down", "wrong_model"].includes(backend.state));
}

/**
 * Whether a true label can ever be met: case and underscores don't matter, any synonym will do,
 * as in experiment/report/agreement.py. @param {string} label @param {string[]} known of the model; [] when not known
 */
export function isKnownLabel(label, known) {
  const names = (text) => text.split(",").map((name) => name.trim().toLowerCase().replaceAll("_", " ")).filter(Boolean);
  if (!known.length || !names(label).length) return true;
  const wanted = names(label);
  return known.some((labels) => names(labels).some((name) => wanted.includes(name)));
}

const MOST_MEANT = 2;
const FARTHEST = 3; // letters to change

/**
 * Labels that somebody may have meant, the nearest first, as they are shown: the first of a label's names.
 * @param {string} typed @param {string[]} known of the model @returns {string[]}
 */
export function likeliestLabels(typed, known) {
  const plain = typed.trim().toLowerCase().replaceAll("_", " ");
  const found = known.map((label) => {
    const names = label.split(",").map((name) => name.trim());
    return { label: names[0], letters: Math.min(...names.map((name) => lettersApart(plain, name.toLowerCase().replaceAll("_", " ")))) };
  });
  const most = Math.min(FARTHEST, Math.floor(plain.length / 2));
  return found.filter(({ letters }) => letters <= most).sort((a, b) => a.letters - b.letters).slice(0, MOST_MEANT).map(({ label }) => label);
}

/** Letters to add, leave out or change until one is the other (Levenshtein). @param {string} one @param {string} other */
function lettersApart(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1];
    for (const [place, theirs] of [...other].entries())
      next.push(Math.min(next[place] + 1, row[place + 1] + 1, row[place] + Number(letter !== theirs)));
    row = next;
  }
  return row[other.length];
}

/** The one model that all serve, or which serve which. @param {Backends} known */
export function modelWords({ backends, model, detail }) {
  if (!backends.length) return detail;
  const served = servedBy(backends);
  const [only] = served.keys();
  if (served.size > 1)
    return `Models: ${[...served].map(([name, by]) => `${titleOf(name, model)} (${by.join(", ")})`).join("; ")}`;
  if (only && only !== model?.name) return `Model: ${only}`;
  if (!model?.title) return model?.name ? `Model: ${model.name}` : "";
  return model.knows ? `${model.title}: knows ${model.knows}` : model.title;
}

/** Whether the labels of the app's model are those of every backend that is asked. @param {Backends} known */
export function isOneModel({ backends, model }) {
  return [...servedBy(backends).keys()].every((name) => name === model?.name);
}

/** @param {string} name @param {Backends["model"]} model */
const titleOf = (name, model) => (name === model?.name && model.title) || name;

/** Model -> names of the backends that serve it. @param {Backends["backends"]} backends @returns {Map<string, string[]>} */
function servedBy(backends) {
  const served = new Map();
  for (const backend of backends) {
    if (backend.state === "absent" || !backend.model || isRestTwin(backend, backends)) continue;
    served.set(backend.model, [...(served.get(backend.model) || []), backend.name]);
  }
  return served;
}

/** The same server offered a second time, over REST. */
export function isRestTwin(backend, backends) {
  return backend.protocol === "rest" && backends.some((other) => backend.name === `${other.name} over REST`);
}

/**
 * Repeats to begin with: one for a set, for which more photos help more than more repeats, unless the
 * person has chosen a number. @param {any} config @param {any} before the photo until now
 */
export function presetRepeats(config, repeats, before, photo) {
  if (photo.set && !before?.set && repeats === config.plan.repeats) return 1;
  if (!photo.set && before?.set && repeats === 1) return config.plan.repeats;
  return repeats;
}

/** The plan of one photo that takes as many requests as a set does. @param {?number} count photos */
export const planOfAll = (plan, count) =>
  count ? { ...plan, repeats: plan.repeats * count, split_decode: false } : plan;

/**
 * Requests and time of a run. Embedded backends and queues take turns under "auto", others go side by side.
 * @param {Record<string, number>} paceMs mean time per request on each backend, from earlier runs
 * @param {PagePlan} plan @param {?number} longestPx @param {Backend[]} backends @param {Config} config
 */
export function estimate(plan, longestPx, backends, paceMs, config) {
  const asked = answeringBackends(askedBackends(backends, plan.backend_names));
  const costs = asked.map((backend) => {
    const requests = countVariants(plan, longestPx, config) * requestsPerVariant(plan, backend, config);
    return {
      together: plan.order === "in_turns" || plan.order === "one_at_a_time" || (plan.order === "auto" && (backend.embedded || Boolean(backend.model_servers))),
      requests,
      ms: requests * (paceMs[backend.name] ?? FIRST_GUESS_MS),
    };
  });
  const inTurn = sum(costs.filter((cost) => cost.together).map((cost) => cost.ms));
  const sideBySide = Math.max(0, ...costs.filter((cost) => !cost.together).map((cost) => cost.ms));
  return { requests: sum(costs.map((cost) => cost.requests)), seconds: Math.max(inTurn, sideBySide) / 1000 };
}

/**
 * What a run costs, in words. A set's photos are not opened before they are sent, so copies that are larger than their
 * photo are counted here and skipped later: it is the most that it can be.
 * @param {{requests: number, seconds: number}} cost @param {boolean} isSet
 */
export function estimateWords({ requests, seconds: lengthS }, isSet) {
  if (isSet) return `Up to ${plural(requests, "request")}, at most about ${seconds(lengthS)}`;
  return `${plural(requests, "request")}, about ${seconds(lengthS)}, longer on a busy machine`;
}

function requestsPerVariant(plan, backend, config) {
  const most = config.decode_requests;
  const toDecode = splitsDecode(plan, backend)
    ? Math.min(plan.warmups, most.warmups) + Math.min(plan.repeats, most.repeats) : 0;
  return plan.warmups + plan.repeats + toDecode;
}

/** Mean time per request of each backend in a report: what `estimate` learns from. @param {Report} report */
export function paceOf(report) {
  const pace = {};
  for (const backend of report.backends) {
    const samples = report.cells.filter((cell) => cell.backend_name === backend.name).flatMap((c) => c.samples_ms);
    if (samples.length) pace[backend.name] = samples.reduce((sum, ms) => sum + ms, 0) / samples.length;
  }
  return pace;
}

/** What to do where no chosen size is smaller than the photo. @param {number} longestPx @param {number} leastPx */
function tooLarge(longestPx, leastPx) {
  // Below the least size there is no smaller one to choose: only another photo helps.
  return longestPx < leastPx
    ? `This photo is smaller (${longestPx} px) than the smallest size that can be tried (${leastPx} px). Choose a larger photo.`
    : `All chosen sizes are larger than the photo (${longestPx} px). Choose a smaller one.`;
}

/**
 * Everything that stands against running, one sentence each.
 * @param {PagePlan} plan @param {?number} longestPx @param {Config} config
 */
export function planProblems(plan, longestPx, config) {
  const problems = [];
  if (!plan.sizes_px.length) problems.push("Choose at least one size.");
  else if (!usableSizes(plan.sizes_px, longestPx).length)
    problems.push(tooLarge(/** @type {number} */ (longestPx), config.ranges.sizes_px[0]));
  if (!plan.formats.length) problems.push("Choose at least one format.");
  for (const { key, name, format } of AXES) {
    const isUsed = !format || plan.formats.includes(format);
    if (isUsed && !plan[key].length) problems.push(`Choose at least one ${name}.`);
  }
  if (resizesHere(plan) && !plan.browser_engines.length) problems.push("Choose at least one browser engine.");
  if (resizesHere(plan) && plan.formats.length && !encodingsHere(plan, config).length)
    problems.push(`A browser can't write ${unwrittenHere(plan, config).join(" or ")}. Choose PNG, JPEG or WebP too.`);
  problems.push(...Object.values(fieldProblems(plan, config.ranges)));
  if (plan.backend_names && !plan.backend_names.length) problems.push("Choose at least one backend.");
  return problems;
}

/**
 * What is wrong in a field, by the key of the plan that the field fills.
 * @param {Partial<Plan>} plan @param {Config["ranges"]} ranges @returns {Record<string, string>}
 */
export function fieldProblems(plan, ranges) {
  const range = (key, unit = 1) => ranges[key].map((value) => (value / unit).toLocaleString("en"));
  const problems = /** @type {Record<string, string>} */ ({});
  for (const [key, name] of [["repeats", "Repeats"], ["warmups", "Warm-up requests"]])
    if (!isWhole(plan[key], ranges[key])) problems[key] = `${name} must be a whole number from ${ranges[key].join(" to ")}.`;
  if (plan.keep_top1 && !isGoal("margin_points", plan.margin_points ?? 0, ranges))
    problems.margin_points = `The points that may be lost must be a number from ${range("margin_points").join(" to ")}.`;
  if (plan.max_p50_ms !== null && !isGoal("max_p50_ms", plan.max_p50_ms, ranges))
    problems.max_p50_ms = `The p50 goal must be above ${range("max_p50_ms").join(" and at most ")} ms.`;
  if (plan.max_size_bytes !== null && !isGoal("max_size_bytes", plan.max_size_bytes, ranges))
    problems.max_size_bytes = `The size goal must be from ${range("max_size_bytes", 1000).join(" to ")} KB.`;
  return problems;
}

/**
 * Whether the server takes a goal: percentage points that may be lost, milliseconds, or bytes.
 * @param {"margin_points"|"max_p50_ms"|"max_size_bytes"} key @param {number} goal @param {Config["ranges"]} ranges
 */
export function isGoal(key, goal, ranges) {
  const [low, high] = ranges[key];
  if (key === "max_size_bytes") return isWhole(goal, [low, high]);
  return (key === "max_p50_ms" ? goal > low : goal >= low) && goal <= high;
}

/**
 * The points that hold where the plan names none, as words: what a ZIP file holds is not known before it is read.
 * @param {Config["margins"]} margins @param {?import("../types.js").Photo} photo
 */
export function usualMargin({ photo: ofOne, labelled, unlabelled }, photo) {
  if (!photo?.set) return String(ofOne);
  if (photo.set.count === null) return `${labelled} or ${unlabelled}`;
  return String(photo.labels === "none" ? unlabelled : labelled);
}

/** @param {number} value @param {number[]} range */
export const isWhole = (value, [low, high]) => Number.isInteger(value) && value >= low && value <= high;

/** "Run 11 variants x 3 backends", of a set "Run 300 photos x 11 variants x 3 backends". */
export function runLabel(variants, backends, set = null) {
  const photos = set ? `${set.count === null ? "ZIP" : `${set.count} photos`} × ` : "";
  return `Run ${photos}${variants} variant${variants === 1 ? "" : "s"} × ${backends} backend${backends === 1 ? "" : "s"}`;
}

/**
 * The plan that an address asks for: ?sizes=1024,512&fmt=jpeg,png&q=85,50&repeat=20, and where to resize:
 * &resize=browser&engine=pica,canvas&original=no. It prepares a run and never starts one; what makes no sense is left out.
 * @param {URLSearchParams} query @param {PagePlan} plan @param {Config} config
 */
export function planFromQuery(query, plan, config) {
  const listed = (name) => (query.get(name) || "").split(",");
  const numbers = listed("sizes").map(Number).filter((size) => isWhole(size, config.ranges.sizes_px));
  const known = listed("fmt").filter((key) => config.formats.some((format) => format.key === key));
  const repeats = Number(query.get("repeat"));
  const lists = AXES.map(({ key, format, query: name }) => {
    const found = format ? listed(name).map(Number).filter((value) => isWhole(value, config.ranges[key]))
      : listed(name).filter((value) => config.offered[key].includes(value));
    return [key, found.length ? [...new Set(/** @type {any[]} */ (found))] : plan[key]];
  });
  return {
    ...plan,
    sizes_px: numbers.length ? [...new Set(numbers)] : plan.sizes_px,
    formats: known.length ? [...new Set(known)] : plan.formats,
    ...Object.fromEntries(lists),
    repeats: isWhole(repeats, config.ranges.repeats) ? repeats : plan.repeats,
    ...(COPIES.includes(query.get("copies")) ? { copies: query.get("copies") } : {}),
    ...placeFromQuery(query, plan, config),
  };
}

/** The query that planFromQuery() makes this plan of. @param {PagePlan} plan */
export function queryOfPlan(plan) {
  const asked = {
    sizes: plan.sizes_px.join(), fmt: plan.formats.join(), repeat: String(plan.repeats), copies: plan.copies || "",
    ...Object.fromEntries(AXES.filter(({ format }) => !format || plan.formats.includes(format))
      .map(({ key, query }) => [query, plan[key].join()])),
    ...(resizesHere(plan) ? { resize: plan.resize_in, engine: plan.browser_engines.join(), original: uploadsOriginal(plan) ? "" : "no" } : {}),
  };
  return new URLSearchParams(Object.entries(asked).filter(([, text]) => text)).toString().replaceAll("%2C", ",");
}

/**
 * What an address asks for and this version does not know, in a sentence; "" where it knows everything. A link may come from
 * a newer version, or have been cut. @param {URLSearchParams} query @param {Config} config
 */
export function unknownInQuery(query, config) {
  const listed = (name) => (query.get(name) || "").split(",").filter(Boolean);
  const left = [
    ...listed("sizes").filter((text) => !isWhole(Number(text), config.ranges.sizes_px)).map((text) => `size ${text}`),
    ...listed("fmt").filter((key) => !config.formats.some((format) => format.key === key)).map((key) => `format ${key}`),
    ...AXES.flatMap(({ key, name, format, query: param }) => listed(param)
      .filter((text) => (format ? !isWhole(Number(text), config.ranges[key]) : !config.offered[key].includes(text)))
      .map((text) => `${name} ${text}`)),
    ...[query.get("repeat")].filter((text) => text && !isWhole(Number(text), config.ranges.repeats)).map((text) => `${text} repeats`),
    ...["resize", "copies"].flatMap((name) => [query.get(name)].filter((text) => text && !CHOICES[name].includes(text)).map((text) => `${name} ${text}`)),
    ...listed("engine").filter((key) => !config.browser.engines.includes(key)).map((key) => `browser engine ${key}`),
  ];
  return left.length ? `The link asks for ${left.join(", ")}, which this version of Pixelcost does not know. The rest of the plan is set.` : "";
}

function placeFromQuery(query, plan, config) {
  const engines = (query.get("engine") || "").split(",").filter((key) => config.browser?.engines.includes(key));
  return {
    ...(CHOICES.resize.includes(query.get("resize")) ? { resize_in: query.get("resize") } : {}),
    ...(engines.length ? { browser_engines: [...new Set(engines)] } : {}),
    ...(query.has("original") ? { upload_original: query.get("original") !== "no" } : {}),
  };
}

/** One line about what a run tries. @param {Plan|PagePlan} stored @param {number[]} skippedPx */
export function planWords(stored, skippedPx) {
  const plan = withLists(/** @type {Plan} */ (stored));
  const sizes = plan.sizes_px.filter((sizePx) => !skippedPx.includes(sizePx)).join(", ");
  const formats = plan.formats
    .flatMap((key) => {
      const axis = AXES.find(({ format }) => format === key);
      return axis ? plan[axis.key].map((quality) => `${formatName(key)} q${quality}`) : [formatName(key)];
    })
    .join(", ");
  const unusual = [plan.subsamplings, plan.resamplers].filter((list) => !["4:2:0", "lanczos"].includes(list.join()));
  const place = resizesHere(plan)
    ? [`resized in the browser (${plan.browser_engines.join(", ")})${plan.resize_in === "both" ? " and on the server" : ""}`] : [];
  const parts = [...(sizes ? [`${sizes} px`] : []), formats, ...place, ...unusual.map((list) => list.join(", ")), plural(plan.repeats, "repeat")];
  return parts.join(" · ");
}
