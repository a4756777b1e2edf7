"""How sums of money and rates are written. No currency: it is that of the prices."""

from __future__ import annotations

import math

from experiment.wording import number


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
