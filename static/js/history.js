/** The runs that the server has kept, newest first. */

import * as api from "./api.js";
import { openDrawer } from "./drawer.js";
import { dateTime, plural } from "./format.js";
import { announce, el, fill } from "./page.js";

const STATE_NAMES = { queued: "waiting", running: "running", done: "done", cancelled: "stopped", failed: "failed",
  imported: "imported" };

const SEARCH_AFTER_MS = 250; // of quiet: not every letter is worth a question

let asked = 0; // counts questions, so that a late answer to an earlier one is dropped

export async function openHistory() {
  const list = el("ul", { className: "runs" });
  const more = el("div", { className: "buttons" });
  const start = el("p", {}, el("a", { href: `${api.base}/` }, "Start a new run"));
  openDrawer("Runs", [start, searchField((words) => showFirst(list, more, words)), list, more]);
  await showPage(list, more, "");
}

/** @param {(words: string) => void} search */
function searchField(search) {
  const input = el("input", { id: "runs-search", type: "search", autocomplete: "off", maxLength: 200 });
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => search(input.value.trim()), SEARCH_AFTER_MS);
  });
  const hint = el("p", { className: "hint" }, "Photo, answer, backend, model, or a day as 2026-05-04.");
  return el("div", { className: "runs-search" }, el("label", { htmlFor: "runs-search" }, "Find a run"), input, hint);
}

function showFirst(list, more, words) {
  return showPage(list, more, words ? `?q=${encodeURIComponent(words)}` : "", words);
}

/** @param {string} query of the page of runs to add; without `before` it is the first, which replaces all */
async function showPage(list, more, query, words = "") {
  asked += 1;
  const mine = asked;
  try {
    const page = await api.getRuns(query);
    if (mine !== asked) return;
    if (!query.includes("before=")) fill(list);
    list.append(...page.runs.map(entry));
    fill(more, page.next && moreButton(list, more, page.next));
    if (!list.childElementCount) fill(more, el("p", { className: "muted" }, noneWords(words)));
    if (words) announce(list.childElementCount ? "Runs found." : noneWords(words));
  } catch (problem) {
    const again = el("button", { type: "button", onclick: () => showPage(list, more, query) }, "Try again");
    fill(more, el("p", {}, `${problem.title} ${problem.detail || ""}`), again);
  }
}

/** @param {string} next address of the next page; only its query matters here */
function moreButton(list, more, next) {
  const query = next.slice(next.indexOf("?"));
  return el("button", { type: "button", onclick: () => showPage(list, more, query) }, "Older runs");
}

function entry(run) {
  const facts = [dateTime(run.created_at), STATE_NAMES[run.state] || run.state, requestWords(run)];
  const item = el("li", {},
    el("div", {},
      el("a", { href: api.base + api.runPath(run.id) }, run.name),
      el("p", { className: "hint" }, facts.filter(Boolean).join(" · ")),
      run.sentence && el("p", {}, run.sentence)));
  if (["done", "cancelled", "failed", "imported"].includes(run.state)) item.append(removeButton(run, item));
  return item;
}

/** @param {string} words that were looked for */
export function noneWords(words) {
  return words ? `No run fits “${words}”. Try fewer words, or part of one.` : "No runs yet.";
}

function requestWords(run) {
  const { done, failed } = run.requests;
  return plural(done, "request") + (failed ? `, ${failed} failed` : "");
}

/** Removing asks once more on the same button, where the eye already is. */
function removeButton(run, item) {
  const button = el("button", { type: "button", className: "quiet", "aria-label": `Remove ${run.name}` }, "Remove");
  button.addEventListener("click", async () => {
    if (button.textContent === "Remove") {
      button.textContent = "Really?";
      return;
    }
    try {
      await api.deleteRun(run.id);
      item.remove();
      announce(`${run.name} removed.`);
    } catch (problem) {
      button.textContent = "Remove";
      item.querySelector("div").append(el("p", { className: "bad" }, `${problem.title} ${problem.detail || ""}`));
    }
  });
  return button;
}
