// Written by tools/report_types.py from experiment/export/schema.json: renew with it, do not edit.
// A key with ? may be missing in a report of an older minor version.

/** One run: a photo, its variants, the backends, and what each variant cost on each backend. Units stand in the keys; null means not known. Within version 1 keys may be added, never changed, so readers must ignore keys they do not know. */
export interface Report {
  schema_version: string;
  run_id: string;
  state: "queued" | "running" | "done" | "cancelled" | "failed";
  created_at: string;
  source: Source;
  plan: Plan;
  environment: Environment;
  backends: Array<Backend>;
  /** The reference (the original) first. */
  variants: Array<Variant>;
  /** Sizes that the plan names but the original does not reach. Nothing is enlarged. */
  skipped_sizes_px: Array<Pixels>;
  /** One for each variant on each backend. */
  cells: Array<Cell>;
  recommendation: Recommendation;
  warnings: Array<Warning>;
  /** All requests, warm-ups too. */
  requests: { planned: Count; done: Count; failed: Count; not_sent?: Count; };
  /** Why the run as a whole failed. */
  failure: Failure | null;
  /** What was measured after the run had ended, on the same bytes: repeats of every cell, which are among the plan's, or cells that had failed, again. */
  additions?: Array<Addition>;
  /** The smallest copy that keeps the answer, as far as bisection finds it: one for each backend that was searched after the run. */
  breaking_points?: Array<BreakingPoint>;
  /** Latency over the rate of requests, and the capacity: one for each cell that was put under load after the run. */
  load?: Array<LoadCurve>;
  /** Only where the run was imported from an exported report: the file's name, the id that it had there, and when. */
  imported?: { name: string; run_id: string; imported_at: string; };
  /** How the run was measured and what its numbers mean, in sentences, in the order to be read. */
  method?: Array<{ term: string; text: string; }>;
  /** How sure the run is, and what more photos would tell. */
  evidence?: { photos: Count; kind: "photo" | "set"; sentence: string; tiers: Array<{ photos: Count; detects_points: number | null; sentence: string; }>; };
  /** null: a run of one photo. */
  photo_set?: PhotoSet | null;
  /** How copies made in the browser and by the server differ; null: only one of them made copies. */
  resizers?: Resizers | null;
  /** Not in files: the keys of the small pictures at /api/runs/<id>/thumbs/<key>. A key is a variant's id, or step-<size_px>-<quality> for a step of the search for the breaking point. */
  has_pictures?: Array<string>;
  /** Only in files: the small pictures of variants and steps of the search by their keys, decoded from the bytes that were sent. All together have at most 200,000 characters of base64. */
  pictures?: Record<string, Picture>;
}

export type Count = number;

export type Pixels = number;

export interface Picture {
  media_type: "image/webp" | "image/jpeg" | "image/png";
  width_px: Pixels;
  height_px: Pixels;
  base64: string;
}

export type Bytes = number;

export type Milliseconds = number;

export type MillisecondsOrNull = number | null;

export type Share = number;

export type ShareOrNull = number | null;

export type YesNoOrNull = boolean | null;

export type Sha256 = string;

export type Sentences = Array<string>;

export type Validity = "VALID" | "NOISY" | "INVALID";

/** The photo as uploaded. Width and height are those after turning it upright. */
export interface Source {
  name: string;
  media_type: string;
  sha256: Sha256;
  size_bytes: Bytes;
  width_px: Pixels;
  height_px: Pixels;
  exif_orientation: number;
  decode_ms: Milliseconds;
  /** What was done to the pixels. */
  notes: Sentences;
  true_label: string | null;
  /** null: this is the original. Else it stayed in the browser, whose word this is, and the source is the largest variant. */
  original?: NotUploaded | null;
}

export interface NotUploaded {
  size_bytes: Bytes;
  width_px: Pixels;
  height_px: Pixels;
}

export interface Resizers {
  sentence: string;
  pairs: Array<ResizerPair>;
}

/** The same size, format and quality, made in the browser and by the server. */
export interface ResizerPair {
  browser_id: string;
  server_id: string;
  engine: string;
  psnr_db: PsnrDb;
  largest_difference: LevelsOrNull;
  /** The browser's bytes over the server's. */
  bytes_ratio: number;
  /** By backend; those that answered both. */
  same_top1: Record<string, boolean>;
}

/** Of the decoded pixels against those of the server's copy; null: no such copy, or the same pixels. */
export type PsnrDb = number | null;

export type LevelsOrNull = number | null;

export interface Plan {
  /** Longest sides. */
  sizes_px: Array<Pixels>;
  formats: Array<string>;
  jpeg_quality: number;
  resampler: string;
  /** For each variant on each backend; never counted. */
  warmups: Count;
  repeats: Count;
  order: "auto" | "parallel" | "in_turns" | "one_at_a_time";
  seed: number;
  timeout_s: number;
  /** null: all of them. */
  backend_names: Array<string> | null;
  /** A goal; null: none. */
  max_p50_ms: MillisecondsOrNull;
  /** A goal; null: none. */
  max_size_bytes: number | null;
  /** A goal: the answer must stay the same, or with a true label be right. */
  keep_top1: boolean;
  /** What keep_top1 may cost, in percentage points: of one photo the fall of the answer's probability (null: 5; reports before 1.4 did not judge it), of a set the loss of accuracy (null: 1) or without labels of agreement (null: 5). */
  margin_points?: number | null;
  /** null: jpeg_quality alone, which else is the first of these. */
  jpeg_qualities?: Array<number> | null;
  webp_qualities?: Array<number>;
  avif_qualities?: Array<number>;
  /** Of JPEG's colours. */
  subsamplings?: Array<string>;
  /** null: resampler alone, which else is the first of these. */
  resamplers?: Array<string> | null;
  resize_in?: "server" | "browser" | "both";
  /** Used where the browser resizes. */
  browser_engines?: Array<string>;
  /** Whether decoding alone is asked for too; null: where a server does not report its stages. */
  split_decode?: YesNoOrNull;
  /** Where copies are made: once and stored, by the server for each request, or by the client. It changes what is recommended, never what is measured. Not there before 1.7, which judged as in_advance. */
  copies?: "in_advance" | "per_request" | "client";
  /** From the client to the service, where the client makes the copies; its times are modelled. */
  uplink_mbit_s?: number;
}

/** What the measurements were taken on. Empty until a run has begun. */
export interface Environment {
  app_version?: string;
  python?: string;
  cpu_model?: string | null;
  cpu_count?: number | null;
  load_1m?: number | null;
  /** How late this app woke up at worst while measuring. */
  heartbeat_max_ms?: MillisecondsOrNull;
  /** Share of wake-ups that came more than 10 ms late. */
  heartbeat_late_share?: ShareOrNull;
  /** What started the processes that measured a photo set at the same time; only if there were such. */
  engine?: "local" | "ray" | "spark";
  /** How many of them. */
  workers?: number;
  /** The machines that they ran on. */
  worker_hosts?: Array<string>;
  [key: string]: unknown;
}

export interface Backend {
  name: string;
  protocol: "grpc" | "rest" | "queue" | "null" | "fake";
  address: string;
  model: string;
  signature: string;
  input_key: string;
  version: number | null;
  device: string;
  /** What the name promises; null: not known. */
  cpus: number | null;
  /** The cores it is pinned to; null: not known. */
  cores: Array<Count> | null;
  /** Started by this app on this machine. */
  embedded: boolean;
  price_per_hour: number | null;
  state: "unknown" | "ready" | "loading" | "down" | "wrong_model" | "wrong_signature" | "absent";
  /** One sentence about the state. */
  detail: string;
  /** What computes, with its version, as the server reports it; null, as in the keys below: it did not. */
  runtime?: string | null;
  /** Of its arithmetic, like f32 or bf16. */
  precision?: string | null;
  /** The instruction set it was held to; null also where it was held to none. */
  isa?: string | null;
  /** Of a GPU. */
  device_name?: string | null;
  /** Of a GPU. */
  device_memory_bytes?: number | null;
  /** Processes behind the one address, or addresses behind the one name. */
  replicas?: number | null;
  /** Media types of images that it decodes; null: not asked, or no clear answer. */
  reads?: Array<string> | null;
  /** Takes the same input and only decodes and resizes; null: none, or not known. */
  decode_signature?: string | null;
  /** The one output that is asked of it; null: all, so that the pixels come back. */
  decode_output?: string | null;
  /** Workers of a queue; null, as in the two keys below: not a queue, or not known. */
  workers?: number | null;
  /** The most jobs that a worker of the queue puts into one request to the model. */
  batch_size?: number | null;
  /** host:port of the model servers that the workers of the queue ask. */
  model_servers?: Array<string> | null;
  /** host:port as it was added on the page, for this run only; address has what it meant. null: one of the app's own backends. */
  added_as?: string | null;
}

/** One encoded image, exactly as it is sent. Its stage times are never part of a latency. */
export interface Variant {
  id: string;
  /** The longest side. */
  size_px: Pixels;
  width_px: Pixels;
  height_px: Pixels;
  format: string;
  /** null: lossless, or sent as uploaded. */
  quality: number | null;
  encoder: string;
  size_bytes: Bytes;
  /** Its bytes against the photo's own file; over a set the median of its photos'. */
  percent_of_original: number;
  sha256: Sha256;
  decode_ms: MillisecondsOrNull;
  resize_ms: MillisecondsOrNull;
  encode_ms: MillisecondsOrNull;
  made_in: "server" | "browser";
  is_reference: boolean;
  /** JPEG's; null: no such choice, or as uploaded. */
  subsampling?: string | null;
  /** null: not resized, or by a browser's own canvas. */
  resampler?: string | null;
  /** What resized it in the browser; null: made by the server. */
  engine?: string | null;
  /** Of the encoded image; null: not looked at. */
  channels?: number | null;
  /** The browser changes pixels that scripts read; null: not its work, or not tested. */
  canvas_noise?: YesNoOrNull;
  psnr_db?: PsnrDb;
  largest_difference?: LevelsOrNull;
}

export interface Label {
  label: string;
  /** A probability. */
  score: Share;
}

export interface Failure {
  code: string;
  message: string;
}

/** One variant on one backend. Warm-ups and failed requests are never latencies. */
export interface Cell {
  variant_id: string;
  backend_name: string;
  /** Answered requests. */
  count: Count;
  /** Requests that were sent and failed. */
  failures: Count;
  /** Requests left out, as the backend had stopped answering: neither answers nor failures. Older versions counted them as failures. */
  not_sent?: Count;
  /** The first warm-up. */
  cold_ms: MillisecondsOrNull;
  /** Latencies set apart, as this machine was too busy to time them. p50_ms is without them; p50_low_ms and p50_high_ms enclose the interval without and with them; p90_ms, p99_ms, min_ms and max_ms are of all. */
  disturbed_samples_ms?: Array<Milliseconds>;
  /** Samples for which it was too busy as well: they count, as too few would be left without them. */
  disturbed_counted?: Count;
  /** Every latency that counts, in the order they were taken: the whole call as a client sees it. */
  samples_ms: Array<Milliseconds>;
  p50_ms: MillisecondsOrNull;
  /** Distribution-free 95 % interval of p50; null below 6 samples. */
  p50_low_ms: MillisecondsOrNull;
  p50_high_ms: MillisecondsOrNull;
  /** null below 64 samples. */
  p90_ms: MillisecondsOrNull;
  /** null below 662 samples. */
  p99_ms: MillisecondsOrNull;
  min_ms: MillisecondsOrNull;
  max_ms: MillisecondsOrNull;
  /** Median of each stage that the server reports. Of a queue: queue_wait, batch_wait, service; the others are parts of service. */
  server_ms: Record<string, number>;
  request_bytes: number | null;
  response_bytes: number | null;
  /** The first counted answer, best label first. */
  top: Array<Label>;
  /** Agreement: the same top label as this backend gives the reference. */
  same_top1: YesNoOrNull;
  /** Share of the reference's top 5 that is kept. */
  top5_overlap: ShareOrNull;
  /** This variant's probability of the reference's top label; null: below its top 5. */
  reference_score: ShareOrNull;
  /** Percentage points against the reference. */
  reference_score_change: number | null;
  /** Jensen-Shannon distance to the reference's scores, base 2; null: not all scores known. */
  js_distance: ShareOrNull;
  /** Accuracy: the top label is the true one; null without a true label. */
  correct_top1: YesNoOrNull;
  correct_top5: YesNoOrNull;
  validity: Validity;
  /** Why, and what to do. */
  reasons: Sentences;
  /** One for each cause, the most frequent first. */
  failure_reasons: Array<Failure>;
  /** Which replica gave each of samples_ms, as ip:port, or the name of a queue's worker; empty where the name has one address. */
  peers?: Array<string>;
  /** Jobs in the worker's batch that gave each of samples_ms; empty: not a queue, or a set of photos. */
  batches?: Array<Count>;
  /** p50 of requests of their own that only decode and resize, sending included; null: not measured apart. No part of samples_ms. */
  decode_request_ms?: MillisecondsOrNull;
  /** Every such latency, in the order they were taken. */
  decode_request_samples_ms?: Array<Milliseconds>;
  /** Of one of their answers. Large where the pixels came back: their way is part of the time. */
  decode_response_bytes?: number | null;
  /** Answers over a set of photos; null in a run of one photo. */
  over_photos?: OverPhotos | null;
  /** Answered warm-ups in the order they were sent. They never count; empty for a set of photos. */
  warmup_samples_ms?: Array<Milliseconds>;
}

export interface OverPhotos {
  /** Right answers among photos with a label that the model knows; null: none has one. */
  top1: CountedShareOrNull;
  top5: CountedShareOrNull;
  /** Same top label as this backend gave to the reference. */
  agreement: CountedShareOrNull;
  /** null also for the reference itself. */
  difference: Difference | null;
}

/** So many of all, with the 95 % interval of the share (Wilson). */
export interface CountedShare {
  count: Count;
  total: number;
  share: Share;
  low: Share;
  high: Share;
}

export type CountedShareOrNull = CountedShare | null;

/** Percentage points. */
export type Points = number;

/** Top-1 accuracy less the reference's, on the same photos and the same backend. */
export interface Difference {
  photos: number;
  /** Right here only: McNemar's b. */
  gained: Count;
  /** Right for the reference only: McNemar's c. */
  lost: Count;
  points: Points;
  /** 95 % interval (Newcombe, paired). */
  low_points: Points;
  high_points: Points;
  /** Exact, of this one comparison. */
  mcnemar_p: Share;
  /** As one among all of the report. */
  mcnemar_p_holm: Share;
  /** A smaller true difference would be missed in more than 20 of 100 tries. */
  detectable_points: Points;
}

export interface GivenLabels {
  name: string;
  /** Files that it names. */
  rows: Count;
  /** Of them: no photo has that name, or more than one. */
  unused: Count;
  /** That it labels. */
  photos: Count;
  /** The first photo that it does not label. */
  unlabelled: string | null;
}

/** The set that the report is about. Its source and variants hold medians over the photos. */
export interface PhotoSet {
  name: string;
  /** Photos listed. */
  count: Count;
  measured: Count;
  /** Of those measured, with a label that the model knows. */
  labelled: Count;
  /** Of the list: names, sizes, labels. */
  sha256: Sha256;
  /** What a variant may lose and still be recommended. */
  margin_points: Points;
  /** How many differences there are. */
  comparisons: Count;
  /** Photos that could not be used; with the code missing the first rows of a CSV without a photo. */
  skipped: Array<{ name: string; code: string; message: string; }>;
  /** Labels that the model does not know; their photos don't count for accuracy. */
  unknown_labels: Array<{ label: string; photos: Count; }>;
  /** The CSV that the labels come from. null: there was none. */
  given_labels?: GivenLabels | null;
  /** How often two backends give the same top label to a variant. */
  between_backends: Array<{ variant_id: string; backend_names: Array<string>; agreement: CountedShare; }>;
}

export interface Addition {
  id: string;
  created_at: string;
  state: "queued" | "running" | "done" | "cancelled" | "failed";
  /** Of each cell, as far as it came. */
  repeats: Count;
  seed: Count;
  environment: Environment;
  /** null: repeats were added to every cell. */
  backend_name?: string | null;
  /** Variants that were measured again on that backend; what was measured of them before is left out. */
  retried?: Array<string>;
  /** The time limit of those. */
  timeout_s?: number | null;
}

/** One copy that was asked for, once. It gives an answer, but no latency. */
export interface SearchStep {
  size_px: Pixels;
  /** JPEG's. */
  quality: number;
  size_bytes: Bytes;
  kept: boolean;
  label: string;
  score: number;
}

export interface BreakingPoint {
  backend_name: string;
  outcome: "found" | "never" | "at_once" | "not_right" | "failed" | "cancelled";
  sentence: string;
  /** The answer to keep. */
  label: string | null;
  /** Kept is what is right, not what the original's answer was. */
  by_true_label: boolean;
  /** Longest side; null, as the next three, unless found or never. */
  size_px: number | null;
  quality: number | null;
  size_bytes: number | null;
  /** A larger copy that was asked loses the answer, or a smaller one has it again. */
  flickers: YesNoOrNull;
  requests: Count;
  /** In the order they were asked. */
  steps: Array<SearchStep>;
  failure: Failure | null;
}

export interface LoadPoint {
  /** Mean rate of the schedule, sent whether or not earlier requests were answered. */
  offered_per_s: number;
  /** Answered requests, until the last answer. */
  achieved_per_s: number;
  /** Right ones among them; null: it is not known which are right. */
  goodput_per_s: number | null;
  /** Of the counted parts of the trials. */
  seconds: number;
  trials: Count;
  /** Requests, those while the queue was still filling left out. */
  count: Count;
  failures: Count;
  /** Failed, or answered later than the curve's limit. */
  over_limit: Count;
  /** Of answered requests, from when each was due. */
  p50_ms: number | null;
  /** null below 64 samples. */
  p90_ms: number | null;
  /** null below 662 samples. */
  p99_ms: number | null;
  max_ms: number | null;
  /** As small a part of the requests is over the limit as the percentile demands. */
  keeps_limit: boolean;
  validity: Validity;
  reasons: Sentences;
  /** Of failures: code and how many. */
  causes: Record<string, Count>;
  /** The most that the generator itself was late. */
  late_max_ms: number;
  /** Latencies of the counted answers, in the order they were due. */
  samples_ms: Array<number>;
  /** Of the others: the queue was still filling, or the generator was late. */
  uncounted_ms: Array<number>;
  /** Of failures among those others: code -> how many. */
  uncounted_causes?: Record<string, Count>;
}

/** A closed loop before the search: the next request is sent when an earlier one was answered. With one in flight it shows the latency without load, with more the scale of the rates to try. */
export interface LoadLoop {
  in_flight: number;
  /** From the start to the last answer. */
  seconds: number;
  /** Requests. */
  count: Count;
  failures: Count;
  /** Of failures: code -> how many. */
  causes: Record<string, Count>;
  /** Latencies of the answers, in the order they were sent. */
  samples_ms: Array<number>;
}

export interface LoadCurve {
  variant_id: string;
  backend_name: string;
  measured_at: string;
  /** That the percentile of latencies may reach. */
  limit_ms: number;
  /** 99, or 90 where the budget was too short for it; null: too short for either. */
  percentile: number | null;
  /** Time that the search had. */
  budget_s: number;
  seed: number;
  /** measuring: the search goes on. at_least: no rate that could be offered was too high. below_unloaded: the limit is shorter than one request takes. not_met: missed at every rate. too_few: the time allowed too few requests. */
  outcome: "measuring" | "found" | "at_least" | "below_unloaded" | "not_met" | "too_few" | "no_answer" | "cancelled" | "failed";
  sentence: string;
  /** The capacity in requests per second, or what it is at least; null: the outcome says why. */
  per_s: number | null;
  /** 95 % interval, as the next. */
  low_per_s: number | null;
  high_per_s: number | null;
  /** The rate with the most answers per second for each ms of p50. */
  knee_per_s: number | null;
  /** p50 with one request in flight. */
  unloaded_ms: number | null;
  /** Right answers at the capacity. */
  right_per_s: number | null;
  /** Of the backend. */
  cores: number | null;
  /** The label that counts as right; null: it is not known. */
  expected: string | null;
  /** What was sent, in a sentence. */
  payload: string;
  /** The load generator ran on the backend's machine and took from its CPU time. */
  shares_machine: boolean;
  validity: Validity;
  reasons: Sentences;
  /** By rate. */
  points: Array<LoadPoint>;
  /** Before the search, in the order they were made. */
  closed_loops?: Array<LoadLoop>;
}

export interface Recommendation {
  /** null: nothing can be recommended. */
  variant_id: string | null;
  backend_name: string | null;
  sentence: string;
  why: string;
  /** The runner-up first. */
  why_not: Sentences;
  validity: Validity;
  /** A sentence: what is lost with the next smaller variant; null: there is none. */
  next_lighter?: string | null;
  /** The smallest copy that keeps the answer at all, if it is smaller than the recommended one; else null. Of a set always null. */
  smallest?: Smallest | null;
  /** The recommended cell beside the original on the same backend; null: nothing is recommended. */
  figures?: KeyFigures | null;
}

export interface Smallest {
  /** null: found by the search for the breaking point, not a variant of the run. */
  variant_id: string | null;
  backend_name: string;
  sentence: string;
}

/** Times of a request with making and uploading the copy where these count (plan.copies). null: not known. */
export interface KeyFigures {
  smaller_times?: number | null;
  /** Below 1: slower. */
  faster_times?: number | null;
  /** Whether the 95 % interval of faster_times holds no 1. If not, call it the same speed. */
  faster_is_clear: boolean;
  latency_ms: Milliseconds;
  reference_latency_ms?: MillisecondsOrNull;
  size_bytes: Bytes;
  reference_size_bytes?: number | null;
  /** Top answer. */
  label?: string | null;
  reference_label?: string | null;
  score?: ShareOrNull;
  reference_score?: ShareOrNull;
  same_answer?: YesNoOrNull;
}

export interface Warning {
  code: string;
  message: string;
  /** A note takes nothing from the numbers. Reports of older versions have none. */
  level?: "note" | "warning";
}
