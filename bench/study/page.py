"""The figures of docs/findings.md, read off the study's tables and put between marks.

`<!-- study: KEY -->` begins a figure and `<!-- end -->` ends it. KEY is words: which figure, then what
it is of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from bench.study.changes import ALL
from bench.study.claims import CPUS
from bench.study.runs import TIME
from bench.study.tables import Tables

NOT_MEASURED = "(not measured)"
MARKED = re.compile(r"(<!-- study: ([^>]+?) -->)(.*?)(<!-- end -->)", re.DOTALL)
Row = Mapping[str, str]


class Unknown(Exception):
    """A figure that the tables do not hold."""


def renewed(page: str, tables: Tables) -> tuple[str, list[str]]:
    """The page with every figure as the tables have it, and the keys of those that they don't hold."""
    unknown: list[str] = []

    def put(match: re.Match[str]) -> str:
        start, key, _, end = match.groups()
        try:
            return f"{start}{figure(key, tables)}{end}"
        except Unknown:
            unknown.append(key)
            return f"{start}{NOT_MEASURED}{end}"

    return MARKED.sub(put, page), unknown


def put_into(path: Path, tables: Tables) -> list[str]:
    """Renew the page's file. Returns the keys of figures that were not measured."""
    page, unknown = renewed(path.read_text("utf-8"), tables)
    path.write_text(page, "utf-8")
    return unknown


def figure(key: str, tables: Tables) -> str:
    """What stands for `key`. Raises Unknown."""
    name, *words = key.split()
    try:
        return FIGURES[name](tables, *words)
    except (KeyError, IndexError, TypeError, ValueError, StopIteration) as error:
        raise Unknown(key) from error


def _verdict(tables: Tables, claim: str) -> str:
    return f"**{_only(tables['verdicts'], claim=claim)['verdict']}**"


def _networks(tables: Tables) -> str:
    rows = (
        (
            row["model"],
            f"{_one(row['top1_percent'])} % ({_one(row['top1_low'])} to {_one(row['top1_high'])})",
            f"{_one(row['top5_percent'])} %",
            f"{_one(row['mean_probability_percent'])} %",
        )
        for row in tables["networks"]
    )
    return _table(("network", "top-1 of the photos as they are (95 %)", "top-5", "mean probability"), rows)


def _network(tables: Tables, model: str, column: str) -> str:
    return _one(_only(tables["networks"], model=model)[column])


def _answer(tables: Tables, question: str, model: str, variant: str) -> Row:
    return _only(tables["answers"], question=question, model=model, variant=variant)


def _points(tables: Tables, question: str, model: str, variant: str) -> str:
    row = _answer(tables, question, model, variant)
    return f"{_signed(row['points'])} points ({_signed(row['points_low'])} to {_signed(row['points_high'])})"


def _points_of_all(tables: Tables, question: str, *variants: str) -> str:
    """The range over all networks and the variants named."""
    rows = [row for row in tables["answers"] if row["question"] == question and row["variant"] in variants]
    return _span([float(row["points"]) for row in rows if row["points"]], "{:+.1f}")


def _large(tables: Tables) -> str:
    """The sizes above those of most photos, with the loss that so few photos can miss."""
    rows = [row for row in tables["answers"] if row["question"] == "size" and row["format"] == "jpeg"]
    sizes = sorted({int(row["size_px"]) for row in rows if int(row["size_px"]) > MOST_PX}, reverse=True)
    lines = []
    for size_px in sizes:
        own = [row for row in rows if row["size_px"] == str(size_px)]
        lines.append(
            (
                f"{size_px} px JPEG",
                _most(own, "photos"),
                _span([float(row["agrees_percent"]) for row in own], "{:.0f}") + " %",
                _most(own, "compared"),
                _span([float(row["points"]) for row in own], "{:+.1f}"),
                f"{max(float(row['detectable_points']) for row in own):.0f}",
            )
        )
    columns = ("copy", "photos", "same answer as to the photo itself", "with a label")
    return _table((*columns, "accuracy, points", "a loss that may go unseen, points"), lines)


def _kilobytes(tables: Tables, question: str, variant: str) -> str:
    """Median over photos."""
    rows = [row for row in tables["answers"] if row["question"] == question and row["variant"] == variant]
    return f"{float(rows[0]['size_bytes']) / 1000:.1f}"


def _ratio(tables: Tables, what: str, *sizes_px: str) -> str:
    """Range of a ratio of times over machines, models, photos and backends; `what` with _ for a space."""
    return _span([float(row["ratio"]) for row in _ratios(tables, what, sizes_px)], "{:.1f}")


def _stage_ratio(tables: Tables, stage: str, what: str, *sizes_px: str) -> str:
    rows = _ratios(tables, what, sizes_px)
    return _span([float(row[f"{stage}_ratio"]) for row in rows if row[f"{stage}_ratio"]], "{:.1f}")


def _ratios(tables: Tables, what: str, sizes_px: Sequence[str]) -> list[Row]:
    return [
        row
        for row in tables["ratios"]
        if row["what"].replace(" ", "") == what and row["size_px"] in sizes_px and row["is_valid"] == "True"
    ]


def _area(tables: Tables, predictor: str, network: str = ALL, size_px: str = ALL) -> str:
    row = _only(tables["areas"], predictor=predictor, network=network, size_px=size_px)
    return f"{_two(row['auc'])} ({_two(row['auc_low'])} to {_two(row['auc_high'])})"


def _area_within(tables: Tables, predictor: str) -> str:
    """Range within one size, all networks together; of sizes where enough answers changed."""
    rows = [
        row
        for row in tables["areas"]
        if row["predictor"] == predictor
        and row["network"] == ALL
        and row["size_px"] != ALL
        and int(row["changed"]) >= LEAST_CHANGED
    ]
    return _span([float(row["auc"]) for row in rows], "{:.2f}")


def _count(tables: Tables, column: str) -> str:
    """Of all answers: answers, photos, or changed."""
    row = _only(tables["areas"], predictor="ssim_seen", network=ALL, size_px=ALL)
    return f"{int(row[column]):,}"


def _changed(tables: Tables, ssim: str, margin: str) -> str:
    """The share of changed answers, all networks; ranges as "0.95-0.98"."""
    (ssim_above, ssim_to), (margin_above, margin_to) = ssim.split("-"), margin.split("-")
    row = _only(
        tables["bands"],
        network=ALL,
        ssim_above=ssim_above,
        ssim_to=ssim_to,
        margin_above=margin_above,
        margin_to=margin_to,
    )
    low, high = _one(row["changed_percent_low"]), _one(row["changed_percent_high"])
    return f"{_one(row['changed_percent'])} % ({low} to {high})"


def _bands(tables: Tables) -> str:
    """Rows of SSIM, columns of margin, all networks."""
    rows = [row for row in tables["bands"] if row["network"] == ALL]
    across, down = (_ranges(rows, name) for name in ("margin", "ssim"))
    shares = {(_range(row, "ssim"), _range(row, "margin")): row for row in rows}
    columns = ["SSIM", *(f"margin {_range_words(margin)}" for margin in across)]
    lines = (
        [_range_words(ssim), *(_share(shares.get((ssim, margin))) for margin in across)] for ssim in down
    )
    return _table(columns, lines)


def _ranges(rows: Sequence[Row], name: str) -> list[tuple[float, float]]:
    """Those in the order of their ends, the whole last."""
    return sorted({_range(row, name) for row in rows}, key=lambda ends: (ends == WHOLE, ends))


def _range(row: Row, name: str) -> tuple[float, float]:
    return float(row[f"{name}_above"]), float(row[f"{name}_to"])


def _range_words(ends: tuple[float, float]) -> str:
    return "any" if ends == WHOLE else f"{ends[0]:g} to {ends[1]:g}"


def _share(row: Row | None) -> str:
    """ "-" for too few photos."""
    if row is None or int(row["photos"]) < FEWEST_PHOTOS:
        return "-"
    return f"{_one(row['changed_percent'])} %"


def _measured(tables: Tables, machine: str) -> str:
    """One sentence on what ran where and when: "here" or "elsewhere"."""
    rows = [row for row in tables["runs"] if (row["machine"] == "here") == (machine == "here")]
    days = sorted({row["started_at"][:10] for row in rows})
    cpus = " and ".join(dict.fromkeys(f"{row['cores']} cores of {row['cpu']}" for row in rows))
    runtimes = " and ".join(dict.fromkeys(row["runtime"] for row in rows))
    requests, failed = (sum(int(row[key]) for row in rows) for key in ("requests", "failed"))
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{when}, {cpus}, {runtimes}: {requests:,} requests, {failed:,} failed"


def _load(tables: Tables) -> str:
    """The load of the machine when the times were begun."""
    rows = [row for row in tables["runs"] if row["machine"] == "here" and row["question"] == TIME]
    return _span([float(row["load_1m_at_start"]) for row in rows], "{:.1f}")


def _repeats(tables: Tables) -> str:
    rows = [row for row in tables["times"] if row["machine"] == "here"]
    return _most(rows, "samples")


def _unsettled(tables: Tables) -> str:
    """How many times are marked as not to be relied on."""
    rows = [row for row in tables["times"] if row["validity"] != "VALID"]
    return f"{len(rows)} of {len(tables['times'])}"


def _cores(tables: Tables) -> str:
    """Cores that the backend of eight threads had here."""
    rows = [row for row in tables["times"] if row["machine"] == "here" and row["backend"] == f"{CPUS} CPU"]
    return _most(rows, "cores")


def _most(rows: Sequence[Row], column: str) -> str:
    values = [int(row[column]) for row in rows if row[column]]
    if not values:
        _nothing()
    return f"{max(values):,}"


def _only(rows: Sequence[Row], **wanted: str) -> Row:
    """The first row that has all of these; `model` may be any of its words, without spaces."""
    return next(
        row
        for row in rows
        if all(row[key] == value or _word(row[key]) == value for key, value in wanted.items())
    )


def _word(text: str) -> str:
    return text.replace(" ", "_").replace(",", "")


def _span(values: Sequence[float], shape: str) -> str:
    if not values:
        _nothing()
    low, high = shape.format(min(values)), shape.format(max(values))
    return low if low == high else f"{low} to {high}"


def _nothing() -> NoReturn:
    raise KeyError("no rows")


def _one(value: str) -> str:
    return f"{float(value):.1f}"


def _two(value: str) -> str:
    return f"{float(value):.2f}"


def _signed(value: str) -> str:
    return f"{float(value):+.1f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


WHOLE = (0.0, 1.0)  # SSIM and margin of any value
LEAST_CHANGED = 100  # answers of one size; of fewer an area says little
FEWEST_PHOTOS = 30  # with fewer a share is known to 20 points at best
MOST_PX = 384  # most photos are larger than this
FIGURES: Mapping[str, Callable[..., str]] = {
    "verdict": _verdict,
    "networks": _networks,
    "network": _network,
    "points": _points,
    "points-of-all": _points_of_all,
    "kilobytes": _kilobytes,
    "large": _large,
    "ratio": _ratio,
    "stage-ratio": _stage_ratio,
    "area": _area,
    "area-within": _area_within,
    "count": _count,
    "changed": _changed,
    "bands": _bands,
    "measured": _measured,
    "load": _load,
    "repeats": _repeats,
    "cores": _cores,
    "unsettled": _unsettled,
}
