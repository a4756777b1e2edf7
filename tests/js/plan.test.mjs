import assert from "node:assert/strict";
import { test } from "node:test";

import * as plans from "../../static/js/setup/plan.js";
import { CONFIG as SERVED } from "./config.mjs";

const CONFIG = {
  ...SERVED,
  plan: { sizes_px: [2048, 1024, 512, 256, 128], formats: ["png", "jpeg"], jpeg_quality: 85, resampler: "lanczos" },
  formats: [
    { key: "png", name: "PNG", media_type: "image/png", axes: [] },
    { key: "jpeg", name: "JPEG", media_type: "image/jpeg", axes: ["jpeg_qualities", "subsamplings"] },
    { key: "webp", name: "WebP", media_type: "image/webp", axes: ["webp_qualities"] },
  ],
  offered: { subsamplings: ["4:4:4", "4:2:0"], resamplers: ["lanczos", "box"] },
};
const PLAN = {
  sizes_px: [512, 256], formats: ["png", "jpeg"], jpeg_qualities: [85], webp_qualities: [80], subsamplings: ["4:2:0"],
  resamplers: ["lanczos"], split_decode: null, repeats: 20, warmups: 3, order: "auto",
  backend_names: null, max_p50_ms: null, max_size_bytes: null,
};
const embedded = (name) => ({ name, protocol: "grpc", embedded: true, state: "ready" });
const remote = (name) => ({ name, protocol: "grpc", embedded: false, state: "ready" });

test("a size larger than the photo can't be chosen and says why", () => {
  const choices = plans.sizeChoices([512, 256], [512], 451);
  assert.deepEqual(choices, [
    { size_px: 512, chosen: true, reason: "Larger than the original (451 px)" },
    { size_px: 256, chosen: false, reason: "" },
  ]);
});

test("a size of one's own stands among the offered ones, largest first", () => {
  assert.deepEqual(plans.sizeChoices([512, 128], [300], null).map((choice) => choice.size_px), [512, 300, 128]);
});

test("a small photo gets the small sizes too", () => {
  const sizes = plans.presetSizes(CONFIG, CONFIG.plan.sizes_px, 451);
  assert.deepEqual(plans.usableSizes(sizes, 451), [256, 128, 64, 32]);
});

test("sizes that a person chose are left alone", () => {
  assert.deepEqual(plans.presetSizes(CONFIG, [64], 451), [64]);
});

test("the original counts as one variant", () => {
  assert.equal(plans.countVariants(PLAN, null, CONFIG), 5);
  assert.equal(plans.countVariants(PLAN, 300, CONFIG), 3);
});

test("variants are the product of the lists that a format has, and filters don't count where nothing is resized", () => {
  const plan = {
    ...PLAN, formats: ["png", "jpeg", "webp"], jpeg_qualities: [95, 50], subsamplings: ["4:4:4", "4:2:0"],
    webp_qualities: [80, 40], resamplers: ["lanczos", "box"],
  };
  assert.equal(plans.countVariants(plan, null, CONFIG), 1 + 2 * 2 * (1 + 4 + 2));
  assert.equal(plans.countVariants(plan, 512, CONFIG), 1 + 3 * (1 + 4 + 2));
});

test("requests that only decode are counted where a backend can be asked for them and tells nothing itself", () => {
  const split = { ...remote("a"), decode_signature: "decode_images", runtime: null };
  const requests = (backend, changes = {}) => plans.estimate({ ...PLAN, ...changes }, null, [backend], {}, CONFIG).requests;
  assert.equal(requests(split), 5 * (23 + 21));
  assert.equal(requests(split, { repeats: 64 }), 5 * (67 + 21));
  assert.equal(requests({ ...split, runtime: "OpenVINO" }), 5 * 23);
  assert.equal(requests(split, { split_decode: false }), 5 * 23);
});

test("a plan of an older report has lists of its single values", () => {
  const lists = plans.withLists({ jpeg_quality: 70, resampler: "box" });
  assert.deepEqual([lists.jpeg_qualities, lists.resamplers, lists.subsamplings], [[70], ["box"], ["4:2:0"]]);
  assert.deepEqual(plans.withLists({ jpeg_quality: 95, jpeg_qualities: [95, 50] }).jpeg_qualities, [95, 50]);
});

test("a format that no backend reads says what they read", () => {
  const reads = ["image/jpeg", "image/png", "image/gif", "image/bmp"];
  const old = { ...remote("old"), reads };
  const newer = { ...remote("new"), reads: [...reads, "image/webp"] };
  const words = { webp: "This model reads JPEG, PNG, GIF and BMP." };
  assert.deepEqual(plans.unusableFormats(CONFIG.formats, [old]), words);
  assert.deepEqual(plans.unusableFormats(CONFIG.formats, [old, newer]), {});
  assert.deepEqual(plans.unusableFormats(CONFIG.formats, [old, { ...remote("not asked"), reads: null }]), {});
  assert.deepEqual(plans.unusableFormats(CONFIG.formats, [old, { name: "away", state: "down", reads: null }]), words);
});

test("a format that the server can't write says why", () => {
  const formats = [...CONFIG.formats, { key: "avif", name: "AVIF", media_type: "image/avif", axes: [], why_not: "No encoder." }];
  assert.deepEqual(plans.unusableFormats(formats, []), { avif: "No encoder." });
  assert.deepEqual(plans.unusableFormats(CONFIG.formats, []), {});
});

test("a format that only some backends read is named with those that don't", () => {
  const asked = [{ ...remote("old"), reads: ["image/jpeg"] }, { ...remote("new"), reads: ["image/jpeg", "image/webp"] }];
  const words = plans.partlyUnread({ ...PLAN, formats: ["jpeg", "webp"] }, CONFIG.formats, asked);
  assert.deepEqual(words, ["old can't read WebP: those variants will not be sent there."]);
});

test("an axis without a value stands against running, unless its format is not chosen", () => {
  assert.deepEqual(plans.planProblems({ ...PLAN, jpeg_qualities: [], webp_qualities: [] }, null, CONFIG),
    ["Choose at least one JPEG quality."]);
  assert.deepEqual(plans.planProblems({ ...PLAN, resamplers: [] }, null, CONFIG), ["Choose at least one resize filter."]);
});

test("only a run of several qualities has a figure of them", () => {
  assert.ok(!plans.triesQualities(PLAN));
  assert.ok(!plans.triesQualities({ ...PLAN, webp_qualities: [80, 40] })); // WebP is not chosen
  assert.ok(plans.triesQualities({ ...PLAN, jpeg_qualities: [85, 50] }));
});

test("a server that is offered over REST too is asked once, unless it is named", () => {
  const backends = [remote("GPU"), { ...remote("GPU over REST"), protocol: "rest" }];
  assert.deepEqual(plans.askedBackends(backends, null).map((each) => each.name), ["GPU"]);
  assert.deepEqual(plans.askedBackends(backends, ["GPU over REST"]).map((each) => each.name), ["GPU over REST"]);
});

test("a model of numbers gets no photo, even if it is named", () => {
  const backends = [{ ...remote("MNIST"), state: "wrong_signature" }, { ...remote("CPU"), state: "down" }];
  assert.deepEqual(plans.askedBackends(backends, null).map((each) => each.name), ["CPU"]);
  assert.deepEqual(plans.askedBackends(backends, ["MNIST", "CPU"]).map((each) => each.name), ["CPU"]);
  assert.deepEqual(plans.askedBackends(backends, ["MNIST"]), []);
});

test("backends side by side take as long as the slowest, embedded ones add up", () => {
  const pace = { a: 100, b: 300 }; // five variants, twenty repeats and three warm-ups: 115 requests to each
  assert.equal(plans.estimate(PLAN, null, [remote("a"), remote("b")], pace, CONFIG).seconds, 34.5);
  assert.equal(plans.estimate(PLAN, null, [embedded("a"), embedded("b")], pace, CONFIG).seconds, 46);
  assert.equal(plans.estimate(PLAN, null, [remote("a"), remote("b")], pace, CONFIG).requests, 230);
});

test("the pace of a run is the mean of its samples", () => {
  const report = {
    backends: [{ name: "a" }, { name: "b" }],
    cells: [{ backend_name: "a", samples_ms: [10, 20] }, { backend_name: "a", samples_ms: [30] },
      { backend_name: "b", samples_ms: [] }],
  };
  assert.deepEqual(plans.paceOf(report), { a: 20 });
});

test("every problem of a plan is named at once", () => {
  const bad = { ...PLAN, sizes_px: [], formats: [], resamplers: [], repeats: 0, max_p50_ms: -1 };
  assert.equal(plans.planProblems(bad, null, CONFIG).length, 5);
  assert.deepEqual(plans.planProblems(PLAN, null, CONFIG), []);
});

test("a margin lies between 0 and 100 points, where the answer has to stay", () => {
  const problem = (margin_points, keep_top1 = true) => plans.fieldProblems({ ...PLAN, keep_top1, margin_points }, CONFIG.ranges).margin_points;
  for (const fine of [null, 0, 5, 100]) assert.equal(problem(fine), undefined);
  for (const bad of [-1, 100.1, NaN]) assert.match(problem(bad), /from 0 to 100/);
  assert.equal(problem(NaN, false), undefined);
});

test("goals are what the server takes, and a field says which numbers those are", () => {
  const isGoal = (key, ...goals) => goals.map((goal) => plans.isGoal(key, goal, CONFIG.ranges));
  assert.deepEqual(isGoal("max_p50_ms", 0, 0.5, 1e6, 1e6 + 1, NaN), [false, true, true, false, false]);
  assert.deepEqual(isGoal("max_size_bytes", 0, 1, 1.5, 1e9, 1e9 + 1), [false, true, false, true, false]);
  assert.deepEqual(isGoal("margin_points", -1, 0, 0.5, 100, 101), [false, true, true, true, false]);
  const bad = { ...PLAN, repeats: 0, warmups: 500, max_p50_ms: 0, max_size_bytes: 0 };
  assert.deepEqual(Object.values(plans.fieldProblems(bad, CONFIG.ranges)), [
    "Repeats must be a whole number from 1 to 1000.", "Warm-up requests must be a whole number from 0 to 100.",
    "The p50 goal must be above 0 and at most 1,000,000 ms.",
    "The size goal must be from 0.001 to 1,000,000 KB.",
  ]);
});

test("the usual margin depends on what is chosen", () => {
  const margins = { photo: 5, labelled: 1, unlabelled: 4 };
  const of = (photo) => plans.usualMargin(margins, photo);
  assert.deepEqual([of(null), of({ set: null }), of({ set: { count: null } })], ["5", "5", "1 or 4"]);
  assert.deepEqual(["csv", "folders", "none"].map((labels) => of({ set: { count: 3 }, labels })), ["1", "1", "4"]);
});

test("a photo smaller than all chosen sizes is said so", () => {
  assert.match(plans.planProblems(PLAN, 100, CONFIG)[0], /larger than the photo \(100 px\)/);
});

test("a photo below the smallest size is not told to choose a smaller size, which there is not", () => {
  assert.match(plans.planProblems(PLAN, 1, CONFIG)[0], /smaller \(1 px\) than the smallest size .* Choose a larger photo/);
  assert.equal(plans.planWords(PLAN, PLAN.sizes_px), "PNG, JPEG q85 · 20 repeats");
});

test("an address prepares a plan, and what makes no sense in it is left out", () => {
  const query = new URLSearchParams("sizes=1024,abc,512&fmt=jpeg,exe&q=900,50&repeat=30&filter=box,magic&sub=no");
  const plan = plans.planFromQuery(query, PLAN, CONFIG);
  assert.deepEqual([plan.sizes_px, plan.formats, plan.jpeg_qualities, plan.repeats], [[1024, 512], ["jpeg"], [50], 30]);
  assert.deepEqual([plan.resamplers, plan.subsamplings], [["box"], ["4:2:0"]]);
});

test("one variant on one backend is not called many", () => {
  assert.equal(plans.runLabel(1, 1), "Run 1 variant × 1 backend");
  assert.equal(plans.runLabel(10, 3), "Run 10 variants × 3 backends");
});

test("what was skipped is not told as tried", () => {
  assert.equal(plans.planWords(PLAN, [512]), "256 px · PNG, JPEG q85 · 20 repeats");
  assert.equal(plans.planWords({ ...PLAN, jpeg_qualities: [95, 50], resamplers: ["box"] }, [512]),
    "256 px · PNG, JPEG q95, JPEG q50 · box · 20 repeats");
});

test("a problem of a field is told with the key that the field fills", () => {
  assert.deepEqual(Object.keys(plans.fieldProblems({ ...PLAN, warmups: 500, max_size_bytes: -1000 }, CONFIG.ranges)),
    ["warmups", "max_size_bytes"]);
  assert.deepEqual(plans.fieldProblems(PLAN, CONFIG.ranges), {});
});

test("a true label is known by any of its synonyms, whatever its case", () => {
  const known = ["Egyptian cat", "tiger cat, Felis tigrina"];
  assert.ok(plans.isKnownLabel("egyptian_cat", known));
  assert.ok(plans.isKnownLabel("felis tigrina", known));
  assert.ok(!plans.isKnownLabel("cat", known));
});

test("nothing is said about a true label where the model's labels are not known or none is given", () => {
  assert.ok(plans.isKnownLabel("cat", []));
  assert.ok(plans.isKnownLabel("", ["tabby"]));
});

test("backends that are down are not counted as answering, those that load are", () => {
  const backends = ["ready", "loading", "down", "wrong_model"].map((state) => ({ state }));
  assert.deepEqual(plans.answeringBackends(backends).map((backend) => backend.state), ["ready", "loading"]);
});

test("what a set takes is said as the most, for copies larger than their photo are skipped", () => {
  assert.equal(plans.estimateWords({ requests: 726, seconds: 18.4 }, true), "Up to 726 requests, at most about 18 s");
  assert.equal(plans.estimateWords({ requests: 1426, seconds: 36 }, false), "1,426 requests, about 36 s, longer on a busy machine");
});

test("a label with a slip of the pen leads to those that may be meant, the nearest first", () => {
  const known = ["tabby, tabby cat", "Egyptian cat", "tiger cat", "tub"];
  assert.deepEqual(plans.likeliestLabels("tabbby", known), ["tabby"]);
  assert.deepEqual(plans.likeliestLabels("Egyptian_cats", known), ["Egyptian cat"]);
  assert.deepEqual(plans.likeliestLabels("aeroplane", known), []);
  assert.deepEqual(plans.likeliestLabels("x", known), []);
});

test("a link from another version says all that it asks for and that is not known here", () => {
  const words = (query) => plans.unknownInQuery(new URLSearchParams(query), /** @type {any} */ ({ ...CONFIG, browser: { engines: ["pica"] } }));
  assert.equal(words("sizes=512&fmt=jpeg&q=80&repeat=20&resize=both&copies=client"), "");
  const told = words("sizes=512,9&fmt=jxl&q=900&repeat=5000&resize=edge&copies=cdn");
  for (const part of ["size 9", "format jxl", "JPEG quality 900", "5000 repeats", "resize edge", "copies cdn"]) assert.ok(told.includes(part), told);
});
