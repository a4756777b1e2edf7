import assert from "node:assert/strict";
import { test } from "node:test";

import { photoSetOf } from "../../static/js/setup/photo_set.js";
import { labelProblems, labelsInCsv } from "../../static/js/setup/set_labels.js";
import { CONFIG } from "./config.mjs";

const read = (text) => labelsInCsv(text, CONFIG.label_columns);
const set = photoSetOf(["a/1.jpg", "a/2.jpg", "b/3.jpg"].map((path) => ({ path, file: { size: 1, name: path.split("/").pop() } })), []);
const MODEL = { labels: ["tabby, tabby cat", "red wolf"], knows_wordnet_ids: true };
const told = (text, model = MODEL) => labelProblems(set, "csv", { name: "labels.csv", labels: read(text) }, model);

test("a CSV is read as the server reads it: marks, quotation marks, columns in any order", () => {
  assert.deepEqual([...read('\ufeffid,Label,FILE\r\n1,"tabby, tabby cat",a.jpg\r\n\r\n2,"say ""lynx""",b.jpg')],
    [["a.jpg", "tabby, tabby cat"], ["b.jpg", 'say "lynx"']]);
  assert.equal(read("photo,what\na.jpg,tabby"), null);
  assert.equal(read(""), null);
});

test("labels that are no class of the model are named before anything is sent", () => {
  assert.deepEqual(told("file,label\n1.jpg,Tabby_cat\n2.jpg,n02123045\n3.jpg,wombat"),
    ["1 of 3 labels is not a class of the model: wombat. Their photos count for latency and agreement, not for accuracy."]);
  assert.match(told("file,label\n1.jpg,n02123045\n2.jpg,x\n3.jpg,y", { ...MODEL, knows_wordnet_ids: false })[0], /3 of 3 labels are not classes of the model: n02123045, x, y/);
  assert.deepEqual(told("file,label\n1.jpg,x\n2.jpg,x\n3.jpg,x", { labels: [], knows_wordnet_ids: false }), []);
});

test("of folders their names are the labels; without labels there is nothing to say", () => {
  assert.match(labelProblems(set, "folders", null, MODEL)[0], /^2 of 2 labels are not classes of the model: a, b\./);
  assert.deepEqual(labelProblems(set, "none", null, MODEL), []);
});

test("files of the CSV that were not chosen are counted, and photos that it lacks", () => {
  assert.deepEqual(told("file,label\nx/1.jpg,tabby\n7.jpg,tabby\n8.jpg,tabby"), [
    "labels.csv lists 2 files that are not among these photos: 7.jpg, 8.jpg.",
    "2 of 3 photos have no label in labels.csv.",
  ]);
});
