import assert from "node:assert/strict";
import { test } from "node:test";

import { labelWords, verdictOf } from "../../static/js/sets/photo_card.js";

const answer = (label, kept, score = 0.7) => ({ variant_id: "24-png", backend_name: "A", label, score, kept, correct: null, fall_points: 0 });
const photo = (answers) => ({ answers, flips: answers.filter(({ kept }) => kept === false).length });

test("at one variant the card says what the answer became, at several in how many it flips", () => {
  assert.deepEqual(verdictOf(photo([answer("lynx, catamount", false)])), { isFlipped: true, words: "flips to lynx 70 %" });
  assert.deepEqual(verdictOf(photo([answer("tabby", true)])), { isFlipped: false, words: "same, tabby 70 %" });
  const several = [answer("a", false), answer("b", false), answer("c", false), answer("tabby", true)];
  assert.deepEqual(verdictOf(photo(several)), { isFlipped: true, words: "flips in 3 of 4: a, b, and 1 more" });
  assert.equal(verdictOf(photo([answer("tabby", true), answer("tabby", true)])).words, "same answer in all 2");
  assert.equal(verdictOf(photo([])).words, "no answer");
});

test("an original whose own answer is wrong is marked in words", () => {
  assert.equal(labelWords({ label: "dog", reference: { label: "lynx", score: 0.9, correct: false } }), "label: dog; original: lynx 90 % (wrong)");
  assert.equal(labelWords({ label: null, reference: null }), "");
});
