"""The study's tables, as Markdown. Each is named; docs/findings.md holds them between marks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.study.cells import EIGHT, GPU, ONE, Found, made, one_over_other, png_over_jpeg, size_over_smallest
from bench.study.claims import LOSS_POINTS, claims, keeps
from bench.study.pairs import accuracy_difference, corrected, right_by_variant
from bench.study.runs import TIME
from experiment.figures.view import Point
from experiment.records import Difference
from experiment.set_words import difference_words, p_words, share_words
from experiment.wording import milliseconds, size

Rows = Iterator[Sequence[Any]]
UNKNOWN = "-"
MARKED = re.compile(r"(<!-- study: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def tables(found: Sequence[Found]) -> dict[str, str]:
    """Every table by name."""
    return {name: _markdown(columns, list(rows(found))) for name, (columns, rows) in TABLES.items()}


def put_into(document: Path, named: Mapping[str, str]) -> None:
    """Renew what stands between `<!-- study: NAME -->` and `<!-- end -->`."""

    def renewed(match: re.Match[str]) -> str:
        start, name, old, end = match.groups()
        return f"{start}{named.get(name, old)}{end}"

    document.write_text(MARKED.sub(renewed, document.read_text("utf-8")), "utf-8")


def _verdicts(found: Sequence[Found]) -> Rows:
    for each in claims(found):
        yield f"({each.key}) {each.said}", f"**{each.verdict}**", each.figure, each.why


def _sizes(found: Sequence[Found]) -> Rows:
    for one in _of(found, "size"):
        for point in one.view.points:
            gap = point.cell.over_photos.difference if point.cell.over_photos else None
            yield (*_answers(one, point), gap.photos if gap else UNKNOWN, *_gap(gap), _kept(gap))


def _kept(gap: Difference | None) -> str:
    words = {"survives": "yes", "does not survive": "no"}
    return words.get(keeps(gap), "not known") if gap else UNKNOWN


def _against(question: str, base_of: Callable[[Point], str]) -> Callable[[Sequence[Found]], Rows]:
    """Rows of a question whose variants are compared with one of their own size, photo by photo."""

    def rows(found: Sequence[Found]) -> Rows:
        for one in _of(found, question):
            right = right_by_variant(one.rows)
            points = made(one.view)
            gaps = corrected([_gap_between(right, each.variant.id, base_of(each)) for each in points])
            for point, gap in zip(points, gaps, strict=True):
                yield (*_answers(one, point), size(point.variant.size_bytes), *_gap(gap))

    return rows


def _gap_between(right: Mapping[str, Mapping[str, bool]], own: str, base: str) -> Difference | None:
    if own == base:
        return None
    return accuracy_difference(right.get(own, {}), right.get(base, {}))


def _answers(one: Found, point: Point) -> tuple[str, ...]:
    over = point.cell.over_photos
    return one.place, point.variant.id, share_words(over.top1) if over and over.top1 else UNKNOWN


def _gap(gap: Difference | None) -> tuple[str, ...]:
    if gap is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    interval = difference_words(gap).partition(", McNemar")[0] + ")"
    return interval, p_words(gap.mcnemar_p_holm), f"{gap.detectable_points:.1f}"


def _png(found: Sequence[Found]) -> Rows:
    for one in found:
        if one.run.question == TIME:
            for each in png_over_jpeg(one):
                stages = [_decode_ms(point) for point in (each.point, each.base)]
                known = [value for value in stages if value]
                decode = f"{known[0] / known[1]:.1f}" if len(known) == 2 else UNKNOWN
                bytes_ratio = each.point.variant.size_bytes / each.base.variant.size_bytes
                yield (
                    one.place,
                    each.point.backend.name,
                    _nominal(each.point),
                    milliseconds(each.point.p50_ms),
                    milliseconds(each.base.p50_ms),
                    each.ratio,
                    decode,
                    f"{bytes_ratio:.1f}",
                )


def _times(found: Sequence[Found]) -> Rows:
    for one in _of(found, TIME):
        for each in size_over_smallest(one):
            name = "original" if each.point.variant.is_reference else str(each.point.variant.size_px)
            inference = [
                each.point.cell.server_ms.get("inference"),
                each.base.cell.server_ms.get("inference"),
            ]
            alone = f"{inference[0] / inference[1]:.2f}" if inference[0] and inference[1] else UNKNOWN
            yield (
                one.place,
                each.point.backend.name,
                name,
                milliseconds(each.point.p50_ms),
                milliseconds(_decode_ms(each.point) or 0.0),
                each.ratio,
                alone,
            )


def _cpus(found: Sequence[Found]) -> Rows:
    for one in _of(found, TIME):
        for each in one_over_other(one, ONE, EIGHT):
            cores = len(each.base.backend.cores or ())
            yield (
                one.place,
                each.point.variant.id,
                milliseconds(each.point.p50_ms),
                milliseconds(each.base.p50_ms),
                cores or UNKNOWN,
                each.ratio,
            )


def _gpus(found: Sequence[Found]) -> Rows:
    for one in _of(found, TIME):
        slowest = {each.point.variant.id: each for each in one_over_other(one, ONE, GPU)}
        for each in one_over_other(one, EIGHT, GPU):
            single = slowest.get(each.point.variant.id)
            yield (
                one.place,
                each.point.variant.id,
                milliseconds(each.base.p50_ms),
                milliseconds(single.point.p50_ms) if single else UNKNOWN,
                milliseconds(each.point.p50_ms),
                len(each.point.backend.cores or ()) or UNKNOWN,
                each.ratio,
                single.ratio if single else UNKNOWN,
            )


def _decode_ms(point: Point) -> float | None:
    return point.cell.server_ms.get("decode")


def _nominal(point: Point) -> str:
    return point.variant.id.split("-")[0]


def _of(found: Sequence[Found], question: str) -> list[Found]:
    return [each for each in found if each.run.question == question]


def _base_quality(point: Point) -> str:
    return f"{_nominal(point)}-jpeg-95"


def _base_filter(point: Point) -> str:
    return f"{_nominal(point)}-png"


def _base_subsampling(point: Point) -> str:
    return f"{_nominal(point)}-jpeg-85-444"


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


_SHARES = ("model, photos", "variant", "top-1")
_GAPS = ("Holm p", "detectable, points")
TABLES: Mapping[str, tuple[Sequence[str], Callable[[Sequence[Found]], Rows]]] = {
    "verdicts": (("claim", "verdict", "our figure (95 %)", "why"), _verdicts),
    "size": (
        (*_SHARES, "photos", "against the original", *_GAPS, f"loses less than {LOSS_POINTS:g} points"),
        _sizes,
    ),
    "png": (
        ("model, photo", "backend", "px", "PNG p50", "JPEG p50", "PNG / JPEG", "decoding alone", "bytes"),
        _png,
    ),
    "time": (
        (
            "model, photo",
            "backend",
            "JPEG, px",
            "p50",
            "decoding",
            "time / that of the smallest",
            "model alone",
        ),
        _times,
    ),
    "cpus": (("model, photo", "variant", "1 CPU p50", "8 CPU p50", "its cores", "1 CPU / 8 CPU"), _cpus),
    "gpu": (
        (
            "model, photo",
            "variant",
            "GPU p50",
            "1 CPU p50",
            "8 CPU p50",
            "its cores",
            "8 CPU / GPU",
            "1 CPU / GPU",
        ),
        _gpus,
    ),
    "quality": ((*_SHARES, "bytes", "against q95, same size", *_GAPS), _against("quality", _base_quality)),
    "filter": ((*_SHARES, "bytes", "against Lanczos, same size", *_GAPS), _against("filter", _base_filter)),
    "subsampling": (
        (*_SHARES, "bytes", "against 4:4:4, same size", *_GAPS),
        _against("subsampling", _base_subsampling),
    ),
}
