/** How far a number can be trusted, as a mark that is read alike wherever it stands. */

import { el } from "../dom.js";
import { MARKS } from "./columns.js";

const VALIDITY_WORDS = {
  VALID: "Enough samples, no failures, and a narrow interval.",
  NOISY: "The interval of the p50 is wider than 10 %. Run it again with more repeats.",
  INVALID: "Do not rely on these times.",
};

/** Icon and word, never colour alone. @param {string} validity */
export function badge(validity) {
  return el("span", { className: `validity ${validity.toLowerCase()}`, title: VALIDITY_WORDS[validity] || "" },
    el("span", { "aria-hidden": "true" }, `${MARKS[validity] || ""} `), validity);
}
