/** Pixels of two pictures: where they differ. Pure. */

const GAIN = 8; // a difference is drawn this many times as strong
const SEEN_FROM = 4; // levels of 255; a smaller difference is hardly seen by anybody

/**
 * @typedef {object} Difference
 * @property {number} mean     levels of 255, over all pixels and colours
 * @property {number} largest  of one colour of one pixel
 * @property {number} share    of pixels in which a colour differs by more than SEEN_FROM, 0..1
 */

/**
 * Writes the difference, GAIN times as strong and opaque, into `out`; identical pixels become black.
 * All three are RGBA of the same length.
 * @param {Uint8ClampedArray} one @param {Uint8ClampedArray} other @param {Uint8ClampedArray} out
 * @returns {Difference}
 */
export function differenceOf(one, other, out) {
  let sum = 0;
  let largest = 0;
  let seen = 0;
  for (let at = 0; at < one.length; at += 4) {
    let most = 0;
    for (let colour = at; colour < at + 3; colour += 1) {
      const apart = Math.abs(one[colour] - other[colour]);
      out[colour] = apart * GAIN;
      sum += apart;
      if (apart > most) most = apart;
    }
    out[at + 3] = 255;
    if (most > largest) largest = most;
    if (most > SEEN_FROM) seen += 1;
  }
  const pixels = one.length / 4;
  return { mean: sum / (3 * pixels), largest, share: seen / pixels };
}

/** @param {Difference} difference */
export function differenceWords({ mean, largest, share }) {
  if (!largest) return "No difference: every pixel is the same.";
  const percent = share * 100;
  const part = percent < 1 ? "less than 1" : String(Math.round(percent));
  return `Mean difference ${mean.toFixed(1)} of 255 levels, largest ${largest}; ` +
    `${part} % of the pixels differ by more than ${SEEN_FROM}.`;
}
