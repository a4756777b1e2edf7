/** Does this browser change pixels that a script reads back? Some do, so that canvases can't tell visitors apart. */

export const SIDE_PX = 64;

/** An opaque picture in which no pixel is like its neighbour: plain areas are left alone by some. */
export function knownPixels(count = SIDE_PX * SIDE_PX) {
  const pixels = new Uint8ClampedArray(4 * count);
  let seed = 1;
  for (let at = 0; at < pixels.length; at += 1) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    pixels[at] = at % 4 === 3 ? 255 : seed >> 16;
  }
  return pixels;
}

/**
 * How many bytes come back other than they were written; 0 in an honest browser.
 * @param {CanvasRenderingContext2D|OffscreenCanvasRenderingContext2D} context of a canvas of SIDE_PX by SIDE_PX
 */
export function changedBytes(context) {
  const written = knownPixels();
  context.putImageData(new ImageData(written.slice(), SIDE_PX, SIDE_PX), 0, 0);
  const read = context.getImageData(0, 0, SIDE_PX, SIDE_PX).data;
  return written.reduce((count, value, at) => count + Number(value !== read[at]), 0);
}
