/** The table of all variants: the primary, accessible form of the results. */

import { el, fill, part, setText } from "../dom.js";
import { comparedWith } from "../format.js";
import { isBusy, state, update, writeView } from "../state.js";
import { columnsOf, formatWords, matches, nextSort, parseSort, rowsOf, SHARED, sortRows } from "./columns.js";

/** @typedef {import("./columns.js").Row} Row @typedef {import("./columns.js").Column} Column */

let drawnHead = "";
let onChoose = /** @type {(variantId: string) => void} */ (() => {});

/** @param {(variantId: string) => void} choose called with the variant of a chosen row */
export function wireTable(choose) {
  onChoose = choose;
  part("sortBy").addEventListener("change", () => setSort(part("sortBy").value));
}

/** @param {import("../types.js").Report} report */
export function renderTable(report) {
  const columns = columnsOf(report, state.config.samples_for, state.view.y);
  const table = part("table");
  const head = JSON.stringify([report.run_id, columns.map((column) => column.key), state.view.sort]);
  if (head !== drawnHead) drawHead(table, report, columns);
  const resorted = head !== drawnHead;
  drawnHead = head;
  const rows = rowsOf(report);
  const body = table.tBodies[0];
  for (const row of rows) drawRow(body, row, columns, report);
  for (const row of rows) rowOf(row).hidden = !matches(row, columns, state.view.find);
  // While results come in, rows stay where they are: nothing moves under the pointer.
  if (resorted || !isBusy()) putInOrder(body, sortRows(rows, columns, state.view.sort));
}

/** @param {Row} row */
const rowOf = ({ variant }) => document.getElementById(`row-${variant.id}`);

/** How many rows the filter lets through; "" without one. */
export function shownWords() {
  const rows = [...part("table").tBodies[0].rows];
  const shown = rows.filter((row) => !row.hidden).length;
  return state.view.find ? `${shown} of ${rows.length} shown` : "";
}

function drawHead(table, report, columns) {
  const focused = document.activeElement?.closest?.("th")?.dataset.key;
  const names = [...new Set(columns.map((column) => column.group).filter(Boolean))];
  const groups = names.map((name) => {
    const width = columns.filter((column) => column.group === name).length;
    return el("th", { scope: "colgroup", colSpan: width, className: "group", role: "columnheader" }, name);
  });
  const own = columns.filter((column) => !column.group).map((column) => headCell(column, 2));
  const measuredHeads = columns.filter((column) => column.group).map((column) => headCell(column, 1));
  fill(
    table,
    el("caption", {}, captionOf(report)),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...own, ...groups),
      el("tr", { role: "row" }, ...measuredHeads)),
    el("tbody", { role: "rowgroup" }),
  );
  if (focused) table.querySelector(`th[data-key="${CSS.escape(focused)}"] button`)?.focus();
  drawSortChoice(columns);
}

function captionOf(report) {
  if (report.photo_set)
    return "Each variant on each backend, over all photos. Bytes and p50 are medians; the difference is against the " +
      "original on the same photos, in percentage points. ≈ noisy, ⚠ unreliable timing.";
  const label = report.source.true_label;
  const judged = label ? ` Correct: the answer is the true label, ${label}.` : "";
  return `Each variant on each backend. ✓ the same top answer as the ${comparedWith(report)}, ✕ a different one. ` +
    `≈ noisy, ⚠ unreliable timing.${judged}${loadWords(report)}`;
}

/** What the columns of capacities mean; "" without any. */
function loadWords(report) {
  if (!report.load?.length) return "";
  const shared = report.load.some((curve) => curve.shares_machine) ? ` † ${SHARED}.` : "";
  return ` Capacity: requests/s within the limit of "Under load", with its 95 % interval.${shared}`;
}

/** @param {Column} column */
function headCell(column, rowSpan) {
  const { key, down } = parseSort(state.view.sort);
  const sorted = key === column.key ? (down ? "descending" : "ascending") : "none";
  const arrow = sorted === "none" ? "" : down ? " ▼" : " ▲";
  const button = el("button", { type: "button", className: "sort" }, column.label,
    el("span", { className: "arrow", "aria-hidden": "true" }, arrow));
  button.addEventListener("click", () => setSort(nextSort(state.view.sort, column.key)));
  const first = column.key.startsWith("p50:") ? " first" : "";
  return el("th", { scope: "col", rowSpan, role: "columnheader", "aria-sort": sorted, "data-key": column.key,
    className: (column.number ? "number" : "") + first }, button);
}

/** Where the heads are hidden (narrow screens), the order is chosen here. @param {Column[]} columns */
function drawSortChoice(columns) {
  const name = (column) => (column.group ? `${column.label}, ${column.group}` : column.label);
  const options = columns.flatMap((column) => [
    el("option", { value: column.key }, `${name(column)} ▲`),
    el("option", { value: `-${column.key}` }, `${name(column)} ▼`),
  ]);
  fill(part("sortBy"), el("option", { value: "" }, "as measured"), ...options);
  part("sortBy").value = state.view.sort;
}

/** @param {string} sort */
function setSort(sort) {
  update({ view: { ...state.view, sort } });
  writeView();
  renderTable(state.report);
}

/** Makes the row once, later only changes the cells whose text changed. */
function drawRow(body, row, columns, report) {
  const { variant } = row;
  const id = `row-${variant.id}`;
  const tr = document.getElementById(id) || body.appendChild(newRow(id, variant, columns));
  const best = report.recommendation?.variant_id === variant.id;
  tr.classList.toggle("recommended", best);
  columns.forEach((column, index) => drawCell(tr.children[index], column, row));
}

function newRow(id, variant, columns) {
  const cells = columns.map((column, index) => {
    const label = column.group ? `${column.group}: ${column.label}` : column.label;
    const first = column.key.startsWith("p50:") ? " first" : "";
    const properties = { "data-label": label, className: (column.number ? "number" : "") + first };
    if (index) return el("td", { ...properties, role: "cell" });
    const button = el("button", { type: "button", className: "row-button", "aria-haspopup": "dialog" },
      el("span", { className: "value" }), el("span", { className: "rest" }, ` px ${formatWords(variant)}`));
    return el("th", { ...properties, scope: "row", role: "rowheader" }, button);
  });
  const tr = el("tr", { id, role: "row" }, ...cells);
  tr.addEventListener("click", () => onChoose(variant.id));
  return tr;
}

/** @param {HTMLElement} cell @param {Column} column @param {Row} row */
function drawCell(cell, column, row) {
  const text = column.text(row);
  const hint = column.hint ? column.hint(row) : "";
  const place = cell.querySelector(".value") || cell;
  setText(place, text);
  if (cell.title !== hint) cell.title = hint;
  cell.classList.toggle("bad", /[✕⚠]/.test(text) || text === "failed");
  cell.classList.toggle("unsure", text.includes("≈"));
}

/** @param {HTMLElement} body @param {Row[]} rows */
function putInOrder(body, rows) {
  const wanted = rows.map((row) => `row-${row.variant.id}`);
  const present = [...body.children].map((tr) => tr.id);
  if (wanted.join("\n") === present.join("\n")) return;
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  fill(body, ...wanted.map((id) => document.getElementById(id)));
  if (body.contains(focused)) focused.focus();
}
