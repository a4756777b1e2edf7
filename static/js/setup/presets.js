/** Plans to begin with, and plans that this browser keeps under a name. Pure. */

/** @import { Config, PagePlan } from "../types.js" */

/**
 * @typedef {object} Preset
 * @property {string} name
 * @property {string} what   in a few words
 * @property {Partial<PagePlan>} plan  what differs from the server's defaults
 */

/** @type {Preset[]} */
export const PRESETS = [
  {
    name: "Default", what: "every size, PNG and JPEG", plan: {},
  },
  {
    name: "Mobile upload", what: "JPEG and WebP as a phone would send them",
    plan: { sizes_px: [1024, 512, 256, 128], formats: ["jpeg", "webp"], jpeg_qualities: [85, 60], copies: "client" },
  },
  {
    name: "Server batch", what: "copies stored beforehand, one backend at a time",
    plan: { sizes_px: [512, 256, 128], formats: ["png", "jpeg"], order: "one_at_a_time", copies: "in_advance" },
  },
  {
    name: "Compression sweep", what: "one size, many qualities",
    plan: {
      sizes_px: [256], formats: ["jpeg", "webp", "avif"],
      jpeg_qualities: [95, 85, 70, 50, 30], webp_qualities: [80, 60, 40], avif_qualities: [65, 45],
    },
  },
  {
    name: "Thorough", what: "64 repeats, which give a p90",
    plan: { formats: ["png", "jpeg", "webp"], repeats: 64 },
  },
];

/**
 * The whole plan of a preset. A format that this server can't write is left out.
 * @param {Partial<PagePlan>} preset @param {PagePlan} usual the server's defaults @param {Config} config @returns {PagePlan}
 */
export function planOf(preset, usual, config) {
  const plan = { ...usual, ...preset };
  const writable = config.formats.filter((format) => !format.why_not).map((format) => format.key);
  return { ...plan, formats: plan.formats.filter((key) => writable.includes(key)) };
}

const MOST_SAVED = 20;

/**
 * The saved plans with one more; one of the same name is replaced, the oldest go first.
 * @param {Record<string, PagePlan>} saved @param {string} name @param {PagePlan} plan
 */
export function withSaved(saved, name, plan) {
  const { [name]: _, ...others } = saved;
  const { true_label: label, ...kept } = plan; // that of one photo
  return Object.fromEntries([...Object.entries(others), [name, { ...kept, true_label: "" }]].slice(-MOST_SAVED));
}
