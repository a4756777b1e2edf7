"""The nouns of an experiment, with their units. Read this file first.

    A photo becomes variants, every variant is sent to every backend, every request
    leaves one measurement, and everything shown is computed from those measurements.

Conventions: the unit stands in the name (`latency_ms`, `size_bytes`, `timeout_s`,
`width_px`); `None` means "not known" unless the comment says otherwise; scores are
probabilities from 0 to 1. All records are immutable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMA_VERSION = "1.7"

Order = Literal["auto", "parallel", "in_turns", "one_at_a_time"]
Validity = Literal["VALID", "NOISY", "INVALID"]
Question = Literal["predict", "decode"]
RunState = Literal["queued", "running", "done", "cancelled", "failed"]
LIVE_STATES: Final = ("queued", "running")  # of a run that has not ended
ResizeIn = Literal["server", "browser", "both"]
Copies = Literal["in_advance", "per_request", "client"]  # where copies are made: see copies.py

DEFAULT_SIZES_PX = (2048, 1024, 512, 256, 128)
# Older keys of a plan, which hold one value -> the key of the list that replaced them.
ONE_VALUE = {"jpeg_quality": "jpeg_qualities", "resampler": "resamplers"}
OFFERED_SIZES_PX = (*DEFAULT_SIZES_PX, 64, 32)
REFERENCE_ID = "original"
SEED_LIMIT = 2**53  # the largest whole number that JSON carries to a browser unharmed
MAX_VARIANTS = 500  # all are held in memory during a run
MAX_BACKENDS = 64
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})  # as hosts of addresses
RESOLUTION_MS = 0.001  # samples are whole microseconds: a latency of 0 means less than this
NOT_SENT = (
    "not_sent"  # failure code of a request left out: the backend is silent, or does not read the format
)
USUAL_UPLINK_MBIT_S = 10.0  # 1 Mbit is 1,000,000 bits
SET_REPEATS = 1  # default for photo sets: more photos say more than more repeats


def is_live(state: str) -> bool:
    """Whether a run in this state is still queued or running."""
    return state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class NotUploaded:
    """A photo that was not uploaded, as the page described it. The server could not check any of this."""

    size_bytes: int
    width_px: int  # after turning upright
    height_px: int


@dataclass(frozen=True, slots=True)
class SourceImage:
    """The photo as uploaded, and its pixels made upright sRGB."""

    name: str
    data: bytes = field(repr=False)  # without EXIF and other metadata, as it may be sent
    sha256: str  # of the upload, as is size_bytes
    media_type: str  # "image/jpeg", found from the bytes, never from the name
    size_bytes: int
    width_px: int  # after turning upright
    height_px: int
    exif_orientation: int  # 1..8; 1 also if the file has none
    decode_ms: float
    notes: tuple[str, ...] = ()  # what was done to the pixels, one sentence each
    true_label: str | None = None  # None: the user named no label
    original: NotUploaded | None = None  # None: this is the original; else the largest variant stands for it
    pixels: Image | None = field(default=None, repr=False, compare=False)  # mode RGB, upright


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, how often and in which order."""

    sizes_px: tuple[int, ...] = DEFAULT_SIZES_PX  # longest side
    formats: tuple[str, ...] = ("png", "jpeg")  # keys of formats.FORMATS
    warmups: int = 3  # per backend and variant, not counted
    repeats: int = 20
    order: Order = "auto"
    seed: int = 0
    timeout_s: float = 60.0
    backend_names: tuple[str, ...] | None = None  # None: all of them
    max_p50_ms: float | None = None  # a goal of the user, as the next one; None: not a goal
    max_size_bytes: int | None = None
    keep_top1: bool = True
    # How much may be lost, in percentage points; None: the default. One photo: of the top answer's
    # probability (5). A set: of accuracy (1), or without labels of agreement (5).
    margin_points: float | None = None
    jpeg_qualities: tuple[int, ...] = (85,)
    webp_qualities: tuple[int, ...] = (80,)
    avif_qualities: tuple[int, ...] = (65,)
    subsamplings: tuple[str, ...] = ("4:2:0",)  # of JPEG's colours; keys of formats.SUBSAMPLINGS
    resamplers: tuple[str, ...] = ("lanczos",)
    resize_in: ResizeIn = "server"  # "both": the server and the browser make the same copies
    browser_engines: tuple[str, ...] = ("pica",)  # keys of axes.ENGINES; used if the browser resizes
    split_decode: bool | None = None  # time decoding alone too; None: of servers that don't report stages
    copies: Copies = "in_advance"  # a question of judging, as the goals: nothing else is measured
    uplink_mbit_s: float = USUAL_UPLINK_MBIT_S  # of the client, where that makes the copies

    @staticmethod
    def upgraded(data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same plan with lists for its older keys: "jpeg_quality": 85 -> "jpeg_qualities": [85]."""
        lists = {many: [data[one]] for one, many in ONE_VALUE.items() if one in data and not data.get(many)}
        return {**data, **lists}


@dataclass(frozen=True, slots=True)
class Variant:
    """One encoded image, exactly as it is sent."""

    id: str  # "original", "512-png", "512-jpeg-85"; see axes.variant_id()
    size_px: int  # longest side
    width_px: int
    height_px: int
    format: str  # a key of formats.FORMATS, or the source's own format for the reference
    quality: int | None  # None: lossless, or sent as uploaded
    encoder: str  # "Pillow 13.0.0 libjpeg-turbo q85 4:2:0", "as uploaded, without metadata"
    size_bytes: int
    sha256: str
    decode_ms: float | None  # None: this stage was not run for this variant
    resize_ms: float | None
    encode_ms: float | None
    made_in: Literal["server", "browser"] = "server"
    is_reference: bool = False
    subsampling: str | None = None  # JPEG's; None: another format, as uploaded, or a report before 1.2
    resampler: str | None = None  # None: not resized, by a browser's own canvas, or a report before 1.2
    engine: str | None = None  # of the browser that resized it, a key of axes.ENGINES; None: the server did
    channels: int | None = None  # of the encoded image: 3, or 4 for RGBA
    # Whether this browser changes pixels that scripts read; None: the server made it, or not tested.
    canvas_noise: bool | None = None
    # Difference from the server's copy of this size and format, both decoded; None: no server's copy ...
    psnr_db: float | None = None  # ... or the same pixels
    largest_difference: int | None = None  # of any channel, 0..255
    percent_of_original: float | None = None  # in a photo set: median over its photos; None: see size_bytes
    data: bytes = field(default=b"", repr=False, compare=False)  # empty once stored


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A model server over one protocol, and what is known of it. connect() opens it."""

    name: str
    protocol: Literal["grpc", "rest", "queue", "null", "fake"] = "grpc"
    address: str = ""  # "host:port", IPv6 hosts in brackets; embedded replicas: several, with commas
    model: str = "inception"
    signature: str = "predict_images"
    input_key: str = "images"
    version: int | None = None  # of the model; None: not asked yet, or not reported
    device: str = "unknown"  # "CPU", "GPU"; unknown for servers that do not report it
    cpus: int | None = None  # that the name promises: 8 for "8 CPU"
    cores: tuple[int, ...] | None = None  # that the server is pinned to; None: not an embedded server
    embedded: bool = False
    price_per_hour: float | None = None
    state: str = "unknown"  # ready, loading, down, wrong_model, wrong_signature, absent
    detail: str = ""  # one sentence about the state
    runtime: str | None = None  # with its version, "OpenVINO 2026.4.1"; None, here and below: not reported
    precision: str | None = None  # of its arithmetic: "f32", "bf16", "int8"
    isa: str | None = None  # instruction set that it was limited to; None also: not limited
    device_name: str | None = None  # of a GPU
    device_memory_bytes: int | None = None
    replicas: int | None = None  # servers behind the name
    reads: tuple[str, ...] | None = None  # media types of images; None: not asked, or no clear answer
    decode_signature: str | None = None  # takes the same input and only decodes; None: the model has none
    decode_output: str | None = None  # the output to request from it; None: all of them, the pixels too
    workers: int | None = None  # of a queue; None, here and in the next two: not a queue, or not known
    batch_size: int | None = None  # most jobs in one request to the model, the largest of all workers
    model_servers: tuple[str, ...] | None = None  # "host:port" of those that the workers ask
    # "host:port" as somebody added it on the page, for runs of one browser; `address` has the addresses that
    # were checked. None: one of the app's own backends.
    added_as: str | None = None
    url: str = field(
        default="", repr=False
    )  # of a queue: `address` with the password; codec.py leaves it out

    @property
    def place(self) -> str:
        """The address as a person knows it."""
        return self.added_as or self.address

    @property
    def asked_servers(self) -> frozenset[str]:
        """The model servers that answer: its own addresses, or those that the workers of a queue ask; every
        name of this machine as "localhost"."""
        asked = (self.model_servers or ()) if self.protocol == "queue" else self.address.split(",")
        places = (address.lower().rpartition(":") for address in asked if address)
        return frozenset(f"{'localhost' if host in LOOPBACK else host}:{port}" for host, _, port in places)

    @property
    def is_present(self) -> bool:
        """Whether it can exist here: not a GPU backend without a GPU. A server that is down is present."""
        return self.state != "absent"

    @property
    def takes_photos(self) -> bool:
        """Whether a photo may be sent to it. Not if its model's metadata has no such input, as of a model of
        numbers."""
        return self.state not in {"absent", "wrong_signature"}

    def reads_format(self, key: str) -> bool:
        """Whether a variant of that key of FORMATS may be sent to it: it reads it, or nobody knows."""
        return self.reads is None or f"image/{key.removesuffix('-lossless')}" in self.reads

    @property
    def answers(self) -> bool:
        """Whether it answers, or may do so soon, as far as known. A run does not ask the others unasked."""
        return self.takes_photos and self.state not in {"down", "wrong_model"}


@dataclass(frozen=True, slots=True)
class Label:
    """One entry of the top 5."""

    label: str
    score: float  # probability, 0..1


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a backend answered to one variant."""

    top: tuple[Label, ...]  # best first, at most 5
    request_bytes: int  # size of the serialised request message
    response_bytes: int
    server_ms: Mapping[str, float] = field(default_factory=dict)  # stage -> time, if the server reports it
    peer: str | None = None  # "ip:port" of the replica that answered, or a queue's worker; None: only one
    model_version: int | None = None
    distribution: tuple[float, ...] | None = None  # the scores of all classes; None: not sent, or not kept
    batch: int | None = None  # jobs in the worker's request that it was in; None: not from a queue


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request gave no prediction. `code` is one of errors.FAILURE_CODES."""

    code: str
    message: str

    @property
    def was_sent(self) -> bool:
        """Whether the request was sent; one that was not does not count as failed."""
        return self.code != NOT_SENT


@dataclass(frozen=True, slots=True)
class Measurement:
    """One request. It holds a prediction or a failure, never both."""

    variant_id: str
    backend_name: str
    attempt: int  # 0, 1, ... within warm-ups, and again within repeats
    is_warmup: bool
    started_at: float  # seconds since the epoch
    latency_ms: float | None  # the whole predict call; None: the request was not sent
    prediction: Prediction | None = None
    failure: Failure | None = None
    asked_for: Question = "predict"  # a "decode" request is never a sample of the cell
    # Of the latency: while this process was late to wake (heartbeat.py). None: not watched, as before 1.7.
    late_ms: float | None = None

    @property
    def rounded_ms(self) -> float:
        """The latency to the microsecond, as exported: every statistic can be recomputed from the export."""
        return round(self.latency_ms or 0.0, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of one photo: plan, variants, backends and every request so far. summarise() makes its report."""

    run_id: str
    state: RunState
    created_at: float  # seconds since the epoch
    source: SourceImage
    plan: Plan
    environment: Mapping[str, Any]
    backends: tuple[BackendInfo, ...]  # those of this run, absent ones too
    variants: tuple[Variant, ...]  # the reference first
    skipped_sizes_px: tuple[int, ...] = ()  # larger than the original
    measurements: Sequence[Measurement]
    requests_planned: int
    failure: Failure | None = None  # why the run as a whole failed


@dataclass(frozen=True, slots=True)
class Share:
    """A count out of a total, with the 95 % interval of the share (Wilson)."""

    count: int
    total: int
    share: float  # 0..1, as the two below
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A variant's top-1 accuracy minus the reference's, on the same photos and the same backend."""

    photos: int  # answered for both, with a label that the model knows
    gained: int  # right here only: McNemar's b
    lost: int  # right for the reference only: McNemar's c
    points: float  # percentage points, as the two below; negative: this variant is worse
    low_points: float  # 95 % interval (Newcombe, paired)
    high_points: float
    mcnemar_p: float  # exact, of this one comparison
    mcnemar_p_holm: float  # as one among all comparisons of the report
    detectable_points: float  # the smallest true difference that this many photos show with 80 % power


@dataclass(frozen=True, slots=True)
class OverPhotos:
    """The answers of a cell of a photo set. None: no photo counts for it, as without labels."""

    top1: Share | None  # right answers among photos with a label that the model knows
    top5: Share | None
    agreement: Share | None  # same top label as this backend gave to the reference
    difference: Difference | None  # None also for the reference itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All measurements of one variant on one backend. Warm-ups never count."""

    variant_id: str
    backend_name: str
    count: int  # answered requests: samples, and those set apart
    failures: int = 0  # requests that were sent and failed
    cold_ms: float | None = None  # the first warm-up; None: no warm-ups, or it failed
    samples_ms: tuple[float, ...]  # in the order they were taken
    p50_ms: float | None = None  # None: no samples
    p50_low_ms: float | None = None  # distribution-free 95 % interval; None below 6 samples
    p50_high_ms: float | None = None
    p90_ms: float | None = None  # None below 64 samples
    p99_ms: float | None = None  # None below 662 samples
    min_ms: float | None = None
    max_ms: float | None = None
    server_ms: Mapping[str, float]  # median per stage
    request_bytes: int | None = None
    response_bytes: int | None = None
    top: tuple[Label, ...] = ()  # of the first answered request
    same_top1: bool | None = None  # agreement with this backend's answer to the reference; None: no reference
    top5_overlap: float | None = None  # share of the reference's top 5 that is kept, 0..1
    reference_score: float | None = None  # this variant's probability of the reference's top label
    reference_score_change: float | None = None  # percentage points against the reference
    js_distance: float | None = None  # Jensen-Shannon distance, 0..1; None: not all scores known
    correct_top1: bool | None = None  # None: no true label
    correct_top5: bool | None = None
    validity: Validity
    reasons: tuple[str, ...]  # one sentence each: why, and what to do
    failure_reasons: tuple[Failure, ...] = ()  # distinct ones, the most frequent first
    peers: tuple[str, ...] = ()  # which replica or worker gave each sample; empty where there is only one
    # Requests of their own that only decode and resize, transfer included. server_ms["decode"] is the same as
    # the server reports it. Variant.decode_ms is something else: decoding the photo to make the variant.
    decode_request_ms: float | None = None  # p50; None: not measured
    decode_request_samples_ms: tuple[float, ...] = ()
    decode_response_bytes: int | None = (
        None  # large if the pixels came back; then their transfer is in the time
    )
    over_photos: OverPhotos | None = None  # None: a run of one photo
    warmup_samples_ms: tuple[float, ...] = ()  # answered warm-ups, never counted; empty for a photo set
    # Of a queue: how many jobs were in the batch of each sample. Empty: another backend, or a photo set.
    batches: tuple[int, ...] = ()
    not_sent: int = 0  # requests left out because the backend had stopped answering; not counted as failures
    # Set apart, as this machine was busy: only the interval sees them.
    disturbed_samples_ms: tuple[float, ...] = ()
    disturbed_counted: int = (
        0  # samples that it was busy for as well, but without which too few would be left
    )

    @property
    def unanswered(self) -> int:
        """Requests without an answer: failed or not sent."""
        return self.failures + self.not_sent


@dataclass(frozen=True, slots=True)
class SkippedPhoto:
    """A photo of a set that could not be used, and why."""

    name: str
    code: str  # one of errors.IMAGE_CODES, or "unreadable"; "missing": a label without a photo
    message: str


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """A label of the set that the model does not have."""

    label: str
    photos: int


@dataclass(frozen=True, slots=True)
class GivenLabels:
    """A CSV of labels, and how much of it matches the photos of the set."""

    name: str
    rows: int  # files that it names
    unused: int  # of them: no photo has that name, or several have it
    photos: int  # that it labels
    unlabelled: str | None  # the first photo that it does not label; None: it labels all


@dataclass(frozen=True, slots=True)
class BetweenBackends:
    """How often two backends give the same answer to a variant."""

    variant_id: str
    backend_names: tuple[str, ...]  # two of them
    agreement: Share  # same top label


@dataclass(frozen=True, slots=True)
class PhotoSetFacts:
    """The photo set that a report is about."""

    name: str
    count: int  # photos that were listed
    measured: int
    labelled: int  # of those measured, with a label that the model knows
    sha256: str  # of the list: names, sizes in bytes, labels
    margin_points: float  # how much a variant may lose and still be recommended
    comparisons: int  # differences in the report, which Holm's correction counts
    skipped: tuple[SkippedPhoto, ...]  # with code "missing": the first rows of a CSV without a photo
    unknown_labels: tuple[UnknownLabel, ...]
    between_backends: tuple[BetweenBackends, ...]
    given_labels: GivenLabels | None = None  # None: labels not from a CSV, or an older report


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One request of a search for the breaking point: a copy and its top answer. No latency is kept."""

    size_px: int
    quality: int  # JPEG's
    size_bytes: int
    kept: bool  # its top answer is the one to keep
    label: str  # its top answer
    score: float

    @property
    def picture_key(self) -> str:
        """The key of its small picture."""
        return f"step-{self.size_px}-{self.quality}"


PHOTO_PICTURE = (
    "photo-"  # how the keys of small pictures of a set's photos begin; its place in the order follows
)


@dataclass(frozen=True, slots=True)
class Thumb:
    """A small picture of a variant or of a step, decoded from the bytes that were sent."""

    media_type: str
    width_px: int
    height_px: int
    data: bytes


@dataclass(frozen=True, slots=True)
class BreakingPoint:
    """The smallest copy that still gives the answer to keep, on one backend, as far as bisection finds it."""

    backend_name: str
    outcome: Literal["found", "never", "at_once", "not_right", "failed", "cancelled"]
    sentence: str
    label: str | None  # the answer to keep; None: the original got none
    by_true_label: bool  # true: the answer to keep is the true label; false: the answer to the original
    size_px: int | None = None  # None, as the three below, unless found or never
    quality: int | None = None
    size_bytes: int | None = None
    flickers: bool | None = None  # a larger copy nearby loses the answer, or a smaller one keeps it
    requests: int = 0
    steps: tuple[SearchStep, ...] = ()  # in the order of the requests
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTrial:
    """Requests at one mean rate, sent whether or not earlier ones were answered. One value for each request.

    This is what is stored; under_load/load_points.py makes the points of a curve from it.
    """

    offered_per_s: float
    seconds: float  # from the start to the last answer
    settled_s: float  # requests due before are not counted: the queue was still filling
    due_s: tuple[float, ...]  # from the start, ascending
    late_ms: tuple[float, ...]  # that the generator sent it after it was due
    latency_ms: tuple[float, ...]  # from when it was due to the answer, or until it was known that none comes
    causes: tuple[str | None, ...] = ()  # of failures, of errors.FAILURE_CODES; empty: no request failed
    right: tuple[bool | None, ...] = ()  # whether the answer was right; empty: not known of any
    stopped: str | None = None  # a sentence: why it ended before its time; None: it did not
    not_used: str | None = None  # a sentence: why it says nothing of the backend; None: it counts


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPoint:
    """All trials at one rate. Failed requests count in every rate; latencies are those of answered ones."""

    offered_per_s: float
    achieved_per_s: float  # answered requests, until the last answer
    goodput_per_s: float | None  # right ones among them; None: it is not known which are right
    seconds: float  # of the counted parts of the trials
    trials: int
    count: int  # requests, those while the queue was still filling left out
    failures: int
    over_limit: int  # of `count`: failed, or answered later than the curve's limit
    p50_ms: float | None  # None: no request was answered
    p90_ms: float | None  # None below 64 samples
    p99_ms: float | None  # None below 662 samples
    max_ms: float | None
    keeps_limit: bool  # as small a part of the requests is over the limit as the curve's percentile demands
    validity: Validity
    reasons: tuple[str, ...] = ()  # one sentence each: why, and what to do
    causes: Mapping[str, int] = field(default_factory=dict)  # of failures: code -> how many
    late_max_ms: float = 0.0  # the most that the generator itself was late
    samples_ms: tuple[float, ...] = ()  # of the counted answers, in the order they were due
    uncounted_ms: tuple[float, ...] = ()  # of others: the queue was filling, or a trial was not used
    uncounted_causes: Mapping[str, int] = field(default_factory=dict)  # of failures among those others


@dataclass(frozen=True, slots=True)
class LoadLoop:
    """A closed loop before the search: the next request is sent when an earlier one was answered.

    With one request in flight it shows the latency without load, with more the scale of the rates to try.
    """

    in_flight: int
    seconds: float  # from the start to the last answer
    count: int  # requests
    failures: int
    causes: Mapping[str, int] = field(default_factory=dict)  # of failures: code -> how many
    samples_ms: tuple[float, ...] = ()  # of the answers, in the order they were sent


# measuring: the search goes on. found: per_s is the capacity. at_least: no rate that could be offered was too
# high. below_unloaded: the limit is shorter than one request takes. not_met: missed at every rate. too_few:
# the budget allows too few requests. no_answer, cancelled, failed: it ended before anything could be said.
LoadOutcome = Literal[
    "measuring",
    "found",
    "at_least",
    "below_unloaded",
    "not_met",
    "too_few",
    "no_answer",
    "cancelled",
    "failed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCurve:
    """How latency grows with the rate, for one variant on one backend, and the capacity within a limit."""

    variant_id: str
    backend_name: str
    measured_at: str  # ISO 8601, UTC
    limit_ms: float
    percentile: int | None = None  # that may reach the limit: 99, or 90 where the budget was too short for it
    budget_s: float  # that the search had
    seed: int
    outcome: LoadOutcome
    sentence: str  # "at most 41 requests/s at p99 ≤ 100 ms (95 %: 39 to 43)"
    per_s: float | None = None  # the capacity, or the rate that it is at least; None: the outcome says why
    low_per_s: float | None = None  # 95 % interval
    high_per_s: float | None = None
    knee_per_s: float | None = None  # the rate with the most answers per second for each ms of p50
    unloaded_ms: float | None = None  # p50 with one request in flight
    right_per_s: float | None = None  # right answers at the capacity; None: not known which are right
    cores: int | None = None  # of the backend; None: unknown
    expected: str | None = None  # label that counts as right; None: it is not known
    payload: str = ""  # a sentence: what was sent
    shares_machine: bool = False  # with the load generator, which then takes from its CPU time
    validity: Validity = "VALID"
    reasons: tuple[str, ...] = ()
    points: tuple[LoadPoint, ...] = ()  # by rate
    closed_loops: tuple[LoadLoop, ...] = ()  # before the search, in the order they were made

    @property
    def key(self) -> tuple[str, str]:
        """Variant and backend: unique within a report."""
        return self.variant_id, self.backend_name


@dataclass(frozen=True, slots=True)
class Addition:
    """A follow-up: measured after a run had ended, on the same bytes. Its samples count among the run's."""

    id: str
    created_at: float  # seconds since the epoch
    state: RunState
    repeats: int  # of each cell, as far as they were measured
    seed: int
    environment: Mapping[str, Any]
    backend_name: str | None = None  # None: repeats were added to every cell
    retried: tuple[
        str, ...
    ] = ()  # variants measured again on that backend; their failed requests are dropped
    timeout_s: float | None = None  # of the retries


@dataclass(frozen=True, slots=True)
class ResizerPair:
    """A copy made by the browser and one by the server, of the same size, format and quality."""

    browser_id: str
    server_id: str
    engine: str
    psnr_db: float | None  # as of the browser's variant, like the next one
    largest_difference: int | None
    bytes_ratio: float  # the browser's bytes over the server's
    same_top1: Mapping[str, bool]  # backend -> whether it gave both the same answer


@dataclass(frozen=True, slots=True)
class Resizers:
    """How the browser's copies differ from the server's."""

    sentence: str
    pairs: tuple[ResizerPair, ...]  # in the order of the browser's variants


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """The recommended cell beside the original on the same backend, all for one place where copies are made.

    Of a set the bytes are medians, and there is no label. None: not known, or the original was not answered.
    """

    smaller_times: float | None  # the original's bytes over this variant's
    faster_times: float | None  # the original's time over this one's
    faster_is_clear: bool  # the 95 % interval of faster_times holds no 1
    latency_ms: float  # of a request, with making and uploading the copy where these count
    reference_latency_ms: float | None
    size_bytes: int
    reference_size_bytes: int | None
    label: str | None  # top answer
    reference_label: str | None
    score: float | None  # probability of the top answer, 0..1
    reference_score: float | None
    same_answer: bool | None


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest copy that keeps the answer at all, however unsure; smaller than the recommended one."""

    variant_id: str | None  # None: found by the search for the breaking point, not a variant of the run
    backend_name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to serve, in one sentence, and why not the others."""

    variant_id: str | None  # None: nothing can be recommended; the sentence says why
    backend_name: str | None
    sentence: str
    why: str  # the figures behind the sentence
    why_not: tuple[str, ...]  # the runner-up first
    validity: Validity
    next_lighter: str | None = None  # what is lost with the next smaller variant; None: there is none
    smallest: Smallest | None = None  # None: the recommended one is it, or a set
    figures: KeyFigures | None = None  # None: nothing is recommended


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801  plain Warning is Python's own
    """Something that a reader of the report must know. `code` is stable ("W3"), `message` a sentence."""

    code: str
    message: str
    level: Literal["note", "warning"] = "warning"  # a note does not put the numbers in doubt


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is known about one run."""

    schema_version: str
    run_id: str
    state: RunState
    created_at: float  # seconds since the epoch
    source: SourceImage
    plan: Plan
    environment: Mapping[str, Any]
    backends: tuple[BackendInfo, ...]
    variants: tuple[Variant, ...]  # the reference first
    skipped_sizes_px: tuple[int, ...]  # larger than the original
    cells: tuple[Cell, ...]
    recommendation: Recommendation
    warnings: tuple[Warning_, ...]
    requests_planned: int
    requests_done: int
    requests_failed: int  # all three include warm-ups
    failure: Failure | None = None  # why the run as a whole failed
    photo_set: PhotoSetFacts | None = None  # None: a run of one photo
    additions: tuple[Addition, ...] = ()  # plan.repeats includes theirs
    breaking_points: tuple[BreakingPoint, ...] = ()  # of a search after the run; at most one per backend
    load: tuple[LoadCurve, ...] = ()  # measured after the run; at most one per cell
    resizers: Resizers | None = None  # None: only the browser or only the server resized
    requests_not_sent: int = 0  # of those done: left out, because the backend had stopped answering
