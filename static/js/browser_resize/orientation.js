/**
 * Which way up a photo is, where the browser does not see to it. All obey EXIF in JPEG; some do not in PNG, or in WebP.
 * The server turns all three, so what is left to do is done here, or copies of both places would show different pictures.
 */

const JPEG_START = "\xff\xd8";
const TAG = 0x0112;
const SHORT = 3;

// 2 x 1 px, with EXIF that turns them on end.
const PROBES = {
  png: "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAGmVYSWZNTQAqAAAACAABARIAAwAAAAEABgAAAAAAANZnS2kAAAALSURBVHjaY/j/HwADAAH/b4GrtgAAAABJRU5ErkJggg==",
  webp: "UklGRlIAAABXRUJQVlA4WAoAAAAIAAAAAQAAAAAAVlA4TBEAAAAvAQAAAAfQ//73v/+BiOh/AABFWElGGgAAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA",
};

/** What createImageBitmap leaves to be done: 1, nothing, to 8, as EXIF has it. @param {Blob} file */
export async function orientationLeft(file) {
  const head = text(new Uint8Array(await file.slice(0, 16).arrayBuffer()), 0, 16);
  const kind = head.startsWith("\x89PNG") ? "png" : head.slice(8, 12) === "WEBP" ? "webp" : "";
  if (head.startsWith(JPEG_START) || !kind || (await isObeyed(kind))) return 1;
  return orientationOf(new Uint8Array(await file.arrayBuffer()));
}

/** @param {"png"|"webp"} kind */
async function isObeyed(kind) {
  const bytes = Uint8Array.from(atob(PROBES[kind]), (letter) => letter.charCodeAt(0));
  const probe = await createImageBitmap(new Blob([bytes]), { imageOrientation: "from-image" }).catch(() => null);
  const isTurned = probe?.height === 2;
  probe?.close();
  return isTurned;
}

/** By the first EXIF of a PNG, before its rows, or of a WebP; 1 where there is none. @param {Uint8Array} bytes */
export function orientationOf(bytes) {
  const isPng = text(bytes, 0, 4) === "\x89PNG";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = isPng ? 8 : 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(isPng ? at : at + 4, !isPng);
    const name = text(bytes, isPng ? at + 4 : at, 4);
    if (name === "IDAT") return 1;
    if (name === (isPng ? "eXIf" : "EXIF")) return inExif(withoutPrefix(bytes.subarray(at + 8, at + 8 + size), isPng));
    at += 8 + size + (isPng ? 4 : size % 2);
  }
  return 1;
}

/** Some programs put JPEG's prefix into a WebP. */
const withoutPrefix = (exif, isPng) => (!isPng && text(exif, 0, 6) === "Exif\0\0" ? exif.subarray(6) : exif);

/** As experiment/images/exif_orientation.py reads it. @param {Uint8Array} exif from its byte order on */
function inExif(exif) {
  const order = text(exif, 0, 4);
  if (order !== "II*\0" && order !== "MM\0*") return 1;
  const [view, isLittle] = [new DataView(exif.buffer, exif.byteOffset, exif.byteLength), order === "II*\0"];
  try {
    const start = view.getUint32(4, isLittle);
    for (let entry = start + 2; entry < start + 2 + 12 * view.getUint16(start, isLittle); entry += 12) {
      if (view.getUint16(entry, isLittle) !== TAG) continue;
      const isOne = view.getUint16(entry + 2, isLittle) === SHORT && view.getUint32(entry + 4, isLittle) === 1;
      const value = view.getUint16(entry + 8, isLittle);
      return isOne && value >= 1 && value <= 8 ? value : 1;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // it ends early
  }
  return 1;
}

const text = (bytes, start, length) => String.fromCharCode(...bytes.subarray(start, start + length));

/** Whether width and height change places. @param {number} orientation */
export const liesOnItsSide = (orientation) => orientation >= 5;

/**
 * The transform that turns a picture of so many pixels upright, for a canvas of the right shape.
 * @param {number} orientation @returns {[number, number, number, number, number, number]}
 */
export function uprightTransform(orientation, width, height) {
  return /** @type {any} */ ({
    2: [-1, 0, 0, 1, width, 0],
    3: [-1, 0, 0, -1, width, height],
    4: [1, 0, 0, -1, 0, height],
    5: [0, 1, 1, 0, 0, 0],
    6: [0, 1, -1, 0, height, 0],
    7: [0, -1, -1, 0, height, width],
    8: [0, -1, 1, 0, 0, width],
  })[orientation] || [1, 0, 0, 1, 0, 0];
}
