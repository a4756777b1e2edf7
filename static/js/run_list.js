/** The server's runs, newest first, page by page, with a search: for the history and for choosing one. */

import * as api from "./api.js";
import { announce, el, fill } from "./dom.js";

const SEARCH_AFTER_MS = 250; // of quiet: not every letter is worth a question

/**
 * What a drawer shows; the first runs come by themselves.
 * @param {(run: any) => ?Node} entry of one run; null leaves it out
 * @param {string} noRuns what is said when there is none
 * @param {string} [like] id of a run: those of the same photo come first in each page, and entries get `same_photo`
 */
export function runList(entry, noRuns, like = "") {
  const list = el("ul", { className: "runs" });
  const more = el("div", { className: "buttons" });
  let asked = 0; // counts questions, so that a late answer to an earlier one is dropped

  /** @param {string} query of the page of runs to add; without `before` it is the first, which replaces all */
  async function showPage(query, words = "") {
    asked += 1;
    const mine = asked;
    try {
      const page = await api.getRuns(query);
      if (mine !== asked) return;
      if (!query.includes("before=")) fill(list);
      const found = like ? page.runs.toSorted((one, other) => Number(other.same_photo) - Number(one.same_photo)) : page.runs;
      list.append(...found.map(entry).filter(Boolean));
      const next = page.next && page.next.slice(page.next.indexOf("?")); // only its query matters here
      fill(more, next && el("button", { type: "button", onclick: () => showPage(next) }, "Older runs"));
      if (!list.childElementCount && !next) fill(more, el("p", { className: "muted" }, noneWords(words, noRuns)));
      if (words) announce(list.childElementCount ? "Runs found." : noneWords(words, noRuns));
    } catch (problem) {
      const again = el("button", { type: "button", onclick: () => showPage(query, words) }, "Try again");
      fill(more, el("p", {}, api.problemText(problem)), again);
    }
  }

  const first = (words) => `?${new URLSearchParams({ ...(words ? { q: words } : {}), ...(like ? { like } : {}) })}`;
  showPage(first(""));
  return [searchField((words) => showPage(first(words), words)), list, more];
}

/** @param {(words: string) => void} search */
function searchField(search) {
  const input = el("input", { id: "runs-search", type: "search", autocomplete: "off", maxLength: 200 });
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => search(input.value.trim()), SEARCH_AFTER_MS);
  });
  const hint = el("p", { className: "hint" }, "Search by photo, answer, backend, model or day (2026-05-04).");
  return el("div", { className: "runs-search" }, el("label", { htmlFor: "runs-search" }, "Find a run"), input, hint);
}

/** @param {string} words that were looked for @param {string} noRuns */
function noneWords(words, noRuns) {
  return words ? `No run matches “${words}”. Try fewer words, or part of one.` : noRuns;
}
