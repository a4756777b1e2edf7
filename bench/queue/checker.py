"""Finds in a history what a queue must never do: a pure function of the history and of what is left in Redis.

Jepsen's way: nothing is believed that a client was not told. A job counts as accepted when its submitter got
the answer; what nobody was told about may have happened or not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.queue.history import Event

# Fields of Verdict.
FAULTS = ("lost", "dropped", "duplicated", "changed", "wrong", "phantom", "astray", "good_failed", "left")


@dataclass(frozen=True, slots=True)
class Ended:
    """One job as Redis has it after the run."""

    state: str  # "done" or "failed"; "queued" and "" are no ends
    ended_ms: float = 0.0
    ended_times: int = 1
    deliveries: int = 1  # as Redis counted them
    sha256: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """Redis after the run."""

    jobs: Mapping[str, Ended]
    dead: Sequence[str]  # ids in the dead-letter stream
    entries: int = 0  # left in the stream
    claims: int = 0  # left in the pending list
    photos: int = 0  # left


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. Every list is empty for a queue that keeps its promises; ids of jobs."""

    jobs: int
    accepted: int
    done: int
    lost: list[str] = field(default_factory=list)  # accepted, and neither a result nor a reason
    dropped: list[str] = field(default_factory=list)  # the submitter was told nothing that a program can read
    duplicated: list[str] = field(default_factory=list)  # ended more than once
    changed: list[str] = field(default_factory=list)  # a result that was seen is another one now
    wrong: list[str] = field(default_factory=list)  # the result of another job's photo
    phantom: list[str] = field(default_factory=list)  # a delivery, a result or a dead letter of no job
    astray: list[str] = field(default_factory=list)  # poison not in the dead letters after exactly its tries
    good_failed: list[str] = field(
        default_factory=list
    )  # failed or given up, though nothing is wrong with it
    left: list[str] = field(default_factory=list)  # what stays in Redis for nobody
    redelivered: int = 0  # deliveries of good jobs beyond their first
    refusals: int = 0
    recoveries_s: list[float] = field(
        default_factory=list
    )  # of each job that a kill hit, until it was in hand again

    @property
    def faults(self) -> dict[str, list[str]]:
        """The lists that are not empty, by name."""
        return {name: getattr(self, name) for name in FAULTS if getattr(self, name)}

    @property
    def redelivered_share(self) -> float:
        """Of the accepted jobs."""
        return self.redelivered / max(self.accepted, 1)


def check(events: Sequence[Event], final: Left, poison: Iterable[str], most_tries: int) -> Verdict:
    """What is wrong, if anything. `poison` are the jobs that can't be answered."""
    poisoned = set(poison)
    jobs = _of(events, "submit")
    accepted = _of(events, "accept")
    worked_on = Counter(event.job for event in events if event.kind == "deliver")
    ended = {job: end for job, end in final.jobs.items() if end.state in {"done", "failed"}}
    done = {job: end for job, end in ended.items() if end.state == "done"}
    sent = {event.job: event.sha256 for event in events if event.kind == "submit"}
    known = set(ended) | set(final.dead) | set(worked_on) | _of(events, "seen")
    return Verdict(
        jobs=len(jobs),
        accepted=len(accepted),
        done=len(done),
        lost=sorted(accepted - set(ended)),
        dropped=sorted(_of(events, "drop") - accepted),
        duplicated=sorted(job for job, end in ended.items() if end.ended_times != 1)
        + [f"{job} is {count} dead letters" for job, count in Counter(final.dead).items() if count > 1],
        changed=sorted(_changed(events, final.jobs)),
        wrong=sorted(job for job, end in done.items() if job in sent and end.sha256 != sent[job]),
        phantom=sorted(known - jobs),
        astray=sorted(_astray(poisoned & accepted, worked_on, final, most_tries)),
        good_failed=sorted((set(ended) - set(done) | set(final.dead)) - poisoned),
        left=list(_left(final)),
        redelivered=sum(count - 1 for job, count in worked_on.items() if job not in poisoned),
        refusals=sum(event.kind == "refuse" for event in events),
        recoveries_s=_recoveries_s(events, ended),
    )


def _of(events: Iterable[Event], kind: str) -> set[str]:
    return {event.job for event in events if event.kind == kind}


def _changed(events: Iterable[Event], jobs: Mapping[str, Ended]) -> set[str]:
    seen: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event.kind == "seen":
            seen[event.job].add(event.mark)
    return {
        job for job, marks in seen.items() if len(marks | ({jobs[job].mark} if job in jobs else set())) > 1
    }


def _astray(poison: Iterable[str], worked_on: Counter[str], final: Left, most_tries: int) -> Iterator[str]:
    """Redis also counts the delivery to a worker that was killed before it began; the history does not."""
    for job in poison:
        end = final.jobs.get(job)
        if job not in final.dead or end is None or end.state != "failed":
            yield f"{job} is no dead letter"
        elif worked_on[job] > most_tries or end.deliveries < most_tries + 1:
            yield f"{job} was worked on {worked_on[job]} times in {end.deliveries} deliveries"


def _left(final: Left) -> Iterator[str]:
    for name in ("entries", "claims", "photos"):
        if count := getattr(final, name):
            yield f"{count} {name}"


def _recoveries_s(events: Sequence[Event], ended: Mapping[str, Ended]) -> list[float]:
    """From a kill until the killed worker's jobs were in hand again."""
    in_hand: dict[str, dict[str, float]] = defaultdict(dict)  # by worker: job, when
    hit: dict[str, float] = {}  # by job: when its worker was killed
    found = []
    for event in events:
        if event.kind == "deliver":
            if event.job in hit:
                found.append((event.at_ms - hit.pop(event.job)) / 1e3)
            in_hand[event.who][event.job] = event.at_ms
        elif event.kind == "kill":
            for job in in_hand.pop(event.who, {}):
                if job not in ended or ended[job].ended_ms > event.at_ms:
                    hit.setdefault(job, event.at_ms)
    return found
