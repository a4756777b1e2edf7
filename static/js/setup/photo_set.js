/** Many photos: what a choice of files or a dropped folder holds, and how it is sent. Pure but for reading folders. */

import { bytes, plural } from "../format.js";

/**
 * @typedef {object} Item      a file with its path within what was chosen
 * @property {File} file
 * @property {string} path     "pets/tabby/1.jpg"
 *
 * @typedef {object} PhotoSet
 * @property {Item[]} items    the photos
 * @property {?Item} csv       labels.csv among the files
 * @property {?number} count   null: a ZIP file, which nobody has opened
 * @property {number} size_bytes
 * @property {string[]} left_out  names of files that are neither photos nor labels
 * @property {string[]} folders   names of the folders that hold photos: what may be labels
 */

const PHOTO_ENDINGS = /\.(jpe?g|png|webp|gif|bmp|avif|heic|heif|hif)$/i;
const LABELS_NAME = /(^|\/)labels\.csv$/i;
const ZIP_ENDING = /\.zip$/i;

/** Files as a file input gives them; those of a chosen folder know their path. @param {File[]} files @returns {Item[]} */
export const itemsOf = (files) => files.map((file) => ({ file, path: file.webkitRelativePath || file.name }));

/** A photo that may come from the server, under a name that says what it is. @param {Blob} blob @param {string} name @returns {Item} */
export function itemOfPhoto(blob, name) {
  const path = PHOTO_ENDINGS.test(name) ? name : `${name}.${blob.type.split("/")[1]}`;
  return { file: new File([blob], path, { type: blob.type }), path };
}

/** Whether these files are a set, not one photo. @param {Item[]} items */
export function isMany(items) {
  return items.length > 1 || (items.length === 1 && ZIP_ENDING.test(items[0].path));
}

/**
 * What is in the files; other files than photos and labels.csv are left out.
 * @param {Item[]} items @param {string[]} systemNames what systems put beside photos, in lower case @returns {PhotoSet}
 */
export function photoSetOf(items, systemNames) {
  if (items.length === 1 && ZIP_ENDING.test(items[0].path))
    return { items, csv: null, count: null, size_bytes: items[0].file.size, left_out: [], folders: [] };
  const isSystems = (part) => part.startsWith(".") || systemNames.includes(part.toLowerCase());
  const shown = items.filter((item) => !item.path.split("/").some(isSystems));
  const photos = shown.filter((item) => PHOTO_ENDINGS.test(item.path));
  return {
    items: photos,
    csv: shown.find((item) => LABELS_NAME.test(item.path)) || null,
    count: photos.length,
    size_bytes: photos.reduce((sum, item) => sum + item.file.size, 0),
    left_out: shown.filter((item) => !PHOTO_ENDINGS.test(item.path) && !LABELS_NAME.test(item.path)).map((item) => item.file.name),
    folders: [...new Set(photos.map((item) => folderOf(item.path)).filter(Boolean))].sort(),
  };
}

/** The folder that holds a file: its label, if folders are labels. @param {string} path */
const folderOf = (path) => path.split("/").slice(-2, -1)[0] || "";

/** Why a set can't be sent; null when it can. @param {PhotoSet} set */
export function setRefusal(set, limits) {
  if (set.count === 0) return { title: "There are no photos among these files.", detail: "Use JPEG, PNG, WebP, AVIF, GIF or BMP." };
  if (set.count > limits.max_photos)
    return {
      title: `These are ${set.count.toLocaleString("en")} photos; the limit is ${limits.max_photos.toLocaleString("en")}.`,
      detail: "Choose fewer, or use the command line: python -m experiment --photos.",
    };
  if (set.size_bytes > limits.max_set_bytes)
    return {
      title: `These photos have ${bytes(set.size_bytes)}; the limit is ${bytes(limits.max_set_bytes)}.`,
      detail: "Choose fewer, or use the command line: python -m experiment --photos.",
    };
  return null;
}

/** The folder that all lie in, the ZIP file's name, or how many there are. @param {PhotoSet} set */
export function setName(set) {
  if (set.count === null) return set.items[0].path;
  const tops = new Set(set.items.map((item) => (item.path.includes("/") ? item.path.split("/")[0] : "")));
  const [top] = tops;
  return tops.size === 1 && top ? top : plural(set.count, "photo");
}

/** "300 photos, 12 MB. Left out: notes.txt", beside the set's name. @param {PhotoSet} set */
export function setFacts(set) {
  if (set.count === null) return `ZIP file, ${bytes(set.size_bytes)}`;
  const count = plural(set.count, "photo");
  const facts = [setName(set) !== count && count, bytes(set.size_bytes)].filter(Boolean).join(", ");
  const left = set.left_out.length;
  return left ? `${facts}. Left out, as they can't be read as photos: ${some(set.left_out)}` : facts;
}

/** Where labels may come from, the likeliest first: "folders", "csv", "none". @param {PhotoSet} set */
export function labelSources(set) {
  if (set.count === null) return [];
  return [...(set.csv ? ["csv"] : []), ...(set.folders.length ? ["folders"] : []), ...(set.csv ? [] : ["csv"]), "none"]
    .sort((a, b) => Number(a === "none") - Number(b === "none"));
}

/** The choice to begin with. @param {PhotoSet} set */
export function firstLabels(set) {
  if (set.csv) return "csv";
  return set.folders.length > 1 ? "folders" : "none";
}

/** What a choice means, in one sentence. @param {PhotoSet} set @param {string} labels @param {?File} csvFile */
export function labelWords(set, labels, csvFile) {
  if (set.count === null) return "Labels come from labels.csv in the ZIP file; without it, from its folder names.";
  if (labels === "folders") return `${plural(set.folders.length, "label")}: ${some(set.folders)}.`;
  if (labels === "csv" && csvFile) return `Labels come from ${csvFile.name}.`;
  if (labels === "csv" && set.csv) return `Labels come from ${set.csv.path}.`;
  if (labels === "csv") return "Choose a CSV file with the columns file and label.";
  return "Without labels the result is agreement with the originals, not accuracy.";
}

/**
 * The parts of the form: field, file and name of each.
 * @param {PhotoSet} set @param {string} labels @param {?File} csvFile @returns {[string, Blob, string][]}
 */
export function formParts(set, labels, csvFile) {
  const name = (item) => (labels === "none" ? item.path.split("/").pop() : item.path);
  const parts = set.items.map((item) => /** @type {[string, Blob, string]} */ (["file", item.file, name(item)]));
  if (labels === "csv" && csvFile) parts.push(["labels", csvFile, csvFile.name]);
  else if (labels === "csv" && set.csv) parts.push(["file", set.csv.file, set.csv.path]);
  return parts;
}

/** All files of dropped folders. @param {FileSystemEntry[]} entries @returns {Promise<Item[]>} */
export async function itemsIn(entries) {
  const found = await Promise.all(entries.map((entry) => (entry.isDirectory ? itemsOfFolder(entry) : itemOf(entry))));
  return found.flat();
}

const itemOf = (entry) =>
  new Promise((resolve, reject) => entry.file((file) => resolve([{ file, path: entry.fullPath.slice(1) }]), reject));

/** A folder lists its entries in portions, the last one empty. */
async function itemsOfFolder(entry) {
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!portion.length) return found;
    found.push(...(await itemsIn(portion)));
  }
}

const MOST_NAMED = 4;

function some(names) {
  const shown = names.slice(0, MOST_NAMED).join(", ");
  return names.length > MOST_NAMED ? `${shown} and ${names.length - MOST_NAMED} more` : shown;
}
