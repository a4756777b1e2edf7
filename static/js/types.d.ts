// The nouns that the page's modules share. Only for editors and `make lint`: nothing here reaches a browser.
// Those of the report come from its schema.

export * from "./report.js";
import type { Backend, CountedShare, Plan, SearchStep, Variant } from "./report.js";
import type { SELECTORS } from "./dom.js";
import type { PhotoSet } from "./setup/photo_set.js";

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
  /** Kinds of photos that this server reads: "jpeg", "heic" ... */
  photo_formats: string[];
  offered: Record<string, (number | string)[]>;
  decode_requests: { warmups: number; repeats: number };
  orders: Plan["order"][];
  /** The least and the most of what is typed, by key of the plan, and of prices and uplinks. */
  ranges: Record<string, [number, number]>;
  /** How many samples a percentile needs. */
  samples_for: Record<"p90" | "p99", number>;
  /** Share of a set's photos: a cell of fewer is drawn as uncertain. */
  few_photos: number;
  /** Points that hold where the plan names none. */
  margins: Record<"photo" | "labelled" | "unlabelled", number>;
  browser: { engines: string[]; formats: string[] };
  /** What each number means, and each verdict on a cell. */
  definitions: Definition[];
  validity: Definition[];
  keep_runs: number;
  /** Whether a program has to send the shared token. */
  needs_token: boolean;
  /** Files and folders that systems put beside photos, in lower case. */
  system_names: string[];
  /** Servers of one's own: why none can be added, or how many. Model and signature are those if none is named. */
  add_servers: { why_not: string | null; most: number; protocols: string[]; model: string; signature: string };
  labels: string[];
  /** Whether the model's classes may be named by their WordNet ids too. */
  knows_wordnet_ids: boolean;
  /** What the columns of a CSV of labels may be called, in lower case. */
  label_columns: Record<"file" | "label", string[]>;
}

/** A model of the catalogue, as /api/models has it. */
export interface Model {
  name: string;
  title: string;
  side_px: number;
  parameters: number;
  /** null: nothing has to be downloaded. */
  to_download_mb: number | null;
  can_be_had: boolean;
  /** Of the backend that serves it; null: none was started. */
  backend_name: string | null;
  state: string;
  detail: string;
}

/** A server that was added in this browser, as it is sent. */
export interface OwnServer {
  name: string;
  address: string;
  protocol: "grpc" | "rest";
  model?: string;
  signature?: string;
  price_per_hour?: number | null;
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

/** A page of /api/runs/<id>/photos. */
export interface SetPhotos {
  /** That were asked about the chosen variant and class; of them flipped and wrong ones; listed on all pages. */
  photos: number;
  flipped: number;
  wrong: number;
  total: number;
  flipped_share: CountedShare | null;
  page: number;
  page_size: number;
  rows: SetPhoto[];
}

/** One photo of a set, with the answers that were asked for. */
export interface SetPhoto {
  index: number;
  name: string;
  /** As the person wrote it. */
  label: string | null;
  class: string | null;
  reference: { backend_name: string; label: string; score: number; correct: boolean | null } | null;
  answers: PhotoAnswer[];
  flips: number;
  thumb_url: string | null;
}

export interface PhotoAnswer {
  variant_id: string;
  backend_name: string;
  label: string;
  score: number;
  /** null: there is nothing to compare with. */
  kept: boolean | null;
  /** null: the true label is not known. */
  correct: boolean | null;
  fall_points: number | null;
}

/** A page of /api/runs/<id>/classes. */
export interface SetClasses {
  total: number;
  /** "answer": there are no labels, and classes are what the originals were called. */
  by: "label" | "answer";
  page: number;
  page_size: number;
  rows: SetClass[];
}

export interface SetClass {
  class: string;
  photos: number;
  flipped: number;
  flipped_share: CountedShare | null;
  cells: { variant_id: string; backend_name: string; right: CountedShare | null; flipped: CountedShare | null }[];
}

/** What was chosen to be sent. */
export interface Photo {
  name: string;
  /** null: the photo of a stored run, fetched again when needed. */
  file: File | null;
  /** What an <img> can show. */
  url: string;
  size_bytes: number | null;
  /** null: this browser can't decode it; the server will judge. */
  width_px: number | null;
  height_px: number | null;
  /** By somebody, just now: a preview of it may start by itself. */
  chosen?: boolean;
  /** Many photos in place of one. */
  set?: PhotoSet;
  /** Of a set: how many photos, how large. */
  facts?: string;
  /** Where the labels of a set come from. */
  labels?: string;
  /** A CSV of labels chosen for a set. */
  csvFile?: File | null;
}

export interface RunProgress {
  /** "" until the server has given one. */
  id: string;
  state: "making" | "uploading" | "queued" | "running" | "done" | "cancelled" | "failed";
  /** Variants that this browser has made. */
  made: number;
  /** 0 while that is not known. */
  to_make: number;
  sent_bytes: number;
  total_bytes: number;
  done: number;
  planned: number;
  failed: number;
  /** Of those done: left out, as the backend had stopped answering. */
  not_sent?: number;
  /** The server's words for how far it is; "" while there are none. */
  text: string;
  /** A short one that started by itself; its plan is the one that the full measurement follows. */
  preview: boolean;
  /** The plan it was started with. */
  plan: PagePlan | null;
  /** The photo it was started with. */
  photo: Photo | null;
}

/** What events told since the last report. */
export interface Live {
  variants: (Variant & Pictured)[];
  steps: ({ backend_name: string; step: SearchStep } & Pictured)[];
}

interface Pictured {
  /** The key of its small picture; null: there is none. */
  picture?: string | null;
}

/** A follow-up under way. */
export interface Job {
  id: string;
  run_id: string;
  kind: "repeats" | "retry" | "search" | "load";
  state: string;
  done: number;
  planned: number;
  text: string;
  share?: number;
}

/** Something that went wrong, and what to do about it. */
export interface Notice {
  title: string;
  detail: string;
  /** Nothing went wrong: it only takes its time. */
  calm?: boolean;
  /** Where it stands: above the form, or beside Run; top when left out. */
  at?: "top" | "run";
  /** To quote when asking for help. */
  reference?: string;
  /** keep: the notice stays. */
  actions?: { label: string; act: () => void; keep?: boolean }[];
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
  /** Where copies are made. */
  copies: string;
  /** How many show where the time goes: "" for few, "all". */
  bars: string;
  /** What the matrix is coloured by: "" for latency, "kb", "points", "cost". */
  metric: string;
  /** The one backend that the matrix shows; "": all of them. */
  on: string;
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
  goalMarginSlider: HTMLInputElement;
  goalP50Slider: HTMLInputElement;
  goalSizeSlider: HTMLInputElement;
  fileInput: HTMLInputElement;
  cameraInput: HTMLInputElement;
  folderInput: HTMLInputElement;
  labelsFile: HTMLInputElement;
  otherSize: HTMLInputElement;
  form: HTMLFormElement & Record<string, any>; // its fields by their names
  table: HTMLTableElement;
  progress: HTMLProgressElement;
  run: HTMLButtonElement;
  backendsButton: HTMLButtonElement;
  editPlan: HTMLButtonElement;
  compareWith: HTMLButtonElement;
  autoPreview: HTMLInputElement;
  autoFull: HTMLInputElement;
  planDrawer: HTMLDialogElement;
  variantsTab: HTMLDetailsElement;
  share: HTMLDetailsElement;
  useApi: HTMLDetailsElement;
  photosTab: HTMLDetailsElement;
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
