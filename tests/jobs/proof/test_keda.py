"""KEDA's rule over the life of a queue, as a model and against a real Redis."""

from __future__ import annotations

import math

import pytest

from bench.queue.keda import TRIGGERS, Model, Scale, Stream, Trigger, judged, polled, replay, schedule, value
from experiment.queue.keys import GROUP
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.submit import Submitter
from jobs.worker.claims import Claims, Ending

HISTORIES = [list(replay(schedule(seed))) for seed in range(1000)]
ALL = [stream for history in HISTORIES for stream in history]


def test_the_length_wakes_for_every_single_job_and_never_reads_zero_while_one_runs():
    found = judged(TRIGGERS["streamLength"], ALL)
    assert found.polls == 100_000
    assert (found.asleep_with_work, found.zero_while_running, found.asleep_with_one) == (0, 0, 0)


def test_the_lag_reads_zero_while_jobs_run_and_pending_never_wakes():
    lag, pending = (judged(TRIGGERS[mode], ALL) for mode in ("lag", "pending"))
    assert lag.zero_while_running > 1000 and lag.asleep_with_one == 0
    singles = sum(stream.length == 1 and stream.running == 0 for stream in ALL)
    assert pending.asleep_with_one == singles > 1000, "without a worker nothing is ever pending"


def test_an_activation_of_1_needs_two_jobs():
    found = judged(TRIGGERS["streamLength, activationLagCount 1"], ALL)
    assert found.asleep_with_one > 1000


@pytest.mark.parametrize(
    ("trigger", "stream", "read"),
    [
        (Trigger(), Stream(7, 3, 4), 7),
        (Trigger("serving", lag_count=5), Stream(7, 3, 4), 4),
        (Trigger("serving", lag_count=5), Stream(7, 3, None), 0),
        (Trigger("serving", lag_count=5), Stream(7, 0, None, has_group=False), 7),
        (Trigger("serving"), Stream(7, 3, 4), 3),
    ],
)
def test_each_mode_reads_what_kedas_does(trigger, stream, read):
    assert value(trigger, stream) == read


def scales(trigger: Trigger, lengths: list[int], every_s: float = 30) -> list[int]:
    scale, found = Scale(trigger.min_replicas), []
    for number, length in enumerate(lengths):
        scale = polled(trigger, scale, Stream(length, 0, length), number * every_s)
        found.append(scale.replicas)
    return found


def test_replicas_follow_the_length_and_the_last_one_goes_after_the_cooldown():
    trigger = Trigger(max_replicas=3, cooldown_s=90)
    assert scales(trigger, [0, 1, 6, 99, 0, 0, 0, 0]) == [0, 1, 2, 3, 1, 1, 0, 0]
    assert scales(Trigger(min_replicas=1), [0, 1, 6, 0]) == [1, 1, 2, 1]
    assert Scale(0).active_at_s == -math.inf


def test_redis_answers_as_the_model_says(redis_client, queue):
    """A part of the histories, through the real scripts of submitters and workers."""
    for seed in range(25):
        own = QueueSettings(queue.url, f"{queue.stream}-{seed}")
        submitter, model, held = Submitter(redis_client, own), Model(), []
        claims = Claims(redis_client, own, "w-0", 0)
        claims.make_group()
        for number, act in enumerate(schedule(seed, 40)):
            model.act(act)
            if act == "enqueue":
                submitter.submit(NewJob(f"job-{number}", b"photo"))
            elif act == "claim":
                held += claims.new(1, 1) if len(model.running) > len(held) else []
            elif act == "finish" and held:
                assert claims.finish([Ending(held.pop(0), "done", {"tries": 1})]) == [True]
            elif act == "die" and held:  # another worker gets what the dead one had
                taken = claims.abandoned()
                held = [taken if entry.entry_id == taken.entry_id else entry for entry in held]
            (group,) = redis_client.xinfo_groups(own.stream)
            assert group["name"] == GROUP.encode()
            seen = Stream(redis_client.xlen(own.stream), group["pending"], group["lag"])
            assert (seen.length, seen.pending) == (model.seen().length, model.seen().pending)
            assert value(TRIGGERS["streamLength"], seen) == model.seen().length
            assert seen.lag == model.seen().lag
