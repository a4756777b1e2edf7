"""The checker of the kill test finds each kind of fault in made-up histories, and none in a sound one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.queue.checker import FAULTS, Ended, Left, check
from bench.queue.history import Event, Log, history

GOOD, POISON = "good-1", "kills-2"
DEAD = Ended("failed", 900.0, 1, 6)


def sound() -> tuple[list[Event], Left]:
    events = [
        Event("submit", 100, "s", GOOD, sha256="a"),
        Event("accept", 101, "s", GOOD),
        Event("submit", 102, "s", POISON, sha256="b"),
        Event("accept", 103, "s", POISON),
        Event("deliver", 110, "w-0", GOOD, tries=1),
        Event("kill", 200, "w-0"),
        Event("deliver", 1200, "w-1", GOOD, tries=2),
        Event("seen", 1300, "reader", GOOD, mark="x"),
        *[Event("deliver", 2000 + n, "w-1", POISON, tries=n) for n in range(1, 6)],
    ]
    jobs = {GOOD: Ended("done", 1250.0, 1, 2, "a", "x"), POISON: DEAD}
    return events, Left(jobs, [POISON])


def faults(events: list[Event], final: Left) -> list[str]:
    return list(check(events, final, [POISON], 5).faults)


def test_a_sound_history_has_no_faults_and_its_figures_are_counted():
    verdict = check(*sound(), [POISON], 5)
    assert verdict.faults == {}
    assert (verdict.accepted, verdict.done, verdict.redelivered, verdict.recoveries_s) == (2, 1, 1, [1.0])


def without(job: str):
    return lambda events, final: (
        events,
        replace(final, jobs={k: v for k, v in final.jobs.items() if k != job}),
    )


def with_job(job: str, end: Ended):
    return lambda events, final: (events, replace(final, jobs={**final.jobs, job: end}))


def more(*added: Event):
    return lambda events, final: ([*events, *added], final)


def left(**what):
    return lambda events, final: (events, replace(final, **what))


OK = Ended("done", 1250.0, 1, 2, "a", "x")
PLANTED = [
    ("lost", without(GOOD)),
    ("lost", with_job(GOOD, replace(OK, state="queued"))),
    ("dropped", more(Event("submit", 1, "s", "good-3"), Event("drop", 2, "s", "good-3"))),
    ("duplicated", with_job(GOOD, replace(OK, ended_times=2))),
    ("duplicated", left(dead=[POISON, POISON])),
    ("changed", with_job(GOOD, replace(OK, mark="y"))),
    ("changed", more(Event("seen", 1400, "reader", GOOD, mark="y"))),
    ("wrong", with_job(GOOD, replace(OK, sha256="b"))),
    ("phantom", with_job("never", OK)),
    ("phantom", more(Event("deliver", 1400, "w-1", "never", tries=1))),
    ("phantom", more(Event("seen", 1400, "reader", "never", mark="y"))),
    ("astray", left(dead=[])),
    ("astray", with_job(POISON, replace(DEAD, deliveries=4))),
    ("astray", more(Event("deliver", 3000, "w-1", POISON, tries=6))),
    ("astray", with_job(POISON, replace(DEAD, state="done", sha256="b"))),
    ("good_failed", left(dead=[POISON, GOOD])),
    ("good_failed", with_job(GOOD, replace(OK, state="failed"))),
    ("left", left(entries=1)),
    ("left", left(claims=1)),
    ("left", left(photos=1)),
]


@pytest.mark.parametrize(("kind", "plant"), PLANTED)
def test_each_planted_fault_is_found_and_named(kind, plant):
    assert faults(*plant(*sound())) == [kind]


def test_every_kind_of_fault_is_planted():
    assert {kind for kind, _ in PLANTED} == set(FAULTS)


def test_a_job_whose_submitter_got_no_answer_may_be_there_or_not():
    events, final = sound()
    events += [Event("submit", 1, "s", "good-3", sha256="c")]
    assert faults(events, final) == []
    assert faults(*with_job("good-3", replace(OK, sha256="c"))(events, final)) == []


def test_what_a_process_wrote_before_it_was_killed_is_in_the_history(tmp_path):
    first, second = Log(tmp_path, "w-0"), Log(tmp_path, "w-0")
    first.add("deliver", "a", tries=1)
    second.add("kill")
    first.add("deliver", "b", tries=2)
    assert [(event.kind, event.job, event.tries) for event in history(tmp_path)] == [
        ("deliver", "a", 1),
        ("kill", "", 0),
        ("deliver", "b", 2),
    ]
