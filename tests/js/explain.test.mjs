import assert from "node:assert/strict";
import { test } from "node:test";

import { failureGroups, methodWords, problemWords } from "../../static/js/explain.js";

const failed = (backendName, code, failures) => ({
  backend_name: backendName, failures, failure_reasons: [{ code, message: `${backendName}: ${code}.` }],
});
const REPORT = {
  cells: [failed("GPU", "deadline", 20), failed("GPU", "deadline", 3), failed("CPU", "unreachable", 1),
    { backend_name: "CPU", failures: 0, failure_reasons: [] }],
  warnings: [{ code: "W6", message: "Sizes were skipped." }],
  failure: { code: "worker_died", message: "The process ended." },
};

test("failures are told once for each backend and cause", () => {
  assert.deepEqual(failureGroups(REPORT), [
    { backend_name: "GPU", message: "GPU: deadline.", requests: 23, cells: 2 },
    { backend_name: "CPU", message: "CPU: unreachable.", requests: 1, cells: 1 },
  ]);
});

test("what stopped the run comes first, then failures, then warnings", () => {
  assert.deepEqual(problemWords(REPORT).map((each) => each.who || each.message),
    ["The run failed", "GPU", "CPU", "Sizes were skipped."]);
});

test("the word accuracy needs a true label", () => {
  const report = (trueLabel) => ({ plan: { warmups: 3, repeats: 20, seed: 7, order: "auto" }, cells: [],
    source: { true_label: trueLabel, notes: [] } });
  assert.match(methodWords(report(null)).join(" "), /agreement, not accuracy/);
  assert.match(methodWords(report("tabby")).join(" "), /Accuracy compares with the true label, tabby/);
});
