/** The runs that the server has kept, newest first. */

import * as api from "../api.js";
import { announce, el, fill } from "../dom.js";
import { openDrawer } from "../drawer.js";
import { dateTime, plural } from "../format.js";
import { runList } from "../run_list.js";

const STATE_NAMES = { queued: "queued", running: "running", done: "done", cancelled: "stopped", failed: "failed",
  imported: "imported" };

export function openHistory() {
  const start = el("p", {}, el("a", { href: `${api.base}/` }, "Start a new run"));
  openDrawer("Runs", [start, ...runList(entry, "No runs yet.")]);
}

function entry(run) {
  const facts = [dateTime(run.created_at), STATE_NAMES[run.state] || run.state, requestWords(run)];
  const item = el("li", {},
    el("div", {},
      el("a", { href: api.base + api.runPath(run.id) }, run.name),
      el("p", { className: "hint" }, facts.filter(Boolean).join(" · ")),
      run.sentence && el("p", {}, run.sentence)));
  if (!api.isLive(run.state)) item.append(removeButton(run, item));
  return item;
}

function requestWords(run) {
  const { done, failed } = run.requests;
  return plural(done, "request") + (failed ? `, ${failed} failed` : "");
}

/** Removing asks once more in the same place, where the eye already is. */
function removeButton(run, item) {
  const place = el("span", { className: "remove-run" });
  const quiet = (words, onclick, label = words) => el("button", { type: "button", className: "quiet", "aria-label": label, onclick }, words);
  const first = quiet("Remove", ask, `Remove ${run.name}`);
  const back = () => (fill(place, first), first.focus());
  function ask() {
    const keep = quiet("Keep", back);
    fill(place, "Remove this run? ", quiet("Remove", remove, `Remove ${run.name} for good`), keep);
    keep.focus();
  }
  async function remove() {
    try {
      await api.deleteRun(run.id);
      item.remove();
      announce(`${run.name} removed.`);
    } catch (problem) {
      back();
      item.querySelector("div").append(el("p", { className: "bad" }, api.problemText(problem)));
    }
  }
  return fill(place, first);
}
