"""What a backend did not answer, in numbers. Warm-ups count here, and are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from experiment.records import Failure, Measurement


@dataclass(frozen=True, slots=True)
class FailedRequests:
    """The failed requests to one backend."""

    failed: int  # of those sent
    not_sent: int  # left out after these
    warmups: int  # of these
    cells: int  # variants that they belong to
    worst: Failure | None  # the most frequent one; None: nothing failed

    @property
    def all_of_them(self) -> str:
        """ "All 9 requests", for a backend that answered nothing."""
        return "The only request" if self.failed == 1 else f"All {self.failed:,} requests"

    @property
    def left_out(self) -> str:
        """ "; 411 more were not sent", or nothing."""
        if not self.not_sent:
            return ""
        return f"; {self.not_sent:,} more {'was' if self.not_sent == 1 else 'were'} not sent"

    @property
    def warmups_among(self) -> str:
        """ " (3 of them warm-ups)", or nothing."""
        if not self.warmups:
            return ""
        kind = "a warm-up" if self.warmups == 1 else "warm-ups"
        return f" ({kind})" if self.failed == self.warmups else f" ({self.warmups:,} of them {kind})"


def failed_requests(backend_name: str, measurements: Sequence[Measurement]) -> FailedRequests:
    """Count what failed on one backend."""
    lost = [each for each in measurements if each.backend_name == backend_name and each.failure is not None]
    failed = [each for each in lost if each.failure and each.failure.was_sent]
    failures = [each.failure for each in failed if each.failure is not None]
    codes = Counter(each.code for each in failures)
    return FailedRequests(
        failed=len(failed),
        not_sent=len(lost) - len(failed),
        warmups=sum(each.is_warmup for each in failed),
        cells=len({each.variant_id for each in failed}),
        worst=max(failures, key=lambda each: codes[each.code], default=None),
    )
