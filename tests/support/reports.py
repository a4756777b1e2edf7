"""Reports of every kind, hostile and large ones, and what exports and figures are held against."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from experiment.export.report_json import report_dict
from experiment.measure.plan import MAX_QUALITIES
from experiment.records import MAX_VARIANTS, Plan
from tests.support.records import (
    answer,
    answered,
    backend,
    failed,
    no_gpu,
    original,
    report,
    sample_measurements,
    sample_report,
    source,
    variant,
)
from tests.support.set_records import photos, summary

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
SIZES_PX = tuple(2048 - 110 * place for place in range(16))
REPORTS = {
    "whole": sample_report(),
    "one backend": sample_report(("8 CPU",)),
    "five backends": sample_report(("GPU", "8 CPU", "1 CPU", "16 CPU", "4 CPU")),
    "goals": sample_report(plan=Plan(max_p50_ms=15.0, max_size_bytes=50_000)),
    "true label": sample_report(source=source(true_label="Tiger_Cat")),
    "nothing yet": report(state="running"),
    "queued": report(state="queued", variants=(), environment={}),
    "first answer": report(state="running", measurements=answered([31.0])),
    "no GPU": report(backends=(no_gpu(), backend()), measurements=answered([30.0] * 6)),
    "all failed": report(measurements=failed(20)),
    "no reference": report(
        variants=(original(), variant(256)), measurements=[*failed(9), *answered([9.0], variant(256).id)]
    ),
    "no labels": report(measurements=answered([30.0], prediction=answer(()))),
    "no time at all": report(measurements=answered([0.0])),
    "labelled set": summary(photos(both=80, gained=2, lost=5, neither=13)),
    "unlabelled set": summary(replace(each, label=None) for each in photos(both=8, lost=1)),
    "set on two backends": summary(
        photos(both=80, lost=5, on=("8 CPU", "GPU")), backend_names=("8 CPU", "GPU")
    ),
    "set that has not begun": summary([], state="running", count=9),
}


def closed(schema: Any) -> Any:
    """The schema with no room for keys that it does not describe; the environment stays open."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tight = {key: value if key == "environment" else closed(value) for key, value in schema.items()}
    if "properties" in schema and isinstance(schema["properties"], dict):
        tight.setdefault("additionalProperties", False)
    return tight


def points_of(figure, keys=("x", "y")):
    """Values of all points of measured traces, those that explain or mark left out."""
    return sorted(
        tuple(trace[key][number] for key in keys)
        for trace in figure["data"]
        if trace.get("hoverinfo") != "skip"
        for number in range(len(trace["x"]))
    )


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
    )
    made = [
        variant(
            size_px, kind, id=f"{size_px}-{kind}-{quality}", quality=quality, size_bytes=size_px * quality
        )
        for size_px in SIZES_PX
        for kind in ("jpeg", "webp")
        for quality in plan.jpeg_qualities
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
