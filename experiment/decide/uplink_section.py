"""Over the network: the section about uplinks and the place of resizing. Modelled throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiment.axes import BROWSER_FORMATS
from experiment.decide.end_to_end import PLACE_WORDS, Copy, Place, Trip, break_even, copies, originals
from experiment.decide.uplinks import Uplink
from experiment.figures.frame import Figure, base_layout, dots, escaped, figure, hover_text, log_axis
from experiment.figures.palette import Palette, colour, dash, outline, symbol
from experiment.figures.points import size_axis
from experiment.figures.section import NOTHING_YET, Section, smaller_copy, table_of
from experiment.figures.view import Series, View
from experiment.records import Copies
from experiment.wording import (
    capitalised,
    count,
    format_name,
    kind_name,
    milliseconds,
    reference_name,
    short_name,
    size,
)

TITLE = "Over the network (modelled)"
PARTS = (
    "End to end (modelled) is making the copy, plus the upload at this bandwidth, plus the p50 latency. "
    "If the server resizes, the original is uploaded; if the browser does, the copy. Round trips, TCP slow "
    "start and other effects of a network are not included."
)
COLUMNS = ("Variant", "Backend", "Uploaded by the browser", "Where resizing wins (modelled)")


def uplink_section(view: View, source: Mapping[str, Any], uplink: Uplink, palette: Palette) -> Section:
    """`source` of the exported report: what is uploaded where the server resizes."""
    kept_back = source.get("original")  # a photo that stayed in the browser: the largest copy stands for it
    original_bytes = (kept_back or source)["size_bytes"]
    chosen = smaller_copy(view)
    if chosen is None:
        return Section(TITLE, "There is no smaller copy to upload." if view.points else NOTHING_YET)
    every = copies(view, original_bytes)
    name = chosen.backend.name
    found = [copy for copy in every if copy.measured.point.backend.name == name]
    if not found:
        return Section(
            TITLE, "How long making these copies took is not known, so there is no end-to-end time."
        )
    whole = [] if kept_back else originals(view, original_bytes)
    alone = [trip for trip in whole if trip.point.backend.name == name]
    # By the fastest of the browser's engines; any copy if how long this one takes to make is not known.
    own = [copy for copy in found if chosen.key in {copy.browser.point.key, copy.server.point.key}]
    copy = min(own or found, key=lambda copy: copy.browser.total_ms(uplink.mbit_s))
    shown = replace(view, points=tuple(point for point in view.points if point.backend.name == name))
    return Section(
        TITLE,
        f"{_verdict(copy, uplink)} {_fastest(found, alone, uplink, view.plan.copies)}",
        (),
        tuple(note for note in (PARTS, _assumed(found)) if note),
        {"end_to_end": end_to_end(shown, found, alone, uplink, palette)},
        (table_of("Where to resize", COLUMNS, [_row(copy) for copy in every]),),
    )


def _verdict(copy: Copy, uplink: Uplink) -> str:
    trip = copy.measured
    where = f"{short_name(trip.variant)} on {trip.point.backend.name}, modelled"
    words = f"{break_even(copy).words}{_condition(copy)} ({where})."
    saved_ms = copy.server.transfer_ms(uplink.mbit_s) - copy.browser.transfer_ms(uplink.mbit_s)
    if copy.browser.is_assumed and saved_ms > 0:
        words += (
            f" At {uplink.mbit_s:,g} Mbit/s it saves {milliseconds(saved_ms)} of uploading, so the browser "
            "may take that much longer than the server and still win."
        )
    return words


def _condition(copy: Copy) -> str:
    if copy.browser.is_assumed:
        condition = ", if the browser makes the copy as fast as the server did"
        key = copy.browser.variant.format
        if key in BROWSER_FORMATS:
            return condition
        no_canvas = f"as no browser's canvas writes {format_name(key)}"
        return f"{condition}, with an encoder that the page loads, {no_canvas}"
    return ", if the server makes the copy as fast as the browser did" if copy.server.is_assumed else ""


def _fastest(found: Sequence[Copy], alone: Sequence[Trip], uplink: Uplink, copies: Copies) -> str:
    """Of the ways that the plan's `copies` allow and that keep the answer, at this bandwidth."""
    ways = {
        "in_advance": [trip for copy in found for trip in (copy.browser, copy.server)],
        "per_request": [copy.server for copy in found],
        "client": [copy.browser for copy in found],
    }
    every = [*ways[copies], *alone]
    kept = [copy for copy in every if copy.point.is_kept is not False and not copy.point.is_less_sure]
    are_less_sure = any(copy.point.is_less_sure for copy in every)
    best = min(kept or every, key=lambda copy: copy.total_ms(uplink.mbit_s))
    place = "" if best.place == "nowhere" else f" resized {PLACE_WORDS[best.place]}"
    keeping = f"that keep the answer{' and its probability' if are_less_sure else ''} "
    if not kept or len(kept) == len(every):
        keeping = ""
    return (
        f"At {uplink.mbit_s:,g} Mbit/s the fastest {WAYS[copies]} {keeping}is "
        f"{short_name(best.variant)}{place}: {milliseconds(best.total_ms(uplink.mbit_s))} end to end "
        f"(modelled), of which {milliseconds(best.making_ms)} making, "
        f"{milliseconds(best.transfer_ms(uplink.mbit_s))} uploading {size(best.upload_bytes)}, "
        f"{milliseconds(best.point.p50_ms)} latency."
    )


def _assumed(found: Sequence[Copy]) -> str:
    """Which times were not measured where they are used."""
    browsers = sum(copy.browser.is_assumed for copy in found)
    servers = sum(copy.server.is_assumed for copy in found)
    if browsers == len(found):
        return (
            "No copy of this run was made in a browser, so the browser's times are assumed to be those of "
            "the server; a phone may be slower."
        )
    if browsers or servers:
        return (
            f"Of {len(found)} copies {browsers} were not made in the browser and {servers} not on the "
            "server; their times there are assumed to be those of the other place."
        )
    return ""


def _row(copy: Copy) -> list[object]:
    trip = copy.measured
    name = f"{trip.variant.size_px} px {kind_name(trip.variant)}"
    saved_bytes = copy.server.upload_bytes - copy.browser.upload_bytes
    uploaded = f"{size(abs(saved_bytes))} {'less' if saved_bytes >= 0 else 'more'}"
    return [name, trip.point.backend.name, uploaded, break_even(copy).words]


FIGURE_TITLE = "End to end by size (modelled)"
HEIGHT_PX = 380
MOST_SERIES = 4  # each is two lines
FIGURE_COLUMNS = (
    "Format", "Size, px", "Resized", "Uploaded, KB", "Making, ms", "Transfer, ms (modelled)", "Latency, ms",
    "End to end, ms (modelled)", "Making time",
)  # fmt: skip
WAYS: dict[Copies, str] = {
    "in_advance": "of all ways",
    "per_request": "way with copies made by the server",
    "client": "way with copies made by the client",
}
PLACES: dict[Place, int] = {"browser": 0, "server": 1, "nowhere": 2}


def end_to_end(
    view: View, copies: Sequence[Copy], originals: Sequence[Trip], uplink: Uplink, palette: Palette
) -> Figure:
    """`view`, `copies` and `originals` are of one backend; there is at least one copy or original."""
    shown = _shown(view)
    lines = _lines(shown, copies)
    data = [
        _trace(
            trips,
            uplink,
            palette,
            mode="lines+markers",
            name=escaped(name),
            line={
                "color": colour(palette, PLACES[trips[0].place]),
                "width": 2,
                "dash": dash(trips[0].variant.format, nth),
            },
        )
        for name, trips, nth in lines
    ]
    data += [
        _trace(
            [trip], uplink, palette, name=escaped(f"{reference_name(trip.variant)}, {PLACE_WORDS['nowhere']}")
        )
        for trip in originals
    ]
    drawn = [trip for _, trips, _ in lines for trip in trips] + list(originals)
    layout = base_layout(palette, HEIGHT_PX, len(data)) | {
        "xaxis": size_axis(view, palette),
        "yaxis": log_axis(palette, "End to end, ms (modelled)", [_total_ms(trip, uplink) for trip in drawn]),
    }
    rows = [_figure_row(trip, uplink) for trip in drawn]
    caption = _figure_caption(len(view.series) - len(shown), drawn, uplink)
    return figure(data, layout, FIGURE_TITLE, caption, FIGURE_COLUMNS, rows)


def _lines(series: Sequence[Series], copies: Sequence[Copy]) -> list[tuple[str, list[Trip], int]]:
    """One line for each way of making and place, largest size first; its name, and which of its format.

    Copies of one place only are on two lines, one of which is assumed.
    """
    trips = {(trip.place, trip.point.key): trip for copy in copies for trip in (copy.browser, copy.server)}
    found = []
    for line in series:
        kind = line.name.partition(", ")[2]
        for place in PLACES:
            of_line = [trips[place, point.key] for point in line.points if (place, point.key) in trips]
            if of_line:
                assumed = " (assumed)" if all(trip.is_assumed for trip in of_line) else ""
                found.append((f"{kind}, {PLACE_WORDS[place]}{assumed}", of_line, line.nth))
    return found


def _shown(view: View) -> list[Series]:
    """The lines that there is room for: where there are many, the first way of each format in each place."""
    if len(view.series) <= MOST_SERIES:
        return view.series
    ways: dict[tuple[str, str], Series] = {}
    for series in view.series:
        ways.setdefault((series.first.variant.format, series.first.variant.made_in), series)
    return list(ways.values())[:MOST_SERIES]


def _trace(trips: Sequence[Trip], uplink: Uplink, palette: Palette, **more: Any) -> dict[str, Any]:
    place, format_key = PLACES[trips[0].place], trips[0].variant.format
    own = colour(palette, place)
    return dots(
        [trip.variant.size_px for trip in trips],
        [_total_ms(trip, uplink) for trip in trips],
        [_hover(trip, uplink) for trip in trips],
        marker={
            "size": 9,
            "color": own,
            "symbol": [symbol(place, trip.variant.format) for trip in trips],
            "line": outline(palette, own, format_key),
        },
        **more,
    )


def _total_ms(trip: Trip, uplink: Uplink) -> float:
    return round(trip.total_ms(uplink.mbit_s), 3)


def _hover(trip: Trip, uplink: Uplink) -> str:
    return hover_text(
        f"{capitalised(short_name(trip.variant))}, {PLACE_WORDS[trip.place]}",
        f"end to end {milliseconds(trip.total_ms(uplink.mbit_s))} (modelled)",
        f"making {milliseconds(trip.making_ms)}" + (" (assumed)" if trip.is_assumed else ""),
        f"uploading {size(trip.upload_bytes)} at {uplink.mbit_s:,g} Mbit/s: "
        f"{milliseconds(trip.transfer_ms(uplink.mbit_s))} (modelled)",
        f"p50 latency {milliseconds(trip.point.p50_ms)}",
    )


def _figure_row(trip: Trip, uplink: Uplink) -> list[Any]:
    return [
        kind_name(trip.variant), trip.variant.size_px, PLACE_WORDS[trip.place],
        round(trip.upload_bytes / 1e3, 3),
        round(trip.making_ms, 3), round(trip.transfer_ms(uplink.mbit_s), 3), trip.point.p50_ms,
        _total_ms(trip, uplink), "assumed" if trip.is_assumed else "measured",
    ]  # fmt: skip


def _figure_caption(left_out: int, drawn: Sequence[Trip], uplink: Uplink) -> str:
    backend_name = drawn[0].point.backend.name
    what = (
        f"Making, uploading at {uplink.mbit_s:,g} Mbit/s and p50 latency on {backend_name}, "
        "added up (modelled)."
    )
    less = f" Left out to keep the plot readable: {count(left_out, 'other line')}." if left_out else ""
    return what + less
