import assert from "node:assert/strict";
import { test } from "node:test";

import {
  computingQuery, firstSentence, priceFrom, typedNumber, typedPrices, uplinkFrom, withChoices,
} from "../../static/js/decide/choices.js";

const query = (text) => new URLSearchParams(text);

test("numbers are read as people type them", () => {
  assert.deepEqual(["0.35", "0,35", " 2 ", ".5", "3."].map(typedNumber), [0.35, 0.35, 2, 0.5, 3]);
  assert.deepEqual(["", "dear", "-1", "1e3", "1 000", "0x10", "."].map(typedNumber), Array(7).fill(null));
});

test("a price may be 0 and must be below the server's limit", () => {
  assert.deepEqual(["0", "999999", "1000000", "x"].map(priceFrom), [0, 999999, null, null]);
});

test("an uplink is a number within the server's limits", () => {
  assert.deepEqual(["22", "0,5", "0.001", "100001", "fast"].map(uplinkFrom), ["22", "0.5", "", "", ""]);
});

test("the address outranks what is remembered, and only backends of the run count", () => {
  const names = ["1 CPU", "a:b"];
  assert.deepEqual(typedPrices(query("price=1+CPU:0.05&price=a:b:2&price=TPU:1&price=1+CPU2"), { "1 CPU": 9 }, names),
    { "1 CPU": 0.05, "a:b": 2 });
  assert.deepEqual(typedPrices(query(""), { "1 CPU": 9, TPU: 1 }, names), { "1 CPU": 9 });
  assert.deepEqual(typedPrices(query(""), null, names), {});
});

test("what a browser remembered wrongly is forgotten", () => {
  assert.deepEqual(typedPrices(query(""), { "1 CPU": "9", GPU: -1 }, ["1 CPU", "GPU"]), {});
});

test("the computing route gets theme, uplink and one price for each backend", () => {
  assert.equal(computingQuery("dark", { "1 CPU": 0.05, GPU: 2 }, "3g"),
    "theme=dark&uplink=3g&price=1+CPU%3A0.05&price=GPU%3A2");
  assert.equal(computingQuery("light", {}, ""), "theme=light");
});

test("choices change their own part of the address and nothing else", () => {
  const before = "?sort=bytes&price=GPU:9&uplink=3g";
  assert.equal(withChoices(before, { prices: { GPU: 2 } }), "sort=bytes&uplink=3g&price=GPU%3A2");
  assert.equal(withChoices(before, { prices: {} }), "sort=bytes&uplink=3g");
  assert.equal(withChoices(before, { compare: "r1" }), "sort=bytes&price=GPU%3A9&uplink=3g&compare=r1");
  assert.equal(withChoices("?compare=r1", { compare: "" }), "");
});

test("the first sentence ends at its own full stop, not at one within a number", () => {
  assert.equal(firstSentence("It costs 0.05 for 1,000. Above 80 it pays."), "It costs 0.05 for 1,000.");
  assert.equal(firstSentence("Nothing yet"), "Nothing yet");
});
