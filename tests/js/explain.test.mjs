import assert from "node:assert/strict";
import { test } from "node:test";

import { methodWords, problemWords } from "../../static/js/results/explain.js";

const REPORT = {
  cells: [{ backend_name: "GPU", failures: 20, failure_reasons: [{ code: "deadline", message: "GPU: too late." }] }],
  warnings: [{ code: "W6", message: "Sizes were skipped." }, { code: "W10", message: "All 20 requests to GPU failed: too late." }],
  failure: { code: "worker_died", message: "The process ended." },
};

test("what stopped the run comes first, then the warnings, and no failure is told twice", () => {
  assert.deepEqual(problemWords(REPORT).map((each) => each.who || each.message),
    ["The run failed", "Sizes were skipped.", "All 20 requests to GPU failed: too late."]);
});

test("the goals of one photo are told, with the margin that holds", () => {
  const plan = { warmups: 3, repeats: 20, seed: 7, order: "auto", keep_top1: true, margin_points: null };
  const words = (changes, trueLabel = null) =>
    methodWords({ plan: { ...plan, ...changes }, cells: [], source: { true_label: trueLabel } }, 5).join(" ");
  assert.match(words({}), /top answer must stay, and its probability may fall by at most 5 points\./);
  assert.match(words({ margin_points: 0 }), /at most 0 points/);
  assert.match(words({ margin_points: 1 }, "tabby"), /must be the true label, and its probability may fall by at most 1 point\./);
  assert.match(words({ keep_top1: false }), /The answer was allowed to change\./);
});

test("a set's margin is told in points, or that there is none", () => {
  const plan = { warmups: 0, repeats: 1, seed: 7, order: "auto", keep_top1: true, margin_points: null };
  const words = (changes, margin) => methodWords({ plan: { ...plan, ...changes }, cells: [], source: { true_label: null },
    photo_set: { count: 2, measured: 2, labelled: 2, margin_points: margin } }, 5).join(" ");
  assert.match(words({}, 1), /that it loses less than 1 point\./);
  assert.match(words({}, 2.5), /that it loses less than 2\.5 points\./);
  assert.match(words({ keep_top1: false }, 1), /the answer was allowed to change\./);
  assert.doesNotMatch(words({ keep_top1: false }, 1), /loses less/);
});

test("the word accuracy needs a true label", () => {
  const report = (trueLabel) => ({ plan: { warmups: 3, repeats: 20, seed: 7, order: "auto" }, cells: [],
    source: { true_label: trueLabel, notes: [] } });
  assert.match(methodWords(report(null)).join(" "), /agreement, not accuracy/);
  assert.match(methodWords(report("tabby")).join(" "), /Accuracy compares with the true label, tabby/);
});
