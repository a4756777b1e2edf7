import assert from "node:assert/strict";
import { test } from "node:test";

import { canClassify, classifyCommand } from "../../static/js/results/use_api.js";

test("the command names the run and the goals that it is judged by, and survives a shell", () => {
  assert.equal(classifyCommand("http://pc:30501/a'b", "12ab", "", false), "curl -F file=@photo.jpg 'http://pc:30501/a%27b/api/classify?run=12ab'");
  assert.ok(classifyCommand("", "1", "max_p50_ms=20", false).endsWith("?run=1&max_p50_ms=20'"));
});

test("the command sends the token that the server asks for, from the environment", () => {
  assert.equal(
    classifyCommand("http://pc", "1", "", true),
    `curl -H "Authorization: Bearer $PIXELCOST_TOKEN" -F file=@photo.jpg 'http://pc/api/classify?run=1'`);
});

test("it is offered when the run has ended and recommends what the server can make", () => {
  const report = (changes, variant = {}) => /** @type {any} */ ({
    state: "done", recommendation: { variant_id: "a" }, variants: [{ id: "a", made_in: "server", ...variant }], ...changes,
  });
  assert.ok(canClassify(report({})));
  assert.ok(!canClassify(report({ state: "running" })));
  assert.ok(!canClassify(report({ recommendation: { variant_id: null } })));
  assert.ok(!canClassify(report({}, { made_in: "browser" })));
});
