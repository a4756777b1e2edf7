/** The plan in its drawer, and in it what a new photo starts by itself. Fetched when somebody opens it. */

import { loadStyle, part } from "../dom.js";
import { memory } from "../state.js";
import { showServers, wireServers } from "./add_server.js";
import { wirePresets } from "./preset_list.js";
import { mountQualityPreview } from "./quality_preview.js";

/** What starts by itself, unless this browser's owner has said otherwise. */
const STARTS = /** @type {const} */ ({ autoPreview: "auto-preview", autoFull: "auto-full" });

wirePresets();
mountQualityPreview();
wireServers();
part("planClose").addEventListener("click", () => part("planDrawer").close());
part("planDrawer").addEventListener("close", () => part("editPlan").focus());
for (const [name, key] of Object.entries(STARTS)) {
  const box = part(/** @type {keyof typeof STARTS} */ (name));
  box.checked = memory.get(key) ?? true;
  box.addEventListener("change", () => memory.set(key, box.checked));
}

/** The plan where it adds a server. */
export async function openServers() {
  await openPlan();
  showServers();
}

export async function openPlan() {
  await loadStyle("plan");
  if (!part("planDrawer").open) part("planDrawer").showModal();
}
