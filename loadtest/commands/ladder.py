"""ladder: closed loop, more and more requests in flight until it does not get faster."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from experiment.cli.session import Session
from experiment.wording import milliseconds, number
from loadtest.arrivals.limits import MOST_REQUESTS, check_seconds
from loadtest.cli.measured import Measured
from loadtest.cli.options import add_result_arguments, any_number, whole_numbers
from loadtest.cli.parts import Part, finished, measured_parts
from loadtest.cli.payload import MOST_DISTINCT, add_payload_arguments, the_payload
from loadtest.cli.target import add_target_arguments, the_target, timeout_s
from loadtest.send.load import keep_in_flight

RUNGS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4000]
MOST_IN_FLIGHT = 4000
SECONDS = 5.0
LEAST_GAIN = 1.05  # of the best rate so far; two rungs below it are beyond the knee
MOST_FAILED_SHARE = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ladder`."""
    add_target_arguments(parser)
    add_payload_arguments(parser)
    add = parser.add_argument_group("schedule").add_argument
    rungs = whole_numbers(1, MOST_IN_FLIGHT)
    add("--in-flight", type=rungs, default=RUNGS, metavar="N,N", help="rungs (1,2,4 ... 4000)")
    add("--seconds", type=any_number, default=SECONDS, metavar="S", help="of each rung (5)")
    add_result_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Climb. Returns the exit code."""
    check_seconds(options.seconds)
    rungs = sorted(set(options.in_flight))  # a ladder goes up: the knee is where more no longer helps
    with the_target(options, session) as info:
        payload = the_payload(options, info, MOST_DISTINCT, options.seed)
        limit_s = timeout_s(options, session)

        def next_part(done: Sequence[Measured]) -> Part | None:
            if len(done) == len(rungs) or is_over(done):
                return None
            rung = rungs[len(done)]
            send = partial(
                keep_in_flight, info, payload, rung, options.seconds, limit_s, requests=MOST_REQUESTS
            )
            title = f"{rung:,} in flight"
            return Part(title, send, "closed", planned_s=options.seconds, in_flight=rung)

        done = measured_parts("ladder", info, payload, next_part, options, session, up_to_the_knee)
    return finished(done, session, knee_sentence(done.parts))


def is_over(done: Sequence[Measured]) -> bool:
    """Whether more in flight would only make it slower, or make requests fail."""
    if done and _fails(done[-1]):
        return True
    before, last = done[:-2], done[-2:]
    return bool(before) and max(map(_per_s, last)) < LEAST_GAIN * max(map(_per_s, before))


def up_to_the_knee(done: Sequence[Measured]) -> Sequence[Measured]:
    """The rungs that the result is about: beyond the knee, failures and a busy generator are expected.

    A target that can't be reached any more is not: it may have ended for another reason than the load.
    """
    knee = _knee(done)
    if knee is None or "unreachable" in done[-1].summary.causes:
        return done
    return done[: list(done).index(knee) + 1]


def knee_sentence(done: Sequence[Measured]) -> str:
    """Where it stopped getting faster, and why the ladder ended; "" if nothing was answered."""
    knee = _knee(done)
    if knee is None or knee.summary.p50_ms is None:
        return ""
    found = f"{number(_per_s(knee))}/s at p50 {milliseconds(knee.summary.p50_ms)}, {knee.title}"
    if _fails(done[-1]):
        failed = f"With {done[-1].title}, more than 1 % of the requests failed"
        last = done[-2]  # one that did not fail: the knee is such a one
        still_rising = f"No knee was found up to {last.title}: {found}."
        return f"{still_rising if last is knee else f'Knee: {found}.'} {failed}."
    if is_over(done):
        return f"Knee: {found}. More in flight only made it slower."
    return f"No knee was found up to {done[-1].title}: {found}."


def _knee(done: Sequence[Measured]) -> Measured | None:
    """The first rung whose rate no later one exceeds by much."""
    fit = [part for part in done if not _fails(part)]
    best_per_s = max(map(_per_s, fit), default=0.0)
    return next((part for part in fit if LEAST_GAIN * _per_s(part) >= best_per_s), None)


def _per_s(part: Measured) -> float:
    return part.summary.achieved_per_s or 0.0


def _fails(part: Measured) -> bool:
    return part.summary.failures > MOST_FAILED_SHARE * part.summary.count
