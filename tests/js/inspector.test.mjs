import assert from "node:assert/strict";
import test from "node:test";

import { answersOf, scoreWords } from "../../static/js/inspector/answer_bars.js";
import { TURN_MS } from "../../static/js/pictures/blink.js";
import { differenceOf, differenceWords } from "../../static/js/pictures/difference.js";
import { isSharp, scaleOf, scaleWords, shownSize, sliderValue, splitAt } from "../../static/js/pictures/zoom.js";

const rgba = (...levels) => new Uint8ClampedArray(levels.flatMap((level) => [level, level, level, 255]));

test("identical pixels give black, and no difference", () => {
  const out = rgba(9, 9);
  assert.deepEqual(differenceOf(rgba(10, 200), rgba(10, 200), out), { mean: 0, largest: 0, share: 0 });
  assert.deepEqual([...out], [0, 0, 0, 255, 0, 0, 0, 255]);
  assert.equal(differenceWords({ mean: 0, largest: 0, share: 0 }), "No difference: every pixel is the same.");
});

test("a difference is drawn eight times as strong and never wraps round", () => {
  const out = rgba(0, 0);
  const found = differenceOf(rgba(10, 200), rgba(13, 100), out);
  assert.deepEqual([...out], [24, 24, 24, 255, 255, 255, 255, 255]);
  assert.deepEqual(found, { mean: 51.5, largest: 100, share: 0.5 });
  assert.match(differenceWords(found), /^Mean difference 51\.5 of 255 levels, largest 100; 50 % of the pixels/);
});

test("nothing blinks by itself more than three times a second", () => {
  assert.ok(1000 / TURN_MS <= 3);
});

test("a fitted picture fills the room, also when it is smaller", () => {
  const room = { width: 800, height: 400 };
  assert.equal(scaleOf("fit", { width: 4000, height: 2000 }, room), 0.2);
  assert.equal(scaleOf("fit", { width: 400, height: 100 }, room), 2);
  assert.equal(scaleOf("fit", { width: 16, height: 16 }, room), 25);
  assert.equal(scaleOf("fit", { width: 1, height: 1 }, room), 32);
  assert.equal(scaleOf("200", { width: 1, height: 1 }, room), 2);
});

test("a very wide or tall picture scrolls rather than vanishes", () => {
  const scale = scaleOf("fit", { width: 100, height: 20_000 }, { width: 800, height: 400 });
  assert.deepEqual(shownSize({ width: 100, height: 20_000 }, scale), { width: 24, height: 4800 });
  assert.equal(scaleOf("fit", { width: 8000, height: 10 }, { width: 800, height: 400 }), 1);
});

test("pixels become squares from 200 % of the picture's own", () => {
  assert.equal(isSharp(451, 902), true);
  assert.equal(isSharp(451, 901), false);
  assert.equal(isSharp(16, 451), true);
});

test("what fitting came to is told in whole percent, below ten with a decimal", () => {
  assert.equal(scaleWords(2.13), "213 %");
  assert.equal(scaleWords(0.045), "4.5 %");
});

test("arrows move the slider by 1 %, Page keys by 10 %, Home and End to the ends", () => {
  assert.equal(sliderValue("ArrowRight", 50), 51);
  assert.equal(sliderValue("ArrowLeft", 0), 0);
  assert.equal(sliderValue("PageUp", 95), 100);
  assert.equal(sliderValue("PageDown", 50), 40);
  assert.equal(sliderValue("Home", 50), 0);
  assert.equal(sliderValue("End", 50), 100);
  assert.equal(sliderValue("Tab", 50), null);
});

test("the line stands in what is in sight, however far the picture is scrolled", () => {
  assert.equal(splitAt(50, { left: 0, width: 400, whole: 400 }), 50);
  assert.equal(splitAt(50, { left: 400, width: 400, whole: 1600 }), 37.5);
  assert.equal(splitAt(100, { left: 1200, width: 400, whole: 1600 }), 100);
  assert.equal(splitAt(50, { left: 0, width: 400, whole: 200 }), 50);
});

test("answers stand with the original's, and those that were lost come last", () => {
  const cell = { top: [{ label: "tiger cat", score: 0.4 }, { label: "tabby", score: 0.3 }] };
  const reference = { top: [{ label: "tabby", score: 0.7 }, { label: "lynx", score: 0.1 }] };
  assert.deepEqual(answersOf(cell, reference), [
    { label: "tiger cat", score: 0.4, was: null },
    { label: "tabby", score: 0.3, was: 0.7 },
    { label: "lynx", score: null, was: 0.1 },
  ]);
  assert.equal(scoreWords({ label: "", score: 0.3, was: 0.7 }, true), "30 %, original 70 %");
  assert.equal(scoreWords({ label: "", score: null, was: 0.1 }, true), "below the top 5, original 10 %");
  assert.equal(scoreWords({ label: "", score: 0.4, was: null }, true), "40 %, original below its top 5");
  assert.deepEqual(answersOf(cell), cell.top.map((each) => ({ ...each, was: null })));
  assert.equal(scoreWords({ label: "", score: 0.4, was: null }, false), "40 %");
});
