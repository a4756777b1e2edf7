/** What can be taken away beside a plot's picture: its table as CSV, and a link to it or to the page. */

import { copyText } from "../clipboard.js";
import { announce, el, setText } from "../dom.js";

const SAID_MS = 2500;

/** The table of a figure as CSV, lines ended as RFC 4180 has them. @param {import("../types.js").Figure["meta"]["table"]} table */
export function csvOf({ columns, rows }) {
  return [columns, ...rows].map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

/** Spreadsheets take a text that begins so for a formula. */
const FORMULA = /^[=+\-@\t\r\n]/;

function csvField(value) {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Saves text as a file. @param {string} text @param {string} name */
export function saveText(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), SAID_MS);
}

/** Copies the address of the run as it is looked at now, for somebody who is not to change it. @param {HTMLElement} button */
export const copyReadOnlyLink = (button) => copyAddress(button, `${location.origin}${location.pathname}${queryWith("read", "only")}`);

/** @param {string} key @param {string} value */
function queryWith(key, value) {
  const query = new URLSearchParams(location.search);
  query.set(key, value);
  return `?${query}`;
}

/** Copies the address of the page, or of a part of it, as it is looked at now. @param {HTMLElement} button @param {string} [id] */
export const copyLink = (button, id) =>
  copyAddress(button, location.origin + location.pathname + location.search + (id ? `#${id}` : location.hash));

/** @param {HTMLElement} button @param {string} address */
async function copyAddress(button, address) {
  const words = button.textContent;
  const copied = await copyText(address);
  setText(button, copied ? "Link copied" : "Press Ctrl+C");
  announce(button.textContent);
  setTimeout(() => setText(button, words), SAID_MS);
}
