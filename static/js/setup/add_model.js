/** The models of the catalogue in the plan's drawer: each can be started as a further backend, and stopped. */

import { getBackends, getModels, problemText, startModel, stopModel } from "../api.js";
import { announce, el, fill, setText } from "../dom.js";
import { plural } from "../format.js";
import { update } from "../state.js";
import { withOwn } from "./own_servers.js";

const ASK_AGAIN_MS = 1500;
const STATE_WORDS = { stopped: "", loading: "loading", ready: "runs", down: "does not answer", failed: "failed" };

const list = el("ul", { id: "more-models", className: "own-servers" });
const said = el("p", { id: "model-said", className: "hint", role: "status" });
const cpus = /** @type {HTMLInputElement} */ (el("input", { id: "model-cpus", type: "number", min: 1, max: 64, step: 1, value: "1" }));
let timer = 0;

/** The part to put into the drawer. */
export function modelsPart() {
  const details = /** @type {HTMLDetailsElement} */ (el("details", { id: "model-add", className: "more" },
    el("summary", {}, "Start another model"),
    el("p", { className: "hint" }, "It becomes a backend of this app, for everybody who uses it, until it is stopped or the app ends."),
    el("div", { className: "field" }, el("label", { htmlFor: "model-cpus" }, "CPU cores"), cpus), list, said));
  details.addEventListener("toggle", () => details.open && look());
  return details;
}

async function look() {
  clearTimeout(timer);
  try {
    const { models, why_not: whyNot } = await getModels();
    fill(list, ...models.map(row));
    if (whyNot) setText(said, whyNot);
    const isUnderWay = models.some((model) => model.state === "loading") || (!models.length && !whyNot);
    if (isUnderWay) timer = window.setTimeout(look, ASK_AGAIN_MS);
    update({ backends: withOwn(await getBackends(false)) });
  } catch (problem) {
    setText(said, problemText(problem));
  }
}

/** @param {import("../types.js").Model} model */
function row(model) {
  const { name, title, to_download_mb: sizeMb } = model;
  const isOn = Boolean(model.backend_name);
  const label = isOn ? "Stop" : sizeMb ? `Download ${sizeMb} MB and start` : "Start";
  const button = el("button", { type: "button", className: "quiet", "aria-label": `${label}: ${title}`, disabled: !isOn && !model.can_be_had,
    onclick: () => act(model, isOn) }, label);
  const facts = `${model.side_px} px, ${(model.parameters / 1e6).toFixed(1)} million parameters`;
  const words = [STATE_WORDS[model.state] ?? model.state, model.state === "ready" ? "" : model.detail].filter(Boolean).join(": ");
  return el("li", { "data-model": name }, el("strong", {}, title), el("span", { className: "muted" }, ` ${facts}. ${words} `), button);
}

/** @param {import("../types.js").Model} model @param {boolean} isOn */
async function act(model, isOn) {
  try {
    // The button has named the size of the download.
    if (isOn) await stopModel(model.name);
    else await startModel(model.name, { cpus: cpus.valueAsNumber, download: Boolean(model.to_download_mb) });
    setText(said, isOn ? `${model.title} is being stopped.` : `${model.title} starts on ${plural(cpus.valueAsNumber, "core")}.`);
    announce(said.textContent);
    timer = window.setTimeout(look, ASK_AGAIN_MS);
  } catch (problem) {
    setText(said, problemText(problem));
  }
}
