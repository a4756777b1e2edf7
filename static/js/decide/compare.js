/** This run beside another one: the chooser, and what the server computed from both. */

import * as api from "../api.js";
import { announce, el, fill, loadStyle, part, setText } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { dateTime } from "../format.js";
import { runList } from "../run_list.js";
import { isBusy, lookNow, state, watch, whenLookChanges } from "../state.js";
import { writeChoices } from "./choices.js";
import { makePlace, showSection } from "./sections.js";

let shown = { id: "", other: "", look: "" };
let place = null;

whenLookChanges(redraw);
watch(["run"], () => isBusy() && close());

/** Lists the runs that have ended; choosing one shows the comparison. */
export function openChooser() {
  const words = "Compares the cells that both runs have: what got faster or slower, and where the answer changed.";
  const isOther = (run) => run.id !== state.report.run_id && !api.isLive(run.state);
  const none = "No other runs yet. Run again, then compare.";
  openDrawer("Compare with…", [el("p", { className: "muted" }, words), ...runList((run) => isOther(run) && entry(run), none, state.report.run_id)]);
}

function entry(run) {
  const name = `${run.name}, ${dateTime(run.created_at)}`;
  return el("li", {},
    el("div", {}, el("strong", {}, run.name), el("p", { className: "hint" }, dateTime(run.created_at) + (run.same_photo === false ? " · another photo" : "")),
      run.sentence && el("p", {}, run.sentence)),
    el("button", { type: "button", "aria-label": `Compare with ${name}`, onclick: () => choose(run.id) }, "Compare"));
}

/** @param {string} otherId */
async function choose(otherId) {
  part("drawer").close();
  writeChoices({ compare: otherId });
  await showCompared();
  const section = part("compared");
  section.scrollIntoView({ block: "start" });
  section.focus({ preventScroll: true });
  announce(section.querySelector(".lead").textContent);
}

/** Shows the comparison that the address asks for. */
export async function showCompared() {
  const other = new URLSearchParams(location.search).get("compare");
  const id = state.report.run_id;
  const look = lookNow();
  await loadStyle("deciding");
  if (shown.id !== id || shown.other !== other) build();
  shown = { id, other, look };
  const answer = await api.getCompared(id, other, look).catch((problem) => ({ problem }));
  if (shown.id !== id || shown.other !== other || shown.look !== look) return; // another one was asked for meanwhile
  setText(part("compared").querySelector("h2"), answer.problem ? "Compare" : answer.section.title);
  await showSection(place, answer.problem ? refusal(answer.problem) : answer.section);
}

/** Nothing to compare is said where the comparison would be. */
const refusal = (problem) =>
  ({ title: "", sentence: api.problemText(problem), warnings: [], notes: [], figures: {}, tables: [] });

function build() {
  place = makePlace();
  const other = el("button", { type: "button", className: "quiet", onclick: openChooser }, "Another run");
  const done = el("button", { type: "button", className: "quiet", onclick: leave }, "Close");
  fill(part("compared"),
    el("div", { className: "section-head" }, el("h2", { id: "compared-title" }, "Compare"), other, done), place.node);
  part("compared").hidden = false;
}

function leave() {
  close();
  writeChoices({ compare: "" });
  /** @type {?HTMLElement} */ (document.querySelector("#compare-with"))?.focus();
}

function close() {
  shown = { id: "", other: "", look: "" };
  part("compared").hidden = true;
}

function redraw() {
  if (shown.id && shown.look !== lookNow()) showCompared();
}
