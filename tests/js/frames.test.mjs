import assert from "node:assert/strict";
import test from "node:test";

import {
  answerWords, framesOf, makingsOf, NOTHING_LIVE, shownMaking, spokenWords,
} from "../../static/js/pictures/frames.js";

const ORIGINAL = { id: "original", size_px: 451, format: "png", quality: null, size_bytes: 235_000, is_reference: true };
const variant = (size_px, format = "jpeg", quality = 85) =>
  ({ id: `${size_px}-${format}-${quality}`, size_px, format, quality, size_bytes: 34 * size_px, is_reference: false });
const cell = (variant_id, label, same_top1, backend_name = "1 CPU", score = 0.51) =>
  ({ variant_id, backend_name, top: [{ label, score }], same_top1, failures: 0, count: 5 });
const step = (size_px, quality, kept, label = kept ? "Egyptian cat" : "golf ball") =>
  ({ size_px, quality, kept, label, score: 0.4, size_bytes: 900 });

const REPORT = {
  variants: [ORIGINAL, variant(256), variant(128), variant(64), { ...variant(256, "png", null), id: "256-png" }],
  cells: [
    cell("original", "Egyptian cat", null), cell("256-jpeg-85", "Egyptian cat", true),
    cell("128-jpeg-85", "Egyptian cat, cat", true), cell("64-jpeg-85", "golden retriever", false),
    cell("128-jpeg-85", "tabby", false, "8 CPU"), cell("256-png", "Egyptian cat", true),
  ],
  recommendation: { variant_id: "128-jpeg-85", backend_name: "1 CPU" },
  breaking_points: [],
};
const keysOf = (frames) => frames.map(({ key }) => key);

test("the strip goes from the original down, in the recommended way of making", () => {
  assert.deepEqual(makingsOf(REPORT.variants), ["JPEG q85", "PNG"]);
  const making = shownMaking(REPORT.variants, ["", "128-jpeg-85"]);
  assert.deepEqual(keysOf(framesOf(REPORT, making)), ["original", "256-jpeg-85", "128-jpeg-85", "64-jpeg-85"]);
  assert.deepEqual(keysOf(framesOf(REPORT, "PNG")), ["original", "256-png"]);
});

test("a variant that is chosen elsewhere brings its own way of making", () => {
  assert.equal(shownMaking(REPORT.variants, ["256-png", "128-jpeg-85"]), "PNG");
  assert.equal(shownMaking(REPORT.variants, ["gone", "original"]), "JPEG q85");
  assert.equal(shownMaking([], ["gone"]), "");
});

test("the first frame with another answer is where the answer changes", () => {
  const frames = framesOf(REPORT, "JPEG q85");
  assert.deepEqual(frames.map(({ flips }) => flips), [false, false, false, true]);
  assert.deepEqual(frames.map(({ picked }) => picked), [false, false, true, false]);
});

test("a frame says all that it shows", () => {
  const words = framesOf(REPORT, "JPEG q85").map((frame) => spokenWords(frame, true));
  assert.equal(words[0], "Original (451 px PNG), 235 KB, Egyptian cat 51 %");
  assert.equal(words[2], "128 px JPEG q85, 4.4 KB, Egyptian cat 51 %, answer kept, differs on 8 CPU, recommended");
  assert.equal(words[3], "64 px JPEG q85, 2.2 KB, golden retriever 51 %, answer changes here");
});

test("steps of the search stand where the answer changes and below the plan's sizes, in the order of their sizes", () => {
  const steps = [step(225, 85, true), step(56, 85, false), step(96, 85, true), step(80, 85, false), step(16, 85, false)];
  const found = { ...REPORT, breaking_points: [{ backend_name: "1 CPU", steps }] };
  const frames = framesOf(found, "JPEG q85");
  assert.deepEqual(keysOf(frames), ["original", "256-jpeg-85", "128-jpeg-85", "step-96-85", "step-80-85", "64-jpeg-85",
    "step-56-85", "step-16-85"]);
  assert.deepEqual(frames.filter(({ flips }) => flips).map(({ key }) => key), ["step-80-85"]);
});

test("of many qualities of one size the best is shown, and the worst that keeps the answer", () => {
  const steps = [step(31, 85, true), step(31, 40, false), step(31, 79, true), step(31, 82, true), step(30, 85, false)];
  const found = { ...REPORT, breaking_points: [{ backend_name: "1 CPU", steps }] };
  assert.deepEqual(keysOf(framesOf(found, "JPEG q85")).slice(4), ["step-31-85", "step-31-79", "step-30-85"]);
});

test("an answer that comes back further down is followed by a second change", () => {
  const steps = [step(40, 85, true), step(24, 85, false)];
  const found = { ...REPORT, breaking_points: [{ backend_name: "1 CPU", steps }] };
  assert.deepEqual(framesOf(found, "JPEG q85").map(({ flips }) => flips), [false, false, false, true, false, true]);
});

test("while a search goes on its steps appear, those of the recommended backend", () => {
  const live = { ...NOTHING_LIVE, steps: [
    { backend_name: "8 CPU", step: step(40, 85, false) }, { backend_name: "1 CPU", step: step(32, 85, true) },
  ] };
  assert.deepEqual(keysOf(framesOf(REPORT, "JPEG q85", live)).slice(4), ["step-32-85"]);
});

test("while variants are made the frames of planned sizes keep their places", () => {
  const plan = { sizes_px: [1024, 256, 128] };
  const source = { width_px: 451, height_px: 300, media_type: "image/png", original: null };
  const begun = { ...REPORT, state: "running", plan, skipped_sizes_px: [1024], variants: [ORIGINAL], cells: [], source };
  const frames = framesOf(begun, "JPEG q85", { variants: [variant(256)], steps: [] });
  assert.deepEqual(keysOf(frames), ["original", "256-jpeg-85", "planned-128"]);
  assert.deepEqual(frames.map(({ slot }) => slot), ["reference", "size-256", "size-128"]);
  assert.equal(spokenWords(frames[2], false), "128 px JPEG q85, not made yet, no answer yet");
  const first = framesOf({ ...begun, variants: [] }, "");
  assert.deepEqual(first.map(({ slot }) => slot), ["reference", "size-256", "size-128"]);
  assert.equal(spokenWords(first[0], false), "Original (451 px PNG), not made yet, no answer yet");
  assert.deepEqual(framesOf({ ...begun, state: "cancelled" }, "JPEG q85").length, 1);
});

test("a frame without an answer says why", () => {
  const failed = { ...cell("256-jpeg-85", "", null), top: [], failures: 3, count: 0 };
  const frames = framesOf({ ...REPORT, cells: [failed] }, "JPEG q85");
  assert.deepEqual(frames.map((frame) => answerWords(frame, true)), ["not asked", "no answer", "not asked", "not asked"]);
  assert.equal(answerWords(frames[0], false), "…");
});
