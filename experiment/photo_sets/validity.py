"""May the latencies of a cell over many photos be believed? As validity.py, but for a few failures.

One request in a thousand that fails leaves the other photos a fair sample; so failures make
a cell NOISY, and INVALID only above MOST_FAILED_SHARE.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiment.photo_sets.goals import MOST_FAILED_SHARE
from experiment.photo_sets.tally_counts import Failures
from experiment.records import BackendInfo, Validity
from experiment.report.validity import Conditions, judge
from experiment.wording import sentence


def judge_over_photos(
    backend: BackendInfo, samples_ms: Sequence[float], failures: Failures, conditions: Conditions
) -> tuple[Validity, tuple[str, ...]]:
    """The verdict on one cell, and one sentence for each reason."""
    lost = failures.unanswered
    is_few = bool(lost) and lost <= failures.asked * MOST_FAILED_SHARE
    failed, not_sent = (0, 0) if is_few else (failures.failed, failures.not_sent)
    validity, reasons = judge(backend, samples_ms, failed, failures.most_frequent, conditions, not_sent)
    if not is_few:
        return validity, reasons
    why = sentence(failures.most_frequent[0].message)
    words = f"{lost:,} of {failures.asked:,} requests failed: {why}"
    return ("INVALID", reasons) if validity == "INVALID" else ("NOISY", (words,))
