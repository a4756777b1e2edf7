import assert from "node:assert/strict";
import { test } from "node:test";

import { differenceHint, pText, shareText } from "../../static/js/results/columns.js";
import * as sets from "../../static/js/setup/photo_set.js";
import { planOfAll, presetRepeats, runLabel } from "../../static/js/setup/plan.js";
import { CONFIG } from "./config.mjs";

const photoSetOf = (items) => sets.photoSetOf(items, CONFIG.system_names);
const item = (path, size = 10) => ({ path, file: { size, name: path.split("/").pop() } });
const LIMITS = { max_photos: 3, max_set_bytes: 1000 };
const PETS = [item("pets/tabby/1.jpg"), item("pets/lynx/2.PNG"), item("pets/notes.txt"), item("pets/.DS_Store")];

test("several files or a ZIP file are a set, one photo is not", () => {
  assert.equal(sets.isMany([item("a.jpg")]), false);
  assert.equal(sets.isMany([item("a.zip")]), true);
  assert.equal(sets.isMany([item("a.jpg"), item("b.jpg")]), true);
});

test("of a folder only photos and labels.csv count, and its folders may be labels", () => {
  const set = photoSetOf([...PETS, item("pets/labels.csv"), item("pets/Thumbs.db"), item("__MACOSX/pets/1.jpg")]);
  assert.equal(set.count, 2);
  assert.equal(set.size_bytes, 20);
  assert.deepEqual(set.folders, ["lynx", "tabby"]);
  assert.equal(set.csv.path, "pets/labels.csv");
  assert.equal(sets.setName(set), "pets");
  assert.equal(sets.setFacts(set), "2 photos, 20 B. Left out, as they can't be read as photos: notes.txt");
});

test("loose photos are named by their number and have no labels at first", () => {
  const set = photoSetOf([item("a.jpg"), item("b.jpg")]);
  assert.equal(sets.setName(set), "2 photos");
  assert.equal(sets.setFacts(set), "20 B");
  assert.equal(sets.firstLabels(set), "none");
  assert.deepEqual(sets.labelSources(set), ["csv", "none"]);
});

test("folders are labels where there are several, and a labels.csv comes before them", () => {
  assert.equal(sets.firstLabels(photoSetOf(PETS)), "folders");
  assert.equal(sets.firstLabels(photoSetOf([...PETS, item("pets/labels.csv")])), "csv");
  assert.equal(sets.firstLabels(photoSetOf([item("holiday/1.jpg"), item("holiday/2.jpg")])), "none");
});

test("without labels only names are sent, with them the paths, and the CSV where it was chosen", () => {
  const set = photoSetOf([...PETS, item("pets/labels.csv")]);
  const names = (labels, csv = null) => sets.formParts(set, labels, csv).map(([field, , name]) => `${field} ${name}`);
  assert.deepEqual(names("none"), ["file 1.jpg", "file 2.PNG"]);
  assert.deepEqual(names("folders"), ["file pets/tabby/1.jpg", "file pets/lynx/2.PNG"]);
  assert.deepEqual(names("csv").at(-1), "file pets/labels.csv");
  assert.deepEqual(names("csv", { name: "mine.csv" }).at(-1), "labels mine.csv");
});

test("nobody has opened a ZIP file, so its photos are not counted", () => {
  const set = photoSetOf([item("pets.zip", 500)]);
  assert.equal(set.count, null);
  assert.deepEqual(sets.labelSources(set), []);
  assert.match(sets.labelWords(set, "none", null), /labels.csv in the ZIP file/);
  assert.equal(sets.setRefusal(set, LIMITS), null);
});

test("too many, too large and none at all are refused with a reason", () => {
  const many = photoSetOf([1, 2, 3, 4].map((n) => item(`${n}.jpg`)));
  assert.match(sets.setRefusal(many, LIMITS).title, /4 photos; the limit is 3/);
  assert.match(sets.setRefusal(photoSetOf([item("a.jpg", 900), item("b.jpg", 900)]), LIMITS).title, /1.8 KB/);
  assert.match(sets.setRefusal(photoSetOf([item("a.txt"), item("b.txt")]), LIMITS).title, /no photos/);
});

test("a set begins with one repeat, and one photo with the usual number again", () => {
  const config = { plan: { repeats: 20 } };
  const [set, photo] = [{ set: {} }, {}];
  assert.equal(presetRepeats(config, 20, null, set), 1);
  assert.equal(presetRepeats(config, 64, null, set), 64);
  assert.equal(presetRepeats(config, 1, set, photo), 20);
  assert.equal(presetRepeats(config, 3, set, set), 3);
});

test("the button and the estimate know how many photos there are", () => {
  assert.equal(runLabel(11, 2, { count: 300 }), "Run 300 photos × 11 variants × 2 backends");
  assert.equal(runLabel(11, 2), "Run 11 variants × 2 backends");
  assert.equal(planOfAll({ repeats: 2 }, 300).repeats, 600);
  assert.deepEqual(planOfAll({ repeats: 2 }, undefined), { repeats: 2 });
});

test("shares stand with their interval, and a difference says what is behind it", () => {
  assert.equal(shareText({ share: 0.842, low: 0.818, high: 0.864 }), "84.2 (81.8 to 86.4)");
  assert.equal(shareText(null), "–");
  const words = differenceHint({ photos: 982, gained: 13, lost: 24, mcnemar_p: 0.0989, mcnemar_p_holm: 0.2 });
  assert.equal(words, "Of 982 photos, 13 are right only in this variant and 24 only in the original. McNemar p 0.10, corrected for all comparisons 0.20.");
  assert.equal(pText(0.00002), "< 0.001");
});

test("files that are no photos are named, not dropped without a word", () => {
  const set = photoSetOf([item("a.jpg"), item("b.tiff"), item("c.txt"), item(".DS_Store")]);
  assert.equal(sets.setFacts(set), "10 B. Left out, as they can't be read as photos: b.tiff, c.txt");
});
