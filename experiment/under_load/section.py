"""Under load: the section for the page and the HTML report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from experiment.figures.palette import Palette
from experiment.figures.section import Section, table_of
from experiment.figures.view import View
from experiment.records import LoadCurve
from experiment.under_load.capacities import MARKED, limit_words
from experiment.under_load.figure import curve_name, under_load
from experiment.wording import bounds, listed, sentence

TITLE = "Under load"
INVITATION = (
    "Put variants under load to see how many requests per second a backend answers before latency grows."
)
OF_ANOTHER_KIND = "Only runs of one photo that still have their images can be put under load."
COLUMNS = (
    "Variant and backend", "Capacity, requests/s", "95 %", "Limit", "Knee, requests/s", "Right answers/s",
    "Per core", "Validity", "Load generator",
)  # fmt: skip
HOW = (
    "Requests are sent at the times of a random schedule, whether or not earlier ones were answered, and "
    "each latency counts from when its request was due: a server that stalls is charged for every request "
    "that waited."
)


def load_section(view: View, palette: Palette) -> Section:
    """The curves of a report, the newest of each cell. Without any the section only offers to begin."""
    if not view.load:
        return Section(TITLE, INVITATION if view.photo_set is None else OF_ANOTHER_KIND)
    curves = list(view.load)
    is_drawn = any(point.p50_ms is not None for curve in curves for point in curve.points)
    rows = [_row(curve, view) for curve in curves]
    return Section(
        TITLE,
        " ".join(f"{curve_name(curve, view)}: {sentence(curve.sentence, capital=False)}" for curve in curves),
        tuple(_warnings(curves, view)),
        (HOW, *dict.fromkeys(curve.payload for curve in curves if curve.payload)),
        {"under_load": under_load(view, palette)} if is_drawn else {},
        (table_of("Capacity", COLUMNS, rows, is_main=True),),
    )


def _warnings(curves: list[LoadCurve], view: View) -> Iterator[str]:
    shared = list(dict.fromkeys(curve.backend_name for curve in curves if curve.shares_machine))
    if shared:
        yield sentence(f"{listed(shared)}: {MARKED}", capital=False)
    for curve in curves:
        if curve.validity != "VALID" and curve.reasons:
            yield f"{curve_name(curve, view)}: {' '.join(curve.reasons)}"


def _row(curve: LoadCurve, view: View) -> list[Any]:
    interval, right_per_s, capacity = None, curve.right_per_s, cast(Any, curve.per_s)
    limit = limit_words(curve).replace(" ", "\u00a0")  # on one line of a narrow column
    generator = "same machine" if curve.shares_machine else "another machine"
    if curve.low_per_s is not None and curve.high_per_s is not None:
        interval = bounds(curve.low_per_s, curve.high_per_s)
    per_core = None if right_per_s is None or not curve.cores else right_per_s / curve.cores
    if curve.outcome == "at_least" and curve.per_s is not None:
        capacity = f"at least {curve.per_s:.3g}"
    return [
        curve_name(curve, view), capacity, interval, limit, curve.knee_per_s, right_per_s, per_core,
        None if curve.outcome == "measuring" else curve.validity, generator,
    ]  # fmt: skip
