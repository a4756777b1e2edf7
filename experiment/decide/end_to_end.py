"""From the photo to the answer, over an uplink: arithmetic on measured parts, so always *modelled*.

    end to end = making the copy + uploading it, or the original + latency

Where the server resizes, the original is uploaded and the server makes the copy. Where the
browser resizes, it makes the copy and uploads that. What was measured for one place only is
taken to be the same for the other, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiment.copies import making_time_ms, transfer_ms
from experiment.figures.view import Point, View
from experiment.records import Variant
from experiment.wording import number

Place = Literal["browser", "server", "nowhere"]  # nowhere: the original goes as it is

PLACE_WORDS: dict[Place, str] = {
    "browser": "in the browser",
    "server": "on the server",
    "nowhere": "not resized",
}


@dataclass(frozen=True, slots=True)
class Trip:
    """One way from the photo to an answer."""

    point: Point  # the cell that was measured
    place: Place
    making_ms: float  # decode, resize and encode; 0: sent as uploaded
    upload_bytes: int
    is_assumed: bool  # its times are those of the other place

    @property
    def variant(self) -> Variant:
        """The copy that the model gets."""
        return self.point.variant

    def transfer_ms(self, mbit_s: float) -> float:
        """Bytes over bandwidth."""
        return transfer_ms(self.upload_bytes, mbit_s)

    def total_ms(self, mbit_s: float) -> float:
        """End to end, modelled."""
        return self.making_ms + self.transfer_ms(mbit_s) + self.point.p50_ms


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy on one backend, made in either place."""

    browser: Trip
    server: Trip

    @property
    def measured(self) -> Trip:
        """The one whose times are its own; the browser's where both are, for it says which engine made it."""
        return self.server if self.browser.is_assumed else self.browser


def originals(view: View, original_bytes: int) -> list[Trip]:
    """The original on each backend. Where it was encoded again to be sent, the server did that."""
    return [
        Trip(point, "nowhere", making_time_ms(point.variant) or 0.0, original_bytes, is_assumed=False)
        for point in view.references
    ]


def copies(view: View, original_bytes: int) -> list[Copy]:
    """Every copy that was answered, on each backend, in the report's order of the first of each kind.

    Copies are left out if it is not known how long making them takes.
    """
    groups: dict[tuple[Any, ...], list[Point]] = {}
    for point in view.points:
        if not point.variant.is_reference:
            groups.setdefault(_alike(point), []).append(point)
    matched = [pair for points in groups.values() for pair in _matched(points)]
    found = [_copy(server, browser, original_bytes) for server, browser in matched]
    return [copy for copy in found if copy is not None]


def _alike(point: Point) -> tuple[Any, ...]:
    return point.backend.name, point.variant.size_px, point.variant.format, point.variant.quality


def _finer(point: Point) -> tuple[Any, ...]:
    return point.variant.subsampling, point.variant.resampler


def _matched(points: Sequence[Point]) -> Iterator[tuple[Point | None, Point | None]]:
    """(made on the server, made in the browser) among copies of one size, format and quality.

    Browsers choose subsampling and filter themselves, so a copy of theirs belongs to the server's
    with the same ones, else to the server's first. Several engines may have made one each.
    """
    servers = [point for point in points if point.variant.made_in == "server"]
    browsers = [point for point in points if point.variant.made_in == "browser"]
    used = []
    for browser in browsers:
        usual = servers[0] if servers else None
        server = next((server for server in servers if _finer(server) == _finer(browser)), usual)
        used.append(server)
        yield server, browser
    yield from ((server, None) for server in servers if server not in used)


def _copy(server: Point | None, browser: Point | None, original_bytes: int) -> Copy | None:
    """Both ways; what was not measured in one place is taken from the other."""
    server_ms = making_time_ms(server.variant) if server else None
    browser_ms = making_time_ms(browser.variant) if browser else None
    on_server, in_browser = server or browser, browser or server
    here_ms = browser_ms if server_ms is None else server_ms
    there_ms = server_ms if browser_ms is None else browser_ms
    if on_server is None or in_browser is None or here_ms is None or there_ms is None:
        return None
    upload_bytes = in_browser.variant.size_bytes
    return Copy(
        browser=Trip(in_browser, "browser", there_ms, upload_bytes, is_assumed=browser_ms is None),
        server=Trip(on_server, "server", here_ms, original_bytes, is_assumed=server_ms is None),
    )


Winner = Literal["browser", "server", "nobody"]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Who is faster below and above a bandwidth. Without `mbit_s` one of them is at every bandwidth."""

    below: Winner
    above: Winner
    mbit_s: float | None = None

    @property
    def words(self) -> str:
        """ "Below 22 Mbit/s, resizing in the browser wins"; without a full stop."""
        if self.below == "nobody":
            return "Resizing takes equally long in both places"
        if self.mbit_s is None:
            return f"Resizing {_PLACE[self.below]} wins at every bandwidth"
        side, winner = ("Below", self.below) if self.below == "browser" else ("Above", self.above)
        return f"{side} {number(self.mbit_s)} Mbit/s, resizing {_PLACE[winner]} wins"


_PLACE: dict[Winner, str] = {"browser": "in the browser", "server": "on the server", "nobody": ""}


def break_even(copy: Copy) -> BreakEven:
    """Uploading less is worth the more, the slower the uplink; slower work costs the same at any.

    The browser wins where its further work takes less time than the bytes that it saves.
    """
    saved_bits = 8 * (copy.server.upload_bytes - copy.browser.upload_bytes)
    browser_ms = copy.browser.making_ms + copy.browser.point.p50_ms
    server_ms = copy.server.making_ms + copy.server.point.p50_ms
    further_ms = browser_ms - server_ms
    if saved_bits * further_ms > 0:
        below: Winner = "browser" if saved_bits > 0 else "server"
        above: Winner = "server" if below == "browser" else "browser"
        return BreakEven(below, above, saved_bits / (further_ms * 1000))
    if saved_bits == further_ms == 0:
        return BreakEven("nobody", "nobody")
    always: Winner = "browser" if saved_bits > 0 or further_ms < 0 else "server"
    return BreakEven(always, always)
