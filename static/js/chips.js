/** Chips: boxes to tick in a row, and the field beside them that adds one more. */

import { el, fill, setText } from "./page.js";

/** @param {string|number} value */
export function checkChip(name, value, words) {
  return el("label", { className: "chip" }, el("input", { type: "checkbox", name, value: String(value) }), String(words));
}

/** Boxes for exactly these values, ticked where chosen; those that are there already stay, with their focus. */
export function syncChips(place, name, values, chosen, wordsOf = String) {
  const present = [...place.querySelectorAll("input")].map((box) => box.value);
  if (present.join("\n") !== values.join("\n")) fill(place, ...values.map((value) => checkChip(name, value, wordsOf(value))));
  for (const box of place.querySelectorAll("input")) box.checked = chosen.map(String).includes(box.value);
}

/** Values of the ticked boxes. @returns {string[]} */
export function tickedValues(place) {
  return [...place.querySelectorAll("input:checked")].map((box) => box.value);
}

/**
 * The field and its button: Enter in the field adds too, and does not start the run.
 * @param {(value: number) => string} add  "" when it took the value, else what is wrong with it
 */
export function wireAdd(input, button, hint, add) {
  const act = () => {
    setText(hint, ""); // before: what is added may put other words there
    const wrong = add(Number(input.value));
    if (wrong) {
      setText(hint, wrong);
      input.setAttribute("aria-invalid", "true");
    } else {
      input.removeAttribute("aria-invalid");
      input.value = "";
    }
  };
  button.addEventListener("click", act);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  });
}
