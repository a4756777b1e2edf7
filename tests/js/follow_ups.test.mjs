import assert from "node:assert/strict";
import { test } from "node:test";

import { endWords, loadWords, missingRepeats, offers as offersOf, pointSentence, progressWords, stepRows } from "../../static/js/run/follow_up_words.js";
import { CONFIG } from "./config.mjs";

const POINT = {
  backend_name: "8 CPU", sentence: "Still a tabby down to 181 px, JPEG q34.", size_bytes: 3100,
  steps: [
    { size_px: 173, quality: 85, size_bytes: 9000, kept: false, label: "lynx, catamount", score: 0.4 },
    { size_px: 1920, quality: 85, size_bytes: 300000, kept: true, label: "tabby, tabby cat", score: 0.7 },
  ],
};
const report = (changes) => ({
  plan: { repeats: 20 }, cells: [{ count: 20 }], state: "done", photo_set: null, breaking_points: [], ...changes,
});
const offers = (made) => offersOf(made, CONFIG);
const kinds = (changes) => offers(report(changes)).map(({ kind }) => kind);

test("a finished run offers what it lacks for a p90, the search and a load test", () => {
  assert.equal(offers(report({}))[0].label, "Measure p90 (44 more repeats)");
  assert.deepEqual(kinds({}), ["repeats", "search", "load"]);
  assert.deepEqual(kinds({ plan: { repeats: 64 } }), ["search", "load"]);
  assert.equal(missingRepeats(report({ plan: { repeats: 100 } }), CONFIG), 0);
});

test("a run that was stopped has cells of different lengths: no repeats are offered", () => {
  assert.deepEqual(kinds({ state: "cancelled" }), ["search", "load"]);
});

test("where nothing can be sent again nothing is offered", () => {
  assert.deepEqual(kinds({ photo_set: {} }), []);
  assert.deepEqual(kinds({ imported: {} }), []);
  assert.deepEqual(kinds({ state: "failed", cells: [{ count: 0 }] }), []);
});

test("cells that failed can be measured again, with twice the time where that may help", () => {
  const cell = (backendName, code) => ({
    backend_name: backendName, count: 0, failures: 20, failure_reasons: code ? [{ code }] : [] });
  const made = report({
    plan: { repeats: 64, timeout_s: 10 },
    cells: [cell("8 CPU", "deadline"), cell("8 CPU", "not_sent"), cell("GPU", "overloaded"), { count: 64, failures: 0 }] });
  const told = offers(made).map(({ label, timeoutS }) => [label, timeoutS]);
  assert.deepEqual(told.slice(0, 2), [["Retry 2 cells on 8 CPU with 20 s", 20], ["Retry 1 cell on GPU", 10]]);
  assert.equal(offers({ ...made, additions: [{ backend_name: "8 CPU", timeout_s: 20 }] })[0].timeoutS, 40);
  assert.deepEqual(offers({ ...made, cells: made.cells.slice(0, 1) }).map(({ kind }) => kind), ["retry"]);
});

test("a longer limit is not offered where nobody is there, only where an answer was late", () => {
  const left = (...codes) => ({ backend_name: "GPU", count: 0, failures: 0, not_sent: 20, failure_reasons: codes.map((code) => ({ code })) });
  const label = (...codes) => offers(report({ plan: { repeats: 64, timeout_s: 60 }, cells: [left(...codes)] }))[0].label;
  assert.equal(label("not_sent", "unreachable"), "Retry 1 cell on GPU");
  assert.equal(label("deadline", "unreachable"), "Retry 1 cell on GPU");
  assert.equal(label("not_sent", "deadline"), "Retry 1 cell on GPU with 120 s");
});

test("a breaking point is shown with the size of its copy", () => {
  assert.equal(pointSentence(POINT), "Still a tabby down to 181 px, JPEG q34. That copy is 3.1 KB.");
  assert.equal(pointSentence({ sentence: "Stopped.", size_bytes: null }), "Stopped.");
  assert.equal(offers(report({ breaking_points: [POINT] }))[1].label, "Find the breaking point again");
});

test("steps are shown from large to small, the answer by its first name", () => {
  assert.deepEqual(stepRows(POINT).map((row) => [row[0], row[3], row[4]]),
    [["1920", "tabby", "✓ kept"], ["173", "lynx", "✕ changed"]]);
});

test("words of progress and of the end", () => {
  assert.equal(progressWords({ kind: "search" }, { done: 7, text: "181 px" }), "Copy 7: 181 px");
  assert.equal(progressWords({ kind: "repeats" }, { done: 7, text: "7 of 44" }), "7 of 44");
  assert.equal(endWords("search", report({ breaking_points: [POINT] })), "8 CPU: Still a tabby down to 181 px, JPEG q34.");
});

test("a load test says which rate it has tried and how long it still takes, beside its own form too", () => {
  const data = { done: 700, text: "512 px JPEG on 8 CPU at 40 requests/s: p50 21 ms", eta_s: 31.2 };
  assert.equal(progressWords({ kind: "load" }, data), "512 px JPEG on 8 CPU at 40 requests/s: p50 21 ms, about 31 s left");
  assert.deepEqual(loadWords({ state: "running", text: "at 40", share: 0.4 }, ""), { text: "at 40", isLive: true, isStopping: false, share: 0.4 });
  assert.equal(loadWords({ state: "stopping", text: "at 40" }, "").isStopping, true);
  assert.deepEqual(loadWords(null, "p99_ms must be a number."), { text: "p99_ms must be a number." });
  const load = [{ backend_name: "8 CPU", sentence: "at most 41 requests/s at p99 ≤ 100 ms" }];
  assert.equal(endWords("load", { load }), "8 CPU: at most 41 requests/s at p99 ≤ 100 ms.");
  assert.equal(offers(report({ load })).at(-1).label, "Measure the capacity again");
});
