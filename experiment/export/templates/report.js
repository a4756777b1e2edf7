"use strict";
// Each figure is defined in Python and stands in this file for the light theme; of the dark one only what differs.
const figures = JSON.parse(document.getElementById("figures").textContent);
figures.dark = changed(figures.light, figures.dark);
const dark = matchMedia("(prefers-color-scheme: dark)");
const options = { displayModeBar: false, responsive: true };

/** `base` changed by what differs: by key or index, down to a list with the other value. */
function changed(base, by) {
  if (by === undefined || by === null) return base;
  if (Array.isArray(by)) return by[0];
  const made = Array.isArray(base) ? [...base] : { ...base };
  for (const key of Object.keys(by)) made[key] = changed(base[key], by[key]);
  return made;
}

function draw(theme) {
  for (const [name, figure] of Object.entries(figures[theme])) {
    const place = document.getElementById(name);
    place.style.height = `${figure.layout.height}px`; // plotly.js forgets the layout's height when it resizes
    Plotly.react(place, figure.data, { ...figure.layout }, options);
  }
}

const drawAsSeen = () => draw(dark.matches ? "dark" : "light");
dark.addEventListener("change", drawAsSeen);
addEventListener("beforeprint", () => draw("light"));
addEventListener("afterprint", drawAsSeen);
drawAsSeen();
