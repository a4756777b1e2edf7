import assert from "node:assert/strict";
import { test } from "node:test";

import { changedBytes, knownPixels, SIDE_PX } from "../../static/js/browser_resize/canvas_noise.js";
import { browserName, copiesOf, longestWithin, scaled, startFor, tooHeavy } from "../../static/js/browser_resize/copies.js";
import * as plans from "../../static/js/setup/plan.js";
import { CONFIG as SERVED } from "./config.mjs";

const CONFIG = {
  ...SERVED,
  formats: [
    { key: "png", axes: [] },
    { key: "jpeg", axes: ["jpeg_qualities", "subsamplings"] },
    { key: "webp-lossless", axes: [] },
    { key: "avif", axes: ["avif_qualities"] },
  ],
  offered: { subsamplings: [], resamplers: [] },
};
const PLAN = {
  sizes_px: [512, 256], formats: ["png", "jpeg"], jpeg_qualities: [85, 50], webp_qualities: [80], avif_qualities: [65],
  subsamplings: ["4:2:0"], resamplers: ["lanczos"], resize_in: "browser", browser_engines: ["pica", "canvas"], upload_original: true, repeats: 20,
  warmups: 3, backend_names: null, max_p50_ms: null, max_size_bytes: null,
};

test("sides are rounded as the server rounds them", () => {
  assert.deepEqual(scaled(451, 300, 256), { width_px: 256, height_px: 170 });
  assert.deepEqual(scaled(3, 1000, 100), { width_px: 1, height_px: 100 });
  assert.deepEqual(scaled(200, 101, 100), { width_px: 100, height_px: 51 }); // half up
});

test("copies come largest first, none is enlarged, and one as large as the photo is made once", () => {
  const copies = copiesOf({ sizes_px: [64, 451, 1024, 128], browser_engines: ["pica", "canvas"] }, 451, 300);
  assert.deepEqual(copies.map(({ size_px, engine }) => `${size_px} ${engine}`),
    ["451 pica", "128 pica", "128 canvas", "64 pica", "64 canvas"]);
});

test("a copy is made from the smallest one that is four times as large, else from the photo", () => {
  const made = [2048, 1024, 512].map((size_px) => ({ size_px }));
  assert.equal(startFor(256, made).size_px, 1024);
  assert.equal(startFor(128, made).size_px, 512);
  assert.equal(startFor(600, made), null);
});

test("the number of variants counts each place that makes them, and the original only where it is sent", () => {
  const count = (changes, longestPx = null) => plans.countVariants({ ...PLAN, ...changes }, longestPx, CONFIG);
  assert.equal(count({}), 1 + 2 * 2 * 3); // two sizes by two engines, as PNG and two JPEGs
  assert.equal(count({ upload_original: false }), 2 * 2 * 3);
  assert.equal(count({ resize_in: "both", upload_original: false }), 1 + 2 * 2 * 3 + 2 * 3);
  assert.equal(count({ resize_in: "server" }), 1 + 2 * 3);
  assert.equal(count({}, 512), 1 + 3 * 3); // the copy of 512 px is the photo itself
  assert.equal(count({ formats: ["png", "webp-lossless", "avif"] }), 1 + 2 * 2); // no canvas writes the others
});

test("each copy is encoded in every quality of each format that a canvas writes, in the plan's order", () => {
  assert.deepEqual(plans.encodingsHere({ ...PLAN, formats: ["jpeg", "avif", "webp-lossless", "png"] }, CONFIG),
    [{ format: "jpeg", quality: 85 }, { format: "jpeg", quality: 50 }, { format: "png", quality: null }]);
});

test("what a browser can't do is refused with words", () => {
  assert.deepEqual(plans.planProblems({ ...PLAN, browser_engines: [] }, null, CONFIG), ["Choose at least one browser engine."]);
  assert.match(plans.planProblems({ ...PLAN, formats: ["webp-lossless"] }, null, CONFIG)[0], /can't write WebP lossless\. Choose/);
  assert.match(plans.planProblems({ ...PLAN, formats: ["webp-lossless", "avif"] }, null, CONFIG)[0], /can't write WebP lossless or AVIF\. Choose/);
  assert.match(plans.placeWords({ ...PLAN, formats: ["png", "avif"] }, CONFIG), /A browser can't write AVIF\.$/);
  assert.deepEqual(plans.planProblems({ ...PLAN, resize_in: "server", browser_engines: [] }, null, CONFIG), []);
});

test("where the browser can't resize the server does, and the page says why", () => {
  const photo = { width_px: 10 };
  assert.equal(plans.whyNotHere(photo, true), "");
  assert.match(plans.whyNotHere(photo, false), /no OffscreenCanvas/);
  assert.match(plans.whyNotHere({ set: {} }, true), /set of photos is resized on the server/);
  assert.match(plans.whyNotHere({ width_px: null }, true), /can't decode this photo/);
  assert.equal(plans.possiblePlan(PLAN, { set: {} }, true).resize_in, "server");
  assert.equal(plans.possiblePlan(PLAN, photo, true), PLAN);
});

test("an address can say where to resize, and nonsense in it is left out", () => {
  const asked = (text) => {
    const { resize_in, browser_engines, upload_original } = plans.planFromQuery(new URLSearchParams(text), PLAN, CONFIG);
    return [resize_in, browser_engines.join(), upload_original];
  };
  assert.deepEqual(asked("resize=both&engine=canvas&original=no"), ["both", "canvas", false]);
  assert.deepEqual(asked("resize=moon&engine=gpu"), ["browser", "pica,canvas", true]);
});

test("a photo over the limit is shrunk to just below it", () => {
  const sizePx = longestWithin(10_000, 6_100, 50e6);
  const { width_px, height_px } = scaled(10_000, 6_100, sizePx);
  assert.ok(width_px * height_px <= 50e6 && width_px * height_px > 49.9e6);
  assert.equal(longestWithin(400, 300, 50e6), 400);
});

test("variants that the server would refuse unread are told of before they are sent", () => {
  const limits = { max_bytes: 20e6, max_with_variants_bytes: 100e6 };
  const part = (size) => ["variant", { size }, "8192-png-pica"];
  assert.equal(tooHeavy([part(19e6), part(19e6)], limits), null);
  assert.match(tooHeavy([part(1e6), part(25e6)], limits).title, /The variant 8192-png-pica has 25 MB; the limit is 20 MB/);
  assert.match(tooHeavy(Array(6).fill(part(19e6)), limits).title, /The variants have 114 MB; the limit is 100 MB/);
});

test("a browser is named by what it says of itself", () => {
  assert.equal(browserName("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"),
    "Chromium 150");
  assert.equal(browserName("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"), "Firefox 145");
  assert.equal(browserName("curl"), "a browser");
});

/** A context that keeps what is put, and changes every `step`-th byte when it is read. */
const context = (step) => {
  let kept = null;
  return {
    putImageData: ({ data }) => { kept = data; },
    getImageData: () => ({ data: kept.map((value, at) => (step && at % step === 0 ? value ^ 1 : value)) }),
  };
};

test("every byte that comes back changed is counted", () => {
  globalThis.ImageData = class { constructor(data) { this.data = data; } };
  assert.equal(changedBytes(context(0)), 0);
  assert.equal(changedBytes(context(64)), (4 * SIDE_PX * SIDE_PX) / 64);
  assert.ok(knownPixels().every((value, at) => at % 4 !== 3 || value === 255));
});
