"""A small kill test: real processes and a real Redis that die. `python -m bench.queue kill` is larger."""

from __future__ import annotations

from pathlib import Path

from bench.queue.kill import Nemesis, lines, run
from bench.queue.work import Plan


def test_workers_and_redis_are_killed_and_nothing_is_lost_or_there_twice():
    plan = Plan(
        "", Path(), jobs=300, kills=2, fails=2, service_ms=20, idle_s=1.2, most_tries=4, most_jobs=100
    )
    found = run(plan, Nemesis(kill_every_s=0.8, redis_kills=1, pauses=1), workers=3)
    assert found.verdict.faults == {}, "\n".join(lines(found))
    assert (found.verdict.accepted, found.verdict.done) == (300, 296)
    assert found.worker_kills and found.redis_kills == 1
    assert found.verdict.refusals, "the queue was full at times"


def test_the_same_script_shows_that_the_old_rules_lose_what_a_dying_worker_has():
    plan = Plan("", Path(), jobs=40, kills=2, fails=0, service_ms=5)
    found = run(plan, Nemesis(kill_every_s=60, redis_kills=0, pauses=0), "old", workers=2, stuck_s=2)
    assert set(plan.poison()) <= set(found.verdict.lost)
    assert "left" in found.verdict.faults, "every entry stays in the stream, and every claim in the group"
