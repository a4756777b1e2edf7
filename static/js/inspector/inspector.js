/** One variant, closely: its image over the original, what the model saw, the answers, the times, its making. */

import { getReport, getVariantFigures } from "../api.js";
import { definitions, el, fill, loadStyle, part } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { bytes, comparedWith, duration, madeAs, milliseconds, percent, plural, signedPoints, variantName } from "../format.js";
import { compareView } from "../pictures/compare_view.js";
import { bytesUrl, hasBytes, picturesOf, sizeWords } from "../pictures/picture_urls.js";
import { isBusy, lookNow, state, update, watch, whenLookChanges, writeView } from "../state.js";
import { badge } from "../results/badge.js";
import { cellReasons, columnsOf, correctWords, rowsOf, sortRows } from "../results/columns.js";
import { frame, renderFigure } from "../results/figure.js";
import { answerBars } from "./answer_bars.js";
import { copyAs } from "./copy_as.js";
import { seenSection } from "./seen.js";

const KEPT_IN_ADDRESS = ["look", "zoom", "a"]; // beside `sel`: how one looks at it

/** What the open inspector shows; `variantId` is "" while it is closed. */
const shown = { variantId: "", cards: new Map(), figures: null, opener: /** @type {?Element} */ (null) };

watch(["report"], refresh);
whenLookChanges(() => shown.variantId && drawFigures());

/** @param {string} variantId @param {string} [focusOn] "previous", "next" or "pair": the button or list that keeps the focus */
export async function openInspector(variantId, focusOn = "") {
  await Promise.all([loadStyle("pictures"), loadStyle("inspector")]);
  const { report } = state;
  const variant = report.variants.find(({ id }) => id === variantId);
  const reference = referenceOf(report);
  select(variantId);
  if (!shown.variantId) shown.opener = document.activeElement;
  const stages = smallFrame("stages", `pixelcost-${report.run_id}-${variant.id}-stages`);
  Object.assign(shown, { variantId, cards: cardsOf(report, variant, reference), figures: stages });
  part("drawer").classList.add("inspecting");
  openDrawer(variantName(variant), [
    neighbours(report, variant),
    ...pictures(report, variant),
    hasBytes(report) ? seenSection(report, variant, comparedTo(report, variant)) : null,
    shown.figures,
    ...[...shown.cards.values()].map(({ card }) => card),
    making(report, variant),
  ], close);
  /** @type {HTMLElement} */ (part("drawerBody").querySelector(focusOn === "pair" ? "[data-pair=b]" : `[data-step="${focusOn}"]`))?.focus();
  drawFigures();
}

let lastLook = {}; // how the inspector looked when it was closed

/** As it was looked at the last time, or as the link says. */
function select(sel) {
  const query = new URLSearchParams(location.search);
  const kept = KEPT_IN_ADDRESS.map((key) => [key, state.view[key] || query.get(key) || lastLook[key] || ""]);
  lastLook = {};
  update({ view: { ...state.view, ...Object.fromEntries(kept), sel } });
  writeView();
}

/** The focus goes to the frame or row of what was looked at last, not of what was opened first. */
function close() {
  const frame = shown.opener?.closest("#frames")?.querySelector(`[data-variant="${CSS.escape(shown.variantId)}"]`);
  const row = document.getElementById(`row-${shown.variantId}`)?.querySelector(".row-button");
  shown.variantId = "";
  part("drawer").classList.remove("inspecting");
  clearTimeout(writing);
  view.stop(); // what blinks
  fill(part("drawerBody"));
  lastLook = Object.fromEntries(KEPT_IN_ADDRESS.map((key) => [key, state.view[key]]));
  const left = Object.fromEntries(KEPT_IN_ADDRESS.map((key) => [key, ""]));
  update({ view: { ...state.view, ...left, sel: "" } });
  writeView();
  /** @type {HTMLElement} */ (frame || row)?.focus();
}

/** The variants before and after in the table's order, so that one can walk through all without closing. */
function neighbours(report, variant) {
  const rows = sortRows(rowsOf(report), columnsOf(report, state.config.samples_for, state.view.y), state.view.sort).map((row) => row.variant);
  const index = rows.indexOf(variant);
  // Each word and each name has a place of its own, so that nothing moves under the pointer.
  const step = (other, key, words) => el("button", { type: "button", "data-step": key, disabled: !other,
    "aria-label": other ? `${words}: ${shortName(other)}` : words, title: other ? shortName(other) : "",
    onclick: () => openInspector(other.id, key) }, words);
  const place = `${index + 1} of ${rows.length}`;
  return el("nav", { className: "buttons", "aria-label": `${variantName(variant)}, variant ${place}` },
    step(rows[index - 1], "previous", "← Previous"), step(rows[index + 1], "next", "Next →"), el("span", { className: "muted" }, place));
}

const shortName = (variant) => `${variant.size_px} px ${madeAs(variant)}`;

const NO_PICTURES = "This run was imported from a file that holds no pictures.";
const SMALL = "Small pictures from the report. The bytes that were sent are not in it.";

const WRITE_AFTER_MS = 200; // a wheel changes the zoom many times a second, and browsers limit how often an address may change
let writing = 0;

const view = compareView({
  place: "inspector",
  get: (key) => state.view[key],
  set: (key, value, isMoving) => {
    update({ view: { ...state.view, [key]: value } });
    clearTimeout(writing);
    if (isMoving) writing = window.setTimeout(writeView, WRITE_AFTER_MS);
    else writeView();
  },
  choose: (a, b) => {
    update({ view: { ...state.view, a: a === referenceOf(state.report)?.id ? "" : a } });
    writeView();
    openInspector(b, "pair");
  },
  whyMissing: () => whyMissing(state.report),
});

/** What the variant is compared with: chosen, else the reference; the variant itself where there is nothing else. */
function comparedTo(report, variant) {
  const chosen = report.variants.find(({ id }) => id === state.view.a);
  return chosen || referenceOf(report) || variant;
}

const referenceOf = (report) => report.variants.find((variant) => variant.is_reference);

/** @param {import("../types.js").Report} report @param {import("../types.js").Variant} variant */
function pictures(report, variant) {
  const all = picturesOf(report, state.live).filter(({ id }) => report.variants.some((each) => each.id === id));
  if (!all.some(({ id }) => id === variant.id)) return [el("p", { className: "missing" }, NO_PICTURES)];
  const other = comparedTo(report, variant);
  view.show(all, other.id, other === variant ? "" : variant.id);
  return [hasBytes(report) ? null : el("p", { className: "hint" }, SMALL), view.element];
}

/** A picture did not come: the server knows whether the run is gone. */
async function whyMissing(report) {
  try {
    await getReport(report.run_id);
    return "The pictures of this variant could not be loaded. Reload the page to try again.";
  } catch (problem) {
    return `The pictures of this variant are gone. ${problem.detail || problem.title}`;
  }
}

const smallFrame = (name, file) =>
  frame(name, { file, look: "figure-card", title: "h4", savedPx: { width: 1000, height: 400 } });

/** @returns {Map<string, {card: HTMLElement, body: HTMLElement, strip: HTMLElement, signature: string}>} by backend */
function cardsOf(report, variant, reference) {
  const absent = report.backends.filter(({ state }) => state === "absent").map(({ name }) => name); // have nothing to show
  const cells = report.cells.filter((cell) => cell.variant_id === variant.id && !absent.includes(cell.backend_name));
  return new Map(cells.map((cell) => [cell.backend_name, cardOf(report, variant, reference, cell)]));
}

function cardOf(report, variant, reference, cell) {
  const body = el("div", { className: "cell-body" }, ...cellBody(report, cell, reference));
  const strip = smallFrame("strip", `pixelcost-${report.run_id}-${variant.id}-${cell.backend_name}-samples`);
  const card = el("section", { className: "cell-card", "aria-label": cell.backend_name },
    body, strip, !hasBytes(report) ? null : copyAs(report, variant, cell.backend_name));
  return { card, body, strip, signature: JSON.stringify([cell, isBusy()]) };
}

function cellBody(report, cell, reference) {
  const ofReference = reference && reference.id !== cell.variant_id && report.cells.find(
    (other) => other.backend_name === cell.backend_name && other.variant_id === reference.id);
  const reasons = cellReasons(cell);
  return [
    el("h3", {}, cell.backend_name, " ", cell.count && !isBusy() ? badge(cell.validity) : null),
    isBusy() ? el("p", { className: "muted" }, `Measured so far: ${cell.count} of ${report.plan.repeats}.`) : null,
    reasons && !isBusy() ? el("p", { className: "muted" }, reasons) : null,
    cell.top.length ? answerBars(cell, ofReference, report.source.true_label || "", comparedWith(report)) : null,
    cell.count ? definitions(timeRows(report, cell)) : null,
  ];
}

function timeRows(report, cell) {
  const interval = cell.p50_low_ms === null ? "" : ` (${milliseconds(cell.p50_low_ms)} to ${duration(cell.p50_high_ms)})`;
  const stages = serverStages(cell.server_ms || {});
  return [
    ["p50", duration(cell.p50_ms) + interval],
    ...(cell.p90_ms === null ? [] : [["p90", duration(cell.p90_ms)]]),
    ["Fastest, slowest", `${duration(cell.min_ms)}, ${duration(cell.max_ms)}`],
    ["First warm-up", duration(cell.cold_ms)],
    ...(stages.length ? [["Server time", stages.join(", ")]] : []),
    ...(cell.batches?.length ? [["Batch", batchWords(cell.batches)]] : []),
    ...(cell.decode_request_ms ? [["Decode request", decodeWords(cell)]] : []),
    ["On the wire", `${bytes(cell.request_bytes)} sent, ${bytes(cell.response_bytes)} back`],
    ...agreementRows(cell),
    ...(report.source.true_label ? [["Correct", correctWords(cell)]] : []),
  ];
}

const OF_QUEUE = ["queue_wait", "batch_wait", "service"]; // the last one holds the model server's own

/** "queue 0.1 ms, decode 1.5 ms"; of a queue "queue wait 0.3 ms, ..., service 11 ms (of it decode 1.5 ms)". @param {Record<string, number>} serverMs */
function serverStages(serverMs) {
  const words = (names) => names.map((name) => `${name.replace("_", " ")} ${duration(serverMs[name])}`);
  const own = words(Object.keys(serverMs).filter((name) => !OF_QUEUE.includes(name)));
  const queue = words(OF_QUEUE.filter((name) => name in serverMs));
  if (!queue.length) return own;
  return own.length ? [...queue.slice(0, -1), `${queue.at(-1)} (of it ${own.join(", ")})`] : queue;
}

/** In batches of how many jobs the answers of a queue came: "1 job", "1 to 3 jobs, 1 at the median". @param {number[]} batches */
function batchWords(batches) {
  const sorted = [...batches].sort((one, other) => one - other);
  const [least, middle, most] = [sorted[0], sorted[Math.floor((sorted.length - 1) / 2)], sorted.at(-1)];
  return least === most ? plural(most, "job") : `${least} to ${plural(most, "job")}, ${middle} at the median`;
}

/** Requests that only decode; if the server sends the pixels back, their transfer is part of the time. */
function decodeWords(cell) {
  const back = cell.decode_response_bytes > 10_000 ? `, with ${bytes(cell.decode_response_bytes)} of pixels sent back` : "";
  return `${duration(cell.decode_request_ms)} to send and decode, measured apart${back}`;
}

function agreementRows(cell) {
  if (cell.reference_score_change === null || cell.reference_score_change === undefined) return [];
  const change = `${signedPoints(cell.reference_score_change)} points`;
  const overlap = cell.top5_overlap === null ? "" : `, ${percent(cell.top5_overlap)} of the top 5 kept`;
  return [[`Compared with the ${comparedWith(state.report)}`, `${change} for its top answer${overlap}`]];
}

/** How the bytes came about, and the bytes themselves. */
function making(report, variant) {
  const rows = [
    ["Size", sizeWords(variant)],
    ["Encoder", variant.encoder],
    ...(variant.resampler ? [["Resize filter", variant.resampler]] : []),
    ...(variant.engine ? placeRows(variant) : []),
    ["Time to make", stageWords(variant)],
    ["SHA-256", el("code", { className: "hash" }, variant.sha256)],
  ];
  const download = `${report.source.name.replace(/\.[^.]*$/, "")}-${variant.id}`;
  return el("section", { className: "cell-card" }, el("h3", {}, "The bytes that were sent"), definitions(rows),
    hasBytes(report) && el("p", {}, el("a", { className: "button", href: bytesUrl(report, variant.id), download }, "Download the bytes that were sent")));
}

/** Facts that only variants resized in a browser have. */
function placeRows(variant) {
  const { channels, psnr_db: psnrDb, largest_difference: largest, canvas_noise: noise } = variant;
  const alike = largest === 0 ? "the same pixels" : `PSNR ${psnrDb?.toFixed(1)} dB, at most ${largest} of 255 apart`;
  return [
    ["Resized in", `the browser, by ${variant.engine}`],
    ["Channels", String(channels)],
    ...(largest === null ? [] : [["Compared with the server's", alike]]),
    ...(noise === null ? [] : [["Canvas noise", noise ? "yes: this browser changes pixels" : "none found"]]),
  ];
}

/** Decode, resize and encode of this variant, as far as they were run. */
function stageWords(variant) {
  const stages = [["decode", variant.decode_ms], ["resize", variant.resize_ms], ["encode", variant.encode_ms]];
  const known = stages.filter(([, ms]) => ms !== null && ms !== undefined);
  return known.length ? known.map(([name, ms]) => `${name} ${duration(ms)}`).join(", ") : "none: sent as uploaded, without metadata";
}

/** While a run goes on, numbers follow it; plots are drawn anew at its end, to leave the machine alone. */
function refresh() {
  const { report } = state;
  if (!shown.variantId || !report?.variants.some(({ id }) => id === shown.variantId)) return;
  const reference = referenceOf(report);
  for (const cell of report.cells.filter(({ variant_id: id }) => id === shown.variantId)) {
    const known = shown.cards.get(cell.backend_name);
    const signature = JSON.stringify([cell, isBusy()]);
    if (!known || known.signature === signature) continue;
    known.signature = signature;
    fill(known.body, ...cellBody(report, cell, reference));
  }
  if (!isBusy()) drawFigures();
}

async function drawFigures() {
  const { variantId, cards, figures: stagesOf } = shown;
  try {
    const figures = await getVariantFigures(state.report.run_id, variantId, lookNow());
    if (shown.figures !== stagesOf) return; // another variant was chosen meanwhile
    stagesOf.hidden = !figures.stages.data.length; // nothing was answered, so no time went anywhere
    await renderFigure(stagesOf, figures.stages);
    for (const [name, { strip }] of cards) if (figures.samples[name]) await renderFigure(strip, figures.samples[name]);
  } catch (problem) {
    const words = `The plots can't be drawn. ${problem.detail || problem.title || problem}`;
    if (shown.figures === stagesOf) fill(stagesOf, el("p", { className: "muted", role: "status" }, words));
  }
}
