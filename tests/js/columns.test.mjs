import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsOf, matches, nextSort, rowsOf, sortRows } from "../../static/js/results/columns.js";
import { CONFIG } from "./config.mjs";

const variant = (id, sizePx) => ({ id, size_px: sizePx, format: "jpeg", quality: 85, size_bytes: sizePx * 10,
  percent_of_original: 1, encode_ms: 1, is_reference: false });
const cell = (variantId, p50, changes = {}) => ({ variant_id: variantId, backend_name: "GPU", count: 20, failures: 0,
  p50_ms: p50, max_ms: p50 * 2, p90_ms: null, validity: "VALID", reasons: [], failure_reasons: [],
  top: [{ label: "tabby, tabby cat", score: 0.71 }], same_top1: true, reference_score: 0.71, correct_top1: null,
  ...changes });
const report = (cells, changes = {}) => ({
  state: "done", plan: { repeats: 20 }, source: { true_label: null }, backends: [{ name: "GPU", state: "ready" }],
  variants: [variant("a", 512), variant("b", 256), variant("c", 128)], cells, ...changes,
});
const CELLS = [cell("a", 30), cell("b", 10), cell("c", null, { count: 0, failures: 20 })];
const textOf = (made, key, row) => columnsOf(made, CONFIG.samples_for).find((column) => column.key === key).text(rowsOf(made)[row]);
const order = (made, sort) => sortRows(rowsOf(made), columnsOf(made, CONFIG.samples_for), sort).map((row) => row.variant.id).join("");

test("rows sort up and down by a backend's p50, and what is unknown comes last either way", () => {
  assert.equal(order(report(CELLS), "p50:GPU"), "bac");
  assert.equal(order(report(CELLS), "-p50:GPU"), "abc");
});

test("an order that makes no sense leaves the rows as measured", () => {
  assert.equal(order(report(CELLS), "p50:no such backend"), "abc");
});

test("a column's head goes up, then down, then back to as measured", () => {
  assert.equal(nextSort("", "size"), "size");
  assert.equal(nextSort("size", "size"), "-size");
  assert.equal(nextSort("-size", "size"), "");
  assert.equal(nextSort("-size", "bytes"), "bytes");
});

test("a cell without answers says that it failed", () => {
  assert.equal(textOf(report(CELLS), "p50:GPU", 2), "failed");
});

test("a backend without a cell is a dash", () => {
  assert.equal(textOf(report([]), "p50:GPU", 0), "–");
});

test("the answer says whether it is the original's", () => {
  const other = cell("b", 10, { same_top1: false, top: [{ label: "tiger cat", score: 0.41 }] });
  const made = report([cell("a", 30), other]);
  assert.equal(textOf(made, "answer:GPU", 0), "✓ tabby 71 %");
  assert.equal(textOf(made, "answer:GPU", 1), "✕ tiger cat 41 %");
});

test("a wide interval is marked, but not while the run still goes on", () => {
  const noisy = [cell("a", 30, { validity: "NOISY" })];
  assert.equal(textOf(report(noisy), "p50:GPU", 0), "30 ≈");
  assert.equal(textOf(report(noisy, { state: "running" }), "p50:GPU", 0), "30");
});

test("p90 takes the place of the slowest where there are enough samples", () => {
  const keys = (made) => columnsOf(made, CONFIG.samples_for).map((column) => column.key);
  assert.ok(keys(report(CELLS)).includes("slowest:GPU"));
  assert.ok(keys(report(CELLS, { plan: { repeats: 64 } })).includes("p90:GPU"));
});

test("correctness is shown only where the true label is known", () => {
  const made = report([cell("a", 30, { correct_top1: false, correct_top5: true })], { source: { true_label: "lynx" } });
  assert.equal(textOf(made, "correct:GPU", 0), "✕ in top 5");
  assert.ok(!columnsOf(report(CELLS), CONFIG.samples_for).some((column) => column.key === "correct:GPU"));
});

test("a backend that is not there takes no column", () => {
  const made = report(CELLS, { backends: [{ name: "GPU", state: "absent" }] });
  assert.deepEqual(columnsOf(made, CONFIG.samples_for).filter((column) => column.group).map((column) => column.key), []);
});

test("a filter looks for every word in what a row is called and answered, not in its numbers", () => {
  const made = report(CELLS);
  const found = (find) => rowsOf(made).filter((row) => matches(row, columnsOf(made, CONFIG.samples_for), find)).map((row) => row.variant.id);
  assert.deepEqual(found(""), ["a", "b", "c"]);
  assert.deepEqual(found("JPEG 256"), ["b"]);
  assert.deepEqual(found("tabby"), ["a", "b", "c"]);
  assert.deepEqual(found("jpeg 60"), []); // the slowest of "a" took 60 ms
});

test("another latency stands beside p50 where it is chosen", () => {
  const heads = (beside) => columnsOf(report(CELLS), CONFIG.samples_for, beside).map((column) => column.key).join();
  assert.match(heads("p99"), /p50:GPU,p99:GPU/);
  assert.match(heads(""), /p50:GPU,slowest:GPU/);
});

test("a capacity stands beside the cells that were put under load, marked where the generator shared the machine", () => {
  const curve = (id, changes) => ({ variant_id: id, backend_name: "GPU", outcome: "found", per_s: 41.3, low_per_s: 39, high_per_s: 43,
    sentence: "at most 41 requests/s", reasons: [], shares_machine: false, validity: "VALID", ...changes });
  const load = [curve("a", {}), curve("b", { shares_machine: true, outcome: "at_least", per_s: 90, high_per_s: null })];
  const made = report(CELLS, { load });
  assert.deepEqual([0, 1, 2].map((row) => textOf(made, "capacity:GPU", row)), ["41 (39 to 43)", "≥ 90 †", "–"]);
  assert.equal(order(made, "-capacity:GPU"), "bac");
  assert.equal(order(made, "capacity:GPU"), "abc");
  const none = { load: [curve("a", { outcome: "not_met", per_s: null, low_per_s: null, high_per_s: null })] };
  assert.equal(textOf(report(CELLS, none), "capacity:GPU", 0), "none");
  const doubtful = { load: [curve("a", { validity: "INVALID" }), curve("b", { validity: "NOISY" })] };
  assert.deepEqual([0, 1].map((row) => textOf(report(CELLS, doubtful), "capacity:GPU", row)), ["41 (39 to 43) ⚠", "41 (39 to 43) ≈"]);
  const column = columnsOf(made, CONFIG.samples_for).find(({ key }) => key === "capacity:GPU");
  assert.match(column.hint(rowsOf(made)[1]), /^At most 41 requests\/s\. † the load generator shared/);
  for (const load of [undefined, []])
    assert.ok(!columnsOf(report(CELLS, { load }), CONFIG.samples_for).some(({ key }) => key.startsWith("capacity")));
});
