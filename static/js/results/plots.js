/** The plots. Each is defined once, in Python; here plotly.js only renders it. */

import { getFigures } from "../api.js";
import { el, fill, part, setText } from "../dom.js";
import { goalsQuery, isBusy, lookNow, state, update, whenLookChanges, writeView } from "../state.js";
import { triesQualities } from "../setup/plan.js";
import { fitFigure, frame, loadPlotly, renderFigure } from "./figure.js";

const NAMES = ["trade_off", "latency_by_size", "agreement_by_size", "where_time_goes"];
const WITH_BARS = "where_time_goes";
const FEW_BARS = 3; // of copies, that are shown at first
const OF_QUALITY = "by_quality"; // only of runs that try several

let shown = { id: "", query: "", theme: "" };
let framed = ""; // the run that the frames were made for
let drawn = {}; // name -> what was drawn last, as text
let isLinkFollowed = false;

whenLookChanges(redraw);
window.addEventListener("beforeprint", () => fitPlots(true));
window.addEventListener("afterprint", () => fitPlots(false));

/** Draws the figures of a run as they are now. @param {string} id */
export async function drawFigures(id) {
  const theme = lookNow();
  const query = queryNow();
  makeFrames(id);
  shown = { id, query, theme };
  const [figures] = await Promise.all([getFigures(id, query), loadPlotly()]);
  for (const [name, figure] of Object.entries(figures)) {
    await breath();
    if (shown.id !== id || shown.query !== query) return; // another run or look was asked for meanwhile
    if (!canWait(name, theme)) await draw(name, figure);
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
  const { x, y, bars } = state.view;
  const looked = new URLSearchParams({ theme: lookNow(), bars: bars || "few", ...(x && { x }), ...(y && { y }) });
  return [looked, goalsQuery()].filter(String).join("&");
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
  for (const area of part("resultsBody").querySelectorAll(".js-plotly-plot")) {
    const place = area.closest("figure");
    const { name } = place.dataset;
    const width = HALF_WIDE.includes(name) ? PAPER_PX.half : PAPER_PX.wide;
    const height = onPaper && name === "trade_off" ? PAPER_PX.low : undefined; // beside the headline on the first page
    fitFigure(place, onPaper ? width : null, height);
  }
}

/** The frames come first and keep their height, so that nothing moves when plots arrive. @param {string} id of the run */
export function makeFrames(id) {
  if (framed === id) return;
  framed = id;
  drawn = {};
  const { plan } = state.report || state.run || {};
  fill(part("plots"), ...[...NAMES, plan && triesQualities(plan) && OF_QUALITY].filter(Boolean).map((name) => frame(name, { link: true })));
}

/** Bars that a decision can do without are shown when asked for. @param {HTMLElement} place */
function offerAllBars(place) {
  const tools = place.querySelector(".plot-tools");
  const button = tools.querySelector(".all-bars") || el("button", { type: "button", className: "quiet all-bars", onclick: () => {
    update({ view: { ...state.view, bars: state.view.bars ? "" : "all" } });
    writeView();
    redraw();
  } });
  const copies = state.report.variants.filter((variant) => !variant.is_reference).length;
  /** @type {HTMLElement} */ (button).hidden = copies <= FEW_BARS || isBusy();
  setText(button, state.view.bars ? "Show fewer" : "Show all");
  if (!button.isConnected) tools.prepend(button);
}

/** @param {string} name @param {import("../types.js").Figure} figure */
async function draw(name, figure) {
  const place = /** @type {?HTMLElement} */ (part("plots").querySelector(`[data-name="${CSS.escape(name)}"]`));
  const signature = JSON.stringify(figure);
  if (place && name === WITH_BARS) offerAllBars(place);
  if (!place || drawn[name] === signature) return;
  drawn[name] = signature;
  part("plots").dataset.look = shown.theme;
  await renderFigure(place, figure);
}
