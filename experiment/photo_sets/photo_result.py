"""What is kept of one photo of a set: its variants without their bytes, and every measurement."""

from __future__ import annotations

from dataclasses import dataclass, replace

from experiment.photo_sets.listing import ListedPhoto
from experiment.records import Failure, Measurement, SourceImage, Variant


@dataclass(frozen=True, slots=True)
class Beats:
    """How well this process kept time while the photo was measured; see heartbeat.py."""

    count: int = 0
    late: int = 0
    max_delay_ms: float = 0.0


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


def refused(index: int, photo: ListedPhoto, code: str, message: str) -> PhotoResult:
    """A photo that can't be used."""
    return PhotoResult(index, photo.name, photo.label, refused=Failure(code, message))


def without_weight(measurement: Measurement) -> Measurement:
    """The measurement without all scores: of a thousand classes they would be most of a journal."""
    prediction = measurement.prediction
    if prediction is None or prediction.distribution is None:
        return measurement
    return replace(measurement, prediction=replace(prediction, distribution=None))


def result_of(
    index: int,
    photo: ListedPhoto,
    source: SourceImage,
    skipped_sizes_px: tuple[int, ...],
    variants: tuple[Variant, ...],
    measurements: tuple[Measurement, ...],
    beats: Beats,
) -> PhotoResult:
    """A photo that was measured; the bytes of its variants are let go."""
    return PhotoResult(
        index=index,
        name=photo.name,
        label=photo.label,
        sha256=source.sha256,
        media_type=source.media_type,
        size_bytes=source.size_bytes,
        width_px=source.width_px,
        height_px=source.height_px,
        decode_ms=source.decode_ms,
        skipped_sizes_px=skipped_sizes_px,
        notes=source.notes,
        variants=tuple(replace(variant, data=b"") for variant in variants),
        measurements=measurements,
        beats=beats,
    )
