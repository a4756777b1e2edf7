"""Every sample of one cell, as a strip: what p50 stands for, and what it hides.

Time goes to the right, from the first request to the last, and latency up. So a backend that warms
up slowly or gets slower is seen as a slant, and an outlier as a point of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiment.figures.frame import Figure, axis, base_layout, dots, figure, hover_text, log_axis
from experiment.figures.palette import Palette, colour, symbol
from experiment.records import RESOLUTION_MS, Cell
from experiment.report.statistics import SAMPLES_FOR_P90, SAMPLES_FOR_P99, outliers
from experiment.wording import count, joined, listed, milliseconds, number

HEIGHT_PX = 240
TITLE = "Samples"
COLUMNS = ("Request", "Latency, ms", "Counts", "Outlier")
FEW, FEW_PX, MANY_PX = 100, 8, 5  # more samples than that are drawn smaller
LOG_FROM = 6.0  # slowest over fastest
TOO_FAR = 2.0  # times the slowest sample: such a warm-up stands on the edge, or it would hide their spread
NAMED_OUTLIERS = 3
PATCH_PX = 30  # in the legend; plotly allows no less
LINES = {"p50_ms": ("p50", "solid"), "p90_ms": ("p90", "dash"), "p99_ms": ("p99", "dot")}


def samples(cell: Cell, index: int, palette: Palette, *, is_running: bool) -> Figure:
    """The strip of a cell, whose backend is at `index` among the report's. All in ms."""
    far = frozenset(outliers(cell.samples_ms))
    upright = _latency_axis(cell, palette)
    edge_ms: float = upright["range"][1]
    if upright.get("type") == "log":
        edge_ms = 10**edge_ms
    data = [
        _dots(cell, far, index, palette),
        _warmups(cell, index, edge_ms, palette),
        *_percentiles(cell, palette),
    ]
    if cell.unanswered:
        data.append(_failed(cell, edge_ms, palette))
    layout = base_layout(palette, HEIGHT_PX)
    layout |= {
        "legend": layout["legend"] | {"itemwidth": PATCH_PX},
        "margin": {"l": 48, "r": 16, "t": 34, "b": 46},
        "xaxis": _order_axis(cell, palette),
        "yaxis": upright,
    }
    drawn = [trace for trace in data if trace["x"]]
    return figure(drawn, layout, TITLE, _caption(cell, far, is_running), COLUMNS, _rows(cell, far))


def _dots(cell: Cell, far: frozenset[float], index: int, palette: Palette) -> dict[str, Any]:
    return dots(
        range(1, len(cell.samples_ms) + 1),
        cell.samples_ms,
        [
            hover_text(
                f"Sample {place} of {len(cell.samples_ms)}",
                f"{milliseconds(sample_ms)}{', an outlier' if sample_ms in far else ''}",
            )
            for place, sample_ms in enumerate(cell.samples_ms, start=1)
        ],
        name="sample",
        marker=_mark(cell, symbol(index), colour(palette, index)),
    )


def _warmups(cell: Cell, index: int, edge_ms: float, palette: Palette) -> dict[str, Any]:
    """Hollow, and left of the first sample: they came before it. One beyond the edge says where it is."""
    warmups_ms = cell.warmup_samples_ms
    return dots(
        range(1 - len(warmups_ms), 1),
        [min(sample_ms, edge_ms) for sample_ms in warmups_ms],
        [
            hover_text(f"Warm-up {place}", f"{milliseconds(sample_ms)}, not counted")
            for place, sample_ms in enumerate(warmups_ms, start=1)
        ],
        mode="markers+text",
        name="warm-up",
        text=_beyond_words(warmups_ms, edge_ms),
        textposition="middle right",
        textfont={"size": 12, "color": palette.ink},
        marker=_mark(cell, f"{symbol(index)}-open", colour(palette, index)),
    )


def _beyond_words(warmups_ms: Sequence[float], edge_ms: float) -> list[str]:
    """Beside the last of those beyond the edge: they stand too close for words of their own."""
    beyond = [place for place, sample_ms in enumerate(warmups_ms) if sample_ms > edge_ms]
    if not beyond:
        return [""] * len(warmups_ms)
    up_to = "up to " if len(beyond) > 1 else ""
    words = f"  ↑ {up_to}{milliseconds(max(warmups_ms))}"
    return [words if place == beyond[-1] else "" for place in range(len(warmups_ms))]


def _mark(cell: Cell, shape: str, own: str) -> dict[str, Any]:
    size_px = FEW_PX if len(cell.samples_ms) <= FEW else MANY_PX
    return {"size": size_px, "symbol": shape, "color": own, "line": {"width": 1.5, "color": own}}


def _percentiles(cell: Cell, palette: Palette) -> list[dict[str, Any]]:
    """A line for p50, and for each further percentile that the count allows."""
    known = {key: getattr(cell, key) for key in LINES if getattr(cell, key) is not None}
    first, last = _order_range(cell)
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"{LINES[key][0]} {milliseconds(value_ms)}",
            "x": [first, last],
            "y": [value_ms, value_ms],
            "line": {"color": palette.ink, "width": 1.5, "dash": LINES[key][1]},
            "hoverinfo": "skip",
        }
        for key, value_ms in known.items()
    ]


def _failed(cell: Cell, edge_ms: float, palette: Palette) -> dict[str, Any]:
    """One cross on the upper edge: a failure has no latency, and no place among the samples is known."""
    reasons = [failure.message for failure in cell.failure_reasons]
    return dots(
        [sum(_order_range(cell)) / 2],
        [edge_ms],
        [hover_text(_unanswered_words(cell), *reasons)],
        name=f"{cell.unanswered:,} {'failed' if cell.failures else 'not sent'}",
        marker={"size": 11, "symbol": "x", "color": palette.ink},
    )


def _unanswered_words(cell: Cell) -> str:
    """ "2 requests failed, 6 not sent"."""
    if not cell.failures:
        return f"{count(cell.not_sent, 'request')} not sent"
    return f"{count(cell.failures, 'request')} failed" + (
        f", {cell.not_sent:,} not sent" if cell.not_sent else ""
    )


def _latency_axis(cell: Cell, palette: Palette) -> dict[str, Any]:
    most_ms = TOO_FAR * max(cell.samples_ms) if cell.samples_ms else float("inf")
    drawn = [*cell.samples_ms, *(sample_ms for sample_ms in cell.warmup_samples_ms if sample_ms <= most_ms)]
    title = "Latency, ms"
    if not drawn:
        return axis(palette, title, range=[0.0, 1.0], tickvals=[])
    low, high = max(min(drawn), RESOLUTION_MS), max(*drawn, RESOLUTION_MS)
    if high / low > LOG_FROM:
        return log_axis(palette, title, drawn)
    room = (high - low) * 0.08 or high * 0.1
    return axis(palette, title, range=[max(low - room, 0.0), high + room], nticks=6)


def _order_axis(cell: Cell, palette: Palette) -> dict[str, Any]:
    first, last = _order_range(cell)
    ticks = (
        {1: "first", len(cell.samples_ms): "last"}
        if len(cell.samples_ms) > 1
        else {1: "first"}
        if len(cell.samples_ms)
        else {}
    )
    return axis(
        palette,
        "Order of the requests",
        range=[first, last],
        tickvals=list(ticks),
        ticktext=list(ticks.values()),
        showgrid=False,
    )


def _order_range(cell: Cell) -> tuple[float, float]:
    room = max(0.6, len(cell.samples_ms) * 0.04)
    return 1 - len(cell.warmup_samples_ms) - room, max(len(cell.samples_ms), 1) + room


def _rows(cell: Cell, far: frozenset[float]) -> list[list[Any]]:
    rows: list[list[Any]] = [
        [f"warm-up {place}", value_ms, "no", None]
        for place, value_ms in enumerate(cell.warmup_samples_ms, start=1)
    ]
    rows += [
        [f"sample {place}", value_ms, "yes", "yes" if value_ms in far else "no"]
        for place, value_ms in enumerate(cell.samples_ms, start=1)
    ]
    rows += [["delayed", value_ms, "no", None] for value_ms in cell.disturbed_samples_ms]
    return rows + (
        [[f"{cell.unanswered} {'failed' if cell.failures else 'not sent'}", None, "no", None]]
        if cell.unanswered
        else []
    )


def _caption(cell: Cell, far: frozenset[float], is_running: bool) -> str:
    """What was taken, what failed, and which percentile the next more samples would show."""
    floors = {"p90": SAMPLES_FOR_P90, "p99": SAMPLES_FOR_P99}
    missing = next((name for name, floor in floors.items() if 0 < cell.count < floor), None)
    return joined(
        _what_was_taken(cell, far, is_running),
        _delayed(cell),
        f"{_unanswered_words(cell)}." if cell.unanswered and len(cell.samples_ms) else "",
        f"{missing} is known from {floors[missing]} samples." if missing else "",
    )


def _delayed(cell: Cell) -> str:
    """What was set apart: the strip shows what p50 stands for."""
    if not cell.disturbed_samples_ms:
        return ""
    delayed, slowest_ms = len(cell.disturbed_samples_ms), max(cell.disturbed_samples_ms)
    return f"{delayed:,} more, up to {milliseconds(slowest_ms)}, delayed by other work: p50 is without."


def _what_was_taken(cell: Cell, far: frozenset[float], is_running: bool) -> str:
    if not len(cell.samples_ms):
        if cell.unanswered:
            return f"No samples: {_unanswered_words(cell)}."
        return "Nothing was measured yet." if is_running else "Nothing was measured."
    so_far = " so far" if is_running else ""
    return f"{count(len(cell.samples_ms), 'sample')}{so_far}, {_outlier_words(cell, far)}."


def _outlier_words(cell: Cell, far: frozenset[float]) -> str:
    found = [sample_ms for sample_ms in cell.samples_ms if sample_ms in far]
    if not found:
        return "no outliers"
    if len(found) <= NAMED_OUTLIERS:
        return f"{count(len(found), 'outlier')} at {listed([number(outlier_ms) for outlier_ms in found])} ms"
    return f"{len(found)} outliers, the slowest at {milliseconds(max(found))}"
