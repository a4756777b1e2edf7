/** "Copy as": the request of one variant to one backend for other tools, made by the server. */

import { base, copyPath, getAnswer, problemText } from "../api.js";
import { copyText } from "../clipboard.js";
import { el, fill, setText } from "../dom.js";

const KINDS = { curl: "curl", ghz: "ghz", locust: "locust", "locust-grpc": "locust over gRPC" };
const KINDS_OF_QUEUES = { curl: "curl", python: "Python" };

/** @param {any} report @param {any} variant @param {string} backendName */
export function copyAs(report, variant, backendName) {
  const words = el("span", { role: "status", className: "muted" });
  const shown = el("div", { className: "copied" });
  const isQueue = report.backends.find(({ name }) => name === backendName)?.protocol === "queue";
  const buttons = Object.entries(isQueue ? KINDS_OF_QUEUES : KINDS).map(([kind, name]) => {
    const button = el("button", { type: "button", "aria-label": `Copy as ${name} for ${backendName}` }, name);
    button.addEventListener("click", () => copy(copyPath(report.run_id, kind, variant.id, backendName), kind, words, shown));
    return button;
  });
  return el("div", { className: "copy-as" },
    el("div", { className: "buttons" }, el("span", { className: "label" }, "Copy as"), ...buttons, words), shown);
}

async function copy(path, kind, words, shown) {
  setText(words, "");
  try {
    const text = await (await getAnswer(path)).text();
    const code = el("pre", { tabIndex: 0, "aria-label": `What was copied for ${kind}` }, text);
    const save = el("a", { className: "button", href: base + path, download: "" }, "Save as a file");
    fill(shown, code, save);
    if (await copyText(text)) return setText(words, "Copied.");
    select(code);
    return setText(words, "Press Ctrl+C to copy the selected text.");
  } catch (problem) {
    fill(shown);
    return setText(words, problemText(problem));
  }
}

/** @param {HTMLElement} element */
function select(element) {
  element.focus();
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}
