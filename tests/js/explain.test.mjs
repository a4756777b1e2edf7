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

test("the method is read as the report has it; one that was saved without has none", () => {
  const method = [{ term: "Latency", text: "The whole request." }, { term: "p50", text: "The median." }];
  assert.deepEqual(methodWords({ method }), ["Latency: The whole request.", "p50: The median."]);
  assert.deepEqual(methodWords({}), []);
});
