/** Sliders for the goals: beside each typed number, and re-colouring the matrix while they move. */

import { part } from "../dom.js";
import { isUnknown } from "../format.js";
import { state } from "../state.js";
import { typedGoals } from "./goals.js";
import { renderMatrix } from "../matrix/matrix.js";

const STEPS = 100; // of a slider; the last one is "no goal"
const MOST_POINTS = 20;

const SLIDERS = /** @type {const} */ ([["goalP50Slider", "goalP50"], ["goalSizeSlider", "goalSize"], ["goalMarginSlider", "goalMargin"]]);

export function wireSliders() {
  for (const [slider, field] of SLIDERS)
    part(slider).addEventListener("input", () => {
      part(field).value = wordsAt(slider, Number(part(slider).value));
      say(slider, field);
      renderMatrix(state.report, typedGoals());
    });
}

/** As the fields say. */
export function fitSliders() {
  for (const [slider, field] of SLIDERS) {
    if (document.activeElement !== part(slider)) part(slider).value = String(placeOf(slider, part(field).value));
    part(slider).disabled = part(field).disabled;
    say(slider, field);
  }
}

function say(slider, field) {
  const words = part(field).value;
  part(slider).setAttribute("aria-valuetext", words ? `${words} ${field === "goalP50" ? "ms" : field === "goalSize" ? "KB" : "points"}` : "no goal");
}

/** The least and the most that was measured: what a slider reaches over. */
function reach(slider) {
  const { cells, variants } = state.report;
  const values = slider === "goalP50Slider" ? cells.map((cell) => cell.p50_ms) : variants.map((variant) => variant.size_bytes / 1000);
  const known = values.filter((value) => !isUnknown(value) && value > 0);
  return [Math.min(...known) * 0.9, Math.max(...known) * 1.1];
}

/** @param {typeof SLIDERS[number][0]} slider @param {number} step */
function wordsAt(slider, step) {
  if (slider === "goalMarginSlider") return String((step / STEPS) * MOST_POINTS);
  if (step >= STEPS) return "";
  const [low, high] = reach(slider);
  return String(Number((low * (high / low) ** (step / STEPS)).toPrecision(2)));
}

function placeOf(slider, text) {
  const value = Number(text.replace(",", "."));
  if (slider === "goalMarginSlider") return Math.round((STEPS * (text ? value : Number(part("goalMargin").placeholder))) / MOST_POINTS);
  if (!text || !(value > 0)) return STEPS;
  const [low, high] = reach(slider);
  return Math.round(STEPS * Math.min(1, Math.max(0, Math.log(value / low) / Math.log(high / low))));
}
