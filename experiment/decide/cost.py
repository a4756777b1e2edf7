"""What predictions cost, and from which rate of requests on a dearer server is the cheaper choice.

Everything follows from the price per hour and the time per answer of a server that is kept busy. Where
the capacity under load was measured, that time is 1,000 ms over the capacity. Elsewhere it is the p50 with
one request in flight: with several in flight most servers answer more, so that cost is an upper bound.
Where the server makes the copies, it pays for that too; where the client does, the server pays nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from experiment.figures.view import Point
from experiment.records import RESOLUTION_MS, LoadCurve
from experiment.wording import number

HOUR_MS = 3_600_000
SECOND_MS = 1000


def cost_of(predictions: int, price_per_hour: float, latency_ms: float) -> float:
    """What so many predictions cost, one after another, in the currency of the price."""
    return predictions * price_per_hour * latency_ms / HOUR_MS


def answers_per_s(latency_ms: float) -> float:
    """How many requests a server answers in a second, one after another."""
    return SECOND_MS / max(latency_ms, RESOLUTION_MS)


@dataclass(frozen=True, slots=True)
class Rival:
    """A backend as the cost sees it."""

    name: str
    price_per_hour: float
    latency_ms: float  # per answer, kept busy: p50 of the variant in question, or from its capacity
    low_ms: float | None = None  # 95 % interval; None: there is none
    high_ms: float | None = None

    @property
    def per_s(self) -> float:
        """Requests per second that one of them answers."""
        return answers_per_s(self.latency_ms)


def by_p50(point: Point, price_per_hour: float) -> Rival:
    """A backend that answers one request after another."""
    low_ms, high_ms = point.cell.p50_low_ms, point.cell.p50_high_ms
    made_ms = making_paid_ms(point)
    return Rival(
        point.backend.name,
        price_per_hour,
        point.p50_ms + made_ms,
        None if low_ms is None else low_ms + made_ms,
        None if high_ms is None else high_ms + made_ms,
    )


def making_paid_ms(point: Point) -> float:
    """What making the copy takes of the server's time for each request. If it is uploaded, the client did."""
    return 0.0 if point.extra.upload_ms else point.extra.making_ms or 0.0


def by_capacity(curve: LoadCurve, price_per_hour: float) -> Rival | None:
    """A backend that is kept busy up to the limit of its latency; None: no capacity can be relied on.

    A rate that the capacity is only known to reach may be far below it, and its cost far above.
    """
    if curve.per_s is None or curve.outcome == "at_least" or curve.validity == "INVALID":
        return None
    low_ms, high_ms = (SECOND_MS / rate if rate else None for rate in (curve.high_per_s, curve.low_per_s))
    return Rival(curve.backend_name, price_per_hour, SECOND_MS / curve.per_s, low_ms, high_ms)


def are_alike(first: Rival, second: Rival) -> bool:
    """Whether both have a 95 % interval, and these meet."""
    ends = first.low_ms, first.high_ms, second.low_ms, second.high_ms
    if None in ends:
        return False
    return (first.high_ms or 0) >= (second.low_ms or 0) and (second.high_ms or 0) >= (first.low_ms or 0)


@dataclass(frozen=True, slots=True)
class Crossover:
    """Between two rates one faster server costs less than the slower ones that it replaces."""

    fast: Rival
    slow: Rival
    servers: int  # of the slower kind, needed just above `from_per_s`
    from_per_s: float  # 0: at every rate
    to_per_s: float  # what one faster server answers
    for_good: bool  # the faster one is also the cheaper per prediction, so many of them are as well


def crossover(fast: Rival, slow: Rival) -> Crossover | None:
    """Where one `fast` server becomes cheaper than as many slow ones as the rate needs.

    n slow servers cost more than the fast one from n = floor(price ratio) + 1 on, and n are needed
    above (n - 1) times what one answers. None: the fast one is full before that.
    """
    ratio = Fraction(str(fast.price_per_hour)) / Fraction(str(slow.price_per_hour))
    servers = math.floor(ratio) + 1
    from_per_s = (servers - 1) * slow.per_s
    if (servers - 1) * _exactly(fast.latency_ms) >= _exactly(slow.latency_ms):  # floats are a little off
        return None
    for_good = fast.price_per_hour * fast.latency_ms < slow.price_per_hour * slow.latency_ms
    return Crossover(fast, slow, servers, from_per_s, fast.per_s, for_good)


def _exactly(latency_ms: float) -> Fraction:
    return Fraction(str(max(latency_ms, RESOLUTION_MS)))


def crossovers(rivals: Sequence[Rival]) -> list[tuple[Rival, Rival, Crossover | None]]:
    """Each faster backend with each slower one, the fastest first."""
    by_speed = sorted(rivals, key=lambda rival: rival.latency_ms)
    return [
        (fast, slow, crossover(fast, slow))
        for place, fast in enumerate(by_speed)
        for slow in by_speed[place + 1 :]
    ]


def money(value: float) -> str:
    """0.0000833 -> "0.0000833", 0.4 -> "0.40", 12.345 -> "12.35", 1234.5 -> "1,234"."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 0.1 or value <= 0:
        return f"{value:.2f}"
    return f"{value:.{2 - math.floor(math.log10(value))}f}"


def rate(per_s: float) -> str:
    """ "42 requests/s"."""
    return f"{number(per_s)} requests/s"
