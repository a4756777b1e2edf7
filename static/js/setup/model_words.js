/** What the backends serve, in words. @import { Backends } from "../types.js" */

import { isRestTwin } from "./plan.js";

/** The one model that all serve, or which serve which. @param {Backends} known */
export function modelWords({ backends, model, detail }) {
  if (!backends.length) return detail;
  const served = servedBy(backends);
  const [only] = served.keys();
  if (served.size > 1)
    return `Models: ${[...served].map(([name, by]) => `${titleOf(name, model)} (${by.join(", ")})`).join("; ")}`;
  if (only && only !== model?.name) return `Model: ${only}`;
  if (!model?.title) return model?.name ? `Model: ${model.name}` : "";
  return model.knows ? `${model.title}: knows ${model.knows}` : model.title;
}

/** Whether the labels of the app's model are those of every backend that is asked. @param {Backends} known */
export function isOneModel({ backends, model }) {
  return [...servedBy(backends).keys()].every((name) => name === model?.name);
}

/** @param {string} name @param {Backends["model"]} model */
const titleOf = (name, model) => (name === model?.name && model.title) || name;

/** Model -> names of the backends that serve it. @param {Backends["backends"]} backends @returns {Map<string, string[]>} */
function servedBy(backends) {
  const served = new Map();
  for (const backend of backends) {
    if (backend.state === "absent" || !backend.model || isRestTwin(backend, backends)) continue;
    served.set(backend.model, [...(served.get(backend.model) || []), backend.name]);
  }
  return served;
}
