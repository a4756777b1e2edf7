import assert from "node:assert/strict";
import { test } from "node:test";

import { csvOf } from "../../static/js/results/saving.js";

test("a table becomes CSV with unknown values empty and texts quoted where they must be", () => {
  const table = { columns: ["Backend", "p50, ms"], rows: [["8 CPU", 31.5], ['a "b", c', null]] };
  assert.equal(csvOf(table), 'Backend,"p50, ms"\r\n8 CPU,31.5\r\n"a ""b"", c",\r\n');
});

test("no text of others becomes a formula", () => {
  assert.equal(csvOf({ columns: ["x"], rows: [["=1+1"], [-1], ["\n=1"]] }), "x\r\n'=1+1\r\n-1\r\n\"'\n=1\"\r\n");
});
