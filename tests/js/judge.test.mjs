// The matrix judges as the server does: the same times where copies are made elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";

import { judge, latencyOf } from "../../static/js/matrix/judge.js";

const original = { id: "original", is_reference: true, made_in: "server", size_bytes: 900_000, encode_ms: null, decode_ms: 9 };
const copy = { id: "512-jpeg-85", is_reference: false, made_in: "server", size_bytes: 100_000, decode_ms: 10, resize_ms: 20, encode_ms: 30 };
const cell = (id, p50) => ({ variant_id: id, backend_name: "8 CPU", count: 20, failures: 0, p50_ms: p50, same_top1: true, reference_score_change: 0 });
const report = {
  source: { size_bytes: 1_000_000 }, plan: { uplink_mbit_s: 10 }, variants: [original, copy],
  cells: [cell("original", 68), cell("512-jpeg-85", 30)],
};
const times = (copies, of = report) => of.variants.map((variant, nth) => latencyOf(of, variant, of.cells[nth], copies));

test("a time is that of experiment/copies.py", () => {
  assert.deepEqual(times("in_advance"), [68, 30]);
  assert.deepEqual(times("per_request"), [68, 90]);
  assert.deepEqual(times("client"), [868, 170]); // 1 MB at 10 Mbit/s are 800 ms, 100 KB are 80
  assert.deepEqual(times("client", { ...report, plan: {} }), [868, 170]);
});

test("an original that had to be encoded costs its making, and what is not known is not guessed", () => {
  const again = { ...report, variants: [{ ...original, encode_ms: 7 }, { ...copy, encode_ms: null }] };
  assert.deepEqual(times("per_request", again), [84, null]);
  assert.deepEqual(times("in_advance", again), [68, 30]);
});

test("a goal of time is held against the whole time", () => {
  const goals = { keep_top1: true, max_p50_ms: 80, max_size_bytes: null };
  const meets = (copies, of = report) => judge(of, goals, { photo: 5 }, copies).map((each) => each.meets);
  assert.deepEqual(meets("in_advance"), [true, true]);
  assert.deepEqual(meets("per_request"), [true, false]);
  const browser = { ...copy, id: "pica", made_in: "browser", encode_ms: 1 };
  const both = { ...report, variants: [original, copy, browser], cells: [...report.cells, cell("pica", 30)] };
  assert.deepEqual(meets("per_request", both), [true, false, false]);
  assert.deepEqual(judge(both, { ...goals, max_p50_ms: null }, { photo: 5 }, "client").map((each) => each.meets), [true, false, true]);
});
