"""`python -m experiment --photos DIR`: the comparison over many photos.

Every result is written to a journal at once. The same command continues where the journal ends, after
Ctrl-C, a crash or a power cut. With --engine and --workers several processes measure photos at the same time,
here or on other machines; this one hands them out, keeps the journal and makes the report.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from experiment.backends.addresses import that_take_photos
from experiment.backends.connect import connected
from experiment.cli.backends import Asked, asked_backends
from experiment.cli.photo import progress_bar
from experiment.engines.base import Engine
from experiment.engines.choose import engine
from experiment.errors import PixelcostError
from experiment.export.answers_csv import AnswerRows
from experiment.labels import Vocabulary
from experiment.measure.environment import environment
from experiment.measure.plan import parse_plan
from experiment.photo_sets.counts import SetCounts
from experiment.photo_sets.journal import (
    Journal,
    header_of,
    is_complete,
    pins,
    read_header_line,
    results_in,
    same_photos,
    vocabularies_of,
)
from experiment.photo_sets.label_files import names_in, read_text
from experiment.photo_sets.listing import PhotoSet, open_photo_set
from experiment.photo_sets.photo_result import PhotoResult
from experiment.photo_sets.run import SILENT, measure_set
from experiment.photo_sets.spread import spread_set
from experiment.photo_sets.summarise import summarise_set
from experiment.photo_sets.warnings import labels_that_miss
from experiment.records import SET_REPEATS, BackendInfo, Failure, Plan, Report, RunState
from experiment.settings import SharedSettings

DEFAULT_ENGINE, DEFAULT_WORKERS, MOST_WORKERS = "local", 2, 256
JOURNALS = "journals"  # within the data folder
NAME_CHARACTERS = 24  # of a photo's name, in the progress bar


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes that measure, when it is not this one."""

    engine: Engine
    count: int


@dataclass(frozen=True, slots=True)
class SetRun:
    """The result of a run over a photo set."""

    report: Report
    journal: Path
    photos: PhotoSet
    vocabularies: Mapping[str, Vocabulary]  # by backend name


def run_set(
    options: argparse.Namespace,
    settings: SharedSettings,
    fields: Mapping[str, Any],
    cancel: threading.Event,
    console: Console,
) -> SetRun:
    """Measures the photo set of --photos, from where its journal ends. `fields` are the plan's.

    Raises PixelcostError for wrong input, if the journal belongs to another run, or the engine is not there.
    """
    workers = _workers(options)
    photos = open_photo_set(options.photos, options.labels)
    if photos.given_labels is not None:  # warn before hours are spent on a run without the labels
        for warning in labels_that_miss(photos.given_labels, len(photos.photos), photos.missing):
            console.print(f"{warning.code}: {warning.message}", markup=False, soft_wrap=True)
    names = names_in(read_text(options.label_map), str(options.label_map)) if options.label_map else {}
    plan = parse_plan(fields, repeats=SET_REPEATS)
    with _backends(options, settings, photos, plan, console, cancel) as asked:
        path = options.journal or _own_journal(
            Path(settings.data_dir), photos, plan, asked, has_seed=options.seed is not None
        )
        found = read_header_line(path)
        if found is not None and options.seed is None:
            plan = replace(plan, seed=found.plan.seed)
        header = header_of(
            uuid.uuid4().hex[:12], time.time(), photos, plan, asked.infos, environment(), asked.model
        )
        with closing(Journal(path, header)) as journal:
            journal.header = replace(  # goals and labels are those of this command
                journal.header,
                plan=plan,
                sha256=header.sha256,
                missing=header.missing,
                given_labels=header.given_labels,
            )
            return _run(journal, photos, asked, names, workers, cancel, console)


def _workers(options: argparse.Namespace) -> Workers | None:
    """As --engine and --workers say; each has a default beside the other. None: neither was given."""
    if options.engine is None and options.workers is None:
        return None
    return Workers(engine(options.engine or DEFAULT_ENGINE), options.workers or DEFAULT_WORKERS)


def save_answers(done: SetRun, path: Path) -> None:
    """Every answer of the journal as CSV. Raises OSError when the file can't be written."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        rows = AnswerRows(done.vocabularies, file)
        for result in results_in(done.journal, done.photos.labels):
            rows.add(result)


def _run(
    journal: Journal,
    photos: PhotoSet,
    asked: Asked,
    names: Mapping[str, str],
    workers: Workers | None,
    cancel: threading.Event,
    console: Console,
) -> SetRun:
    count = len(photos.photos)
    failure: Failure | None = None
    with progress_bar(console, "photos") as progress:
        task = progress.add_task("Reading the journal", total=count)
        if journal.indexes:
            console.print(f"{len(journal.indexes):,} of {count:,} photos are in {journal.path}", markup=False)
        if len(journal.indexes) < count:
            for _ in results_in(journal.path):  # a damaged line is told before hours are spent
                progress.update(task, advance=1)
            progress.update(task, description="Warming up")
            try:
                with closing(_session(journal, photos, asked.infos, workers, cancel)) as results:
                    for result in results:
                        journal.append(result)
                        progress.update(task, advance=1, description=_doing(result))
            except PixelcostError as error:
                if not journal.indexes:
                    raise
                failure = Failure(error.code, error.message)  # what was measured is reported all the same
        vocabularies = vocabularies_of(journal.header, names)
        tally = SetCounts(vocabularies)
        progress.update(task, completed=0, total=len(journal.indexes), description="Adding up")
        for result in results_in(journal.path, photos.labels):  # in order, whoever measured them
            tally.add(result)
            progress.update(task, advance=1)
    state: RunState = "done"
    if tally.done < count:
        state, failure = ("cancelled", None) if cancel.is_set() else ("failed", failure or SILENT)
    report = summarise_set(journal.header, tally, state, asked.infos, failure)
    return SetRun(report, journal.path, photos, vocabularies)


def _session(
    journal: Journal,
    photos: PhotoSet,
    infos: Sequence[BackendInfo],
    workers: Workers | None,
    cancel: threading.Event,
) -> Generator[PhotoResult]:
    plan, there = journal.header.plan, journal.indexes
    takers = [info for info in infos if info.takes_photos]
    if workers is not None:
        yield from spread_set(workers.engine, workers.count, plan, photos, takers, cancel, there)
    else:
        with connected(takers) as backends:
            yield from measure_set(plan, photos, backends, cancel, there)


@contextmanager
def _backends(
    options: argparse.Namespace,
    settings: SharedSettings,
    photos: PhotoSet,
    plan: Plan,
    console: Console,
    cancel: threading.Event,
) -> Iterator[Asked]:
    """The backends. If --journal holds all photos already, none is started: the report is made from it."""
    found = read_header_line(options.journal) if options.journal else None
    if found is not None and same_photos(found, photos) and is_complete(options.journal, found):
        yield Asked(list(found.backends), found.model)
        return
    with asked_backends(settings, plan.backend_names, console, cancel) as asked:
        that_take_photos(asked.infos)  # without one, no journal is begun
        yield asked


def _own_journal(data_dir: Path, photos: PhotoSet, plan: Plan, asked: Asked, *, has_seed: bool) -> Path:
    """The journal of a run without --journal. The same command finds it again until it is complete."""
    header = header_of("", 0.0, photos, plan, asked.infos, environment(), asked.model)
    pinned = pins(header)
    if not has_seed:
        pinned["plan"].pop("seed")
    key = hashlib.sha256(json.dumps(pinned, sort_keys=True).encode()).hexdigest()[:10]
    folder = data_dir / JOURNALS
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = folder / f"{Path(photos.name).stem}-{key}-{number}.jsonl"
        found = read_header_line(path)
        if found is None or not is_complete(path, found):
            return path
        number += 1


def _doing(result: PhotoResult) -> str:
    name = result.name.rpartition("/")[2]
    shown = name if len(name) <= NAME_CHARACTERS else f"...{name[3 - NAME_CHARACTERS :]}"
    return shown if result.refused is None else f"skipped {shown}"
