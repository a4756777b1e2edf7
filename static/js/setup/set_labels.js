/** What the labels of a set say before anything is sent: those that the model does not know, and files that are not there. Pure. */

/** @import { Config } from "../types.js" @import { PhotoSet } from "./photo_set.js" */

const WORDNET_ID = /^n\d{8}$/;
const MOST_NAMED = 4;

/**
 * File -> label of a CSV, or null where it is none: the server says what is wrong with it.
 * @param {string} text @param {Config["label_columns"]} columns @returns {?Map<string, string>}
 */
export function labelsInCsv(text, columns) {
  const [header = [], ...rows] = rowsOf(text.replace(/^\ufeff/, ""));
  const titles = header.map((title) => title.trim().toLowerCase());
  const place = (names) => titles.indexOf(names.find((name) => titles.includes(name)) ?? "");
  const [fileAt, labelAt] = [place(columns.file), place(columns.label)];
  if (fileAt < 0 || labelAt < 0) return null;
  const pairs = rows.map((row) => /** @type {[string, string]} */ ([(row[fileAt] || "").trim(), (row[labelAt] || "").trim()]));
  return new Map(pairs.filter(([file, label]) => file && label));
}

/** Fields may stand in quotation marks, where two of them mean one. @param {string} text @returns {string[][]} */
function rowsOf(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:\s*"((?:[^"]|"")*)"[^,\r\n]*|([^,\r\n]*))(,|\r?\n|\r|$)/g)) {
    rows[rows.length - 1].push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (!end) break;
    if (end !== ",") rows.push([]);
  }
  return rows.filter((row) => row.some(Boolean));
}

/**
 * What a person should know before the requests are spent, in sentences.
 * @param {PhotoSet} set @param {string} source "folders", "csv" or "none" @param {?{name: string, labels: Map<string, string>}} csv
 * @param {Pick<Config, "labels" | "knows_wordnet_ids">} model
 */
export function labelProblems(set, source, csv, model) {
  if (source === "folders") return unknownWords(set.folders, model);
  if (source !== "csv" || !csv) return [];
  return [...fileWords(set, csv), ...unknownWords([...new Set(csv.labels.values())], model)];
}

/** @param {string[]} labels */
function unknownWords(labels, { labels: known, knows_wordnet_ids: knowsIds }) {
  if (!known.length) return [];
  const names = new Set(known.flatMap(namesOf));
  const isKnown = (label) => (knowsIds && WORDNET_ID.test(label)) || namesOf(label).some((name) => names.has(name));
  const unknown = labels.filter((label) => !isKnown(label));
  if (!unknown.length) return [];
  const are = unknown.length === 1 ? "is not a class" : "are not classes";
  return [`${unknown.length} of ${labels.length} labels ${are} of the model: ${some(unknown)}. Their photos count for latency and agreement, not for accuracy.`];
}

/** A label and its synonyms, as the server compares them. @param {string} label */
const namesOf = (label) => {
  const plain = label.normalize("NFC").toLowerCase().replaceAll("_", " ").split(/\s+/).filter(Boolean).join(" ");
  return [plain, ...plain.split(",").map((part) => part.trim())].filter(Boolean);
};

/** By the names of the files alone: the server compares their folders too. */
function fileWords(set, { name, labels }) {
  const last = (path) => path.split(/[/\\]/).pop();
  const there = new Set(set.items.map(({ path }) => last(path)));
  const labelled = new Set([...labels.keys()].map(last));
  const absent = [...labels.keys()].filter((file) => !there.has(last(file)));
  const without = set.items.filter(({ path }) => !labelled.has(last(path)));
  const files = absent.length === 1 ? "1 file that is" : `${absent.length.toLocaleString("en")} files that are`;
  return [
    absent.length && `${name} lists ${files} not among these photos: ${some(absent)}.`,
    without.length && `${without.length.toLocaleString("en")} of ${set.items.length.toLocaleString("en")} photos have no label in ${name}.`,
  ].filter(Boolean);
}

function some(names) {
  const shown = names.slice(0, MOST_NAMED).join(", ");
  return names.length > MOST_NAMED ? `${shown} and ${(names.length - MOST_NAMED).toLocaleString("en")} more` : shown;
}
