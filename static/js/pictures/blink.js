/** Two pictures in turn: by a button, slowly, or by hand as fast as one likes. */

import { el, setText } from "../dom.js";

export const TURN_MS = 500; // each picture stands so long: one flash a second, far below three (WCAG 2.3.1)

/**
 * While Space is held, or the pointer is down, on `target`, the first picture is shown.
 * @param {HTMLElement} target @param {(which: "before"|"after") => void} show
 * @param {() => boolean} [byPointer] false: the pointer does something else now
 * @returns {() => void} stops it
 */
export function hold(target, show, byPointer = () => true) {
  const stop = new AbortController();
  const on = (name, act) => target.addEventListener(name, act, { signal: stop.signal });
  const release = () => show("after");
  on("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault(); // Space would scroll
    if (!event.repeat) show("before");
  });
  on("keyup", (event) => event.key === " " && release());
  on("pointerdown", () => byPointer() && show("before"));
  for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) on(name, release);
  return () => stop.abort();
}

/**
 * The buttons for it.
 * @param {(which: "before"|"after") => void} show @param {string} first the name of what "before" shows
 * @param {boolean} isExplained a hint stands below
 */
export function blinker(show, first, isExplained) {
  const lessMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let timer = 0;
  let shown = "after";
  const button = el("button", { type: "button", "aria-pressed": "false", disabled: lessMotion }, "Start blinking");
  const holder = el("button", { type: "button", className: "hold" }, `Hold to see ${first}`);
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.setAttribute("aria-pressed", "false");
    setText(button, "Start blinking");
  };
  const turn = () => {
    if (!button.isConnected) return stop(); // its place was closed
    return show((shown = shown === "after" ? "before" : "after"));
  };
  button.addEventListener("click", () => {
    if (timer) {
      stop();
      return show((shown = "after"));
    }
    timer = window.setInterval(turn, TURN_MS);
    button.setAttribute("aria-pressed", "true");
    setText(button, "Stop blinking");
    return turn();
  });
  hold(holder, (which) => {
    stop();
    show(which);
  });
  const words = lessMotion
    ? "Your system asks for less motion, so nothing blinks by itself. Hold Space on the picture or the button."
    : "Hold Space on the picture or the second button to do it by hand.";
  const controls = [el("div", { className: "buttons" }, button, holder), isExplained && el("p", { className: "hint" }, words)];
  return { controls, stop };
}
