"""Over the network: the section about uplinks and the place of resizing. Modelled throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from experiment.decide.break_even import break_even
from experiment.decide.end_to_end import PLACE_WORDS, Copy, Trip, copies, originals
from experiment.decide.section import Section, table_of
from experiment.decide.subject import smaller_copy
from experiment.decide.uplink_figure import end_to_end
from experiment.decide.uplinks import Uplink
from experiment.figures.palette import Palette
from experiment.figures.view import Point, View
from experiment.images.browser import BROWSER_FORMATS
from experiment.wording import format_name, kind_name, milliseconds, short_name, size

TITLE = "Over the network (modelled)"
PARTS = (
    "End to end (modelled) is making the copy, plus the upload at this bandwidth, plus the p50 latency. "
    "Resized on the server, the original is uploaded; resized in the browser, the copy. Round trips, slow "
    "start and what else a network does are not in it."
)
COLUMNS = ("Variant", "Backend", "Uploaded by the browser", "Where resizing wins (modelled)")


def uplink_section(view: View, source: Mapping[str, Any], uplink: Uplink, palette: Palette) -> Section:
    """`source` of the exported report: what is uploaded where the server resizes."""
    kept_back = source.get("original")  # a photo that stayed in the browser: the largest copy stands for it
    original_bytes = (kept_back or source)["size_bytes"]
    point = smaller_copy(view)
    every = copies(view, original_bytes)
    if point is None:
        words = "There is no smaller copy to upload." if view.points else "Nothing was measured yet."
        return Section(TITLE, words)
    name = point.backend.name
    of_backend = [each for each in every if each.measured.point.backend.name == name]
    if not of_backend:
        return Section(
            TITLE, "How long making these copies took is not known, so there is no end-to-end time."
        )
    whole = [] if kept_back else originals(view, original_bytes)
    alone = [each for each in whole if each.point.backend.name == name]
    chosen = _of(point, of_backend, uplink)
    shown = replace(view, points=tuple(each for each in view.points if each.backend.name == name))
    return Section(
        TITLE,
        f"{_verdict(chosen, uplink)} {_fastest(of_backend, alone, uplink)}",
        (),
        tuple(each for each in (PARTS, _assumed(of_backend)) if each),
        {"end_to_end": end_to_end(shown, of_backend, alone, uplink, palette)},
        (table_of("Where to resize", COLUMNS, [_row(each) for each in every]),),
    )


def _of(point: Point, found: Sequence[Copy], uplink: Uplink) -> Copy:
    """The copy of a point, by the fastest of the browser's engines; any where making it is not known."""
    own = [each for each in found if point.key in {each.browser.point.key, each.server.point.key}]
    return min(own or found, key=lambda each: each.browser.total_ms(uplink.mbit_s))


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
        return f"{condition}, with an encoder that it loads, for no canvas writes {format_name(key)}"
    return ", if the server makes the copy as fast as the browser did" if copy.server.is_assumed else ""


def _fastest(found: Sequence[Copy], alone: Sequence[Trip], uplink: Uplink) -> str:
    """Of all ways that keep the answer, at this bandwidth."""
    every = [trip for each in found for trip in (each.browser, each.server)] + list(alone)
    kept = [each for each in every if each.point.is_kept is not False and not each.point.is_less_sure]
    are_less_sure = any(each.point.is_less_sure for each in every)
    best = min(kept or every, key=lambda each: each.total_ms(uplink.mbit_s))
    place = "" if best.place == "nowhere" else f" resized {PLACE_WORDS[best.place]}"
    keeping = f"that keep the answer{' and its probability' if are_less_sure else ''} "
    if not kept or len(kept) == len(every):
        keeping = ""
    return (
        f"At {uplink.mbit_s:,g} Mbit/s the fastest of all ways {keeping}is "
        f"{short_name(best.variant)}{place}: {milliseconds(best.total_ms(uplink.mbit_s))} end to end "
        f"(modelled), of it {milliseconds(best.making_ms)} making, "
        f"{milliseconds(best.transfer_ms(uplink.mbit_s))} uploading {size(best.upload_bytes)}, "
        f"{milliseconds(best.point.p50_ms)} latency."
    )


def _assumed(found: Sequence[Copy]) -> str:
    """Which times were not measured where they are used."""
    browsers = sum(each.browser.is_assumed for each in found)
    servers = sum(each.server.is_assumed for each in found)
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
