/** The plots. Each is defined once, in Python; here plotly.js only renders it. */

import { base, getFigures } from "./api.js";
import { el, fill, isBusy, part, setText, state, watch } from "./page.js";
import { triesQualities } from "./plan.js";
import { copyLinkTo, csvOf, saveText } from "./saving.js";

// No bar of buttons: it would offer to send the data to another company's cloud.
export const CONFIG = { displayModeBar: false, responsive: true, plotlyServerURL: "", doubleClick: "reset" };
const NAMES = ["trade_off", "latency_by_size", "agreement_by_size", "where_time_goes"];
const OF_QUALITY = "by_quality"; // only of runs that try several

let loading = null;
let shown = { id: "", query: "", theme: "" };
let framed = ""; // the run that the frames were made for
let drawn = {}; // name -> what was drawn last, as text
const heights = {}; // name -> its height in px, which plotly.js forgets when it resizes
let tables = {}; // name -> the table of what was drawn last
let isLinkFollowed = false;

watch(["theme"], redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
window.addEventListener("beforeprint", () => fitPlots(true));
window.addEventListener("afterprint", () => fitPlots(false));

/** "light" or "dark", as the page looks now. */
export function lookOf(theme, prefersDark) {
  if (theme === "light" || theme === "dark") return theme;
  return prefersDark ? "dark" : "light";
}

export const lookNow = () => lookOf(state.theme, matchMedia("(prefers-color-scheme: dark)").matches);

/** Draws the figures of a run as they are now. @param {string} id */
export async function drawFigures(id) {
  const theme = lookNow();
  const query = queryNow();
  makeFrames(id);
  shown = { id, query, theme };
  const [plotly, figures] = await Promise.all([loadPlotly(), getFigures(id, query)]);
  for (const [name, figure] of Object.entries(figures)) {
    await breath();
    if (shown.id !== id || shown.query !== query) return; // another run or look was asked for meanwhile
    if (!canWait(name, theme)) await draw(plotly, name, figure);
  }
  followLink();
}

/** Lets the page answer clicks and paint between two plots, also in a tab that nobody sees. */
const breath = () => new Promise((resolve) => setTimeout(resolve));

const NEAR_PX = 400; // beyond the window's edges

/** While results stream in, what is far out of sight keeps its last picture; a later refresh draws it. */
function canWait(name, theme) {
  if (!isBusy() || !drawn[name] || part("plots").dataset.look !== theme) return false;
  const { top, bottom } = document.getElementById(`plot-${name}`).getBoundingClientRect();
  return bottom < -NEAR_PX || top > window.innerHeight + NEAR_PX;
}

/** What the server is asked for: the look, and what the address says about the figures. */
function queryNow() {
  const { x, y } = state.view;
  return new URLSearchParams({ theme: lookNow(), ...(x && { x }), ...(y && { y }) }).toString();
}

/** A link may lead to one plot; the page moves there once, when it is drawn. */
function followLink() {
  const place = location.hash.startsWith("#plot-") && document.getElementById(location.hash.slice(1));
  if (place && !isLinkFollowed) place.scrollIntoView();
  isLinkFollowed = true;
}

/** While a run goes on its refreshes draw in the look of the moment, together with the table. */
export function redraw() {
  if (isBusy()) return;
  if (shown.id && shown.query !== queryNow()) drawFigures(shown.id);
}

const PAPER_PX = { wide: 650, half: 296, low: 340 }; // fits A4 and Letter upright within the margins of page.css
const HALF_WIDE = ["latency_by_size", "agreement_by_size"];

/** plotly.js draws for the width of the screen, and an SVG without a viewBox does not shrink. @param {boolean} onPaper */
function fitPlots(onPaper) {
  for (const area of /** @type {NodeListOf<any>} */ (part("resultsBody").querySelectorAll(".js-plotly-plot"))) {
    const { name } = area.closest("figure").dataset;
    const height = onPaper && name === "trade_off" ? PAPER_PX.low : heights[name]; // beside the headline on the first page
    const width = HALF_WIDE.includes(name) ? PAPER_PX.half : PAPER_PX.wide;
    area.style.height = `${height}px`;
    window.Plotly.relayout(area, { width: onPaper ? width : null, height, autosize: !onPaper });
  }
}

/** The frames come first and keep their height, so that nothing moves when plots arrive. @param {string} id of the run */
export function makeFrames(id) {
  if (framed === id) return;
  framed = id;
  drawn = {};
  const { plan } = state.report || state.run || {};
  fill(part("plots"), ...[...NAMES, plan && triesQualities(plan) && OF_QUALITY].filter(Boolean).map(frame));
}

/** @param {string} name of a figure */
export function frame(name) {
  const area = el("div", { className: "plot-area", role: "img" });
  const table = el("div", { className: "plot-table", hidden: true, tabIndex: 0, role: "region" });
  const toggle = el("button", { type: "button", className: "quiet", "aria-expanded": "false" }, "Show as table");
  toggle.addEventListener("click", () => toggleTable(toggle, area, table));
  const saves = ["png", "svg"].map((format) => saveButton(name, area, format));
  return el("figure", { className: `card plot ${name}`, id: `plot-${name}`, "data-name": name },
    el("figcaption", {}, el("h3", {}), el("p", { className: "muted" })),
    area, table, el("div", { className: "plot-tools" }, toggle, ...saves, ...takeAway(name)));
}

/** The buttons for the numbers and for the address. @param {string} name */
function takeAway(name) {
  const csv = el("button", { type: "button", className: "quiet" }, "CSV");
  csv.addEventListener("click", () => tables[name] && saveText(csvOf(tables[name]), `pixelcost-${name}.csv`));
  const link = el("button", { type: "button", className: "quiet" }, "Link");
  link.addEventListener("click", () => copyLinkTo(`plot-${name}`, link));
  return [csv, link];
}

function saveButton(name, area, format) {
  const button = el("button", { type: "button", className: "quiet" }, format.toUpperCase());
  button.addEventListener("click", () =>
    window.Plotly?.downloadImage(area, { format, filename: `pixelcost-${name}`, width: 1200, height: 700 }));
  return button;
}

/** @param {HTMLElement} toggle */
function toggleTable(toggle, area, table) {
  const show = table.hidden;
  table.hidden = !show;
  area.hidden = show;
  toggle.setAttribute("aria-expanded", String(show));
  setText(toggle, show ? "Show as plot" : "Show as table");
  if (!show && window.Plotly) window.Plotly.Plots.resize(area);
}

/** @param {any} plotly @param {string} name @param {import("./types.js").Figure} figure */
async function draw(plotly, name, figure) {
  const place = /** @type {?HTMLElement} */ (part("plots").querySelector(`[data-name="${CSS.escape(name)}"]`));
  const signature = JSON.stringify(figure);
  if (!place || drawn[name] === signature) return;
  drawn[name] = signature;
  part("plots").dataset.look = shown.theme;
  await renderFigure(plotly, place, figure);
}

/** Writes a figure into its frame. @param {any} plotly @param {HTMLElement} place made by frame() @param {any} figure */
export async function renderFigure(plotly, place, figure) {
  const { title, caption, table } = figure.meta;
  const { name } = place.dataset; // not window.name, which is there when this line is not
  tables[name] = table;
  setText(place.querySelector("h3"), title);
  setText(place.querySelector("figcaption p"), caption);
  const area = /** @type {HTMLElement} */ (place.querySelector(".plot-area"));
  area.setAttribute("aria-label", `${title}. ${caption}`);
  place.querySelector(".plot-table").setAttribute("aria-label", `${title}, as a table`);
  fill(place.querySelector(".plot-table"), tableOf(title, table));
  heights[name] = figure.layout.height;
  area.style.height = `${figure.layout.height}px`;
  await plotly.react(area, figure.data, { ...figure.layout, autosize: true }, CONFIG);
}

export function tableOf(title, { columns, rows }) {
  return el("table", {},
    el("caption", { className: "visually-hidden" }, title),
    el("thead", {}, el("tr", {}, ...columns.map((column) => el("th", { scope: "col" }, String(column))))),
    el("tbody", {}, ...rows.map(tableRow)));
}

function tableRow(row) {
  return el("tr", {}, ...row.map((value) =>
    el("td", { className: typeof value === "number" ? "number" : "" }, value === null ? "–" : String(value))));
}

/**
 * plotly.js marks bold text in a plot by an inline style attribute, which our
 * Content-Security-Policy forbids; set through the style object, the same style is allowed.
 */
function allowBoldText() {
  SVGTSpanElement.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

/** Fetches plotly.js the first time it is needed. @returns {Promise<any>} */
export function loadPlotly() {
  loading ||= new Promise((resolve, reject) => {
    allowBoldText();
    // plotly.js looks for this id and class, and then does not try to add an inline style.
    const style = el("link", { id: "plotly.js-style-global", className: "no-inline-styles", rel: "stylesheet" });
    style.href = `${base}/static/vendor/plotly.css`;
    const script = el("script", { src: `${base}/static/vendor/plotly-basic.min.js` });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null; // the next refresh tries again
      script.remove();
      reject(new Error("plotly.js did not arrive"));
    };
    document.head.append(style, script);
  });
  return loading;
}
