"""How shares, differences and p values are written in sentences and tables."""

from __future__ import annotations

from experiment.records import Difference, Share


def points(value: float) -> str:
    """Percentage points: 0.5 -> "0.5 points", 1 -> "1 point"."""
    words = f"{value:.1f}".removesuffix(".0") if abs(value) >= 0.095 or value == 0 else f"{value:.2f}"
    return f"{words} point{'' if words == '1' else 's'}"


def share_words(share: Share) -> str:
    """ "84.2 % (81.8 to 86.4)"."""
    return f"{share.share * 100:.1f} % ({share.low * 100:.1f} to {share.high * 100:.1f})"


def difference_words(difference: Difference) -> str:
    """ "-0.5 points (-1.2 to 0.3, McNemar p 0.31)"."""
    interval = f"{difference.low_points:.1f} to {difference.high_points:.1f}"
    return f"{difference.points:+.1f} points ({interval}, McNemar p {p_words(difference.mcnemar_p)})"


def p_words(p: float) -> str:
    """0.314 -> "0.31", 0.00002 -> "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.095 else f"{p:.2f}"
