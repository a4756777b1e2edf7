"""How much load may be asked for: every load ends by itself, and its samples fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.errors import LoadRefused

MOST_REQUESTS = 1_000_000  # of one load
MOST_SECONDS = 86_400.0
MOST_PER_S = 100_000.0  # far beyond what one Python process can send


def check_rate(rate_per_s: float, seconds: float) -> None:
    """Raises LoadRefused for a rate or a time that can't be sent or kept."""
    if not 0 < rate_per_s <= MOST_PER_S:
        raise LoadRefused(
            f"A rate of {rate_per_s:,.15g}/s can't be sent. Choose one above 0 and at most "
            f"{MOST_PER_S:,.0f}/s."
        )
    check_seconds(seconds)
    check_count(rate_per_s * seconds, f"{rate_per_s:,.15g}/s for {seconds:,.15g} s")


def check_seconds(seconds: float) -> None:
    """Raises LoadRefused for a time that no load has."""
    if not 0 < seconds <= MOST_SECONDS:
        raise LoadRefused(
            f"A load can't take {seconds:,.15g} s: choose a time above 0 and at most {MOST_SECONDS:,.0f} s."
        )


def check_count(requests: float, what: str) -> None:
    """Raises LoadRefused if `what` has no request, or more than are kept."""
    if requests > MOST_REQUESTS:
        raise LoadRefused(
            f"{what} would be {requests:,.0f} requests; at most {MOST_REQUESTS:,} are kept. "
            "Choose a lower rate or a shorter time."
        )
    if round(requests) < 1:
        raise LoadRefused(f"{what} would not be a single request. Choose a higher rate or a longer time.")


def check_schedule(due_s: Sequence[float], what: str) -> None:
    """Raises LoadRefused for a schedule that is empty, or too long."""
    check_count(len(due_s), what)
    if due_s[-1] > MOST_SECONDS:
        raise LoadRefused(f"{what} goes on for {due_s[-1]:,.0f} s; a load may take {MOST_SECONDS:,.0f} s.")
