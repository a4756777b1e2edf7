// The nouns that the page's modules share. Only for editors and `make lint`: nothing here reaches a browser.
// Those of the report come from its schema; Photo, RunProgress and Notice stand in page.js.

export * from "./report.js";
import type { Backend, Plan } from "./report.js";
import type { SELECTORS } from "./page.js";

/** A plan with its lists, which older reports lack. */
export type ListedPlan = Plan & Lists;

interface Lists {
  jpeg_qualities: number[];
  webp_qualities: number[];
  avif_qualities: number[];
  subsamplings: string[];
  resamplers: string[];
}

/** The plan as the form holds it, with the true label beside it. */
export type PagePlan = Omit<Plan, "jpeg_quality" | "resampler"> & Lists & { true_label: string; upload_original: boolean };

/** Of /api/config: limits, the plan's defaults and every choice there is. */
export interface Config {
  app_version: string;
  limits: Record<"max_bytes" | "max_pixels" | "max_requests" | "max_photos" | "max_set_bytes" | "max_with_variants_bytes", number>;
  plan: Plan;
  offered_sizes_px: number[];
  formats: Format[];
  resamplers: string[];
  offered: Record<string, (number | string)[]>;
  decode_requests: { warmups: number; repeats: number };
  orders: Plan["order"][];
  /** Points that hold where the plan names none. */
  margins: Record<"photo" | "labelled" | "unlabelled", number>;
  browser: { engines: string[]; formats: string[] };
  /** What each number means, and each verdict on a cell. */
  definitions: Definition[];
  validity: Definition[];
  keep_runs: number;
  labels: string[];
}

export interface Definition {
  term: string;
  text: string;
}

export interface Format {
  key: string;
  name: string;
  lossless: boolean;
  media_type: string;
  /** Lists of the plan whose product is encoded. */
  axes: string[];
  /** A sentence where the server can't write it. */
  why_not: string | null;
}

/** Of /api/backends. */
export interface Backends {
  backends: Backend[];
  model: { name?: string; title?: string; knows?: string; notice?: string };
  /** What to set when there are none, else "". */
  detail: string;
}

/** A figure as the server defines it: Plotly's data and layout, and the words and table beside them. */
export interface Figure {
  data: object[];
  layout: Record<string, any>;
  meta: { title: string; caption: string; table: { columns: string[]; rows: (number | string | null)[][] } };
}

/** What the address holds of how results are looked at; "" where it says nothing. */
export interface View {
  sort: string;
  sel: string;
  /** What the trade-off lies over: "" for latency, "bytes". */
  x: string;
  /** The latency that is shown: "" for p50, "p90", "p99", "slowest". */
  y: string;
  /** Words that rows of the table must hold. */
  find: string;
  /** Other goals than the run's own: "true", "false", a number, "none"; "" is the run's own. */
  keep_top1: string;
  margin_points: string;
  max_p50_ms: string;
  max_size_bytes: string;
  [key: string]: string;
}

/** Parts of the page that are more than an HTMLElement. */
interface Special {
  theme: HTMLSelectElement;
  sortBy: HTMLSelectElement;
  showLatency: HTMLSelectElement;
  overWhat: HTMLSelectElement;
  find: HTMLInputElement;
  goals: HTMLFieldSetElement;
  goalKeep: HTMLInputElement;
  goalMargin: HTMLInputElement;
  goalP50: HTMLInputElement;
  goalSize: HTMLInputElement;
  fileInput: HTMLInputElement;
  cameraInput: HTMLInputElement;
  folderInput: HTMLInputElement;
  labelsFile: HTMLInputElement;
  otherSize: HTMLInputElement;
  form: HTMLFormElement & Record<string, any>; // its fields by their names
  table: HTMLTableElement;
  progress: HTMLProgressElement;
  run: HTMLButtonElement;
  photoImage: HTMLImageElement;
  resultsEmpty: HTMLElement & { firstElementChild: HTMLElement };
  drawer: HTMLDialogElement;
}

export type Part<Name extends keyof typeof SELECTORS> = Name extends keyof Special ? Special[Name] : HTMLElement;

declare global {
  interface Window {
    Plotly?: any; // vendored as it is, without its types
  }
}
