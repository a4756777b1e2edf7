/** How results are looked at: which latency is shown, what the trade-off lies over, which rows the table has. */

import { announce, el, fill, part, setText } from "../dom.js";
import { goalsQuery, isBusy, OWN_GOALS, state, update, writeView } from "../state.js";
import { fitSliders, wireSliders } from "./goal_sliders.js";
import { renderTable, shownWords } from "./table.js";

/** @type {[string, string, string][]} value in the address, words, field of a cell; p50 needs no word there */
const LATENCIES = [
  ["", "p50", "p50_ms"],
  ["p90", "p90", "p90_ms"],
  ["p99", "p99", "p99_ms"],
  ["slowest", "slowest", "max_ms"],
];

/** @param {() => void} redraw of the plots */
export function wireViewBar(redraw) {
  part("showLatency").addEventListener("change", () => choose({ y: part("showLatency").value }, redraw));
  part("overWhat").addEventListener("change", () => choose({ x: part("overWhat").value }, redraw));
  part("find").addEventListener("input", () => find(part("find").value));
  part("goals").addEventListener("change", async () => (await import("./goals.js")).judgeByFields());
  wireSliders();
  part("goalsOwn").addEventListener("click", async () => (await import("./goals.js")).judgeBy(OWN_GOALS));
}

/** @param {Partial<import("../types.js").View>} changes */
function choose(changes, redraw) {
  setView(changes);
  renderTable(state.report);
  redraw();
}

/** @param {string} words */
function find(words) {
  setView({ find: words.trim() });
  renderTable(state.report);
  setText(part("found"), shownWords());
  announce(shownWords() || "All variants");
}

function setView(changes) {
  update({ view: { ...state.view, ...changes } });
  writeView();
}

/** What the results are judged by, but nothing that is being typed. @param {import("../types.js").Report} report */
function fillGoals({ plan, photo_set: set }) {
  part("goals").disabled = isBusy();
  part("goalsOwn").hidden = !goalsQuery();
  const sizeKb = plan.max_size_bytes === null ? "" : plan.max_size_bytes / 1000;
  part("goalKeep").checked = plan.keep_top1;
  part("goalMargin").disabled = !plan.keep_top1;
  part("goalMargin").placeholder = String(state.config.margins[set ? (set.labelled ? "labelled" : "unlabelled") : "photo"]);
  setText(part("goalMargin").previousElementSibling, set ? "Loses at most" : "Probability falls by at most");
  setGoal(part("goalMargin"), plan.margin_points ?? "");
  setGoal(part("goalP50"), plan.max_p50_ms ?? "");
  setGoal(part("goalSize"), sizeKb);
  fitSliders();
}

/** @param {HTMLInputElement} field @param {number|string} goal */
function setGoal(field, goal) {
  if (document.activeElement !== field) field.value = String(goal);
}

/** Offers what this report knows. @param {import("../types.js").Report} report */
export function renderViewBar(report) {
  const known = (field) => report.cells.some((cell) => cell[field] !== null);
  const options = LATENCIES.map(([value, words, field]) => {
    const disabled = Boolean(value) && !known(field);
    const samples = state.config.samples_for[value];
    const from = disabled && samples ? ` (from ${samples} samples)` : "";
    return el("option", { value, disabled }, words + from);
  });
  const select = part("showLatency");
  const signature = options.map((option) => `${option.textContent}${option.disabled}`).join();
  if (select.dataset.signature !== signature) fill(select, ...options);
  select.dataset.signature = signature;
  select.value = state.view.y;
  part("overWhat").value = state.view.x;
  fillGoals(report);
  if (document.activeElement !== part("find")) part("find").value = state.view.find;
  setText(part("found"), shownWords());
}
