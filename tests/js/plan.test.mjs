import assert from "node:assert/strict";
import { test } from "node:test";

import * as plans from "../../static/js/plan.js";

const OFFERED = [2048, 1024, 512, 256, 128, 64, 32];
const CONFIG = { plan: { sizes_px: [2048, 1024, 512, 256, 128], formats: ["png", "jpeg"] }, offered_sizes_px: OFFERED };
const PLAN = {
  sizes_px: [512, 256], formats: ["png", "jpeg"], jpeg_quality: 85, repeats: 20, warmups: 3, order: "auto",
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
  assert.equal(plans.countVariants(PLAN, null), 5);
  assert.equal(plans.countVariants(PLAN, 300), 3);
});

test("a server that is offered over REST too is asked once, unless it is named", () => {
  const backends = [remote("GPU"), { ...remote("GPU over REST"), protocol: "rest" }];
  assert.deepEqual(plans.askedBackends(backends, null).map((each) => each.name), ["GPU"]);
  assert.deepEqual(plans.askedBackends(backends, ["GPU over REST"]).map((each) => each.name), ["GPU over REST"]);
});

test("backends side by side take as long as the slowest, embedded ones add up", () => {
  const pace = { a: 100, b: 300 }; // five variants, twenty repeats and three warm-ups: 115 requests to each
  assert.equal(plans.estimate(PLAN, null, [remote("a"), remote("b")], pace).seconds, 34.5);
  assert.equal(plans.estimate(PLAN, null, [embedded("a"), embedded("b")], pace).seconds, 46);
  assert.equal(plans.estimate(PLAN, null, [remote("a"), remote("b")], pace).requests, 230);
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
  const bad = { ...PLAN, sizes_px: [], formats: [], jpeg_quality: NaN, repeats: 0, max_p50_ms: -1 };
  assert.equal(plans.planProblems(bad, null).length, 5);
  assert.deepEqual(plans.planProblems(PLAN, null), []);
});

test("a photo smaller than all chosen sizes is said so", () => {
  assert.match(plans.planProblems(PLAN, 100)[0], /larger than the photo \(100 px\)/);
});

test("an address prepares a plan, and what makes no sense in it is left out", () => {
  const query = new URLSearchParams("sizes=1024,abc,512&fmt=jpeg,exe&q=900&repeat=30");
  const plan = plans.planFromQuery(query, PLAN, ["png", "jpeg"]);
  assert.deepEqual([plan.sizes_px, plan.formats, plan.jpeg_quality, plan.repeats], [[1024, 512], ["jpeg"], 85, 30]);
});

test("one variant on one backend is not called many", () => {
  assert.equal(plans.runLabel(1, 1), "Run 1 variant × 1 backend");
  assert.equal(plans.runLabel(10, 3), "Run 10 variants × 3 backends");
});

test("what was skipped is not told as tried", () => {
  assert.equal(plans.planWords(PLAN, [512]), "256 px · PNG, JPEG q85 · 20 repeats");
});

test("a problem of a field is told with the key that the field fills", () => {
  assert.deepEqual(Object.keys(plans.fieldProblems({ ...PLAN, jpeg_quality: 500, max_size_bytes: -1000 })),
    ["jpeg_quality", "max_size_bytes"]);
  assert.deepEqual(plans.fieldProblems(PLAN), {});
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
