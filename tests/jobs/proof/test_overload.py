"""More jobs than the workers can do: counts, not speeds. `python -m bench.queue overload` measures."""

from __future__ import annotations

import pytest

from bench.queue.history import Event
from bench.queue.overload import Load, _errors_s, lines, run


@pytest.mark.parametrize(
    "limit", [{"most_jobs": 60}, {"photo_bytes": 60_000, "max_memory": "8mb"}], ids=["by length", "by memory"]
)
def test_what_is_too_much_is_refused_with_a_time_and_every_accepted_job_ends(limit):
    found = run(
        Load(seconds=1.5, times=4, alone_s=0.3, fill=50, workers=1, deadline_s=0.7, least_per_s=800, **limit),
        service_ms=20,
    )
    said = "\n".join(lines(found))
    assert found.offered == found.accepted + len(found.retry_after_s), said
    assert found.retry_after_s and min(found.retry_after_s) >= 1, said
    assert found.accepted == found.done + found.late and found.unreported == 0, said
    assert found.most_used_bytes < found.limit_bytes, said


def test_retry_after_is_compared_with_when_a_job_was_taken_again():
    refused = [Event("refuse", at_ms, "s", retry_after_s=2) for at_ms in (1000.0, 2500.0, 9000.0)]
    assert _errors_s(refused, [500.0, 3000.0, 3100.0]) == ([2.0, 0.5], [0.0, 1.5])
