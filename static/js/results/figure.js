/** One figure as the server made it: its frame, its drawing by plotly.js, its table, and the ways to save it. */

import { base } from "../api.js";
import { el, fill, setText } from "../dom.js";
import { UNKNOWN } from "../format.js";
import { copyLink, csvOf, saveText } from "./saving.js";

// No bar of buttons: it would offer to send the data to another company's cloud.
const CONFIG = { displayModeBar: false, responsive: true, plotlyServerURL: "", doubleClick: "reset" };
const SAVED_PX = { width: 1200, height: 700 };

/** @type {WeakMap<Element, import("../types.js").Figure>} what each frame shows */
const drawn = new WeakMap();
let loading = null;

/**
 * An empty frame that keeps its place until `renderFigure`.
 * @param {string} name of the figure
 * @param {{look?: string, title?: "h3" | "h4", file?: string, savedPx?: {width: number, height: number}, link?: boolean}} [how]
 */
export function frame(name, { look = "card plot", title = "h3", file = `pixelcost-${name}`, savedPx = SAVED_PX, link = false } = {}) {
  const area = el("div", { className: "plot-area" });
  const table = el("div", { className: "plot-table", hidden: true, tabIndex: 0, role: "region", "aria-label": "As a table" });
  const toggle = quiet("Show as table", () => toggleTable(toggle, area, table));
  toggle.setAttribute("aria-expanded", "false");
  const place = el("figure", { className: `${look} ${name}`, "data-name": name },
    el("figcaption", {}, el(title, { className: "figure-title" }), el("p", { className: "muted" })),
    area, table, el("div", { className: "plot-tools" }, toggle,
      saveImage(area, file, "png", savedPx), saveImage(area, file, "svg", savedPx),
      quiet("CSV", () => drawn.has(place) && saveText(csvOf(drawn.get(place).meta.table), `${file}.csv`)),
      link && linkButton(`plot-${name}`)));
  if (link) place.id = `plot-${name}`;
  return place;
}

const quiet = (words, onclick) => el("button", { type: "button", className: "quiet", onclick }, words);

/** @param {string} id of the frame */
function linkButton(id) {
  const button = quiet("Link", () => copyLink(button, id));
  return button;
}

function saveImage(area, filename, format, savedPx) {
  return quiet(format.toUpperCase(), () => area.data && window.Plotly.downloadImage(area, { format, filename, ...savedPx }));
}

/** @param {HTMLElement} toggle @param {any} area @param {HTMLElement} table */
function toggleTable(toggle, area, table) {
  const show = table.hidden;
  table.hidden = !show;
  area.hidden = show;
  toggle.setAttribute("aria-expanded", String(show));
  setText(toggle, show ? "Show as plot" : "Show as table");
  if (!show && area.data) window.Plotly.Plots.resize(area);
}

/** Writes a figure into its frame. @param {HTMLElement} place made by frame() @param {any} figure */
export async function renderFigure(place, figure) {
  const { title, caption, table } = figure.meta;
  drawn.set(place, figure);
  setText(place.querySelector(".figure-title"), title);
  setText(place.querySelector("figcaption p"), caption);
  const area = /** @type {HTMLElement} */ (place.querySelector(".plot-area"));
  area.setAttribute("role", "img"); // not before it has a name
  area.setAttribute("aria-label", `${title}. ${caption}`);
  place.querySelector(".plot-table").setAttribute("aria-label", `${title}, as a table`);
  fill(place.querySelector(".plot-table"), tableOf(title, table));
  const isEmpty = !figure.data.length && !figure.layout.annotations; // not even words in the place of data
  area.classList.toggle("empty", isEmpty);
  if (isEmpty) return;
  area.style.height = `${figure.layout.height}px`;
  const plotly = await loadPlotly();
  await plotly.react(area, figure.data, { ...figure.layout, autosize: true }, CONFIG);
}

/** Draws what a frame shows for another width; null is that of the screen. @param {Element} place @param {?number} width @param {number} [height] */
export function fitFigure(place, width, height = drawn.get(place).layout.height) {
  const area = /** @type {HTMLElement} */ (place.querySelector(".plot-area"));
  area.style.height = `${height}px`; // plotly.js forgets it when it resizes
  window.Plotly.relayout(area, { width, height, autosize: width === null });
}

/** @param {string} title @param {{columns: string[], rows: any[][]}} table */
function tableOf(title, { columns, rows }) {
  return el("table", {},
    el("caption", { className: "visually-hidden" }, title),
    el("thead", {}, el("tr", {}, ...columns.map((column) => el("th", { scope: "col" }, String(column))))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((value) =>
      el("td", { className: typeof value === "number" ? "number" : "" }, value === null ? UNKNOWN : String(value)))))));
}

/** Fetches plotly.js the first time it is needed. @returns {Promise<any>} */
export function loadPlotly() {
  loading ||= new Promise((resolve, reject) => {
    // plotly.js looks for this id and class, and then does not try to add an inline style.
    const style = el("link", { id: "plotly.js-style-global", className: "no-inline-styles", rel: "stylesheet" });
    style.href = `${base}/static/vendor/plotly.css`;
    const script = el("script", { src: `${base}/static/vendor/plotly-basic.min.js` });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null; // the next refresh tries again
      script.remove();
      reject(new Error("plotly.js could not be loaded"));
    };
    document.head.append(style, script);
  });
  return loading;
}
