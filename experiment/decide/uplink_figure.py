"""End to end by size, modelled: making the copy, uploading over a chosen uplink, latency.

Drawn for one backend. Here a colour and a symbol stand for the place of resizing, not for a backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiment.decide.end_to_end import PLACE_WORDS, Copy, Place, Trip
from experiment.decide.uplinks import Uplink
from experiment.figures.frame import Figure, base_layout, escaped, figure, hover_text, log_axis
from experiment.figures.palette import Palette, colour, dash, outline, symbol
from experiment.figures.points import size_axis
from experiment.figures.view import Series, View
from experiment.wording import capitalised, count, kind_name, milliseconds, reference_name, short_name, size

TITLE = "End to end by size (modelled)"
HEIGHT_PX = 380
MOST_SERIES = 4  # each is two lines
COLUMNS = (
    "Format", "Size, px", "Resized", "Uploaded, KB", "Making, ms", "Transfer, ms (modelled)", "Latency, ms",
    "End to end, ms (modelled)", "Making time",
)  # fmt: skip
PLACES: dict[Place, int] = {"browser": 0, "server": 1, "nowhere": 2}


def end_to_end(
    view: View, copies: Sequence[Copy], originals: Sequence[Trip], uplink: Uplink, palette: Palette
) -> Figure:
    """`view`, `copies` and `originals` are of one backend; there is at least one copy or original."""
    shown = _shown(view)
    lines = _lines(shown, copies)
    data = [_line(name, trips, nth, uplink, palette) for name, trips, nth in lines]
    data += [_original(each, uplink, palette) for each in originals]
    drawn = [trip for _, trips, _ in lines for trip in trips] + list(originals)
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "End to end, ms (modelled)", [_total_ms(each, uplink) for each in drawn]),
    }
    rows = [_row(each, uplink) for each in drawn]
    return figure(data, layout, TITLE, _caption(len(view.series) - len(shown), drawn, uplink), COLUMNS, rows)


def _lines(series: Sequence[Series], copies: Sequence[Copy]) -> list[tuple[str, list[Trip], int]]:
    """One line for each way of making and place, largest size first; its name, and which of its format.

    Copies of one place only are on two lines, one of which is assumed.
    """
    trips = {(each.place, each.point.key): each for copy in copies for each in (copy.browser, copy.server)}
    found = []
    for each in series:
        kind = each.name.partition(", ")[2]
        for place in PLACES:
            of_line = [trips[place, point.key] for point in each.points if (place, point.key) in trips]
            if of_line:
                found.append((_named(f"{kind}, {PLACE_WORDS[place]}", of_line), of_line, each.nth))
    return found


def _shown(view: View) -> list[Series]:
    """The lines that there is room for: where there are many, the first way of each format in each place."""
    if len(view.series) <= MOST_SERIES:
        return view.series
    ways: dict[tuple[str, str], Series] = {}
    for each in view.series:
        ways.setdefault((each.first.variant.format, each.first.variant.made_in), each)
    return list(ways.values())[:MOST_SERIES]


def _named(name: str, trips: Sequence[Trip]) -> str:
    return f"{name} (assumed)" if all(each.is_assumed for each in trips) else name


def _line(name: str, trips: Sequence[Trip], nth: int, uplink: Uplink, palette: Palette) -> dict[str, Any]:
    own = colour(palette, PLACES[trips[0].place])
    look = {"color": own, "width": 2, "dash": dash(trips[0].variant.format, nth)}
    return _trace(trips, uplink, palette) | {
        "mode": "lines+markers",
        "name": escaped(name),
        "line": look,
    }


def _original(trip: Trip, uplink: Uplink, palette: Palette) -> dict[str, Any]:
    name = f"{reference_name(trip.variant)}, {PLACE_WORDS['nowhere']}"
    return _trace([trip], uplink, palette) | {"mode": "markers", "name": escaped(name)}


def _trace(trips: Sequence[Trip], uplink: Uplink, palette: Palette) -> dict[str, Any]:
    place = PLACES[trips[0].place]
    own = colour(palette, place)
    return {
        "type": "scatter",
        "x": [each.variant.size_px for each in trips],
        "y": [_total_ms(each, uplink) for each in trips],
        "marker": {
            "size": 9,
            "color": own,
            "symbol": [symbol(place, each.variant.format) for each in trips],
            "line": outline(palette, own, trips[0].variant.format),
        },
        "hovertext": [_hover(each, uplink) for each in trips],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def _total_ms(trip: Trip, uplink: Uplink) -> float:
    return round(trip.total_ms(uplink.mbit_s), 3)


def _hover(trip: Trip, uplink: Uplink) -> str:
    name = short_name(trip.variant)
    return hover_text(
        f"{capitalised(name)}, {PLACE_WORDS[trip.place]}",
        f"end to end {milliseconds(trip.total_ms(uplink.mbit_s))} (modelled)",
        f"making {milliseconds(trip.making_ms)}" + (" (assumed)" if trip.is_assumed else ""),
        f"uploading {size(trip.upload_bytes)} at {uplink.mbit_s:,g} Mbit/s: "
        f"{milliseconds(trip.transfer_ms(uplink.mbit_s))} (modelled)",
        f"p50 latency {milliseconds(trip.point.p50_ms)}",
    )


def _row(trip: Trip, uplink: Uplink) -> list[Any]:
    return [
        kind_name(trip.variant), trip.variant.size_px, PLACE_WORDS[trip.place],
        round(trip.upload_bytes / 1e3, 3),
        round(trip.making_ms, 3), round(trip.transfer_ms(uplink.mbit_s), 3), trip.point.p50_ms,
        _total_ms(trip, uplink), "assumed" if trip.is_assumed else "measured",
    ]  # fmt: skip


def _caption(left_out: int, drawn: Sequence[Trip], uplink: Uplink) -> str:
    backend_name = drawn[0].point.backend.name
    what = (
        f"Making, uploading at {uplink.mbit_s:,g} Mbit/s and p50 latency on {backend_name}, "
        "added up (modelled)."
    )
    less = f" Not drawn, to stay readable: {count(left_out, 'more line')}." if left_out else ""
    return what + less
