"""The nouns of an experiment, with their units. Read this file first.

    An image becomes variants, every variant goes to every backend, every request
    leaves one measurement, and everything shown is computed from those measurements.

Conventions: the unit stands in the name (`latency_ms`, `size_bytes`, `timeout_s`,
`width_px`); `None` means "not known", and the comment says when; scores are
probabilities from 0 to 1. All records are immutable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMA_VERSION = "1.4"

Order = Literal["auto", "parallel", "one_at_a_time"]
Validity = Literal["VALID", "NOISY", "INVALID"]
Question = Literal["predict", "decode"]
RunState = Literal["queued", "running", "done", "cancelled", "failed"]
LIVE_STATES: Final = ("queued", "running")  # of a run that has not ended
ResizeIn = Literal["server", "browser", "both"]

DEFAULT_SIZES_PX = (2048, 1024, 512, 256, 128)
# Keys of a plan that came first and hold one value -> the list that they became.
ONE_VALUE = {"jpeg_quality": "jpeg_qualities", "resampler": "resamplers"}
OFFERED_SIZES_PX = (*DEFAULT_SIZES_PX, 64, 32)
REFERENCE_ID = "original"
SEED_LIMIT = 2**53  # the largest whole number that JSON carries to a browser unharmed
MAX_VARIANTS = 500  # all are held in memory while a run goes on
MAX_BACKENDS = 64
RESOLUTION_MS = 0.001  # samples are whole microseconds: a latency of 0 is one below this
NOT_SENT = "not_sent"  # code of what was left out because the backend had stopped answering
SET_REPEATS = 1  # of each photo's variants by default: more photos tell more than more repeats


def is_live(state: str) -> bool:
    """Whether a run in this state still waits or measures."""
    return state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class NotUploaded:
    """A photo that stayed in the browser, as the page described it. Nothing of it could be checked."""

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
    exif_orientation: int  # 1..8; 1 when the file has none
    decode_ms: float
    notes: tuple[str, ...] = ()  # what was done to the pixels, one sentence each
    true_label: str | None = None  # None: the user named no label
    original: NotUploaded | None = None  # None: this is the original; else the largest variant stands for it
    pixels: Image | None = field(default=None, repr=False, compare=False)  # mode RGB, upright


@dataclass(frozen=True, slots=True)
class Plan:
    """What to try, how often and in which order."""

    sizes_px: tuple[int, ...] = DEFAULT_SIZES_PX  # longest side
    formats: tuple[str, ...] = ("png", "jpeg")  # keys of variants.FORMATS
    warmups: int = 3  # per backend and variant, not counted
    repeats: int = 20
    order: Order = "auto"
    seed: int = 0
    timeout_s: float = 60.0
    backend_names: tuple[str, ...] | None = None  # None: all of them
    max_p50_ms: float | None = None  # goals of the user; None: no such goal
    max_size_bytes: int | None = None
    keep_top1: bool = True
    # What keep_top1 may cost, in percentage points. One photo: by how much the answer's probability may fall;
    # None: 5. A set: how much accuracy may be lost, None: 1, or without labels agreement, None: 5.
    margin_points: float | None = None
    jpeg_qualities: tuple[int, ...] = (85,)
    webp_qualities: tuple[int, ...] = (80,)
    avif_qualities: tuple[int, ...] = (65,)
    subsamplings: tuple[str, ...] = ("4:2:0",)  # of JPEG's colours; keys of formats.SUBSAMPLINGS
    resamplers: tuple[str, ...] = ("lanczos",)
    resize_in: ResizeIn = "server"  # "both": the server makes its own copies beside those of the browser
    browser_engines: tuple[str, ...] = (
        "pica",
    )  # keys of browser_made.ENGINES; used where the browser resizes
    split_decode: bool | None = None  # ask for decoding alone too; None: where a server won't tell its stages

    @staticmethod
    def upgraded(data: Mapping[str, Any]) -> Mapping[str, Any]:
        """A plan as JSON, of any age, with the lists that older keys for one value became."""
        lists = {many: [data[one]] for one, many in ONE_VALUE.items() if one in data and not data.get(many)}
        return {**data, **lists}


@dataclass(frozen=True, slots=True)
class Variant:
    """One encoded image, exactly as it is sent."""

    id: str  # "original", "512-png", "512-jpeg-85"; see axes.variant_id()
    size_px: int  # longest side
    width_px: int
    height_px: int
    format: str  # a key of variants.FORMATS, or the source's own format for the reference
    quality: int | None  # None: lossless, or sent as uploaded
    encoder: str  # "Pillow 13.0.0 libjpeg-turbo q85 4:2:0", "as uploaded, without metadata"
    size_bytes: int
    sha256: str
    decode_ms: float | None  # None: this stage was not run for this variant
    resize_ms: float | None
    encode_ms: float | None
    made_in: Literal["server", "browser"] = "server"
    is_reference: bool = False
    subsampling: str | None = None  # JPEG's; None: no such choice, as uploaded, or a report before 1.2
    resampler: str | None = None  # None: not resized, by a browser's own canvas, or a report before 1.2
    engine: str | None = (
        None  # what resized it in the browser, a key of browser_made.ENGINES; None: the server
    )
    channels: int | None = None  # of the encoded image: 3, or 4 for RGBA; None: not looked at
    canvas_noise: bool | None = (
        None  # the browser changes pixels that scripts read; None: not its work, or not tested
    )
    psnr_db: float | None = (
        None  # against the server's copy, both decoded; None: no such copy, or the same pixels
    )
    largest_difference: int | None = None  # of any channel from that copy, 0..255; None: no such copy
    percent_of_original: float | None = None  # over a set, the median of its photos'; None: see size_bytes
    data: bytes = field(default=b"", repr=False, compare=False)  # empty once stored


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """Where requests go. `backends.py` turns it into something that answers."""

    name: str
    protocol: Literal["grpc", "rest", "null", "fake"] = "grpc"
    address: str = ""  # "host:port", IPv6 hosts in brackets; of embedded replicas several, with commas
    model: str = "inception"
    signature: str = "predict_images"
    input_key: str = "images"
    version: int | None = None  # None: not asked yet, or the server did not tell
    device: str = "unknown"  # "CPU", "GPU"; unknown for servers we did not start
    cpus: int | None = None  # what the name promises, 8 for "8 CPU"; None: unknown
    cores: tuple[int, ...] | None = None  # cores it is pinned to; None: not ours to know
    embedded: bool = False
    price_per_hour: float | None = None
    state: str = "unknown"  # ready, loading, down, wrong_model, wrong_signature, absent
    detail: str = ""  # one sentence about the state
    runtime: str | None = (
        None  # with its version, "OpenVINO 2026.4.1"; None, as below: the server did not tell
    )
    precision: str | None = None  # of its arithmetic: "f32", "bf16", "int8"
    isa: str | None = None  # the instruction set it was held to; None also: to none
    device_name: str | None = None  # of a GPU
    device_memory_bytes: int | None = None
    replicas: int | None = None  # processes behind the address, or addresses behind the name
    reads: tuple[str, ...] | None = None  # media types of images; None: not asked, or no clear answer
    decode_signature: str | None = None  # takes the same input and only decodes; None: none, or not known
    decode_output: str | None = None  # the output that is asked of it; None: all of them, the pixels too

    @property
    def is_present(self) -> bool:
        """Whether this machine has it; one that is down is present."""
        return self.state != "absent"


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
    server_ms: Mapping[str, float] = field(default_factory=dict)  # stages, where the server tells
    peer: str | None = None  # "ip:port" of the replica that answered; None: the name has one address
    model_version: int | None = None
    distribution: tuple[float, ...] | None = None  # all scores; None: not offered, or not kept


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request gave no prediction. `code` is one of errors.FAILURE_CODES."""

    code: str
    message: str

    @property
    def was_sent(self) -> bool:
        """Whether the request went out at all; one that did not is no failed request."""
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
    asked_for: Question = "predict"  # "decode" never counts as a sample of the cell

    @property
    def rounded_ms(self) -> float:
        """To the microsecond, so that anyone can recompute each number from the exported samples."""
        return round(self.latency_ms or 0.0, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of one photo: what was tried, on what, and every request so far. Its report follows from it."""

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
    """So many of all, with the 95 % interval of the share (Wilson)."""

    count: int
    total: int
    share: float  # 0..1, as the two below
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A variant's top-1 accuracy less the reference's, on the same photos and the same backend."""

    photos: int  # answered for both, with a label that the model knows
    gained: int  # right here only: McNemar's b
    lost: int  # right for the reference only: McNemar's c
    points: float  # percentage points, as the two below; negative: this variant is worse
    low_points: float  # 95 % interval (Newcombe, paired)
    high_points: float
    mcnemar_p: float  # exact, of this one comparison
    mcnemar_p_holm: float  # as one among all comparisons of the report
    detectable_points: float  # a smaller true difference would be missed in more than 20 of 100 tries


@dataclass(frozen=True, slots=True)
class OverPhotos:
    """What a cell of a photo set says about answers. None: no photo could tell."""

    top1: Share | None  # right answers among photos with a label that the model knows
    top5: Share | None
    agreement: Share | None  # same top label as this backend gave to the reference
    difference: Difference | None  # None also for the reference itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All measurements of one variant on one backend. Warm-ups never count."""

    variant_id: str
    backend_name: str
    count: int  # answered requests
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
    peers: tuple[str, ...] = ()  # which replica gave each sample; empty where the name has one address
    # Requests of their own that only decode and resize, sending included. The server's word for
    # the same is server_ms["decode"]; making the variant is Variant.decode_ms and has nothing to do with it.
    decode_request_ms: float | None = None  # p50; None: not measured apart
    decode_request_samples_ms: tuple[float, ...] = ()
    decode_response_bytes: int | None = None  # large where the pixels came back, whose way is in the time
    over_photos: OverPhotos | None = None  # None: a run of one photo
    warmup_samples_ms: tuple[float, ...] = ()  # answered warm-ups, never counted; empty for a set of photos
    not_sent: int = 0  # requests left out because the backend had stopped answering; they are no failures

    @property
    def unanswered(self) -> int:
        """Requests without an answer: those that failed, and those left out."""
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
    """A CSV of labels, and how much of it is about the photos of the set."""

    name: str
    rows: int  # files that it names
    unused: int  # of them: no photo has that name, or more than one
    photos: int  # that it labels
    unlabelled: str | None  # the first photo that it does not label; None: there is none


@dataclass(frozen=True, slots=True)
class BetweenBackends:
    """Whether two backends answer the same variant alike."""

    variant_id: str
    backend_names: tuple[str, ...]  # two of them
    agreement: Share  # same top label


@dataclass(frozen=True, slots=True)
class PhotoSetFacts:
    """What a report tells about the set that it is about."""

    name: str
    count: int  # photos that were listed
    measured: int
    labelled: int  # of those measured, with a label that the model knows
    sha256: str  # of the list: names, sizes in bytes, labels
    margin_points: float  # how much a variant may lose and still be recommended
    comparisons: int  # how many differences the report holds; what Holm's correction is for
    skipped: tuple[SkippedPhoto, ...]  # with code "missing": the first rows of a CSV without a photo
    unknown_labels: tuple[UnknownLabel, ...]
    between_backends: tuple[BetweenBackends, ...]
    given_labels: GivenLabels | None = None  # None: no CSV told the labels, or a report before it was counted


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One copy that a search for the breaking point asked for, once. It tells an answer, no latency."""

    size_px: int
    quality: int  # JPEG's
    size_bytes: int
    kept: bool  # its top answer is the one to keep
    label: str  # its top answer
    score: float


@dataclass(frozen=True, slots=True)
class BreakingPoint:
    """The smallest copy that still gives the answer to keep, on one backend, as far as bisection finds it."""

    backend_name: str
    outcome: Literal["found", "never", "at_once", "not_right", "failed", "cancelled"]
    sentence: str
    label: str | None  # the answer to keep; None: the original got none
    by_true_label: bool  # kept is what is right, not what the original's answer was
    size_px: int | None = None  # None, as the three below, unless found or never
    quality: int | None = None
    size_bytes: int | None = None
    flickers: bool | None = None  # a neighbour does not fit: larger and changed, or smaller and kept
    requests: int = 0
    steps: tuple[SearchStep, ...] = ()  # in the order they were asked
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """What was measured after a run had ended, on the same bytes, and is among its samples."""

    id: str
    created_at: float  # seconds since the epoch
    state: RunState
    repeats: int  # of each cell, as far as it came
    seed: int
    environment: Mapping[str, Any]
    backend_name: str | None = None  # None: repeats were added to every cell
    retried: tuple[str, ...] = ()  # variants measured again on that backend; what failed before is left out
    timeout_s: float | None = None  # of those


@dataclass(frozen=True, slots=True)
class ResizerPair:
    """One copy made in the browser and by the server: the same size, format and quality."""

    browser_id: str
    server_id: str
    engine: str
    psnr_db: float | None  # as of the browser's variant, like the next one
    largest_difference: int | None
    bytes_ratio: float  # the browser's bytes over the server's
    same_top1: Mapping[str, bool]  # by backend; those that answered both


@dataclass(frozen=True, slots=True)
class Resizers:
    """How the two places that resized differ."""

    sentence: str
    pairs: tuple[ResizerPair, ...]  # in the order of the browser's variants


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to serve, in one sentence, and why not the others."""

    variant_id: str | None  # None: nothing can be recommended; the sentence says why
    backend_name: str | None
    sentence: str
    why: str  # the figures behind the sentence
    why_not: tuple[str, ...]  # the runner-up first
    validity: Validity
    next_lighter: str | None = None  # what it saves and costs; None: there is none


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801  plain Warning is Python's own
    """Something the reader must know. `code` is stable ("W3"), `message` a sentence."""

    code: str
    message: str
    level: Literal["note", "warning"] = "warning"  # a note takes nothing from the numbers


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
    requests_failed: int  # warm-ups count here too, as in the two above
    failure: Failure | None = None  # why the run as a whole failed
    photo_set: PhotoSetFacts | None = None  # None: a run of one photo
    additions: tuple[Addition, ...] = ()  # their repeats are among those of the plan
    breaking_points: tuple[BreakingPoint, ...] = ()  # of a search after the run; at most one for each backend
    resizers: Resizers | None = None  # None: only one place resized
    requests_not_sent: int = 0  # of those done: left out, as the backend had stopped answering
