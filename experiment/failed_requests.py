"""What a backend did not answer, in numbers. Warm-ups count here, and are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from experiment.records import Failure, Measurement


@dataclass(frozen=True, slots=True)
class FailedRequests:
    """The failed requests to one backend."""

    failed: int
    warmups: int  # of these
    cells: int  # variants that they belong to
    worst: Failure | None  # the most frequent one; None: nothing failed

    @property
    def all_of_them(self) -> str:
        """ "All 9 requests", for a backend that answered nothing."""
        return "The only request" if self.failed == 1 else f"All {self.failed:,} requests"

    @property
    def warmups_among(self) -> str:
        """ " (3 of them warm-ups)", or nothing."""
        if not self.warmups:
            return ""
        kind = "a warm-up" if self.warmups == 1 else "warm-ups"
        return f" ({kind})" if self.failed == self.warmups else f" ({self.warmups:,} of them {kind})"


def failed_requests(backend_name: str, measurements: Sequence[Measurement]) -> FailedRequests:
    """Count what failed on one backend."""
    failed = [each for each in measurements if each.backend_name == backend_name and each.failure is not None]
    failures = [each.failure for each in failed if each.failure is not None]
    codes = Counter(each.code for each in failures)
    return FailedRequests(
        failed=len(failed),
        warmups=sum(each.is_warmup for each in failed),
        cells=len({each.variant_id for each in failed}),
        worst=max(failures, key=lambda each: codes[each.code], default=None),
    )
