import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../static/js/format.js";

test("a number keeps as many digits as it can vouch for", () => {
  assert.deepEqual([0.4, 0.994, 0.996, 7.234, 9.96, 41.3, 1234].map(format.number),
    ["0.40", "0.99", "1.0", "7.2", "10", "41", "1,234"]);
});

test("unknown is a dash, never a zero", () => {
  assert.equal(format.milliseconds(null), "–");
  assert.equal(format.duration(undefined), "–");
  assert.equal(format.bytes(null), "–");
  assert.equal(format.percent(null), "–");
});

test("bytes are told in decimal units", () => {
  assert.deepEqual([812, 9215, 306_000, 999_600, 2_470_000].map(format.bytes),
    ["812 B", "9.2 KB", "306 KB", "1.0 MB", "2.5 MB"]);
});

test("a small probability is not called nothing", () => {
  assert.deepEqual([0, 0.004, 0.714, 1].map(format.percent), ["0 %", "< 1 %", "71 %", "100 %"]);
});

test("a wait is told in seconds, then in minutes, then in hours", () => {
  assert.deepEqual([0.2, 9.4, 89, 351, 7000].map(format.seconds), ["1 s", "9 s", "89 s", "6 min", "2 h"]);
});

test("points carry their sign, and nothing is neither more nor less", () => {
  assert.deepEqual([2.34, -3.21, -0.04].map(format.signedPoints), ["+2.3", "−3.2", "0.0"]);
});

test("a variant is called by its size and format, and the original says that it is one", () => {
  assert.equal(format.variantName({ size_px: 512, format: "jpeg" }), "512 px JPEG");
  assert.equal(format.variantName({ size_px: 451, format: "png", is_reference: true }), "Original (451 px PNG)");
});

test("the server's own words about a run come before ours", () => {
  const run = { state: "running", done: 4, planned: 10, failed: 0, text: "Warming up GPU" };
  assert.equal(format.progressText(run), "Warming up GPU");
  assert.equal(format.progressText({ ...run, text: "" }), "4 of 10");
});

test("an upload says how much of it has gone", () => {
  const run = { state: "uploading", sent_bytes: 3_200_000, total_bytes: 8_000_000, done: 0, planned: 0, text: "" };
  assert.equal(format.progressText(run), "Uploading 3.2 of 8.0 MB");
});

test("a stopped run says what it kept", () => {
  const run = { state: "cancelled", done: 412, planned: 690, failed: 0, text: "" };
  assert.equal(format.progressText(run), "Stopped after 412 of 690 requests. The results so far are kept.");
});

test("a run stopped before its first request promises no results", () => {
  const run = { state: "cancelled", done: 0, planned: 690, failed: 0, text: "The results so far are kept." };
  assert.equal(format.progressText(run), "Stopped before the first request. Nothing was measured.");
});

test("failures are told with the end of a run", () => {
  const run = { state: "done", done: 126, planned: 126, failed: 63, text: "Done in 3 s. 126 requests, 63 failed." };
  assert.equal(format.progressText(run), "Done with failures. 126 requests, 63 failed.");
});

test("what computes is told as far as the server told it", () => {
  assert.equal(format.runtimeWords({ runtime: null, precision: "f32" }), "");
  assert.equal(format.runtimeWords({ runtime: "OpenVINO 2026.4.1", precision: "bf16", replicas: 1 }),
    "OpenVINO 2026.4.1, bf16");
  assert.equal(format.runtimeWords({
    runtime: "PyTorch 2.13.0", precision: "f32", isa: "avx2", replicas: 2,
    device_name: "NVIDIA H200", device_memory_bytes: 141 * 2 ** 30,
  }), "PyTorch 2.13.0, f32, avx2, 2 replicas, NVIDIA H200, 141 GiB");
});

test("numbers are read as people type them", () => {
  assert.deepEqual(["0.35", "0,35", " 2 ", ".5", "3."].map(format.typedNumber), [0.35, 0.35, 2, 0.5, 3]);
  assert.deepEqual(["", "dear", "-1", "1e3", "1 000", "0x10", "."].map(format.typedNumber), Array(7).fill(null));
});

test("a number that may be left out is null when it is, and NaN when it is not a number", () => {
  assert.deepEqual(["", " ", "0,5", "1e3", "-1"].map(format.optionalNumber), [null, null, 0.5, NaN, NaN]);
});

test("the first sentence ends at its own full stop, not at one within a number", () => {
  assert.equal(format.firstSentence("It costs 0.05 for 1,000. Above 80 it pays."), "It costs 0.05 for 1,000.");
  assert.equal(format.firstSentence("Nothing yet"), "Nothing yet");
});
