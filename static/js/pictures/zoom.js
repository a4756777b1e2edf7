/** How large pictures are shown, and where the slider goes. Pure. */

export const ZOOMS = [["fit", "Fit"], ["50", "50 %"], ["100", "100 %"], ["200", "200 %"]];
const SHARP_FROM = 2; // an own pixel of the picture on two of the screen: then each is drawn as a square
const SMALLEST_SIDE_PX = 24; // of a picture that is fitted: a very long one scrolls rather than vanishes
const LARGEST_FIT = 32;
const LEAST_PERCENT = 1;
const ROUNDING = 1.001;
const LINE_PX = 16;
const MOST_WHEEL_PX = 200; // of one event, however fast a wheel is spun
const WHEEL_SPEED = 0.002;

/**
 * Shown pixels for each pixel of the picture.
 * @param {string} zoom a value of ZOOMS
 * @param {{width: number, height: number}} picture @param {{width: number, height: number}} room both in px
 */
export function scaleOf(zoom, picture, room) {
  if (zoom !== "fit") return Number(zoom) / 100;
  const fitting = Math.min(room.width / picture.width, room.height / picture.height);
  const least = SMALLEST_SIDE_PX / Math.min(picture.width, picture.height);
  return Math.min(Math.max(fitting, Math.min(least, 1)), LARGEST_FIT);
}

/** A wheel's turn as a factor: about 1.2 for one notch of a mouse, little for each event of a touchpad. @param {WheelEvent} event */
export function wheelFactor({ deltaY, deltaMode }) {
  const px = deltaMode === 1 ? deltaY * LINE_PX : deltaY; // Firefox counts a mouse's wheel in lines
  return Math.exp(-Math.max(-MOST_WHEEL_PX, Math.min(MOST_WHEEL_PX, px)) * WHEEL_SPEED);
}

/**
 * The zoom that a scale comes to: "fit" when it is no larger than fitting, else percent with a decimal.
 * @param {number} scale @param {number} fitting @returns {string} for scaleOf()
 */
export function zoomOf(scale, fitting) {
  if (scale <= fitting * ROUNDING) return "fit";
  return String(Math.round(Math.min(scale, LARGEST_FIT) * 1000) / 10);
}

/** Whether it is a zoom that scaleOf() can show. @param {string} zoom */
export const isZoom = (zoom) => zoom === "fit" || (Number(zoom) >= LEAST_PERCENT && Number(zoom) <= 100 * LARGEST_FIT);

/** @param {{width: number, height: number}} picture @param {number} scale */
export function shownSize(picture, scale) {
  return { width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)) };
}

/** Whether its own pixels are drawn as squares. @param {number} ownWidth @param {number} shownWidth */
export function isSharp(ownWidth, shownWidth) {
  return shownWidth >= SHARP_FROM * ownWidth;
}

/** What fitting came to: 2.13 -> "213 %", 0.045 -> "4.5 %". @param {number} scale */
export function scaleWords(scale) {
  const percent = scale * 100;
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

/** Where a key moves the slider; null: the key is not for it. @param {string} key @param {number} value 0..100 */
export function sliderValue(key, value) {
  if (key === "Home") return 0;
  if (key === "End") return 100;
  return key in STEPS ? Math.min(100, Math.max(0, value + STEPS[key])) : null;
}

/**
 * Where to scroll so that a place of the picture comes under a place of the frame; once for each direction.
 * @param {number} share of the picture, 0..1 @param {number} shownPx of the whole picture @param {number} atPx in the frame
 */
export const scrollFor = (share, shownPx, atPx) => share * shownPx - atPx;

/**
 * Where the line stands on the picture, in % of its width, when it stands at `value` % of what is in sight.
 * @param {number} value 0..100 @param {{left: number, width: number, whole: number}} sight px: scrolled, seen, picture
 */
export function splitAt(value, { left, width, whole }) {
  const seen = Math.min(width, whole);
  return Math.min(100, Math.max(0, (100 * (left + (value / 100) * seen)) / whole));
}
