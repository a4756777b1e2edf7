/** What helps to decide about a finished run: how it does under load, what it costs, the way over the network, what moved the answer. */

import { getDeciding, problemText } from "../api.js";
import { el, fill, loadStyle, part, setText } from "../dom.js";
import { firstSentence } from "../format.js";
import { goalsQuery, isBusy, lookNow, memory, state, watch, whenLookChanges } from "../state.js";
import { computingQuery, priceFrom, priceWords, typedPrices, uplinkFrom, uplinkWords, writeChoices } from "./choices.js";
import { fillLoadForm, makeLoadForm } from "./load_form.js";
import { makePlace, showSection } from "./sections.js";

const OWN = "own"; // the choice of a number instead of a row of the server's table

let shown = { id: "", look: "" };
let places = {}; // by key of a section, see makePlace()
let computed = null; // by the server, last
let asked = 0; // how often, so that an answer to an earlier question is known

whenLookChanges(redraw);
watch(["report"], redraw); // other goals, or copies made elsewhere
watch(["run"], () => isBusy() && clear());

/** @returns {HTMLDetailsElement[]} */
const folds = () => [...part("deciding").querySelectorAll(/** @type {"details"} */ ("details[data-section]"))];
const query = () => new URLSearchParams(location.search);

/** Shows what can be concluded from a run that has ended. @param {any} report */
export async function showDeciding(report) {
  await loadStyle("deciding");
  const id = report.run_id;
  const names = report.backends.filter((backend) => backend.state !== "absent").map((backend) => backend.name);
  if (shown.id !== id) build(id, names);
  await compute();
  if (query().get("compare")) (await import("./compare.js")).showCompared();
}

/** The forms are made once for each run, so that a field keeps its focus while results change below it. */
function build(id, names) {
  shown = { id, look: "" };
  choices = {
    prices: typedPrices(query(), memory.get("prices"), names, state.config.ranges.price_per_hour),
    uplink: query().get("uplink") || memory.get("uplink") || "",
  };
  const controls = { load: makeLoadForm(), cost: priceForm(names), uplink: el("fieldset", { className: "uplinks" }), sensitivity: null };
  places = {};
  for (const fold of folds()) {
    const place = makePlace(controls[fold.dataset.section]);
    places[fold.dataset.section] = place;
    fill(fold, fold.querySelector("summary"), place.node);
    fold.ontoggle = () => fold.open && draw(fold.dataset.section);
  }
  if (Object.keys(choices.prices).length) writeChoices({ prices: choices.prices });
}

/** Asks again for the run that is shown: something more was measured. */
export const refreshDeciding = () => (shown.id && !isBusy() ? compute() : Promise.resolve());

/** Unfolds a section and moves the page there. @param {string} key */
export function openSection(key) {
  const fold = folds().find((each) => each.dataset.section === key);
  if (!fold || fold.open) return;
  fold.open = true;
  fold.scrollIntoView({ block: "nearest" });
}

let choices = { prices: /** @type {import("./choices.js").Prices} */ ({}), uplink: "" };

/** Asks for everything anew with the choices as they are. */
async function compute() {
  const { id } = shown;
  shown.look = asShown();
  const nth = (asked += 1);
  const answer = await getDeciding(id, `${computingQuery(lookNow(), choices.prices, choices.uplink)}&${goalsQuery()}`).catch((problem) => ({ problem }));
  if (shown.id !== id || nth !== asked) return; // newer ones are asked for
  if (answer.problem) return showProblem(answer.problem);
  computed = answer;
  for (const fold of folds()) {
    setText(fold.querySelector(".conclusion"), firstSentence(answer.sections[fold.dataset.section].sentence));
    if (fold.open) draw(fold.dataset.section);
  }
  fillLoadForm(places.load.node.querySelector(".load-form"), answer.load, state.report);
  fillPrices(answer.prices);
  fillUplinks(answer);
}

/** An address that somebody wrote by hand may hold nonsense; the sections say so. */
function showProblem(problem) {
  computed = null;
  const words = problemText(problem);
  for (const fold of folds()) {
    setText(fold.querySelector(".conclusion"), words);
    setText(places[fold.dataset.section].parts.lead, words);
  }
}

/** Plots need a place that can be seen: they are drawn when a section is opened. @param {string} key */
function draw(key) {
  if (computed) showSection(places[key], computed.sections[key]);
}

function redraw() {
  if (shown.id && !isBusy() && shown.look !== asShown()) compute();
}

/** Conclusions of the run before must not stand beside the results of this one. */
function clear() {
  if (!shown.id) return;
  shown = { id: "", look: "" };
  computed = null;
  for (const fold of folds()) {
    fold.open = false;
    setText(fold.querySelector(".conclusion"), "");
    fill(fold, fold.querySelector("summary"));
  }
}

// Prices

/** @param {string[]} names */
function priceForm(names) {
  const hint = el("p", { id: "prices-hint", className: "hint", role: "status" }, PRICES_STAY);
  const fields = names.map((name, index) =>
    el("div", { className: "field" },
      el("label", { htmlFor: `price-${index}` }, name),
      el("input", {
        id: `price-${index}`, "data-name": name, inputMode: "decimal", size: 7, autocomplete: "off", placeholder: "none",
        "aria-describedby": "prices-hint", onchange: (event) => takePrice(event.target, hint),
      })));
  return el("fieldset", { className: "prices" }, el("legend", {}, "Price per hour"),
    el("div", { className: "row" }, ...fields), hint);
}

const PRICES_STAY = "Any currency. Prices stay in this browser and in the address of this page.";

/** @param {HTMLInputElement} field */
function takePrice(field, hint) {
  const { name } = field.dataset;
  const text = field.value.trim();
  const range = state.config.ranges.price_per_hour;
  const price = text ? priceFrom(text, range) : undefined;
  field.toggleAttribute("aria-invalid", false);
  setText(hint, price === null ? priceWords(range) : PRICES_STAY);
  if (price === null) return field.setAttribute("aria-invalid", "true");
  const { [name]: _, ...others } = choices.prices;
  choices = { ...choices, prices: price === undefined ? others : { ...others, [name]: price } };
  memory.set("prices", { ...memory.get("prices"), [name]: undefined, ...choices.prices });
  writeChoices({ prices: choices.prices });
  return compute();
}

/** Also those that the server knew already; the field that is being typed in is left alone. */
function fillPrices(prices) {
  for (const field of places.cost.node.querySelectorAll("input[data-name]")) {
    if (field === document.activeElement) continue;
    const price = prices[field.dataset.name];
    field.value = price === null || price === undefined ? "" : String(price);
  }
}

// Uplinks

/** Radio buttons from the server's table, and a field for another number; built once. */
function fillUplinks({ uplinks, uplink }) {
  const place = places.uplink.node.querySelector(".uplinks");
  if (!place.childElementCount) makeUplinks(place, uplinks);
  const known = uplinks.some(({ key }) => key === uplink.key);
  place.querySelector(`input[value="${known ? uplink.key : OWN}"]`).checked = true;
  const own = place.querySelector("#own-uplink");
  if (!known && own !== document.activeElement) own.value = String(uplink.mbit_s);
}

function makeUplinks(place, uplinks) {
  const hint = el("p", { id: "uplink-hint", className: "hint", role: "status" });
  const own = el("input", {
    id: "own-uplink", inputMode: "decimal", size: 7, autocomplete: "off", "aria-label": "Own uplink in Mbit/s",
    "aria-describedby": "uplink-hint",
  });
  const chip = (value, words) => el("label", { className: "chip" },
    el("input", { type: "radio", name: "uplink", value, onchange: () => takeUplink(value, own, hint) }), words);
  own.addEventListener("change", () => {
    place.querySelector(`input[value="${OWN}"]`).checked = true;
    takeUplink(OWN, own, hint);
  });
  fill(place, el("legend", {}, "Your users' upload speed"),
    el("div", { className: "chips" }, ...uplinks.map(({ key, name }) => chip(key, name)), chip(OWN, "Custom"),
      el("span", { className: "unit" }, own, "Mbit/s")), hint);
}

/** @param {string} value @param {HTMLInputElement} own */
async function takeUplink(value, own, hint) {
  own.removeAttribute("aria-invalid");
  setText(hint, "");
  const range = state.config.ranges.uplink_mbit_s;
  const uplink = value === OWN ? uplinkFrom(own.value, range) : value;
  if (!uplink) {
    if (!own.value) return own.focus(); // nothing was typed yet
    setText(hint, uplinkWords(range));
    return own.setAttribute("aria-invalid", "true");
  }
  choices = { ...choices, uplink };
  memory.set("uplink", uplink);
  writeChoices({ uplink });
  if (copiesChosen() === "client") return (await import("../results/goals.js")).judgeBy({});
  return compute();
}

/** What the sections depend on beside their own choices. */
const asShown = () => `${lookNow()} ${goalsQuery()}`;

const copiesChosen = () => state.view.copies || state.report?.plan.copies;
