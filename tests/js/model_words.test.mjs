import assert from "node:assert/strict";
import { test } from "node:test";

import { isOneModel, modelWords } from "../../static/js/setup/plan.js";

const served = (name, model, more = {}) => ({ name, model, state: "ready", protocol: "grpc", ...more });
const EYE = { name: "eye", title: "Eye 2", knows: "1,000 things" };

test("one model is named with what it knows", () => {
  const known = { backends: [served("A", "eye"), served("B", "eye")], model: EYE, detail: "" };
  assert.equal(modelWords(known), "Eye 2: knows 1,000 things");
  assert.ok(isOneModel(known));
});

test("several models are named with who serves them, absent backends and REST twins left out", () => {
  const backends = [
    served("A", "eye"), served("A over REST", "eye", { protocol: "rest" }), served("GPU", "inception", { state: "absent" }),
    served("Mine", "ear", { added_as: "host:8500" }), served("B", "eye"),
  ];
  assert.equal(modelWords({ backends, model: EYE, detail: "" }), "Models: Eye 2 (A, B); ear (Mine)");
  assert.ok(!isOneModel({ backends, model: EYE, detail: "" }));
});

test("a model that every server has, but not the one of the settings, is not called by the settings' name", () => {
  const known = { backends: [served("A", "ear")], model: EYE, detail: "" };
  assert.equal(modelWords(known), "Model: ear");
  assert.ok(!isOneModel(known));
});

test("without backends there is only what to do", () => {
  assert.equal(modelWords({ backends: [], model: EYE, detail: "Set TF_SERVERS." }), "Set TF_SERVERS.");
});
