/** What can be taken away from a plot beside its picture: its table as CSV, and a link to it. */

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

/** Copies the address of a part of the page as it is looked at now. @param {string} id @param {HTMLElement} button */
export async function copyLinkTo(id, button) {
  const words = button.textContent;
  const copied = await copyText(`${location.origin}${location.pathname}${location.search}#${id}`);
  setText(button, copied ? "Copied" : "Press Ctrl+C");
  announce(copied ? "Link copied" : "Press Ctrl+C");
  setTimeout(() => setText(button, words), SAID_MS);
}
