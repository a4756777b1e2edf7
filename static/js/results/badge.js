/** How far a number can be trusted, as a mark that is read alike wherever it stands. */

import { el } from "../dom.js";
import { state } from "../state.js";
import { MARKS } from "./columns.js";

/** Icon and word, never colour alone. @param {string} validity */
export function badge(validity) {
  const meaning = state.config.validity.find(({ term }) => term === validity);
  return el("span", { className: `validity ${validity.toLowerCase()}`, title: meaning?.text },
    el("span", { "aria-hidden": "true" }, `${MARKS[validity] || ""} `), validity);
}
