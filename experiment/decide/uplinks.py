"""UPLINKS: how fast a photo gets from its owner to the service. A new one is a new row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from experiment.copies import LEAST_MBIT_S, MOST_MBIT_S
from experiment.errors import PixelcostError


class UplinkRefused(PixelcostError):
    """An uplink that is neither in the table nor a number."""

    code = "bad_uplink"


@dataclass(frozen=True, slots=True)
class Uplink:
    """Bandwidth from the owner of the photo to the service, in one direction."""

    key: str
    name: str
    mbit_s: float  # 1 Mbit is 1,000,000 bits


# 3G: "1.6Mbps down / 750 Kbps up", the preset of Lighthouse and of WebPageTest's "Mobile 3G - Fast"
# (GoogleChrome/lighthouse, docs/throttling.md). The others are round numbers.
UPLINKS: Final = {
    uplink.key: uplink
    for uplink in (
        Uplink("3g", "3G, 0.75 Mbit/s", 0.75),
        Uplink("10", "10 Mbit/s", 10.0),
        Uplink("100", "100 Mbit/s", 100.0),
        Uplink("1000", "1,000 Mbit/s", 1000.0),
    )
}
USUAL: Final = UPLINKS["10"]


def uplink_of(text: str) -> Uplink:
    """A key of UPLINKS, or a number of Mbit/s; "" is the usual one. Raises UplinkRefused."""
    if not text:
        return USUAL
    known = UPLINKS.get(text.lower())
    return known or Uplink(text, f"{_mbit_s(text):,g} Mbit/s", _mbit_s(text))


def uplink_at(mbit_s: float) -> Uplink:
    """The one of UPLINKS with that bandwidth, or one of one's own."""
    known = (uplink for uplink in UPLINKS.values() if uplink.mbit_s == mbit_s)
    return next(known, None) or Uplink(f"{mbit_s:g}", f"{mbit_s:,g} Mbit/s", mbit_s)


def _mbit_s(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not LEAST_MBIT_S <= value <= MOST_MBIT_S:
        raise UplinkRefused(
            f"`{text[:40]}` is not an uplink. Use {', '.join(UPLINKS)}, or a number of Mbit/s from "
            f"{LEAST_MBIT_S:g} to {MOST_MBIT_S:,.0f}."
        )
    return value
