"""What a tally holds for each cell, variant and backend: counts, and one number for each photo."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from experiment.records import NOT_SENT, Failure, Measurement, Variant


def floats() -> array[float]:
    """Eight bytes for each number."""
    return array("d")


@dataclass(slots=True)
class Failures:
    """What one backend did not answer."""

    asked: int = 0
    warmups_failed: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    example: dict[str, Failure] = field(default_factory=dict)  # the first one of each code

    def add(self, measurement: Measurement) -> None:
        """Count one request."""
        self.asked += 1
        if measurement.failure is not None:
            self.warmups_failed += measurement.is_warmup and measurement.failure.was_sent
            self.by_code[measurement.failure.code] += 1
            self.example.setdefault(measurement.failure.code, measurement.failure)

    @property
    def unanswered(self) -> int:
        """Requests without an answer."""
        return self.by_code.total()

    @property
    def not_sent(self) -> int:
        """Those of them that were left out."""
        return self.by_code[NOT_SENT]

    @property
    def failed(self) -> int:
        """Those of them that were sent."""
        return self.unanswered - self.not_sent

    @property
    def most_frequent(self) -> tuple[Failure, ...]:
        """One for each code, the most frequent code first."""
        return tuple(self.example[code] for code, _ in self.by_code.most_common())


@dataclass(slots=True)
class CellTally:
    """One variant on one backend."""

    samples_ms: array[float] = field(default_factory=floats)  # one for each photo: its median
    failures: Failures = field(default_factory=Failures)  # of counted requests
    cold_ms: float | None = None
    was_warmed: bool = False
    stages_ms: defaultdict[str, array[float]] = field(default_factory=lambda: defaultdict(floats))
    request_bytes: array[float] = field(default_factory=floats)
    response_bytes: array[float] = field(default_factory=floats)
    judged: int = 0  # photos with a label that the model knows
    top1: int = 0
    top5: int = 0
    compared: int = 0  # photos that the reference was answered for as well
    agreed: int = 0
    both: int = 0  # of those judged and compared: right here and for the reference
    gained: int = 0
    lost: int = 0
    neither: int = 0


@dataclass(slots=True)
class VariantTally:
    """One variant over all photos that are large enough for it."""

    makings: Counter[tuple[str, str]] = field(default_factory=Counter)  # photos by format and encoder
    examples: dict[tuple[str, str], Variant] = field(default_factory=dict)  # the first one of each
    longest_px: array[float] = field(default_factory=floats)
    widths_px: array[float] = field(default_factory=floats)
    heights_px: array[float] = field(default_factory=floats)
    sizes_bytes: array[float] = field(default_factory=floats)
    percents: array[float] = field(default_factory=floats)  # of the bytes of the photo's own file
    decode_ms: array[float] = field(default_factory=floats)
    resize_ms: array[float] = field(default_factory=floats)
    encode_ms: array[float] = field(default_factory=floats)
    digest: Any = field(default_factory=hashlib.sha256)  # over the sha256 of each photo's

    @property
    def typical(self) -> Variant:
        """What most photos' are like; of originals some may have been encoded again."""
        return self.examples[self.makings.most_common(1)[0][0]]

    def add(self, variant: Variant, original_bytes: int) -> None:
        """Take in one photo's; the photo's file has `original_bytes`."""
        making = (variant.format, variant.encoder)
        self.makings[making] += 1
        self.examples.setdefault(making, variant)
        self.percents.append(100 * variant.size_bytes / max(1, original_bytes))
        self.longest_px.append(variant.size_px)
        self.widths_px.append(variant.width_px)
        self.heights_px.append(variant.height_px)
        self.sizes_bytes.append(variant.size_bytes)
        for name in ("decode_ms", "resize_ms", "encode_ms"):
            value_ms = getattr(variant, name)
            if value_ms is not None:
                getattr(self, name).append(value_ms)
        self.digest.update(bytes.fromhex(variant.sha256))
