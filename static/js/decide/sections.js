/**
 * One section as the server computed it: its conclusion, warnings, figures, tables and notes.
 *
 * @typedef {object} Section
 * @property {string} title
 * @property {string} sentence
 * @property {string[]} warnings
 * @property {string[]} notes
 * @property {Record<string, any>} figures
 * @property {{title: string, columns: string[], rows: any[][], is_main: boolean}[]} tables
 */

import { el, fill, setText } from "../dom.js";
import { firstSentence, number, UNKNOWN } from "../format.js";
import { lookNow } from "../state.js";
import { frame, renderFigure } from "../results/figure.js";

const FEW_ROWS = 6; // a longer table is folded

/** Places for a section's parts, in the order of reading. @param {...(Node|null)} controls above all */
export function makePlace(...controls) {
  const parts = {
    warnings: el("ul", { className: "section-warnings" }),
    lead: el("p", { className: "lead" }),
    rest: el("p", { className: "section-rest" }),
    figures: el("div", { className: "section-figures" }),
    tables: el("div", { className: "section-tables" }),
    notes: el("ul", { className: "section-notes hint" }),
  };
  return { parts, node: el("div", { className: "section-body" }, ...controls, ...Object.values(parts)) };
}

/**
 * Writes a section into its place; figures that are there already are only drawn anew.
 * @param {ReturnType<typeof makePlace>} place @param {Section} section
 */
export async function showSection({ parts, node }, section) {
  node.dataset.look = lookNow();
  const lead = firstSentence(section.sentence);
  setText(parts.lead, lead);
  setText(parts.rest, section.sentence.slice(lead.length).trim());
  list(parts.warnings, section.warnings);
  list(parts.notes, section.notes);
  fill(parts.tables, ...section.tables.map((table) => tableFold(table, parts.tables)));
  const names = Object.keys(section.figures);
  const drawn = [...parts.figures.querySelectorAll("figure")].map((figure) => figure.dataset.name);
  if (names.join() !== drawn.join()) fill(parts.figures, ...names.map((name) => frame(name)));
  for (const name of names) {
    const place = parts.figures.querySelector(`[data-name="${CSS.escape(name)}"]`);
    if (place) await renderFigure(place, section.figures[name]);
  }
}

function list(place, sentences) {
  place.hidden = !sentences.length;
  fill(place, ...sentences.map((sentence) => el("li", {}, sentence)));
}

/** A table that stays open or closed as the reader left it. */
function tableFold(table, before) {
  const was = [...before.children].find((fold) => fold.dataset.title === table.title);
  const fold = el("details", { "data-title": table.title },
    el("summary", {}, table.title),
    el("div", { className: "table-scroll", tabIndex: 0, role: "region", "aria-label": table.title }, tableOf(table)));
  fold.open = was ? was.open : table.is_main || table.rows.length <= FEW_ROWS;
  return fold;
}

/** With explicit roles, since narrow screens show the rows as cards, which would lose them. */
function tableOf({ title, columns, rows }) {
  const heads = columns.map((column) => el("th", { scope: "col", role: "columnheader" }, column));
  return el("table", { role: "table" },
    el("caption", { className: "visually-hidden" }, title),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)),
    el("tbody", { role: "rowgroup" }, ...rows.map((row) =>
      el("tr", { role: "row" }, ...row.map((value, index) => cell(value, index, columns[index]))))));
}

function cell(value, index, column) {
  const text = value === null ? UNKNOWN : typeof value === "number" ? number(value) : String(value);
  if (!index) return el("th", { scope: "row", role: "rowheader" }, text);
  return el("td", { role: "cell", "data-label": column, className: typeof value === "number" ? "number" : "" }, text);
}
