/** The first look of a set: the photos that lose most answers, where one photo has its pictures. */

import { getPhotos } from "../api.js";
import { el, fill, loadStyle, part } from "../dom.js";
import { isBusy, state, watch } from "../state.js";
import { showFlipped } from "./explorer.js";
import { photoGrid } from "./photo_card.js";
import { openPhoto } from "./photo_details.js";

const MOST = 10;

let drawn = ""; // id of the run that is shown, and whether it still went on

async function render() {
  const { report } = state;
  const has = Boolean(report?.photo_set?.measured) && !report.imported && !isBusy();
  if (!has) part("worst").hidden = true;
  const wanted = has ? report.run_id : "";
  if (!wanted || wanted === drawn) return;
  drawn = wanted;
  await loadStyle("sets");
  const found = await getPhotos(wanted, { only: "flipped" }).catch(() => null); // the tab says what is wrong
  if (drawn !== wanted || !found) return;
  part("worst").hidden = !found.rows.length;
  const all = el("button", { type: "button", className: "quiet", onclick: () => showFlipped("") }, `All ${found.total.toLocaleString("en")}`);
  fill(part("worst"), el("div", { className: "section-head" }, el("h3", {}, "Photos whose answer changes, worst first"), all),
    photoGrid(found.rows.slice(0, MOST), (photo) => openPhoto(photo, () => null)));
}

// Last, because it draws at once, with all that stands above.
watch(["report", "run"], render);
