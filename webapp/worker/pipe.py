"""The messages between the web process and the timing process, and the timing process's end of the pipe.

to the timing process    one JSON line, a Task; then the bytes of its job's parts, one after another; then
                         "go" when the run may begin, "read" when a large photo may be decoded (see
                         large_photos.py) and "cancel" at any time. The end of input ends the process.
to the web process       one JSON line for each message of MESSAGES; the bytes of a variant or of a picture
                         follow its line.

A run begins with `accepted` or `refused` and ends with `end`. A photo to classify is no run: it is `made`,
then `answered`, or `refused`.
"""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, ClassVar, Final, Generic, Literal, TypeVar

from experiment.backends.addresses import to_ask
from experiment.backends.connect import connected
from experiment.codec import from_dict, to_dict
from experiment.images.browser import DescribedVariant
from experiment.images.header import Limits
from experiment.measure.heartbeat import Heartbeat
from experiment.measure.one_answer import Preparation
from experiment.measure.run import measure
from experiment.records import BackendInfo, NotUploaded, Plan, Variant

JobKind = Literal["photo", "photo_set", "browser_variants", "follow_up", "classify"]
FollowUpKind = Literal["repeats", "retry", "search", "load"]  # as stored
# A Variant, a Measurement, the PhotoResult of one photo of a set, a SearchStep towards the breaking point and
# the backend's name, a BreakingPoint, a LoadTrial with its cell and the progress, a LoadCurve without points.
# These are the kinds of a run's events too.
ResultKind = Literal["variant", "measurement", "photo", "step", "finding", "loop", "trial", "curve"]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """What a run measures. Every kind is a subclass."""

    kind: ClassVar[JobKind]

    name: str  # of the photo or the set
    true_label: str | None  # of every photo; None: not given

    @property
    def part_sizes_bytes(self) -> tuple[int, ...]:
        """The sizes of the parts that follow the task."""
        return ()


@dataclass(frozen=True)
class PhotoJob(Job):
    """One photo, the only part."""

    kind = "photo"

    size_bytes: int

    @property
    def part_sizes_bytes(self) -> tuple[int, ...]:
        """The photo's."""
        return (self.size_bytes,)


@dataclass(frozen=True)
class PhotoSetJob(Job):
    """Many photos in files on disk, which the timing process opens."""

    kind = "photo_set"

    folder: str
    files: Mapping[str, str]  # name of a photo -> its file in the folder; a single one is a ZIP file
    labels: tuple[str, str] | None  # name and text of a CSV; None: the set's own
    most_labels_bytes: int
    most_photos: int
    model: Mapping[str, Any]  # its card


def too_many_photos(where: str, found: int, most: int) -> str:
    """Why a set is refused, by the web process or, for a ZIP file, by the timing process."""
    how = "Send fewer, raise PIXELCOST_MAX_PHOTOS, or use the command line: python -m experiment --photos."
    return f"{where} has {found:,} photos; the limit is {most:,}. {how}"


@dataclass(frozen=True)
class BrowserVariantsJob(Job):
    """Variants that a browser made. The parts are the photo, empty if not uploaded, and the variants."""

    kind = "browser_variants"

    size_bytes: int  # of the photo; 0: not uploaded
    variants: tuple[DescribedVariant, ...]
    facts: Mapping[str, Any]  # about the browser, for the run's environment
    original: NotUploaded | None  # what the page says about the photo; None: nothing

    @property
    def part_sizes_bytes(self) -> tuple[int, ...]:
        """The photo's, then those of the variants."""
        return (self.size_bytes, *(variant.size_bytes for variant in self.variants))


@dataclass(frozen=True)
class LoadCell:
    """One variant on one backend, to be put under load."""

    variant_id: str
    backend_name: str
    expected: str | None  # the label that counts as right; None: not known


@dataclass(frozen=True)
class LoadOrder:
    """What to put under load, one cell after the other."""

    cells: tuple[LoadCell, ...]
    limit_ms: float  # of p99
    budget_s: float  # for each cell
    seed: int


@dataclass(frozen=True)
class FollowUpJob(Job):
    """Variants of a run that has ended, to be measured again. The parts are their bytes as sent."""

    kind = "follow_up"

    what: FollowUpKind
    variants: tuple[Variant, ...]
    load: LoadOrder | None = None  # of the kind "load"

    @property
    def part_sizes_bytes(self) -> tuple[int, ...]:
        """Those of the variants."""
        return tuple(variant.size_bytes for variant in self.variants)


@dataclass(frozen=True)
class ClassifyJob(Job):
    """One photo, the only part, to be sent once to the task's only backend. It is no run: see classify.py."""

    kind = "classify"

    size_bytes: int
    preparation: Preparation

    @property
    def part_sizes_bytes(self) -> tuple[int, ...]:
        """The photo's."""
        return (self.size_bytes,)


JOBS: Final[Mapping[str, type[Job]]] = {
    job.kind: job for job in (PhotoJob, PhotoSetJob, BrowserVariantsJob, FollowUpJob, ClassifyJob)
}
Job_co = TypeVar("Job_co", bound=Job, covariant=True)


@dataclass(frozen=True)
class Task(Generic[Job_co]):
    """All that the timing process needs for one run."""

    job: Job_co
    plan: Plan
    backends: tuple[BackendInfo, ...]
    max_bytes: int  # of one photo
    max_pixels: int
    traceparent: str | None = None  # of the run's span; None: nobody traces it

    @property
    def limits(self) -> Limits:
        """Of one photo."""
        return Limits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)

    @property
    def asked(self) -> list[BackendInfo]:
        """The backends that get requests."""
        return to_ask(self.backends, self.plan.backend_names)

    def line(self) -> bytes:
        """The line that crosses the pipe."""
        rest = to_dict(self)
        urls = [info.url for info in self.backends]  # with passwords: only this pipe carries them
        return json.dumps({"kind": self.job.kind, **rest.pop("job"), **rest, "urls": urls}).encode() + b"\n"


def task_in(line: bytes) -> Task[Job]:
    """The task that Task.line() wrote."""
    keys = json.loads(line)
    job = from_dict(JOBS[keys.pop("kind")], keys)
    backends = tuple(
        replace(from_dict(BackendInfo, row), url=url)
        for row, url in zip(keys["backends"], keys["urls"], strict=True)
    )
    plan, rest = from_dict(Plan, keys["plan"]), ("max_bytes", "max_pixels", "traceparent")
    return Task(job, plan, backends, *(keys[name] for name in rest))


MESSAGES: Final[dict[str, type[Message]]] = {}  # by event


class Message:
    """What the timing process says."""

    event: ClassVar[str]

    def __init_subclass__(cls, event: str):
        cls.event = event
        MESSAGES[event] = cls


@dataclass(frozen=True)
class Accepted(Message, event="accepted"):
    """The photo could be read."""

    source: Json  # a SourceImage, or {"photo_set": a SetHeader}
    skipped_sizes_px: Sequence[int]
    requests_planned: int  # for a photo set, an estimate


@dataclass(frozen=True)
class Refusal(Message, event="refused"):
    """The job can't be done: the keys of a PixelcostError."""

    code: str
    message: str
    http_status: int


@dataclass(frozen=True)
class LargePhoto(Message, event="large"):
    """A large photo is to be decoded: the process waits for "read"."""


@dataclass(frozen=True)
class LargePhotoDone(Message, event="made"):
    """The pixels of the large photo, or of one to classify, are freed."""


@dataclass(frozen=True)
class Preparing(Message, event="progress"):
    """How far it is before the first request, in words."""

    text: str


@dataclass(frozen=True)
class Result(Message, event="result"):
    """A record as JSON, which is stored and sent on as it is. The bytes of a variant follow."""

    kind: ResultKind
    record: Json


@dataclass(frozen=True)
class Picture(Message, event="picture"):
    """The small picture of the variant or step that the next result is about. Its bytes follow."""

    key: str  # a variant's id, or SearchStep.picture_key
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int


@dataclass(frozen=True)
class Answered(Message, event="answered"):
    """The answer to a ClassifyJob; nothing follows."""

    answer: Json


@dataclass(frozen=True)
class Ended(Message, event="end"):
    """The run is over; nothing follows."""

    state: str
    environment: Json
    failure: Json | None


def message_in(line: bytes) -> Message:
    """The message that Parent.send() wrote."""
    keys = json.loads(line)
    return MESSAGES[keys.pop("event")](**keys)


class Parent:
    """The web process, as the timing process sees it: sends commands, receives messages."""

    def __init__(self, commands: io.FileIO, messages: IO[bytes]):
        self._commands = commands
        self._messages = messages
        self.go = threading.Event()
        self.read = threading.Event()
        self.cancel = threading.Event()

    def listen(self) -> None:
        """Receive commands in a thread. The end of input ends this process."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def _listen(self) -> None:
        for line in self._commands:
            if line.strip() == b"cancel":
                self.cancel.set()
            if line.strip() in {b"go", b"cancel"}:
                self.go.set()
            if line.strip() == b"read":
                self.read.set()
        os._exit(1)  # nobody is left to read the results

    def send(self, message: Message, data: bytes = b"") -> None:
        """One JSON line, then `data` as it is."""
        line = json.dumps({"event": message.event, **vars(message)}).encode()
        self._messages.write(line + b"\n" + data)
        self._messages.flush()

    def end(self, environment: Json) -> None:
        """Say that the run is done or cancelled."""
        self.send(Ended("cancelled" if self.cancel.is_set() else "done", environment, failure=None))


def measure_on(
    parent: Parent, plan: Plan, variants: list[Variant], infos: Sequence[BackendInfo]
) -> Heartbeat:
    """Measure, and send every measurement as it is taken. Returns the heartbeat."""
    with connected(infos) as backends, Heartbeat() as heartbeat:
        for measurement in heartbeat.watched(measure(plan, variants, backends, parent.cancel)):
            parent.send(Result("measurement", to_dict(measurement)))
    return heartbeat
