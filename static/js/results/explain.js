/**
 * What a report says in sentences: what went wrong, and how it was measured. Pure.
 * @import { Report } from "../types.js"
 */

/** Everything that the reader must know, worst first. @param {Report} report @returns {{who: string, message: string, code?: string}[]} */
export function problemWords(report) {
  const whole = report.failure ? [{ who: "The run failed", message: report.failure.message }] : [];
  return [...whole, ...report.warnings.map(({ code, message }) => ({ who: "", message, code }))]; // W8 and W10 name failures
}

/** The sentences of "How this was measured", as experiment/report/method.py writes them. @param {Report} report */
export function methodWords(report) {
  return (report.method || []).map(({ term, text }) => `${term}: ${text}`);
}

const FACT_NAMES = {
  app_version: "Pixelcost",
  python: "Python",
  platform: "System",
  cpu_model: "Processor",
  cpu_count: "Cores available",
  load_1m: "Load average, 1 minute",
  memory_mb: "Memory, MB",
  pillow: "Pillow",
  libjpeg_turbo: "libjpeg-turbo",
  browser: "Browser that resized",
  browser_clock_resolution_us: "Resolution of the browser's clock, µs",
  browser_noise_bytes: "Bytes that the browser's canvas changed",
  clock_resolution_us: "Clock resolution, µs",
  heartbeat_max_ms: "Longest delay of the timing process, ms",
  heartbeat_late_share: "Share of its clock ticks that were late",
};

/** What a fact about the environment is called. @param {string} key */
export function factName(key) {
  return FACT_NAMES[key] || key.replaceAll("_", " ");
}
