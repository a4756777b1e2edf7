"use strict";
// Each figure is defined in Python and stands in this file once; here it is only drawn. In the dark theme it has other colours.
const light = document.getElementById("figures").textContent;
const darkColours = JSON.parse(document.getElementById("dark-colours").textContent);
const anyColour = new RegExp(Object.keys(darkColours).map((colour) => colour.replace(/[()]/g, "\\$&")).join("|"), "g");
const figures = { light: JSON.parse(light), dark: JSON.parse(light.replace(anyColour, (colour) => darkColours[colour])) };
const dark = matchMedia("(prefers-color-scheme: dark)");
const options = { displayModeBar: false, responsive: true };

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
