/**
 * Numbers and fixed sentences, made readable. Pure: text in, text out.
 * Values arrive in the unit their name says; formatting happens only here. The rules are
 * those of experiment/wording.py, so that the page reads like the report.
 */

export const UNKNOWN = "–";

/** 0.4 -> "0.40", 7.234 -> "7.2", 41.3 -> "41", 1234 -> "1,234". @param {number} value */
export function number(value) {
  if (value < 0.995) return value.toFixed(2);
  return value < 9.95 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

/** A bare number; the unit stands in the column's head. @param {?number} ms */
export function milliseconds(ms) {
  return isUnknown(ms) ? UNKNOWN : number(ms);
}

/** A time with its unit. @param {?number} ms */
export function duration(ms) {
  return isUnknown(ms) ? UNKNOWN : `${number(ms)} ms`;
}

/** A time that a person waits for, no finer than an estimate is: "9 s", "9 min", "2 h". @param {number} waitS */
export function seconds(waitS) {
  if (waitS >= 5400) return `${Math.round(waitS / 3600)} h`;
  return waitS >= 90 ? `${Math.round(waitS / 60)} min` : `${Math.max(1, Math.round(waitS))} s`;
}

/** Decimal units: 812 -> "812 B", 9215 -> "9.2 KB", 2470000 -> "2.5 MB". @param {?number} sizeBytes */
export function bytes(sizeBytes) {
  if (isUnknown(sizeBytes)) return UNKNOWN;
  if (sizeBytes < 1000) return `${sizeBytes} B`;
  return sizeBytes < 999_500 ? `${number(sizeBytes / 1e3)} KB` : `${number(sizeBytes / 1e6)} MB`;
}

/** Bytes as a bare number of kilobytes, for a column whose head says KB. @param {?number} sizeBytes */
export function kilobytes(sizeBytes) {
  return isUnknown(sizeBytes) ? UNKNOWN : number(sizeBytes / 1e3);
}

/** @param {any} value */
export const isUnknown = (value) => value === null || value === undefined;

/**
 * What computes, as far as the server says: "OpenVINO 2026.4.1, bf16"; "" if it does not.
 * @param {import("./types.js").Backend} backend
 */
export function runtimeWords(backend) {
  if (!backend.runtime) return "";
  const { precision, isa, replicas, device_name: device, device_memory_bytes: memoryBytes } = backend;
  const facts = [
    backend.runtime,
    precision,
    isa,
    replicas > 1 && `${replicas} replicas`,
    device,
    memoryBytes && `${Math.round(memoryBytes / 2 ** 30)} GiB`,
  ];
  return facts.filter(Boolean).join(", ");
}

/** Probability 0..1 -> "71 %". @param {?number} share */
export function percent(share) {
  if (isUnknown(share)) return UNKNOWN;
  const points = share * 100;
  return points > 0 && points < 1 ? "< 1 %" : `${Math.round(points)} %`;
}

/** Percentage points with their sign: "-3.2", "+0.1". @param {?number} points */
export function signedPoints(points) {
  if (isUnknown(points)) return UNKNOWN;
  const text = points.toFixed(1);
  return Number(text) > 0 ? `+${text}` : text.replace("-", "−").replace("−0.0", "0.0");
}

/** A number as people type it, "0,35" too; null if it is not a number. @param {string} text */
export function typedNumber(text) {
  const plain = text.trim().replace(",", ".");
  return /^\d*\.?\d+$|^\d+\.$/.test(plain) ? Number(plain) : null;
}

/** A number that may be left out: null for an empty field, NaN for what is not a number. @param {string} text */
export const optionalNumber = (text) => (text.trim() === "" ? null : typedNumber(text) ?? NaN);

/** What stands before the first full stop that ends a sentence. @param {string} text */
export const firstSentence = (text) => text.match(/^.*?\.(?=\s|$)/)?.[0] || text;

/** 1 -> "1 request", 2 -> "2 requests". @param {number} count @param {string} noun */
export function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** "31 % of 30 (18 to 48)": a share, of how many, and its 95 % interval. @param {?{share: number, total: number, low: number, high: number}} found */
export function shareOf(found) {
  if (!found) return UNKNOWN;
  const [share, low, high] = [found.share, found.low, found.high].map((part) => Math.round(part * 100));
  return `${share} % of ${found.total.toLocaleString("en")} (${low} to ${high})`;
}

const FORMAT_NAMES = {
  png: "PNG", jpeg: "JPEG", webp: "WebP", "webp-lossless": "WebP lossless", avif: "AVIF", heic: "HEIC", gif: "GIF", bmp: "BMP",
};

/** @param {string} key a format key of the report */
export function formatName(key) {
  return FORMAT_NAMES[key] || key.toUpperCase();
}

/** "lanczos" -> "Lanczos". @param {string} text */
export const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** What variants of one size and format differ in; the usual value needs no words. As in experiment/axes.py. */
const SETTINGS = [
  { key: "quality", usual: (format) => ({ jpeg: 85, webp: 80, avif: 65 })[format], words: (value) => `q${value}` },
  { key: "subsampling", usual: () => "4:2:0", words: String },
  { key: "engine", usual: () => null, words: (value) => `browser/${value}` },
  { key: "resampler", usual: () => "lanczos", words: capital },
];

/**
 * "JPEG", "JPEG q50 4:4:4 Bicubic".
 * @param {Partial<import("./types.js").Variant>} variant @param {string[]} [always] settings to name in any case
 */
export function madeAs(variant, always = []) {
  const named = SETTINGS.filter(({ key, usual }) =>
    !isUnknown(variant[key]) && (always.includes(key) || variant[key] !== usual(variant.format)));
  return [formatName(variant.format), ...named.map(({ key, words }) => words(variant[key]))].join(" ");
}

/**
 * How a variant is called everywhere on the page: "512 px JPEG", "Original (451 px PNG)".
 * @param {{size_px: number, format: string, is_reference?: boolean, engine?: ?string}} variant
 */
export function variantName(variant) {
  const name = `${variant.size_px} px ${madeAs(variant)}`;
  if (variant.is_reference) return `${variant.engine ? "Reference" : "Original"} (${name})`;
  return name;
}

/** What agreement is with: "original", or "reference" where that stayed in the browser. @param {any} report */
export function comparedWith(report) {
  return report.source?.original ? "reference" : "original";
}

/** "2026-05-04T10:20:30Z" -> the reader's own date and time. @param {string} timestamp */
export function dateTime(timestamp) {
  return new Date(timestamp).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
}

/** The first of a label's synonyms: "tabby, tabby cat" -> "tabby". @param {string} label */
export function shortLabel(label) {
  return label.split(",")[0].trim() || label;
}

/**
 * The line beside the progress bar: the server's own words, and ours until it has said something.
 * @param {import("./types.js").RunProgress} run
 */
export function progressText(run) {
  const asked = `${run.done.toLocaleString("en")} of ${run.planned.toLocaleString("en")}`;
  const fallback = {
    uploading: `Uploading ${megabytes(run.sent_bytes)} of ${megabytes(run.total_bytes)} MB`,
    making: run.to_make ? `Making ${plural(run.to_make, "variant")} (${run.made} done)` : "Decoding the photo in this browser",
    queued: "Queued: another run is in progress",
    running: run.planned ? asked : "Getting ready",
    done: `Done. ${plural(run.planned, "request")}, ${run.failed} failed.`,
    cancelled: `Stopped after ${asked} requests. The results so far are kept.`,
    failed: `The run failed after ${asked} requests. The results so far are kept.`,
  };
  if (run.state === "cancelled" && !run.done) return "Stopped before the first request. Nothing was measured.";
  if (run.state === "done" && run.failed) {
    const leftOut = run.not_sent ? `, ${run.not_sent} not sent` : "";
    return `Done with failures. ${plural(run.done - (run.not_sent || 0), "request")}, ${run.failed} failed${leftOut}.`;
  }
  return run.text || fallback[run.state];
}

/** @param {number} sizeBytes */
const megabytes = (sizeBytes) => (sizeBytes / 1e6).toFixed(1);
