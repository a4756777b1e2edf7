/** One variant, closely: its image beside the original, the answers, the times, its making. */

import { base, variantPath } from "./api.js";
import { cellReasons, columnsOf, rowsOf, sortRows } from "./columns.js";
import { openDrawer } from "./drawer.js";
import { bytes, comparedWith, duration, madeAs, milliseconds, percent, plural, signedPoints, variantName } from "./format.js";
import { el, state, update } from "./page.js";
import { badge } from "./result.js";
import { writeView } from "./table.js";

const SHARP_BELOW_PX = 128; // smaller images are shown larger than they are, with their pixels visible

/** @param {string} variantId */
export function openInspector(variantId) {
  const { report } = state;
  const variant = report.variants.find((each) => each.id === variantId);
  const reference = report.variants.find((each) => each.is_reference);
  const cells = report.cells.filter((cell) => cell.variant_id === variantId);
  select(variantId);
  openDrawer(variantName(variant), [
    images(report, variant, reference),
    facts(report, variant),
    ...cells.map((cell) => cellCard(report, cell, reference)),
    neighbours(report, variant),
  ], () => select(""));
}

function select(sel) {
  update({ view: { ...state.view, sel } });
  writeView();
}

function images(report, variant, reference) {
  const both = reference && reference.id !== variant.id ? [reference, variant] : [variant];
  return el("div", { className: "images" }, ...both.map((each) => picture(report, each)));
}

function picture(report, variant) {
  const image = el("img", { src: imageUrl(report, variant), alt: variantName(variant), loading: "lazy" });
  image.classList.toggle("sharp", variant.size_px <= SHARP_BELOW_PX);
  const words = `${variantName(variant)}: ${variant.width_px} × ${variant.height_px} px, ${bytes(variant.size_bytes)}`;
  return el("figure", {}, image, el("figcaption", { className: "muted" }, words));
}

const imageUrl = (report, variant) => base + variantPath(report.run_id, variant.id);

function facts(report, variant) {
  const rows = [
    ["Size", `${variant.width_px} × ${variant.height_px} px, ${bytes(variant.size_bytes)}`],
    ["Encoder", variant.encoder],
    ...(variant.resampler ? [["Resize filter", variant.resampler]] : []),
    ...(variant.engine ? placeRows(variant) : []),
    ["Made in", stageWords(variant)],
    ["SHA-256", el("code", { className: "hash" }, variant.sha256)],
  ];
  const name = `${report.source.name.replace(/\.[^.]*$/, "")}-${variant.id}`;
  const download = el("a", { className: "button", href: imageUrl(report, variant), download: name },
    "Download the bytes that were sent");
  return el("section", {}, definitions(rows), el("p", {}, download));
}

/** What only variants of a browser have to tell. */
function placeRows(variant) {
  const { channels, psnr_db: psnrDb, largest_difference: largest, canvas_noise: noise } = variant;
  const alike = largest === 0 ? "the same pixels" : `PSNR ${psnrDb?.toFixed(1)} dB, at most ${largest} of 255 apart`;
  return [
    ["Resized in", `the browser, by ${variant.engine}`],
    ["Channels", String(channels)],
    ...(largest === null ? [] : [["Against the server's", alike]]),
    ...(noise === null ? [] : [["Canvas noise", noise ? "yes: this browser changes pixels" : "none found"]]),
  ];
}

/** Decode, resize and encode of this variant, as far as they were run. */
function stageWords(variant) {
  const stages = [["decode", variant.decode_ms], ["resize", variant.resize_ms], ["encode", variant.encode_ms]];
  const known = stages.filter(([, ms]) => ms !== null && ms !== undefined);
  return known.length ? known.map(([name, ms]) => `${name} ${duration(ms)}`).join(", ") : "nothing: sent as uploaded";
}

function definitions(rows) {
  return el("dl", {}, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function cellCard(report, cell, reference) {
  const referenceCell = report.cells.find(
    (each) => each.backend_name === cell.backend_name && each.variant_id === reference?.id);
  const reasons = cellReasons(cell);
  return el("section", { className: "cell-card" },
    el("h3", {}, cell.backend_name, " ", cell.count ? badge(cell.validity) : null),
    reasons && el("p", { className: "muted" }, reasons),
    cell.count ? definitions(timeRows(cell)) : null,
    cell.top.length ? answers(cell, referenceCell) : null,
    cell.samples_ms.length ? samples(cell) : null);
}

function timeRows(cell) {
  const interval = cell.p50_low_ms === null ? "" : ` (${milliseconds(cell.p50_low_ms)} to ${duration(cell.p50_high_ms)})`;
  const stages = Object.entries(cell.server_ms || {}).map(([name, ms]) => `${name} ${duration(ms)}`);
  return [
    ["p50", duration(cell.p50_ms) + interval],
    ...(cell.p90_ms === null ? [] : [["p90", duration(cell.p90_ms)]]),
    ["Fastest, slowest", `${duration(cell.min_ms)}, ${duration(cell.max_ms)}`],
    ["First warm-up", duration(cell.cold_ms)],
    ...(stages.length ? [["Server time", stages.join(", ")]] : []),
    ...(cell.decode_request_ms ? [["Decode request", decodeWords(cell)]] : []),
    ["On the wire", `${bytes(cell.request_bytes)} sent, ${bytes(cell.response_bytes)} back`],
    ...agreementRows(cell),
  ];
}

/** Requests that only decode; where the pixels came back, their way is in the time. */
function decodeWords(cell) {
  const pixels = cell.decode_response_bytes > 10_000 ? `, with ${bytes(cell.decode_response_bytes)} of pixels sent back` : "";
  return `${duration(cell.decode_request_ms)} to send and decode, measured apart${pixels}`;
}

function agreementRows(cell) {
  if (cell.reference_score_change === null || cell.reference_score_change === undefined) return [];
  const change = `${signedPoints(cell.reference_score_change)} points`;
  const overlap = cell.top5_overlap === null ? "" : `, ${percent(cell.top5_overlap)} of the top 5 kept`;
  return [[`Against the ${comparedWith(state.report)}`, `${change} for its top answer${overlap}`]];
}

/** The top 5, each with the original's score as a mark. */
function answers(cell, referenceCell) {
  const before = Object.fromEntries((referenceCell?.top || []).map(({ label, score }) => [label, score]));
  const items = cell.top.map(({ label, score }) => {
    const was = label in before && referenceCell !== cell ? ` (${comparedWith(state.report)} ${percent(before[label])})` : "";
    return el("li", {}, el("span", { className: "answer-label" }, label),
      el("meter", { min: 0, max: 1, value: score, "aria-hidden": "true" }),
      el("span", { className: "num" }, percent(score)), el("span", { className: "muted" }, was));
  });
  return el("ol", { className: "answers", "aria-label": "Top answers" }, ...items);
}

function samples(cell) {
  const words = cell.samples_ms.map((ms) => milliseconds(ms)).join(", ");
  return el("details", {}, el("summary", {}, plural(cell.count, "sample")),
    el("p", { className: "num" }, `${words} ms`));
}

/** The variants before and after in the table's order, so that one can walk through all without closing. */
function neighbours(report, variant) {
  const shown = sortRows(rowsOf(report), columnsOf(report), state.view.sort).map((row) => row.variant);
  const index = shown.indexOf(variant);
  const step = (other, words) =>
    other && el("button", { type: "button", onclick: () => openInspector(other.id) }, `${words}: ${shortName(other)}`);
  return el("div", { className: "buttons" }, step(shown[index - 1], "Previous"),
    step(shown[index + 1], "Next"));
}

const shortName = (variant) => `${variant.size_px} px ${madeAs(variant)}`;
