/** A look at a chosen set: its first photos, from this browser's own files. Nothing is sent. */

import { el, fill, part } from "../dom.js";

const MOST_SHOWN = 12;

let shown = /** @type {?import("./photo_set.js").PhotoSet} */ (null);
let urls = /** @type {string[]} */ ([]);

/** @param {import("./photo_set.js").PhotoSet|null|undefined} set none, or a ZIP file, shows nothing */
export function renderSetThumbs(set) {
  if (shown === (set || null)) return;
  shown = set || null;
  urls.forEach((url) => URL.revokeObjectURL(url));
  const items = set && set.count !== null ? set.items.slice(0, MOST_SHOWN) : [];
  urls = items.map(({ file }) => URL.createObjectURL(file));
  const left = (set?.items.length || 0) - items.length;
  part("setThumbs").hidden = !items.length;
  fill(part("setThumbs"), ...items.map((item, at) => thumb(item, urls[at])),
    items.length > 0 && left > 0 && el("span", { className: "muted" }, `and ${left.toLocaleString("en")} more`));
}

/** A file that this browser can't show leaves a gap; the server may still read it. */
function thumb({ path }, src) {
  const image = el("img", { src, alt: path, title: path, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.remove());
  return image;
}
