import assert from "node:assert/strict";
import { test } from "node:test";

import { importedWords, looksLikeReport, reportRefusal } from "../../static/js/setup/import_report.js";

const head = (text) => new TextEncoder().encode(text);

test("a report is known by its name or by how it begins", () => {
  assert.ok(looksLikeReport("run.JSON", head("")));
  assert.ok(looksLikeReport("download", head('\n {"schema_version"')));
  assert.ok(!looksLikeReport("cat.jpg", new Uint8Array([0xff, 0xd8, 0xff])));
  assert.ok(!looksLikeReport("notes.txt", head("hello")));
});

test("an imported run says whence, when and on what", () => {
  const report = {
    imported: { name: "a.json" }, created_at: "2026-05-04T10:20:30Z", environment: { cpu_model: "AMD EPYC 9B14" },
  };
  assert.match(importedWords(report), /^Imported from a\.json, measured on May 4, 2026, .* on AMD EPYC 9B14\.$/);
  assert.equal(importedWords({ imported: undefined }), "");
});

test("a file that is too large is not sent", () => {
  assert.match(reportRefusal({ name: "a.json", size: 11 }, { max_bytes: 10 }).detail, /HTML report/);
  assert.equal(reportRefusal({ name: "a.json", size: 10 }, { max_bytes: 10 }), null);
});
