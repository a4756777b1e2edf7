"""Reports as large as a legal plan makes them."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from experiment.export.report_json import report_dict
from experiment.measure.plan import MAX_QUALITIES, MAX_VARIANTS
from experiment.records import Plan
from tests.support.records import answer, backend, original, report, sample_measurements, variant

SIZES_PX = tuple(2048 - 110 * place for place in range(16))


def large_report(variants: int = MAX_VARIANTS, backends: int = 10, repeats: int = 2) -> dict[str, Any]:
    """A finished run of so many variants, JPEG and WebP of many qualities, on each of so many backends.

    All answers are alike, so all points of a trade-off lie in one row: the hardest for its labels.
    """
    plan = Plan(
        seed=7,
        sizes_px=SIZES_PX,
        formats=("jpeg", "webp"),
        warmups=1,
        repeats=repeats,
        jpeg_qualities=tuple(range(20, 20 + 5 * MAX_QUALITIES, 5)),
        webp_qualities=tuple(range(20, 20 + 5 * MAX_QUALITIES, 5)),
        jpeg_quality=20,
    )
    made = [
        variant(
            size_px, kind, id=f"{size_px}-{kind}-{quality}", quality=quality, size_bytes=size_px * quality
        )
        for size_px in SIZES_PX
        for kind in ("jpeg", "webp")
        for quality in plan.jpeg_qualities or ()
    ]
    chosen = (original(), *made[: variants - 1])
    infos = tuple(backend(f"{number} CPU", cpus=number, cores=()) for number in range(1, backends + 1))
    taken = [
        replace(each, latency_ms=20 + place / 10, prediction=answer())
        for place, (info, each_variant) in enumerate(product(infos, chosen))
        for each in sample_measurements(each_variant, info.name, plan)
    ]
    return report_dict(
        report(
            plan=plan,
            variants=chosen,
            backends=infos,
            measurements=taken,
            requests_planned=len(taken),
        )
    )
