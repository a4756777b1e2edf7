"""The study's figures as tables: rows of plain values by the table's name, each kept as a CSV file.

docs/findings.md and its plots are made from these files alone, see page.py and plots.py.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.study.cells import (
    EIGHT,
    GPU,
    ONE,
    Compared,
    Found,
    Right,
    made,
    one_over_other,
    png_over_jpeg,
    size_over_smallest,
)
from bench.study.changes import Area, Band
from bench.study.claims import claims
from bench.study.pairs import accuracy_difference, calibration_error, corrected
from bench.study.ranks import Estimate
from bench.study.runs import TIME
from experiment.figures.view import Point
from experiment.photo_sets.shares import share
from experiment.records import REFERENCE_ID, Difference, Share

Row = Mapping[str, Any]
Rows = Iterator[Row]
Tables = Mapping[str, Sequence[Mapping[str, str]]]


def tables(found: Sequence[Found]) -> dict[str, list[Row]]:
    """Every table of the reports, by name."""
    return {name: list(rows(found)) for name, rows in TABLES.items()}


def write(named: Mapping[str, Iterable[Row]], folder: Path) -> Iterator[Path]:
    """Each as folder/NAME.csv. One without rows leaves the file as it is: its question was not asked."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in named.items():
        shown = [{key: _shown(value) for key, value in row.items()} for row in rows]
        if shown:
            path = folder / f"{name}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, shown[0].keys(), lineterminator="\n")
                writer.writeheader()
                writer.writerows(shown)
            yield path


def read(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Every CSV file of the folder by name; unknown values are ""."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


def _shown(value: Any) -> str:
    """Six digits: more than any is known to, so that what is shown of them is rounded once."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _runs(found: Sequence[Found]) -> Rows:
    for one in found:
        facts, requests = one.report["environment"], one.report["requests"]
        runtimes = (backend["runtime"] for backend in one.report["backends"] if backend["runtime"])
        yield {
            "machine": one.machine or "here",
            "model": one.model,
            "question": one.run.question,
            "photos": one.run.photos,
            "started_at": one.report["created_at"],
            "cpu": facts["cpu_model"],
            "cores": facts["cpu_count"],
            "load_1m_at_start": facts["load_1m"],
            "runtime": " and ".join(dict.fromkeys(runtimes)),
            "pillow": facts.get("pillow"),
            "requests": requests["done"],
            "failed": requests["failed"],
        }


def _verdicts(found: Sequence[Found]) -> Rows:
    for claim in claims(found):
        yield {
            "claim": claim.key,
            "said": claim.said,
            "verdict": claim.verdict,
            "figure": claim.figure,
            "why": claim.why,
        }


def _networks(found: Sequence[Found]) -> Rows:
    """Accuracy of each network on the photos themselves."""
    for one in _of(found, "size"):
        references = (point.cell.over_photos for point in one.view.points if point.variant.is_reference)
        over = next(references, None)  # none where every request with the photos themselves failed
        if over and over.top1 and over.top5 and one.confidences:
            yield {
                "model": one.model,
                "photos": over.top1.total,
                "right": over.top1.count,
                **_percent("top1", over.top1),
                **_percent("top5", over.top5),
                "mean_probability_percent": 100
                * sum(score for score, _ in one.confidences)
                / len(one.confidences),
                "calibration_error_points": 100 * calibration_error(one.confidences),
            }


def _answers(found: Sequence[Found]) -> Rows:
    """Every variant against the one of its question's base, on the same photos."""
    for question, base_of in BASES.items():
        for one in _of(found, question):
            points = made(one.view)
            bases = [base_of(point) for point in points]
            pairs = ((point.variant.id, base) for point, base in zip(points, bases, strict=True))
            gaps = corrected([_gap(one.right, own, base) for own, base in pairs])
            for point, base, gap in zip(points, bases, gaps, strict=True):
                variant, over = point.variant, point.cell.over_photos
                known = one.right.get(variant.id, {}).values()
                yield {
                    "question": question,
                    "model": one.model,
                    "variant": variant.id,
                    "size_px": _nominal(point),
                    "format": variant.format,
                    "quality": variant.quality,
                    "subsampling": variant.subsampling,
                    "resampler": variant.resampler,
                    "size_bytes": variant.size_bytes,
                    "labelled": len(known),
                    **_percent("top1", share(sum(known), len(known))),
                    "photos": over.agreement.total if over and over.agreement else None,
                    **_percent("agrees", over.agreement if over else None),
                    "against": base,
                    "compared": gap.photos if gap else None,
                    "gained": gap.gained if gap else None,
                    "lost": gap.lost if gap else None,
                    "points": gap.points if gap else None,
                    "points_low": gap.low_points if gap else None,
                    "points_high": gap.high_points if gap else None,
                    "p_holm": gap.mcnemar_p_holm if gap else None,
                    "detectable_points": gap.detectable_points if gap else None,
                }


def _gap(right: Right, own: str, base: str) -> Difference | None:
    """None for the base itself: it is not a comparison to correct for."""
    return None if own == base else accuracy_difference(right.get(own, {}), right.get(base, {}))


def _percent(name: str, found: Share | None) -> dict[str, float | None]:
    return {
        f"{name}_percent": 100 * found.share if found else None,
        f"{name}_low": 100 * found.low if found else None,
        f"{name}_high": 100 * found.high if found else None,
    }


def _times(found: Sequence[Found]) -> Rows:
    for one in _of(found, TIME):
        for point in one.view.points:
            cell = point.cell
            yield {
                "machine": one.machine or "here",
                "model": one.model,
                "photo": one.run.photos,
                "backend": point.backend.name,
                "cores": len(point.backend.cores or ()) or None,
                "variant": point.variant.id,
                "size_bytes": point.variant.size_bytes,
                "samples": cell.count,
                "p50_ms": cell.p50_ms,
                "p50_low_ms": cell.p50_low_ms,
                "p50_high_ms": cell.p50_high_ms,
                "decode_ms": cell.server_ms.get("decode"),
                "inference_ms": cell.server_ms.get("inference"),
                "validity": cell.validity,
            }


def _ratios(found: Sequence[Found]) -> Rows:
    for one in _of(found, TIME):
        for name, compared in RATIOS.items():
            for pair in compared(one):
                yield {
                    "machine": one.machine or "here",
                    "model": one.model,
                    "photo": one.run.photos,
                    "what": name,
                    "backend": pair.point.backend.name,
                    "size_px": "original" if pair.point.variant.is_reference else _nominal(pair.point),
                    "variant": pair.point.variant.id,
                    "over_backend": pair.base.backend.name,
                    "over_variant": pair.base.variant.id,
                    "ratio": pair.ratio.value,
                    "ratio_low": pair.ratio.low,
                    "ratio_high": pair.ratio.high,
                    "decode_ratio": _stage(pair, "decode"),
                    "inference_ratio": _stage(pair, "inference"),
                    "is_valid": pair.is_valid,
                }


def _stage(compared: Compared, stage: str) -> float | None:
    one, other = (point.cell.server_ms.get(stage) for point in (compared.point, compared.base))
    return one / other if one and other else None


def area_rows(found: Iterable[Area]) -> Rows:
    """How well each predictor separates changed answers from the others."""
    for area in found:
        yield {
            "network": area.network,
            "size_px": area.size_px,
            "predictor": area.predictor,
            "answers": area.answers,
            "photos": area.photos,
            "changed": area.changed,
            **_estimate("auc", area.auc),
            **_estimate("auc_less_margins", area.less_margin),
        }


def band_rows(found: Iterable[Band]) -> Rows:
    """How many answers change, by SSIM and margin."""
    for band in found:
        yield {
            "network": band.network,
            "ssim_above": band.ssim_seen[0],
            "ssim_to": band.ssim_seen[1],
            "margin_above": band.margin[0],
            "margin_to": band.margin[1],
            "answers": band.answers,
            "photos": band.photos,
            **{key: value * 100 for key, value in _estimate("changed_percent", band.share).items()},
        }


def _estimate(name: str, found: Estimate) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _of(found: Sequence[Found], question: str) -> list[Found]:
    return [one for one in found if one.run.question == question]


def _nominal(point: Point) -> str:
    """The size that was asked for; a variant of the report has the median over photos."""
    return point.variant.id.split("-")[0]


# What the variants of a question are compared with.
BASES: Mapping[str, Callable[[Point], str]] = {
    "size": lambda _: REFERENCE_ID,
    "format": lambda point: f"{_nominal(point)}-png",
    "filter": lambda point: f"{_nominal(point)}-png",
    "subsampling": lambda point: f"{_nominal(point)}-jpeg-85-444",
}
RATIOS: Mapping[str, Callable[[Found], Iterator[Compared]]] = {
    "PNG / JPEG": png_over_jpeg,
    "size / smallest": size_over_smallest,
    f"{ONE} / {EIGHT}": lambda one: one_over_other(one, ONE, EIGHT),
    f"{EIGHT} / {GPU}": lambda one: one_over_other(one, EIGHT, GPU),
    f"{ONE} / {GPU}": lambda one: one_over_other(one, ONE, GPU),
}
TABLES: Mapping[str, Callable[[Sequence[Found]], Rows]] = {
    "runs": _runs,
    "verdicts": _verdicts,
    "networks": _networks,
    "answers": _answers,
    "times": _times,
    "ratios": _ratios,
}
