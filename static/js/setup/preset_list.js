/** Presets and saved plans in the plan's drawer: chosen, saved, removed, and handed on as a link. */

import { base } from "../api.js";
import { copyText } from "../clipboard.js";
import { announce, el, fill, part, setText } from "../dom.js";
import { memory, state, update } from "../state.js";
import { fillForm } from "./form.js";
import { defaultPlan, queryOfPlan } from "./plan.js";
import { planOf, PRESETS, withSaved } from "./presets.js";

export function wirePresets() {
  const name = el("input", { id: "plan-name", size: 14, maxLength: 40, autocomplete: "off" });
  const save = el("button", { type: "button", onclick: () => savePlan(name) }, "Save");
  const link = el("button", { type: "button", id: "plan-link", className: "quiet", onclick: () => copyLinkOfPlan(link) }, "Copy link to this plan");
  name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // Enter would start a run
    savePlan(name);
  });
  fill(part("presets"),
    el("div", { className: "chips", role: "group", "aria-label": "Presets" }, ...PRESETS.map(({ name: words, what, plan }) =>
      el("button", { type: "button", title: what, onclick: () => choose(plan, words) }, words))),
    el("div", { id: "saved-plans", className: "chips" }),
    el("div", { className: "row" },
      el("label", { className: "unit" }, "Save as ", name), save, link),
    el("p", { id: "plan-note", className: "hint", role: "status" }));
  drawSaved();
}

/** @param {object} plan what differs from the defaults @param {string} name */
function choose(plan, name) {
  const { true_label } = state.plan;
  update({ plan: { ...planOf(plan, defaultPlan(state.config), state.config), true_label } });
  fillForm();
  announce(`Plan: ${name}.`);
}

/** @param {HTMLInputElement} input */
function savePlan(input) {
  const name = input.value.trim();
  if (!name) return say("Give the plan a name first.");
  memory.set("plans", withSaved(memory.get("plans") || {}, name, state.plan));
  input.value = "";
  drawSaved();
  return say(`Saved as “${name}” in this browser.`);
}

function drawSaved() {
  const saved = memory.get("plans") || {};
  const remove = (name) => {
    const { [name]: _, ...others } = memory.get("plans") || {};
    memory.set("plans", others);
    drawSaved();
    document.getElementById("plan-name").focus();
  };
  fill(document.getElementById("saved-plans"), ...Object.entries(saved).map(([name, plan]) => el("span", { className: "saved-plan" },
    el("button", { type: "button", onclick: () => choose(plan, name) }, name),
    el("button", { type: "button", className: "quiet", "aria-label": `Remove the plan ${name}`, onclick: () => remove(name) }, "✕"))));
}

async function copyLinkOfPlan(button) {
  const query = queryOfPlan(state.plan);
  const copied = await copyText(`${location.origin}${base}/?${query}`);
  say(copied ? "Link copied. It prepares this plan and starts nothing." : "Press Ctrl+C to copy the link.");
  button.focus();
}

const say = (words) => setText(document.getElementById("plan-note"), words);
