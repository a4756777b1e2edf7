/**
 * Structural similarity of two pictures: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error
 * visibility to structural similarity", IEEE Transactions on Image Processing 13(4), 2004. On luma alone, with its
 * constants and its window (Gaussian, 11 x 11, sigma 1.5); the mean over all places where the whole window fits.
 */

const SIGMA = 1.5;
const RADIUS = 5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

/** Luma (BT.601, as in JPEG) of RGBA pixels, 0 to 255. @param {Uint8ClampedArray} pixels @returns {Float32Array} */
export function lumaOf(pixels) {
  const luma = new Float32Array(pixels.length / 4);
  for (let at = 0; at < luma.length; at += 1)
    luma[at] = 0.299 * pixels[4 * at] + 0.587 * pixels[4 * at + 1] + 0.114 * pixels[4 * at + 2];
  return luma;
}

/**
 * 1 for equal pictures, less the more they differ. A picture narrower than the window gets a smaller one.
 * @param {Float32Array} first @param {Float32Array} second luma, row by row @returns {number}
 */
export function ssim(first, second, widthPx, heightPx) {
  const window = gaussian(Math.min(RADIUS, Math.floor((Math.min(widthPx, heightPx) - 1) / 2)));
  const product = (a, b) => a.map((value, at) => value * b[at]);
  const blurred = (plane) => blur(plane, widthPx, heightPx, window);
  const [meanA, meanB] = [blurred(first), blurred(second)];
  const [squareA, squareB, both] = [blurred(product(first, first)), blurred(product(second, second)), blurred(product(first, second))];
  let sum = 0;
  for (let at = 0; at < meanA.length; at += 1) {
    const [a, b] = [meanA[at], meanB[at]];
    const covariance = both[at] - a * b;
    const variances = squareA[at] - a * a + squareB[at] - b * b;
    sum += ((2 * a * b + C1) * (2 * covariance + C2)) / ((a * a + b * b + C1) * (variances + C2));
  }
  return sum / meanA.length;
}

function gaussian(radius) {
  const weights = Array.from({ length: 2 * radius + 1 }, (_, at) => Math.exp(-((at - radius) ** 2) / (2 * SIGMA ** 2)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** Weighted means, rows first, only where the whole window fits. In doubles: variances are small differences. */
function blur(plane, widthPx, heightPx, window) {
  const [width, height] = [widthPx - window.length + 1, heightPx - window.length + 1];
  const rows = new Float64Array(width * heightPx);
  for (let y = 0; y < heightPx; y += 1)
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (let k = 0; k < window.length; k += 1) sum += window[k] * plane[y * widthPx + x + k];
      rows[y * width + x] = sum;
    }
  const means = new Float64Array(width * height);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (let k = 0; k < window.length; k += 1) sum += window[k] * rows[(y + k) * width + x];
      means[y * width + x] = sum;
    }
  return means;
}
