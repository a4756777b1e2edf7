/** Which copies a browser makes of a photo, in which order, and from what. Pure arithmetic. */

import { bytes } from "../format.js";

// From four times the size resizing again changes next to nothing.
const CASCADE_FROM = 4;

/** Width and height with the longest side `sizePx`, rounded half up: as experiment/images/resize.py has it. */
export function scaled(widthPx, heightPx, sizePx) {
  const longest = Math.max(widthPx, heightPx);
  const side = (px) => Math.max(1, Math.floor((2 * px * sizePx + longest) / (2 * longest)));
  return { width_px: side(widthPx), height_px: side(heightPx) };
}

/**
 * The copies to make, largest first. One as large as the photo is not resized, so the first engine alone makes it.
 * @param {{sizes_px: number[], browser_engines: string[]}} plan
 * @returns {{size_px: number, width_px: number, height_px: number, engine: string}[]}
 */
export function copiesOf(plan, widthPx, heightPx) {
  const longest = Math.max(widthPx, heightPx);
  const sizes = [...new Set(plan.sizes_px)].filter((sizePx) => sizePx <= longest).sort((a, b) => b - a);
  return sizes.flatMap((sizePx) => {
    const engines = sizePx === longest ? plan.browser_engines.slice(0, 1) : plan.browser_engines;
    return engines.map((engine) => ({ size_px: sizePx, ...scaled(widthPx, heightPx, sizePx), engine }));
  });
}

/** The smallest of the copies so far that is large enough to be resized again; null: the photo itself. */
export function startFor(sizePx, copies) {
  const large = copies.filter((copy) => copy.size_px >= CASCADE_FROM * sizePx);
  return large.length ? large.reduce((least, copy) => (copy.size_px < least.size_px ? copy : least)) : null;
}

/** The longest side with which a photo has at most so many pixels, and no side is too long for a JPEG. */
export function longestWithin(widthPx, heightPx, maxPixels) {
  const factor = Math.min(1, Math.sqrt(maxPixels / (widthPx * heightPx)));
  return Math.max(1, Math.floor(Math.max(widthPx, heightPx) * factor));
}

/**
 * Why the variants can't be sent; null when they can. The server refuses an upload that is too large without reading it.
 * @param {[string, {size: number}, string][]} parts @param {{max_bytes: number, max_with_variants_bytes: number}} limits
 */
export function tooHeavy(parts, limits) {
  const heaviest = parts.reduce((most, part) => (part[1].size > most[1].size ? part : most));
  const total = parts.reduce((sum, [, content]) => sum + content.size, 0);
  const detail = "Use fewer or smaller sizes, or JPEG in place of PNG.";
  if (heaviest[1].size > limits.max_bytes)
    return { title: `The variant ${heaviest[2]} has ${bytes(heaviest[1].size)}; the limit is ${bytes(limits.max_bytes)}.`, detail };
  if (total > limits.max_with_variants_bytes)
    return { title: `The variants have ${bytes(total)}; the limit is ${bytes(limits.max_with_variants_bytes)}.`, detail };
  return null;
}

/** "Chromium 150", "Firefox 145", "Safari 18", as far as the browser says. @param {string} userAgent */
export function browserName(userAgent) {
  for (const [pattern, name] of BROWSERS) {
    const found = pattern.exec(userAgent);
    if (found) return `${name} ${found[1]}`;
  }
  return "a browser";
}

/** @type {[RegExp, string][]} */
const BROWSERS = [
  [/Edg\/(\d+)/, "Edge"],
  [/Firefox\/(\d+)/, "Firefox"],
  [/Chrome\/(\d+)/, "Chromium"],
  [/Version\/(\d+).*Safari/, "Safari"],
];
