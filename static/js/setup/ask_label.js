/** A true label that the model does not know: asked before the requests are spent, with the labels that may be meant. */

import { state, update } from "../state.js";
import { fillForm } from "./form.js";
import { likeliestLabels } from "./plan.js";

/**
 * The question, in place of a run. @param {(label?: string) => void} run starts it, as it was asked for
 * @returns {import("../types.js").Notice}
 */
export function labelQuestion(run) {
  const label = state.plan.true_label;
  const use = (/** @type {string} */ other) => () => {
    update({ plan: { ...state.plan, true_label: other } });
    fillForm();
    run();
  };
  const meant = likeliestLabels(label, state.config.labels);
  return {
    title: `The model does not know “${label}”.`,
    detail: `No answer could be right, so accuracy would be 0 everywhere.${meant.length ? "" : " The plan lists the labels that it knows."}`,
    actions: [
      ...meant.map((other) => ({ label: `Use “${other}”`, act: use(other) })),
      { label: "Run without a label", act: use("") },
      { label: "Run anyway", act: () => run(label) },
    ],
    at: "run",
  };
}
