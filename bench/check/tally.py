"""How many of many checks failed, as a line."""

from __future__ import annotations

from collections.abc import Sequence

from experiment.report.proportions import wilson

SLOWER = 1.05  # planted


def tally(name: str, failed: Sequence[bool], is_planted: bool) -> str:
    """ "name  3 of 1000 false alarms, 0.3 % (0.1 to 0.9)": with the 95 % interval of the share."""
    count, total = sum(failed), len(failed)
    low, high = wilson(count, total)
    words = "found" if is_planted else "false alarms"
    share = f"{100 * count / total:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    return f"{name:72} {count:4d} of {total} {words}, {share}"
