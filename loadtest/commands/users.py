"""users: closed loop by real Locust, one kind of users after another (REST and gRPC, single and batch)."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.table import Table
from rich.text import Text

from experiment.backends.addresses import parse_servers
from experiment.backends.probe import probe
from experiment.cli.session import Session
from experiment.cli.table import COLOURS
from experiment.measure.environment import environment
from experiment.wording import count, milliseconds, number, sentence, size
from loadtest.cli.parts import LOADS
from loadtest.cli.progress import Progress
from loadtest.records import Load, Payload, Sample, Summary, Taken
from loadtest.results.folder import LoadFolder, new_folder
from loadtest.results.summary import summarise
from loadtest.users.crowd import Crowd
from loadtest.users.kinds import Kind
from loadtest.users.options import Wanted, add_user_arguments, wanted
from loadtest.users.run_locust import check_installed, run_locust


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `users`."""
    add_user_arguments(parser)


def run(options: argparse.Namespace, session: Session) -> int:
    """Run every kind, then print a table. Returns the exit code."""
    settings = session.settings
    asked = wanted(options, parse_servers(settings.tf_servers) if settings.tf_servers else [])
    check_installed()
    asked.crowd.check_open_files()
    done = [_run_kind(kind, asked, session) for kind in asked.kinds if not session.cancel.is_set()]
    session.output.print(_table(done))
    if session.cancel.is_set():
        return 130
    if any(each.problems for each in done):
        return 2
    return int(any(each.is_bad for each in done))


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one kind."""

    kind: Kind
    load: Load
    summary: Summary
    problems: tuple[str, ...]  # a sentence for each file that could not be written

    @property
    def is_bad(self) -> bool:
        """Whether its figures are not those of a whole and valid load without failures."""
        return bool(self.summary.failures or self.summary.validity == "INVALID" or self.load.taken.stopped)


def _run_kind(kind: Kind, asked: Wanted, session: Session) -> Done:
    inputs = asked.asked.inputs_of(kind)
    info, payload = probe(inputs.info), inputs.payload(asked.asked.batch_of(kind))
    with new_folder(asked.out_of(kind), "users", f"{kind.name}-{info.address}", Path(LOADS)) as folder:
        say = session.console.print
        say(f"{kind.name} to {info.address}: {_words(asked.crowd, payload)}", soft_wrap=True)
        load = Load(
            kind="users",
            target=info,
            payload=payload,
            arrivals="closed",
            offered_per_s=None,
            planned_s=asked.crowd.run_time_s,
            in_flight=asked.crowd.users,
            timeout_s=asked.asked.timeout_s,
            taken=_taken(kind, asked, folder, session),
            environment=environment(),
        )
        summary = summarise(load)
        by_locust = {"kind": kind.name, "spawn_per_s": asked.crowd.spawn_per_s, "locust": version("locust")}
        written = folder.write(load, summary, users=by_locust)
    problems = (*written.problems, *_copied(folder.path, kind, asked))
    for words in (*(_nothing_came(load, summary) or summary.reasons), *problems):
        say(f"  {sentence(words, capital=False)}", soft_wrap=True)
    say(f"  Results are in {folder.path}", soft_wrap=True)
    return Done(kind, load, summary, problems)


def _taken(kind: Kind, asked: Wanted, folder: LoadFolder, session: Session) -> Taken:
    crowd = asked.crowd
    with Progress(kind.name, crowd.run_time_s, session.console, session.cancel) as progress:

        def keep(samples: Sequence[Sample]) -> None:
            for sample in samples:
                folder.keep(sample)
                progress.count(sample)

        return run_locust(asked.asked, kind, crowd, folder.path, asked.html is not None, session.cancel, keep)


def _words(crowd: Crowd, payload: Payload) -> str:
    """What is about to happen: "500 users, 10 more every second, for 300 s; a request is 4 images, 58 KB"."""
    what = count(payload.batch, "image" if payload.kind == "image" else "row")
    what += "" if payload.kind == "image" else " of numbers"
    return (
        f"{count(crowd.users, 'user')}, {crowd.spawn_per_s:g} more every second, for {crowd.run_time_s} s; "
        f"a request is {what}, {size(payload.median_bytes)}."
    )


def _nothing_came(load: Load, summary: Summary) -> list[str]:
    """What to say instead of the reasons if no request was answered."""
    if not summary.count or summary.failures < summary.count:
        return []
    cause = next(iter(summary.causes), "")
    failed = f"All {count(summary.count, 'request')} failed: {load.taken.messages.get(cause, cause)}"
    return [failed, *([load.taken.stopped] if load.taken.stopped else [])]


def _copied(folder: Path, kind: Kind, asked: Wanted) -> list[str]:
    """Copies Locust's files to where they are wanted too; a sentence for each that could not be."""
    problems = []
    for end, path in asked.copies_of(kind):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with (folder / f"{kind.name}{end}").open("rb") as source, path.open("xb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            problems.append(f"{path} could not be written: {error.strerror}")
    return problems


def _table(done: Sequence[Done]) -> Table:
    columns = ("kind", "requests", "failed", "requests/s", "inputs/s", "p50", "p90", "p99", "verdict")
    table = Table(*columns, box=None)
    for each in done:
        summary = each.summary
        per_s = summary.achieved_per_s or 0.0
        times = (summary.p50_ms, summary.p90_ms, summary.p99_ms)
        table.add_row(
            each.kind.name,
            f"{summary.count:,}",
            f"{summary.failures:,}",
            number(per_s),
            number(per_s * each.load.payload.batch),
            *("-" if value is None else milliseconds(value) for value in times),
            Text(summary.validity, style=COLOURS[summary.validity]),
        )
    return table
