/** The plan in its drawer: opened, closed, and what a new photo starts by itself. */

import { part } from "../dom.js";
import { memory } from "../state.js";

/** What starts by itself, unless this browser's owner has said otherwise. */
const STARTS = /** @type {const} */ ({ autoPreview: "auto-preview", autoFull: "auto-full" });

export function wirePlanDrawer() {
  part("editPlan").addEventListener("click", openPlan);
  part("planClose").addEventListener("click", () => part("planDrawer").close());
  part("planDrawer").addEventListener("close", () => part("editPlan").focus());
  for (const [name, key] of Object.entries(STARTS)) {
    const box = part(/** @type {keyof typeof STARTS} */ (name));
    box.checked = memory.get(key) ?? true;
    box.addEventListener("change", () => memory.set(key, box.checked));
  }
}

export function openPlan() {
  if (!part("planDrawer").open) part("planDrawer").showModal();
}
