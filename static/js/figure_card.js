/** One figure outside the page's own plots: title, caption, plot, its table, and the ways to save it. */

import { el, fill, setText } from "./page.js";
import { CONFIG, loadPlotly, tableOf } from "./plots.js";
import { tableCsv } from "./table_csv.js";

/**
 * An empty frame that keeps its place until `drawFigure`.
 * @param {string} name of the files that are saved @param {string} kind a class that gives it its height
 */
export function figureCard(name, kind) {
  const area = el("div", { className: "plot-area", role: "img" });
  const table = el("div", { className: "plot-table", hidden: true, tabIndex: 0, role: "region" });
  const toggle = el("button", { type: "button", className: "quiet", "aria-expanded": "false" }, "Show as table");
  const card = el("figure", { className: `figure-card ${kind}` },
    el("figcaption", {}, el("h4", {}), el("p", { className: "muted" })), area, table,
    el("div", { className: "plot-tools" }, toggle, saveImage(area, name, "png"), saveImage(area, name, "svg"), saveTable(name)));
  toggle.addEventListener("click", () => toggleTable(toggle, area, table));
  return card;
}

/** @param {HTMLElement} card of figureCard @param {any} figure as the server gives it */
export async function drawFigure(card, figure) {
  const { title, caption, table } = figure.meta;
  const area = /** @type {HTMLElement} */ (card.querySelector(".plot-area"));
  cardTables.set(card, table);
  setText(card.querySelector("h4"), title);
  setText(card.querySelector("figcaption p"), caption);
  area.setAttribute("aria-label", `${title}. ${caption}`);
  card.querySelector(".plot-table").setAttribute("aria-label", `${title}, as a table`);
  fill(card.querySelector(".plot-table"), tableOf(title, table));
  area.classList.toggle("empty", !figure.data.length);
  if (!figure.data.length) return;
  const plotly = await loadPlotly();
  await plotly.react(area, figure.data, { ...figure.layout, autosize: true }, CONFIG);
}

/** @type {WeakMap<HTMLElement, any>} what is shown as a table, for each card */
const cardTables = new WeakMap();

function saveImage(area, name, format) {
  const button = el("button", { type: "button", className: "quiet" }, format.toUpperCase());
  button.addEventListener("click", () =>
    window.Plotly && area.data && window.Plotly.downloadImage(area, { format, filename: name, width: 1000, height: 400 }));
  return button;
}

function saveTable(name) {
  const button = el("button", { type: "button", className: "quiet" }, "CSV");
  button.addEventListener("click", () => {
    const table = cardTables.get(button.closest("figure"));
    if (!table) return;
    const url = URL.createObjectURL(new Blob([tableCsv(table)], { type: "text/csv" }));
    el("a", { href: url, download: `${name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  return button;
}

/** @param {HTMLElement} toggle */
function toggleTable(toggle, area, table) {
  const show = table.hidden;
  table.hidden = !show;
  area.hidden = show;
  toggle.setAttribute("aria-expanded", String(show));
  setText(toggle, show ? "Show as plot" : "Show as table");
  if (!show && window.Plotly && area.data) window.Plotly.Plots.resize(area);
}
