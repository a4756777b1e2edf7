"""The report as CSV: one row for each cell, or of a load each rate; raw samples in the last columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiment.codec import csv_field, from_dict
from experiment.records import Variant
from experiment.wording import short_name

VARIANT_KEYS = (
    "format",
    "quality",
    "size_px",
    "width_px",
    "height_px",
    "size_bytes",
    "percent_of_original",
    "encoder",
    "made_in",
    "is_reference",
    "decode_ms",
    "resize_ms",
    "encode_ms",
)
CELL_KEYS = (
    "count",
    "failures",
    "cold_ms",
    "p50_ms",
    "p50_low_ms",
    "p50_high_ms",
    "p90_ms",
    "p99_ms",
    "min_ms",
    "max_ms",
    "request_bytes",
    "response_bytes",
    "same_top1",
    "top5_overlap",
    "reference_score",
    "reference_score_change",
    "js_distance",
    "correct_top1",
    "correct_top5",
    "validity",
)

SHARE_KEYS = ("count", "total", "share", "low", "high")
DIFFERENCE_KEYS = (
    "photos",
    "gained",
    "lost",
    "points",
    "low_points",
    "high_points",
    "mcnemar_p",
    "mcnemar_p_holm",
    "detectable_points",
)
# Empty in reports before 1.2.
LATER_VARIANT_KEYS = (
    *("subsampling", "resampler", "engine", "channels"),
    *("canvas_noise", "psnr_db", "largest_difference"),
)
LATER_CELL_KEYS = ("decode_request_ms", "decode_response_bytes", "not_sent", "disturbed_counted")

CAPACITY_KEYS = ("per_s", "low_per_s", "high_per_s", "limit_ms", "shares_machine")  # empty before 1.5
CURVE_KEYS = ("measured_at", "limit_ms", "percentile", "seed", "shares_machine")
POINT_KEYS = (
    "offered_per_s",
    "achieved_per_s",
    "goodput_per_s",
    "seconds",
    "trials",
    "count",
    "failures",
    "over_limit",
    "p50_ms",
    "p90_ms",
    "p99_ms",
    "max_ms",
    "keeps_limit",
    "validity",
    "late_max_ms",
)
POINT_SAMPLES = ("uncounted_ms", "samples_ms")

OWN_KEYS = ("run_id", "variant_id", "backend_name")
BACKEND_KEYS = ("runtime", "precision", "isa", "device_name", "replicas")  # empty in reports before 1.1


def report_csv(report: Mapping[str, Any]) -> str:
    """The report's cells as CSV (RFC 4180). Unknown values are empty, yes and no are true and false."""
    variants = {variant["id"]: variant for variant in report["variants"]}
    stages = sorted({stage for cell in report["cells"] for stage in cell["server_ms"]})
    rows = [_row(report, variants[cell["variant_id"]], cell, stages) for cell in report["cells"]]
    return _csv(rows, OWN_KEYS)


def load_csv(report: Mapping[str, Any]) -> str:
    """Every rate that was offered under load as CSV, from the lowest on, with every latency."""
    rows = [
        {"run_id": report["run_id"], "variant_id": curve["variant_id"], "backend_name": curve["backend_name"]}
        | {key: curve[key] for key in CURVE_KEYS}
        | {key: point[key] for key in POINT_KEYS}
        | {"reasons": " ".join(point["reasons"])}
        | {"uncounted_failures": sum(point.get("uncounted_causes", {}).values())}
        | {key: _samples(point[key]) for key in POINT_SAMPLES}
        for curve in report.get("load", ())
        for point in curve["points"]
    ]
    return _csv(rows, [*OWN_KEYS, *CURVE_KEYS, *POINT_KEYS, "reasons", "uncounted_failures", *POINT_SAMPLES])


def _csv(rows: Sequence[Mapping[str, Any]], otherwise: Sequence[str]) -> str:
    """`otherwise`: the columns where there are no rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else otherwise, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: csv_field(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _row(
    report: Mapping[str, Any], variant: Mapping[str, Any], cell: Mapping[str, Any], stages: list[str]
) -> dict[str, Any]:
    backend: Mapping[str, Any] = next(
        (info for info in report["backends"] if info["name"] == cell["backend_name"]), {}
    )
    top = cell["top"][0] if cell["top"] else {"label": None, "score": None}
    own = (cell["variant_id"], cell["backend_name"])
    curve: Mapping[str, Any] = next(
        (each for each in report.get("load", ()) if (each["variant_id"], each["backend_name"]) == own), {}
    )
    return {
        "run_id": report["run_id"],
        "variant_id": cell["variant_id"],
        "backend_name": cell["backend_name"],
        "label": short_name(from_dict(Variant, variant)),
        **{f"backend_{key}": backend.get(key) for key in BACKEND_KEYS},
        **{key: variant[key] for key in VARIANT_KEYS},
        **{key: variant.get(key) for key in LATER_VARIANT_KEYS},
        **{key: cell[key] for key in CELL_KEYS},
        **{key: cell.get(key) for key in LATER_CELL_KEYS},
        "top_label": top["label"],
        "top_score": top["score"],
        "reasons": " ".join(cell["reasons"]),
        "failure_codes": " ".join(failure["code"] for failure in cell["failure_reasons"]),
        **_over_photos(cell.get("over_photos") or {}),
        **{f"capacity_{key}": curve.get(key) for key in CAPACITY_KEYS},
        "knee_per_s": curve.get("knee_per_s"),
        **{f"server_{stage}_ms": cell["server_ms"].get(stage) for stage in stages},
        "decode_request_samples_ms": _samples(cell.get("decode_request_samples_ms", ())),
        "warmup_samples_ms": _samples(cell.get("warmup_samples_ms", ())),
        "disturbed_samples_ms": _samples(cell.get("disturbed_samples_ms", ())),
        "samples_ms": _samples(cell["samples_ms"]),
    }


def _over_photos(over: Mapping[str, Any]) -> dict[str, Any]:
    """Accuracy and agreement over a set; empty for one photo."""
    groups = {**dict.fromkeys(("top1", "top5", "agreement"), SHARE_KEYS), "difference": DIFFERENCE_KEYS}
    return {
        f"{group}_{key}": (over.get(group) or {}).get(key) for group, keys in groups.items() for key in keys
    }


def _samples(samples_ms: Iterable[float]) -> str:
    return " ".join(str(sample_ms) for sample_ms in samples_ms)
