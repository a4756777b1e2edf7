/** Takes a photo from wherever it comes, and says at once when it can't be used. */

import { base, Problem, problemParts } from "../api.js";
import { announce, el, fill, part, setText } from "../dom.js";
import { bytes } from "../format.js";
import { SAMPLE_ID, state, update } from "../state.js";
import { liesOnItsSide, orientationLeft } from "../browser_resize/orientation.js";
import { canResizeHere, fillForm, photoFacts } from "./form.js";
import { looksLikeReport, openReport } from "./import_report.js";
import * as sets from "./photo_set.js";
import { presetRepeats, presetSizes } from "./plan.js";
import { labelProblems, labelsInCsv } from "./set_labels.js";
import { renderSetThumbs } from "./set_thumbs.js";

const READABLE = "Use JPEG, PNG, WebP, AVIF, GIF or BMP.";
const HEAD_BYTES = 136; // as many brands as the server looks at
const BRANDS = [["avif", /avi[fs]/], ["heic", /he[iv][cmsx]/], ["heif", /m[is]f1/]];
const OTHER_STARTS = { jxl: /^(\xff\x0a|\0\0\0\x0cJXL )/, tiff: /^(II\*\0|MM\0\*)/, jp2: /^(\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/ };
/** What a refusal says of kinds that the server may not read. */
const OTHER_KINDS = {
  avif: "is an AVIF file.",
  heif: "is a HEIF file.",
  jxl: "is a JPEG XL file.",
  tiff: "is a TIFF file.",
  jp2: "is a JPEG 2000 file.",
  cgbi: "is a PNG as Xcode writes it for iOS apps (CgBI), which browsers and models can’t read.",
};

/**
 * What the first bytes of a file say it is: the name of a kind of image, "heic", or "".
 * The name of a file proves nothing. @param {Uint8Array} head at least 12 bytes
 */
export function sniff(head) {
  const text = String.fromCharCode(...head);
  if (text.startsWith("\xff\xd8\xff")) return "jpeg";
  if (text.startsWith("\x89PNG\r\n")) return text.slice(12, 16) === "CgBI" ? "cgbi" : "png";
  if (text.startsWith("GIF8")) return "gif";
  if (text.startsWith("BM")) return "bmp";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "webp";
  if (text.slice(4, 8) === "ftyp") return brandOf(text);
  return Object.keys(OTHER_STARTS).find((kind) => OTHER_STARTS[kind].test(text)) || "";
}

/** Of pictures in boxes: the first brand may be a general one, so all of them count. @param {string} text */
function brandOf(text) {
  const size = text.charCodeAt(0) * 2 ** 24 + text.charCodeAt(1) * 2 ** 16 + text.charCodeAt(2) * 2 ** 8 + text.charCodeAt(3);
  const brands = (text.slice(8, size) || text.slice(8, 12)).match(/.{4}/gs) || [];
  const found = BRANDS.find(([, known]) => brands.some((brand) => /** @type {RegExp} */ (known).test(brand)));
  return found ? String(found[0]) : "";
}

/**
 * Why a file can't be sent, judged by its weight and first bytes; null when nothing is wrong. `unread`: by the server,
 * so this browser may still read it. @param {string[]} reads kinds that the server reads
 * @returns {?{title: string, detail: string, too_large?: boolean, unread?: boolean}}
 */
export function refusal(name, sizeBytes, kind, limits, reads) {
  if (sizeBytes === 0) return { title: `${name} is empty.`, detail: "Choose another photo." };
  if (!reads.includes(kind === "heif" ? "heic" : kind)) return { ...unreadWords(name, kind), unread: true };
  if (sizeBytes > limits.max_bytes)
    return {
      title: `This photo is ${bytes(sizeBytes)}; the limit is ${bytes(limits.max_bytes)}.`,
      detail: "Shrink it first, or raise PIXELCOST_MAX_BYTES on the server.",
      too_large: true,
    };
  return null;
}

function unreadWords(name, kind) {
  if (kind === "heic")
    return {
      title: "This is a HEIC photo from an iPhone.",
      detail: "Export it as JPEG, or set the camera to “Most Compatible”.",
    };
  return { title: `${name} ${OTHER_KINDS[kind] || "is not a photo we can read."}`, detail: READABLE };
}

/** Why so many pixels can't be used; null when they can. */
export function pixelRefusal(widthPx, heightPx, limits) {
  const pixels = widthPx * heightPx;
  if (pixels <= limits.max_pixels) return null;
  const words = (count) => `${Math.round(count / 1e6)} MP`;
  return {
    title: `This photo is ${words(pixels)}; the limit is ${words(limits.max_pixels)}.`,
    detail: "Shrink it first, or raise PIXELCOST_MAX_PIXELS on the server.",
    too_large: true,
  };
}

/** Takes a photo, or a set when there are several files or a ZIP file. @param {File[]} files */
export async function takeFiles(files) {
  if (!files.length) return;
  const items = sets.itemsOf(files);
  if (sets.isMany(items)) return takeSet(items);
  const [file] = files;
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  if (looksLikeReport(file.name, head)) return openReport(file, state.config.limits);
  const kind = sniff(head);
  const problem = refusal(file.name, file.size, kind, state.config.limits, state.config.photo_formats);
  const mayBeRead = problem?.unread && canResizeHere() && (kind || file.type.startsWith("image/"));
  if (mayBeRead) return decodeHere(file, problem);
  if (problem) return refuse(problem, file);
  return takePhoto(file);
}

/** As takeFiles(), but dropped folders are looked through. @param {File[]} files @param {FileSystemEntry[]} entries */
export async function takeDropped(files, entries) {
  if (!entries.some((entry) => entry.isDirectory)) return takeFiles(files);
  try {
    takeSet(await sets.itemsIn(entries));
  } catch {
    notice({ title: "This folder could not be read.", detail: "Choose it with the button instead." });
  }
}

/** The photo or photos at hand with further ones, as one set that the same plan measures. @param {File[]} files */
export async function addFiles(files) {
  const before = state.photo;
  if (!before || !files.length || before.set?.count === null) return takeFiles(files);
  try {
    takeSet([...(await itemsAtHand(before)), ...sets.itemsOf(files)]);
  } catch (problem) {
    return refuse(problemParts(problem));
  }
  const { photo } = state;
  if (before.set && photo.set && photo !== before) changeSet({ labels: before.labels, csvFile: before.csvFile });
  return undefined;
}

/** @param {import("../types.js").Photo} photo @returns {Promise<import("./photo_set.js").Item[]>} */
async function itemsAtHand(photo) {
  if (photo.set) return [...photo.set.items, ...(photo.set.csv ? [photo.set.csv] : [])];
  return [sets.itemOfPhoto(await photoBlob(photo), photo.name)];
}

/** @param {import("./photo_set.js").Item[]} items */
function takeSet(items) {
  const set = sets.photoSetOf(items, state.config.system_names);
  const problem = sets.setRefusal(set, state.config.limits);
  if (problem) return refuse(problem);
  const labels = sets.firstLabels(set);
  setPhoto({ name: sets.setName(set), file: null, url: "", size_bytes: set.size_bytes, ...NOT_KNOWN, set, facts: sets.setFacts(set), labels, csvFile: null });
  part("setLabels").focus?.();
}

/** @param {File} file @param {{facts: (facts: string) => string}} [made] how its facts say that it was made here of another */
async function takePhoto(file, made, chosen = true) {
  const url = URL.createObjectURL(file);
  const size = await sizeOf(url, file);
  const problem = size && pixelRefusal(size.width_px, size.height_px, state.config.limits);
  if (problem) {
    URL.revokeObjectURL(url);
    return refuse(problem, file);
  }
  const photo = { name: file.name || "pasted photo.png", file, url, size_bytes: file.size, chosen, ...(size || NOT_KNOWN) };
  setPhoto(made ? { ...photo, facts: made.facts(photoFacts(photo)) } : photo);
}

const NOT_KNOWN = { width_px: null, height_px: null };

/** Pixels of an image, upright; null when this browser can't decode it. Nothing is drawn. */
async function sizeOf(url, file) {
  const image = new Image();
  image.src = url;
  const isRead = await new Promise((resolve) => {
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
  });
  if (!isRead) return null;
  const [width_px, height_px] = [image.naturalWidth, image.naturalHeight];
  const isLying = liesOnItsSide(await orientationLeft(file));
  return isLying ? { width_px: height_px, height_px: width_px } : { width_px, height_px };
}

/** @param {import("../types.js").Photo} photo */
export function setPhoto(photo) {
  if (state.photo?.file) URL.revokeObjectURL(state.photo.url);
  const { config, plan } = state;
  const longest = photo.width_px ? Math.max(photo.width_px, photo.height_px) : null;
  const sizes = longest ? presetSizes(config, plan.sizes_px, longest) : plan.sizes_px;
  const repeats = presetRepeats(config, plan.repeats, state.photo, photo);
  const report = state.report?.run_id === SAMPLE_ID ? null : state.report; // which is about another photo
  update({ photo, report, notice: null, plan: { ...plan, sizes_px: sizes, repeats } });
  if (repeats !== plan.repeats) fillForm();
  renderPhoto();
  announce(`${photo.name} chosen, ${photoFacts(photo)}.`);
}

function renderPhoto() {
  const { photo } = state;
  showPhotoLine({ name: photo.name, facts: photoFacts(photo), url: photo.width_px ? photo.url : "" });
  renderSet();
}

/** The drop zone as one line about a photo. @param {{name: string, facts: string, url: string}} photo url: "" if it can't be shown */
export function showPhotoLine({ name, facts, url }) {
  part("drop").classList.add("small");
  part("empty").hidden = true;
  part("photo").hidden = false;
  const image = /** @type {HTMLImageElement} */ (part("photoImage"));
  image.hidden = !url;
  if (url) image.src = url;
  image.alt = `The photo ${name}`;
  setText(part("photoName"), name);
  setText(part("photoFacts"), facts);
  setText(part("choose"), "New photo");
  part("choose").classList.remove("strong");
}

const SOURCE_NAMES = { folders: "Folder names", csv: "A CSV file", none: "No labels" };

/** What a set is said to show: the choice, and what it means. */
function renderSet() {
  const { photo } = state;
  renderSetThumbs(photo.set);
  part("setLabels").hidden = !photo.set;
  if (!photo.set) return;
  const chips = sets.labelSources(photo.set).map((key) => el("label", { className: "chip" },
    el("input", { type: "radio", name: "set_labels", value: key, checked: key === photo.labels }), SOURCE_NAMES[key]));
  if (part("labelSources").childElementCount !== chips.length || !part("labelSources").querySelector(":checked"))
    fill(part("labelSources"), ...chips);
  part("labelSources").onchange = (event) => changeSet({ labels: /** @type {HTMLInputElement} */ (event.target).value });
  part("labelsFile").onchange = takeLabels;
  part("labelsCsv").hidden = photo.labels !== "csv";
  setText(part("labelsName"), photo.csvFile?.name || photo.set.csv?.path || "");
  setText(part("setHint"), sets.labelWords(photo.set, photo.labels, photo.csvFile));
  renderLabelProblems(photo);
}

function takeLabels() {
  const [csvFile] = part("labelsFile").files;
  part("labelsFile").value = ""; // so that choosing the same file again is noticed
  if (csvFile) changeSet({ csvFile });
}

/** Says what is amiss with the labels as soon as they are known. @param {import("../types.js").Photo} photo */
async function renderLabelProblems(photo) {
  const file = photo.csvFile || photo.set.csv?.file;
  const text = photo.labels === "csv" && file ? await file.text().catch(() => "") : "";
  if (state.photo !== photo) return; // something else was chosen meanwhile
  const labels = text ? labelsInCsv(text, state.config.label_columns) : null;
  const problems = labelProblems(photo.set, photo.labels, labels && { name: file.name, labels }, state.config);
  part("setProblems").hidden = !problems.length;
  fill(part("setProblems"), ...problems.map((words) => el("li", {}, words)));
}

function changeSet(changes) {
  update({ photo: { ...state.photo, ...changes } });
  renderSet();
}

/** What is sent of the photo, or of all of them: field, bytes and name. @returns {Promise<[string, Blob, string][]>} */
export async function formParts(photo) {
  if (photo.set) return sets.formParts(photo.set, photo.labels, photo.csvFile);
  return [["file", await photoBlob(photo), photo.name]];
}

/** The photo that comes with the page. @param {boolean} [chosen] by somebody just now, not by the address */
export async function useSample(chosen = true) {
  try {
    const answer = await fetch(`${base}/static/samples/cat.png`);
    if (!answer.ok) throw new Error(String(answer.status));
    await takePhoto(new File([await answer.blob()], "cat.png", { type: "image/png" }), undefined, chosen);
  } catch {
    notice({ title: "The cat photo could not be loaded.", detail: "Is the server still running? Try again." });
  }
}

/** An image out of the clipboard, or a word about what it holds instead. */
export function takePaste(files, types) {
  const images = files.filter((file) => file.type.startsWith("image/"));
  if (images.length) return takeFiles(images);
  if (!types.length) return notice({ title: "The clipboard is empty.", detail: "" });
  return notice({ title: "The clipboard holds text, not an image.", detail: "" });
}

/** The photo of a stored run, asked for again when it is to be sent. @returns {Promise<Blob>} */
export async function photoBlob(photo) {
  if (photo.file) return photo.file;
  const answer = await fetch(photo.url).catch(() => null);
  if (!answer?.ok) throw new Problem({ title: "The photo of this run is no longer stored.", detail: "Choose it again." });
  return answer.blob();
}

/** @param {any} problem @param {?File} [file] that may be shrunk here */
function refuse({ too_large: tooLarge, unread: _, ...problem }, file = null) {
  const choose = { label: "Choose another", act: () => part("fileInput").click() };
  const shrinkIt = { label: "Shrink it here first", act: () => shrinkHere(file) };
  notice({ ...problem, actions: tooLarge && file && canResizeHere() ? [shrinkIt, choose] : [choose] });
}

/** A photo that only this browser reads, as lossless PNG in its place. @param {File} file @param {any} unread the server's refusal */
async function decodeHere(file, unread) {
  const { limits } = state.config;
  const url = URL.createObjectURL(file);
  const size = await sizeOf(url, file);
  URL.revokeObjectURL(url);
  if (!size) return refuse({ ...unread, detail: `Neither this server nor this browser reads it. ${unread.detail}` });
  const tooMany = pixelRefusal(size.width_px, size.height_px, limits);
  if (tooMany) return refuse(tooMany, file);
  notice({ title: `Decoding ${file.name} here.`, detail: "This server does not read it, but your browser does.", calm: true });
  try {
    const decoded = await (await import("../browser_resize/browser_resize.js")).asPng(file);
    if (decoded.size > limits.max_bytes)
      return refuse({ ...refusal(decoded.name, decoded.size, "png", limits, ["png"]), title:
        `Decoded by your browser, this photo is a PNG of ${bytes(decoded.size)}; the limit is ${bytes(limits.max_bytes)}.` }, file);
    await takePhoto(decoded, { facts: (facts) => `${facts}, decoded by your browser: this lossless PNG is sent` });
  } catch (problem) {
    refuse(problemParts(problem));
  }
}

/** The photo made small enough by this browser, taken in its place. @param {File} file */
async function shrinkHere(file) {
  notice({ title: `Shrinking ${file.name} here.`, detail: "A large photo takes some seconds.", calm: true });
  try {
    const smaller = await (await import("../browser_resize/browser_resize.js")).shrink(file, state.config.limits);
    await takePhoto(smaller, { facts: (facts) => `${facts}, shrunk here from ${bytes(file.size)}: this copy is the reference` });
  } catch (problem) {
    refuse(problemParts(problem));
  }
}

/** @param {import("../types.js").Notice} words */
function notice(words) {
  update({ notice: words });
}
