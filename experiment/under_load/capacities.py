"""The capacity of a curve: in words, and what follows from it."""

from __future__ import annotations

from experiment.records import LoadCurve
from experiment.wording import bounds, number

MARKED = "the load generator shared this machine's cores; a separate machine would answer more"


def capacity_words(curve: LoadCurve) -> str | None:
    """ "41 requests/s (95 %: 39 to 43), load generator on the same machine"; None: no capacity is known."""
    if curve.per_s is None:
        return None
    at_least = "at least " if curve.outcome == "at_least" else ""
    shared = ", load generator on the same machine" if curve.shares_machine else ""
    doubt = f", {curve.validity}" if curve.validity != "VALID" else ""
    return f"{at_least}{number(curve.per_s)} requests/s{interval_words(curve)}{doubt}{shared}"


def interval_words(curve: LoadCurve) -> str:
    """ " (95 %: 39 to 43)"; "" where there is no interval."""
    if curve.low_per_s is None or curve.high_per_s is None:
        return ""
    return f" (95 %: {bounds(curve.low_per_s, curve.high_per_s)})"


def limit_words(curve: LoadCurve) -> str:
    """ "p99 ≤ 100 ms"; p99 is what was asked for, where nothing was found."""
    return f"p{curve.percentile or 99} ≤ {curve.limit_ms:,.15g} ms"


def upper_latency(curve: LoadCurve) -> tuple[str, str]:
    """The slow end of latency that most points of a curve know: its name, and its field of a point.

    A p99 from too few answers would be a guess, and a line that changes its meaning on the way a lie.
    """
    answered = [point for point in curve.points if point.p50_ms is not None]
    for name, field in (("p99", "p99_ms"), ("p90", "p90_ms")):
        if 2 * sum(getattr(point, field) is not None for point in answered) > len(answered):
            return name, field
    return "slowest", "max_ms"
