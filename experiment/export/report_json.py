"""The report as others read it: JSON with a schema.

The only place that knows the keys of the report's JSON and how its numbers are rounded.
Keys are stable within schema version 1: they may be added to, never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiment.axes import plan_dict
from experiment.codec import to_dict
from experiment.decide.evidence import evidence
from experiment.records import Cell, LoadCurve, LoadPoint, Report, Variant
from experiment.report.method import method

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))

# Samples are whole microseconds. What is interpolated between two of them gets three more
# digits, so that recomputing it from the exported samples gives the exported number.
SAMPLE_DIGITS_MS = 3
DERIVED_DIGITS_MS = 6
SCORE_DIGITS = 6
RATE_DIGITS = 4


def report_dict(report: Report) -> dict[str, Any]:
    """The report as JSON values; valid against SCHEMA. Unknown is None, and says null."""
    original_bytes = (report.source.original or report.source).size_bytes  # it may have stayed in the browser
    made = {
        "schema_version": report.schema_version,
        "run_id": report.run_id,
        "state": report.state,
        "created_at": timestamp(report.created_at),
        "source": to_dict(report.source) | {"decode_ms": _rounded(report.source.decode_ms, SAMPLE_DIGITS_MS)},
        "plan": plan_dict(report.plan),
        "environment": dict(report.environment),
        "backends": [to_dict(info) for info in report.backends],
        "variants": [_variant(variant, original_bytes) for variant in report.variants],
        "skipped_sizes_px": list(report.skipped_sizes_px),
        "cells": [_cell(cell) for cell in report.cells],
        "recommendation": to_dict(report.recommendation),
        "warnings": [to_dict(warning) for warning in report.warnings],
        "requests": {
            "planned": report.requests_planned,
            "done": report.requests_done,
            "failed": report.requests_failed,
            "not_sent": report.requests_not_sent,
        },
        "failure": None if report.failure is None else to_dict(report.failure),
        "additions": [
            to_dict(addition) | {"created_at": timestamp(addition.created_at)}
            for addition in report.additions
        ],
        "breaking_points": [to_dict(found) for found in report.breaking_points],
        "load": [load_dict(curve) for curve in report.load],
        "photo_set": None if report.photo_set is None else _digits(to_dict(report.photo_set)),
        "resizers": None if report.resizers is None else _digits(to_dict(report.resizers)),
    }
    return made | {"method": method(made), "evidence": evidence(made)}


def load_dict(curve: LoadCurve) -> dict[str, Any]:
    """A curve of `load` as JSON values."""
    rates = ("per_s", "low_per_s", "high_per_s", "knee_per_s", "right_per_s")
    return to_dict(replace(curve, points=())) | {  # points have many samples: each is made once
        **{name: _rounded(getattr(curve, name), RATE_DIGITS) for name in rates},
        "unloaded_ms": _rounded(curve.unloaded_ms, DERIVED_DIGITS_MS),
        "points": [_point(point) for point in curve.points],
    }


def _point(point: LoadPoint) -> dict[str, Any]:
    rates = ("offered_per_s", "achieved_per_s", "goodput_per_s")
    times = ("p50_ms", "p90_ms", "p99_ms", "max_ms", "late_max_ms")
    return to_dict(point) | {
        **{name: _rounded(getattr(point, name), RATE_DIGITS) for name in rates},
        **{name: _rounded(getattr(point, name), DERIVED_DIGITS_MS) for name in times},
        "seconds": round(point.seconds, SAMPLE_DIGITS_MS),
    }


def report_json(report: Mapping[str, Any]) -> str:
    """The exported report as a JSON text that people can read too."""
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC: "2026-05-04T10:20:30Z"."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def measured_at(report: Mapping[str, Any]) -> float:
    """When an exported report was measured, in seconds since the epoch; 0 for a date that does not exist."""
    try:
        return datetime.strptime(report["created_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _variant(variant: Variant, original_bytes: int) -> dict[str, Any]:
    percent = variant.percent_of_original
    if percent is None:  # over a set each photo counts by itself: two medians are of different photos
        percent = 100 * variant.size_bytes / original_bytes
    return to_dict(variant) | {
        "percent_of_original": round(percent, 1),
        "decode_ms": _rounded(variant.decode_ms, SAMPLE_DIGITS_MS),
        "resize_ms": _rounded(variant.resize_ms, SAMPLE_DIGITS_MS),
        "encode_ms": _rounded(variant.encode_ms, SAMPLE_DIGITS_MS),
        "psnr_db": _rounded(variant.psnr_db, 2),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    derived = {
        name: _rounded(getattr(cell, name), DERIVED_DIGITS_MS)
        for name in ("p50_ms", "p90_ms", "p99_ms", "decode_request_ms")
    }
    return to_dict(cell) | {
        **derived,
        "server_ms": {stage: round(value, SAMPLE_DIGITS_MS) for stage, value in cell.server_ms.items()},
        "top": [{"label": label.label, "score": round(label.score, SCORE_DIGITS)} for label in cell.top],
        "top5_overlap": _rounded(cell.top5_overlap, 3),
        "reference_score": _rounded(cell.reference_score, SCORE_DIGITS),
        "reference_score_change": _rounded(cell.reference_score_change, 4),  # percentage points
        "js_distance": _rounded(cell.js_distance, 4),
        "over_photos": None if cell.over_photos is None else _digits(to_dict(cell.over_photos)),
    }


def _digits(value: Any) -> Any:
    """Shares, points and p with six digits that count; whole numbers stay whole."""
    if isinstance(value, dict):
        return {key: _digits(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_digits(item) for item in value]
    return float(f"{value:.{SCORE_DIGITS}g}") if isinstance(value, float) else value


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
