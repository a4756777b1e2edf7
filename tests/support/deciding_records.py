"""Reports so small that every number that follows from them can be checked in one's head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiment.export.report_json import report_dict
from experiment.figures.view import View, view_of
from experiment.records import Label, Report, Variant
from tests.support.records import answer, answered, backend, original, report, source, variant

ORIGINAL_BYTES = 1_000_000  # 8 Mbit: 800 ms at 10 Mbit/s


def small_report(
    latencies_ms: Mapping[str, Mapping[str, Sequence[float]]],
    variants: Sequence[Variant],
    scores: Mapping[str, float] | None = None,
    **changes: Any,
) -> Report:
    """Samples by variant and backend; the answer is tabby with the variant's score, by default 0.5."""
    names = list(dict.fromkeys(name for each in latencies_ms.values() for name in each))
    told = scores or {}
    measurements = [
        sample
        for variant_id, by_backend in latencies_ms.items()
        for name, samples in by_backend.items()
        for sample in answered(
            samples, variant_id, name, answer((Label("tabby", told.get(variant_id, 0.5)),))
        )
    ]
    values = {
        "source": source(size_bytes=ORIGINAL_BYTES),
        "variants": tuple(variants),
        "backends": tuple(backend(name) for name in names),
        "measurements": measurements,
    }
    return report(**values | changes)


def whole() -> Variant:
    """The original, 1 MB."""
    return original(size_bytes=ORIGINAL_BYTES)


def copy(size_px: int = 512, **changes: Any) -> Variant:
    """A JPEG of 100 KB, 80 ms at 10 Mbit/s, whose making takes 10 + 20 + 30 ms."""
    values = {"size_bytes": 100_000, "decode_ms": 10.0, "resize_ms": 20.0, "encode_ms": 30.0}
    return variant(size_px, **values | changes)


def in_browser(of: Variant, **changes: Any) -> Variant:
    """The same copy made in a browser."""
    return replace(of, **{"id": f"{of.id}-browser", "made_in": "browser", **changes})


def seen(made: Report) -> View:
    """As the figures see it."""
    return view_of(report_dict(made))
