"""measured_parts(): a load test of one or several parts, from its folder to its exit code.

Every command that sends load is: what to send (payload.py), where (target.py), and a function that names the
next part until there is none.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiment.cli.session import Session
from experiment.measure.environment import environment
from experiment.records import BackendInfo
from loadtest.cli.measured import Measured
from loadtest.cli.progress import Progress
from loadtest.cli.show import show
from loadtest.cli.target import timeout_s
from loadtest.records import Arrivals, Kind, Load, Payload, Sample, Taken
from loadtest.results.folder import LoadFolder, Written, new_folder
from loadtest.results.steps import joined, steps, summary_of_steps
from loadtest.results.summary import summarise
from loadtest.send.recording import Watch

LOADS = "loads"  # folder of all results without --out, below the working directory


@dataclass(frozen=True, slots=True)
class Part:
    """One load, and how to send it."""

    title: str  # "100/s", "20 at once"
    send: Callable[[Watch], Taken]
    arrivals: Arrivals
    offered_per_s: float | None = None
    planned_s: float | None = None
    in_flight: int | None = None


Judged = Callable[[Sequence[Measured]], Sequence[Measured]]
NextPart = Callable[[Sequence[Measured]], Part | None]  # what was measured so far -> what to measure next


@dataclass(frozen=True, slots=True)
class Done:
    """A whole load test."""

    parts: tuple[Measured, ...]
    judged: tuple[Measured, ...]  # those that the verdict and the exit code are about
    written: Written
    folder: Path


def measured_parts(
    kind: Kind,
    info: BackendInfo,
    payload: Payload,
    next_part: NextPart,
    options: argparse.Namespace,
    session: Session,
    judged: Judged = lambda parts: parts,
    extra: Callable[[Sequence[Measured]], Mapping[str, Any]] = lambda parts: {},
) -> Done:
    """Send one part after another, and write what came of them, also if it ends early.

    `judged` picks the parts that the verdict is about, `extra` makes further keys of load.json. Raises
    LoadRefused if no folder can be made.
    """
    facts, done = environment(), list[Measured]()
    with load_folder(kind, info, options, session) as folder:
        while not session.cancel.is_set() and (part := next_part(done)):
            with Progress(part.title, part.planned_s, session.console, session.cancel) as progress:
                taken = _whole(part.send(watching(folder, progress, options, session)), part)
            load = Load(
                kind=kind,
                target=info,
                payload=payload,
                arrivals=part.arrivals,
                offered_per_s=part.offered_per_s,
                planned_s=part.planned_s,
                in_flight=part.in_flight,
                seed=options.seed,
                timeout_s=timeout_s(options, session),
                taken=taken,
                environment=facts,
            )
            done.append(Measured(part.title, load, summarise(load)))
            if taken.stopped:
                break
    of_verdict = tuple(judged(done))
    return Done(tuple(done), of_verdict, _written(kind, folder, done, of_verdict, extra(done)), folder.path)


def only(part: Part) -> NextPart:
    """A load test of one part."""
    return lambda done: None if done else part


def finished(done: Done, session: Session, sentence: str = "") -> int:
    """Show the table, the reasons and where the files are. Returns the exit code."""
    show(done.parts, sentence, session.output)
    return ended(done, session)


def ended(done: Done, session: Session) -> int:
    """Show where the files are. Returns the exit code."""
    for problem in done.written.problems:
        session.console.print(problem, style="bold red", soft_wrap=True)
    session.console.print(f"Results are in {done.folder}", soft_wrap=True)
    if session.cancel.is_set():
        return 130
    if done.written.problems:
        return 2
    bad = any(part.summary.failures or part.summary.validity == "INVALID" for part in done.judged)
    return 1 if bad else 0


@contextmanager
def load_folder(
    kind: Kind, info: BackendInfo, options: argparse.Namespace, session: Session
) -> Iterator[LoadFolder]:
    """A new folder for what is sent in the `with` block. A second Ctrl-C leaves it, and says where it is."""
    folder = new_folder(options.out, kind, info.name, Path(LOADS))
    if options.out and folder.path != options.out:
        session.console.print(f"{options.out} is not empty: the results go to {folder.path}.", soft_wrap=True)
    try:
        with folder:
            yield folder
    except KeyboardInterrupt:
        session.console.print(f"Left at once. The requests until then are in {folder.path}.", soft_wrap=True)
        raise


def watching(folder: LoadFolder, progress: Progress, options: argparse.Namespace, session: Session) -> Watch:
    """Every sample goes to the folder and to the line of progress; --abort-after ends the load."""

    def on_sample(sample: Sample) -> None:
        folder.keep(sample)
        progress.count(sample)

    def why_stop(sample: Sample) -> str | None:
        if options.abort_after is None or progress.failures < options.abort_after:
            return None
        return f"{progress.failures:,} requests had failed: the load was stopped, as --abort-after asks."

    return Watch(session.cancel, on_sample, why_stop)


def _whole(taken: Taken, part: Part) -> Taken:
    """A schedule that was sent to its end lasts as long as was planned, though its last answer came before.

    Else 5 requests in a second of 5/s, the last of them due after 0.8 s, would be 6/s.
    """
    is_whole = part.arrivals != "closed" and not taken.stopped
    return replace(taken, seconds=max(taken.seconds, part.planned_s or 0.0)) if is_whole else taken


def _written(
    kind: Kind,
    folder: LoadFolder,
    done: Sequence[Measured],
    judged: Sequence[Measured],
    extra: Mapping[str, Any],
) -> Written:
    if not done:
        return Written((), ())
    if len(done) == 1:
        return folder.write(done[0].load, done[0].summary, **extra)
    loads, summaries = [part.load for part in done], [part.summary for part in done]
    summary = summary_of_steps(loads, summaries, [part.summary for part in judged])
    return folder.write(joined(loads, kind), summary, steps=steps(loads, summaries), **extra)
