"""The bandwidth at which resizing in the browser and on the server take equally long. Modelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from experiment.decide.end_to_end import Copy
from experiment.wording import number

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
