"""What is kept of one photo of a set: its variants without their bytes, and every measurement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from experiment.records import PHOTO_PICTURE, Failure, Measurement, Variant


@dataclass(frozen=True, slots=True)
class Beats:
    """How well this process kept time while the photo was measured; see heartbeat.py."""

    count: int = 0
    late: int = 0
    max_delay_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Worker:
    """The process that measured a photo, one of several."""

    engine: str  # that started it: "local", "ray", "spark"
    workers: int  # how many measured at the same time
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """One photo of a set, measured or refused. It is one line of the journal."""

    index: int  # its place in the order of the run, from 0
    name: str
    label: str | None  # as the person wrote it
    sha256: str | None = None  # None, as the five below: the photo was refused
    media_type: str | None = None
    size_bytes: int | None = None
    width_px: int | None = None
    height_px: int | None = None
    decode_ms: float | None = None
    skipped_sizes_px: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()  # what was done to its pixels
    variants: tuple[Variant, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    beats: Beats = Beats()
    refused: Failure | None = None
    worker: Worker | None = None  # None: one process measured the whole set
    # One of its variants for people to look at, encoded; it is never stored, and no engine passes it on.
    data: bytes = field(default=b"", repr=False, compare=False)

    @property
    def picture_key(self) -> str:
        """The key of its small picture."""
        return f"{PHOTO_PICTURE}{self.index}"


def without_weight(measurement: Measurement) -> Measurement:
    """The measurement without all scores: of a thousand classes they would be most of a journal."""
    prediction = measurement.prediction
    if prediction is None or prediction.distribution is None:
        return measurement
    return replace(measurement, prediction=replace(prediction, distribution=None))
