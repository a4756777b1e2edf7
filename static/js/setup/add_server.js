/**
 * The form in the plan's drawer that tests and adds a server for the runs of this browser.
 *
 * @import { OwnServer } from "../types.js"
 */

import { problemText, testServer } from "../api.js";
import { announce, el, fill, part, setText, writeBeneath } from "../dom.js";
import { optionalNumber } from "../format.js";
import { state, watch } from "../state.js";
import { modelsPart } from "./add_model.js";
import { addOwn, ownServers, removeOwn } from "./own_servers.js";

/** Key of a server -> its label and what stands in the empty field. */
const FIELDS = {
  address: { label: "Address", hint: "host:8500", size: 22 },
  name: { label: "Name", hint: "as the address", size: 14 },
  model: { label: "Model", hint: "", size: 14 },
  signature: { label: "Signature", hint: "", size: 14 },
  price_per_hour: { label: "Price per hour", hint: "none", size: 6 },
};

/** @type {Record<string, HTMLInputElement>} */
const inputs = {};
const protocol = el("select", { id: "server-protocol" }, el("option", { value: "grpc" }, "gRPC"), el("option", { value: "rest" }, "REST"));
const said = el("p", { id: "server-said", className: "hint", role: "status" });
const list = el("ul", { id: "own-servers", className: "own-servers" });

/** Draws the form, or why there is none. */
export function wireServers() {
  const { add_servers: options } = state.config;
  const summary = el("summary", {}, "Add a server");
  if (options.why_not) return fill(part("serverAdd"), el("details", { className: "more" }, summary, el("p", { className: "hint" }, options.why_not)));
  const buttons = [
    el("button", { type: "button", id: "server-test", onclick: () => act(false) }, "Test"),
    el("button", { type: "button", id: "server-save", onclick: () => act(true) }, "Add"),
  ];
  fill(part("serverAdd"), list, el("details", { className: "more" }, summary,
    el("div", { className: "row" },
      field("address"),
      el("div", { className: "field" }, el("label", { htmlFor: "server-protocol" }, "Protocol"), protocol),
      field("name"), field("model"), field("signature"), field("price_per_hour")),
    el("div", { className: "buttons" }, ...buttons), said,
    el("p", { className: "hint" }, "Only the runs of this browser ask it. The reports of these runs name it.")), modelsPart());
  inputs.model.placeholder = options.model;
  inputs.signature.placeholder = options.signature;
  return watch(["backends"], drawList);
}

/** Unfolds the form, and goes there. */
export function showServers() {
  const folded = part("serverAdd").querySelector("details");
  folded.open = true;
  (inputs.address || folded.querySelector("summary")).focus();
}

/** @param {keyof typeof FIELDS} key */
function field(key) {
  const { label, hint, size } = FIELDS[key];
  const id = `server-${key.replaceAll("_", "-")}`;
  inputs[key] = /** @type {HTMLInputElement} */ (el("input", { id, size, placeholder: hint, autocomplete: "off" }));
  if (key === "price_per_hour") inputs[key].inputMode = "decimal";
  inputs[key].addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault(); // Enter would start a run
    act(false);
  });
  return el("div", { className: "field" }, el("label", { htmlFor: id }, label), inputs[key]);
}

/** What the fields say; a number that is none stays as text, which the server refuses. @returns {OwnServer} */
function described() {
  const texts = Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, input.value.trim()]).filter(([, text]) => text));
  const price = optionalNumber(texts.price_per_hour || "");
  return /** @type {OwnServer} */ ({
    ...texts, name: texts.name || texts.address, protocol: protocol.value,
    price_per_hour: Number.isNaN(price) ? texts.price_per_hour : price,
  });
}

/** Tests what the fields say, and adds it if asked to. @param {boolean} adds */
async function act(adds) {
  showProblems({});
  const server = described();
  const { most } = state.config.add_servers;
  if (adds && ownServers().length >= most) return setText(said, `${most} servers are added, the most. Remove one first.`);
  setText(said, "Testing…");
  try {
    const seen = await testServer(server);
    setText(said, `${adds ? "Added. " : ""}${seen.detail}`);
    if (!adds) return undefined;
    addOwn(server, seen);
    for (const input of Object.values(inputs)) input.value = "";
    return inputs.address.focus();
  } catch (problem) {
    setText(said, Object.keys(problem.fields || {}).some((key) => inputs[key]) ? "" : problemText(problem));
    return showProblems(problem.fields || {});
  }
}

/** @param {Record<string, string>} problems */
function showProblems(problems) {
  for (const [key, input] of Object.entries(inputs)) writeBeneath(input, problems[key] || "", true);
  Object.entries(inputs).find(([key]) => problems[key])?.[1].focus();
}

function drawList() {
  const names = ownServers().map((server) => server.name);
  const own = (state.backends?.backends || []).filter((backend) => backend.added_as && names.includes(backend.name));
  fill(list, ...own.map((backend) => el("li", {},
    el("strong", {}, backend.name), el("span", { className: "muted" }, ` ${backend.added_as}, ${backend.model}. ${backend.detail} `),
    el("button", { type: "button", className: "quiet", "aria-label": `Remove ${backend.name}`, onclick: () => remove(backend.name) }, "Remove"))));
}

/** @param {string} name */
function remove(name) {
  removeOwn(name);
  announce(`${name} is removed.`);
  inputs.address.focus();
}
