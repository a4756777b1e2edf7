/**
 * The results judged by other goals than the run's own. Goals choose among what was measured, so nothing is sent
 * again; the address keeps them, and the run its own.
 */

import { getReport, problemText } from "../api.js";
import { announce, part, setText } from "../dom.js";
import { optionalNumber } from "../format.js";
import { goalsQuery, state, update, writeView } from "../state.js";
import { fieldProblems } from "../setup/plan.js";

const NO_GOAL = "none"; // as the server's query says it

/** Judges by what the fields say, or says what is wrong with it. */
export function judgeByFields() {
  const goals = typedGoals();
  const problems = Object.values(fieldProblems({ ...state.report.plan, ...goals }, state.config.ranges));
  setText(part("goalsProblem"), problems.join(" "));
  if (!problems.length) judgeBy(Object.fromEntries(Object.entries(goals).map(([key, goal]) => [key, String(goal ?? NO_GOAL)])));
}

/** @returns {{keep_top1: boolean, margin_points: ?number, max_p50_ms: ?number, max_size_bytes: ?number}} NaN where no number was typed */
export function typedGoals() {
  const sizeKb = optionalNumber(part("goalSize").value);
  const keep = part("goalKeep").checked;
  return {
    keep_top1: keep,
    margin_points: keep ? optionalNumber(part("goalMargin").value) : state.report.plan.margin_points ?? null,
    max_p50_ms: optionalNumber(part("goalP50").value),
    max_size_bytes: sizeKb === null ? null : Math.round(sizeKb * 1000),
  };
}

/** Shows the same run by these goals. @param {Record<string, string>} goals of the view; "" is the run's own */
export async function judgeBy(goals) {
  update({ view: { ...state.view, ...goals } });
  writeView();
  const { run_id: id } = state.report;
  const asked = goalsQuery();
  const isOld = () => state.report?.run_id !== id || asked !== goalsQuery(); // newer ones are asked for
  try {
    const report = await getReport(id, asked);
    if (isOld()) return;
    setText(part("goalsProblem"), "");
    update({ report });
    announce(report.recommendation.sentence);
  } catch (problem) {
    if (!isOld()) setText(part("goalsProblem"), problemText(problem));
    return;
  }
  (await import("./plots.js")).redraw();
}
