import assert from "node:assert/strict";
import { test } from "node:test";

import { liesOnItsSide, orientationOf, uprightTransform } from "../../static/js/browser_resize/orientation.js";

const EXIF = [...bytesOf("MM\0*"), 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];

function bytesOf(text) {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

const webp = (...chunks) => new Uint8Array([...bytesOf("RIFF____WEBP"), ...chunks.flat()]);
const webpChunk = (name, content) => [...bytesOf(name), content.length, 0, 0, 0, ...content, ...(content.length % 2 ? [0] : [])];
const png = (...chunks) => new Uint8Array([...bytesOf("\x89PNG\r\n\x1a\n"), ...chunks.flat()]);
const pngChunk = (name, content) => [0, 0, 0, content.length, ...bytesOf(name), ...content, 0, 0, 0, 0];

test("the orientation of a WebP stands behind its pixels, with and without the prefix that belongs to JPEG", () => {
  assert.equal(orientationOf(webp(webpChunk("VP8L", [1, 2, 3]), webpChunk("EXIF", EXIF))), 6);
  assert.equal(orientationOf(webp(webpChunk("VP8L", [1]), webpChunk("EXIF", [...bytesOf("Exif\0\0"), ...EXIF]))), 6);
  assert.equal(orientationOf(webp(webpChunk("VP8L", [1]))), 1);
});

test("the orientation of a PNG stands before its rows, and counts without a prefix only", () => {
  assert.equal(orientationOf(png(pngChunk("eXIf", EXIF), pngChunk("IDAT", [1]))), 6);
  assert.equal(orientationOf(png(pngChunk("IDAT", [1]), pngChunk("eXIf", EXIF))), 1);
  assert.equal(orientationOf(png(pngChunk("eXIf", [...bytesOf("Exif\0\0"), ...EXIF]))), 1);
});

test("an orientation of another type, beyond 8 or cut off turns nothing", () => {
  const changed = (at, value) => webp(webpChunk("EXIF", EXIF.with(at, value)));
  assert.equal(orientationOf(changed(19, 8)), 8);
  assert.equal(orientationOf(changed(19, 9)), 1);
  assert.equal(orientationOf(changed(13, 4)), 1);
  assert.equal(orientationOf(webp(webpChunk("EXIF", EXIF.slice(0, 15)))), 1);
});

test("each transform brings all corners of a picture into its canvas", () => {
  for (let orientation = 1; orientation <= 8; orientation += 1) {
    const [a, b, c, d, e, f] = uprightTransform(orientation, 30, 20);
    const [width, height] = liesOnItsSide(orientation) ? [20, 30] : [30, 20];
    const corners = [[0, 0], [30, 0], [0, 20], [30, 20]].map(([x, y]) => [a * x + c * y + e, b * x + d * y + f]);
    assert.deepEqual(corners.map(String).sort(), [[0, 0], [width, 0], [0, height], [width, height]].map(String).sort());
  }
});
