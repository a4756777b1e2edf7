import assert from "node:assert/strict";
import { test } from "node:test";

import { computingQuery, priceFrom, priceWords, typedPrices, uplinkFrom, uplinkWords, withChoices } from "../../static/js/decide/choices.js";
import { CONFIG } from "./config.mjs";

const { price_per_hour: PRICES, uplink_mbit_s: UPLINKS } = CONFIG.ranges;

const query = (text) => new URLSearchParams(text);

test("a price may be 0 and must be below the server's limit", () => {
  assert.deepEqual(["0", "999999", "1000000", "x"].map((text) => priceFrom(text, PRICES)), [0, 999999, null, null]);
  assert.equal(priceWords(PRICES), "A price per hour must be a number from 0 to below 1,000,000, for example 0.35.");
});

test("an uplink is a number within the server's limits", () => {
  assert.deepEqual(["22", "0,5", "0.001", "100001", "fast"].map((text) => uplinkFrom(text, UPLINKS)), ["22", "0.5", "", "", ""]);
  assert.equal(uplinkWords(UPLINKS), "An uplink must be from 0.01 to 100,000 Mbit/s.");
});

test("the address outranks what is remembered, and only backends of the run count", () => {
  const names = ["1 CPU", "a:b"];
  assert.deepEqual(typedPrices(query("price=1+CPU:0.05&price=a:b:2&price=TPU:1&price=1+CPU2"), { "1 CPU": 9 }, names, PRICES),
    { "1 CPU": 0.05, "a:b": 2 });
  assert.deepEqual(typedPrices(query(""), { "1 CPU": 9, TPU: 1 }, names, PRICES), { "1 CPU": 9 });
  assert.deepEqual(typedPrices(query(""), null, names, PRICES), {});
});

test("what a browser remembered wrongly is forgotten", () => {
  assert.deepEqual(typedPrices(query(""), { "1 CPU": "9", GPU: -1 }, ["1 CPU", "GPU"], PRICES), {});
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
