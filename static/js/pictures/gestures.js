/** What pointers do to a picture in a frame that scrolls: pan, zoom by wheel and by pinch, and drag the dividing line. */

const NEAR_LINE_PX = 14;
const NEAR_LINE_TOUCH_PX = 24;

/**
 * @typedef {object} Target
 * @property {HTMLElement} frame
 * @property {() => boolean} canPan       the picture is larger than what is in sight
 * @property {() => ?number} lineX        of the dividing line on the screen; null: there is none
 * @property {(clientX: number) => void} moveLine
 * @property {() => number} scale         now
 * @property {(scale: number, clientX: number, clientY: number) => boolean} zoomAt the place stays where it is; false: it can't
 * @property {(event: WheelEvent) => number} wheelFactor
 */

/** @param {Target} target */
export function wireGestures(target) {
  const { frame } = target;
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let drag = "";
  let pinch = null;
  let isClicked = false; // from a click until the pointer leaves, a plain wheel zooms

  frame.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button) return;
    down.set(event.pointerId, placeOf(event));
    isClicked = true;
    if (down.size === 2) {
      drag = "";
      pinch = { apart: apart(down), scale: target.scale(), middle: middle(down) };
    } else if (down.size === 1) {
      drag = dragOf(target, event);
      if (drag === "line") target.moveLine(event.clientX);
      if (drag) frame.setPointerCapture(event.pointerId);
    }
  });
  frame.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = placeOf(event);
    down.set(event.pointerId, now);
    if (pinch && down.size === 2) {
      const at = middle(down);
      frame.scrollBy(pinch.middle.x - at.x, pinch.middle.y - at.y);
      target.zoomAt(pinch.scale * (apart(down) / pinch.apart), at.x, at.y);
      pinch.middle = at;
    } else if (drag === "line") target.moveLine(event.clientX);
    else if (drag === "pan") frame.scrollBy(before.x - now.x, before.y - now.y);
  });
  const release = (event) => {
    down.delete(event.pointerId);
    pinch = null;
    drag = "";
  };
  for (const name of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) frame.addEventListener(name, release);
  frame.addEventListener("pointerleave", () => (isClicked = false));
  // Two fingers are a pinch of the picture, not of the page; one scrolls, as everywhere.
  frame.addEventListener("touchstart", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
  frame.addEventListener("wheel", (event) => {
    const isAsked = event.ctrlKey || event.metaKey; // a pinch on a touchpad comes as a wheel with Ctrl
    if (!isAsked && !isClicked) return; // the page scrolls
    const zoomed = target.zoomAt(target.scale() * target.wheelFactor(event), event.clientX, event.clientY);
    if (zoomed || isAsked) event.preventDefault();
  }, { passive: false });
}

/** @param {Target} target @param {PointerEvent} event @returns {"line" | "pan" | ""} */
function dragOf({ canPan, lineX }, { clientX, pointerType }) {
  const isTouch = pointerType === "touch";
  const x = lineX();
  if (x !== null && (!canPan() || Math.abs(clientX - x) <= (isTouch ? NEAR_LINE_TOUCH_PX : NEAR_LINE_PX))) return "line";
  return canPan() && !isTouch ? "pan" : ""; // a finger scrolls by itself
}

const placeOf = ({ clientX: x, clientY: y }) => ({ x, y });

/** @param {Map<number, {x: number, y: number}>} down two of them */
function apart(down) {
  const [one, other] = [...down.values()];
  return Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
}

/** @param {Map<number, {x: number, y: number}>} down two of them */
function middle(down) {
  const [one, other] = [...down.values()];
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}
