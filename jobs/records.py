"""What passes between the parts of a worker: a claimed entry, a request to the model, an outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from experiment.queue.records import WIRE_FIELD

REPLY_FIELD: Final = "reply"  # of an entry whose client wants `value` too, and takes results in bulk ...
ALONE_FIELD: Final = "alone"  # ... unless it has this field too: its result is only for who knows its id


@dataclass(frozen=True, slots=True)
class Claimed:
    """An entry of the stream that this worker has claimed and nobody has decoded yet."""

    entry_id: str  # of the stream: "1730000000000-0"; begins with ms since the epoch
    fields: Mapping[str, bytes] = field(repr=False)
    tries: int  # deliveries, this one included
    claimed_us: int  # since the epoch, by Redis' clock

    @property
    def claimed_ms(self) -> int:
        """When it was claimed, in ms since the epoch."""
        return self.claimed_us // 1000

    @property
    def job_id(self) -> str:
        """The id that the client chose."""
        return self.fields.get("uri", b"").decode("utf-8", "replace") or self.entry_id

    @property
    def is_old(self) -> bool:
        """Whether a client of Cluster Serving wrote it, past the checks of experiment/queue/submit.py."""
        return WIRE_FIELD not in self.fields

    @property
    def is_for_bulk(self) -> bool:
        """Whether its result goes to who takes all results that nobody has read, as `dequeue` does."""
        return self.is_old or (REPLY_FIELD in self.fields and ALONE_FIELD not in self.fields)

    @property
    def photo_sha256(self) -> str:
        """Of the photo that submit.py stored; "": the entry has none, or holds it itself."""
        return "" if self.is_old else self.fields.get("photo", b"").decode("ascii", "replace")

    @property
    def begin_by_ms(self) -> int | None:
        """The deadline for a worker to begin; None: it may wait."""
        text = b"" if self.is_old else self.fields.get("begin_by_ms", b"")
        return int(text) if text.isdigit() else None

    @property
    def queue_wait_ms(self) -> float:
        """From when Redis took the entry to the claim. An old entry tells only its millisecond."""
        text = b"" if self.is_old else self.fields.get("submitted_us", b"")
        is_told = text.isdigit() and len(text) < 20
        submitted_us = int(text) if is_told else int(self.entry_id.split("-")[0]) * 1000
        return max(self.claimed_us - submitted_us, 0) / 1000


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask the model: the bytes of one encoded image, or arrays by input name."""

    image: bytes | None = field(default=None, repr=False)
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)  # without the batch dimension


def bytes_array(data: bytes) -> np.ndarray:
    """An array without dimensions that holds these bytes, as Request.tensors has an image beside others."""
    array = np.empty((), object)
    array[()] = data
    return array


@dataclass(frozen=True, slots=True)
class Answered:
    """A result."""

    result: Mapping[str, Any]  # as JSON: top[{label, score}] or outputs{name: ...}, model, model_version
    # What Cluster Serving's clients get: one array, or several of a model with several outputs.
    array: np.ndarray | tuple[np.ndarray, ...] | None = field(repr=False, default=None)
    # The model server's own stages, under the names that it gives them; also `batch_wait` and `service` if
    # the answerer knows them better than the worker (jobs/worker/worker.py, Times).
    stages_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A failure that another try would not mend: a damaged photo, an input that the model does not have."""

    code: str  # stable: "image_refused", "bad_input", "too_late", ...
    reason: str  # a sentence


@dataclass(frozen=True, slots=True)
class TryAgain:
    """A failure that may pass. The job is delivered again; after some tries it is given up."""

    code: str
    reason: str


Outcome = Answered | Refused | TryAgain


class ModelUnavailable(Exception):
    """The model server does not answer at all. The worker keeps its claims and waits; nothing is counted."""


class Answerer(Protocol):
    """Answers requests. The worker has one; tests have others."""

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome for each request, in their order, from as few batches as possible.

        Raises ModelUnavailable.
        """


class Reader(Protocol):
    """Makes requests of entries, in whatever form a client wrote them (jobs/wire)."""

    def read(self, entry: Claimed, photo: bytes | None) -> Request | Refused:
        """The request in an entry. `photo` is what its field `photo` refers to; None also: it has expired."""

    def encode(self, entry: Claimed, answered: Answered) -> bytes | None:
        """The field `value` of a result as Cluster Serving's clients read it; None: nobody will read it."""
