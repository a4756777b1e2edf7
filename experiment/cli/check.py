"""python -m experiment check: judges a run, or a report of one, by a file of goals.

Exit codes: 0 all goals are kept; 1 a goal is missed; 2 a goal could not be judged, wrong input or settings,
or a file that could not be written; 130 interrupted (what was measured is still reported).
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from common.installed import as_typed
from experiment.check.budget import read_budget
from experiment.check.cells import CheckedRun, checked_run
from experiment.check.judge import Judgement, judge, refuse_baselines
from experiment.check.junit import junit
from experiment.check.markdown import markdown, sentence
from experiment.cli.main import (
    FILE,
    add_run_options,
    add_set_options,
    check_outputs,
    ended,
    measured,
    place,
    saved,
)
from experiment.export.import_report import has_report, load_report
from experiment.export.report_json import report_dict

OWN = {"what", "budget", "baseline", "summary", "junit"}  # options that a report takes too
COULD_NOT_WRITE, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, measure or read, judge. Returns the exit code."""
    options = _options(arguments)
    return ended(lambda cancel: _check(options, cancel))


def _check(options: argparse.Namespace, cancel: threading.Event) -> int:
    check_outputs(options)
    budget = read_budget(options.budget)
    earlier = [checked_run(path.name, load_report(path)) for path in options.baseline]
    refuse_baselines(budget, earlier)
    if budget.baseline and budget.baseline.backend and options.order is None:
        options.order = "in_turns"  # at the same time on one machine, the slower one of two looks less slow
    if options.is_report:
        report, all_written = load_report(options.what), True
    else:
        found, all_written = measured(options, cancel)
        report = report_dict(found)
    judgement = judge(_run(options, report), budget, earlier)
    all_written &= _told(judgement, options)
    if cancel.is_set():
        return INTERRUPTED
    return judgement.exit_code if all_written else COULD_NOT_WRITE


def _run(options: argparse.Namespace, report: Mapping[str, Any]) -> CheckedRun:
    return checked_run(Path(options.what).name if options.is_report else "this run", report)


def _told(judgement: Judgement, options: argparse.Namespace) -> bool:
    """Writes what was asked for. Returns whether it could be."""
    summary, all_written = markdown(judgement), True
    if options.summary:
        all_written &= saved(options.summary, partial(_append, options.summary, summary))
        summary = f"{sentence(judgement)}\n"
    if options.junit:
        all_written &= saved(options.junit, partial(options.junit.write_bytes, junit(judgement)))
    sys.stdout.write(summary)
    return all_written


def _append(path: Path, text: str) -> None:
    """To what earlier steps of a job have written."""
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    what = options.what
    is_file = isinstance(what, Path) and not what.is_dir()
    options.is_report = is_file and (what.suffix.lower() == ".json" or has_report(what))
    if options.is_report:
        given = {name: value for name, value in vars(options).items() if name not in OWN | {"is_report"}}
        for name, value in given.items():
            if value != parser.get_default(name):
                parser.error(
                    f"{what} is a report: nothing is measured, and {_option(parser, name)} has no use"
                )
    is_set = not is_file or what.suffix.lower() == ".zip"
    options.photo, options.photos = (None, what) if is_set else (what, None)
    for name in ("labels", "label_map", "journal", "answers", "engine", "workers"):
        if not is_set and getattr(options, name) is not None:
            parser.error(f"{_option(parser, name)} is for a set of photos, a folder or ZIP file")
    if is_set and options.true_label is not None:
        parser.error("--true-label is for one photo")
    return options


def _option(parser: argparse.ArgumentParser, name: str) -> str:
    return next(action.option_strings[0] for action in parser._actions if action.dest == name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=as_typed("python -m experiment check"), description=(__doc__ or "").splitlines()[0]
    )
    what = "photos to measure (a file, folder, ZIP file or s3://bucket/prefix), or a report (.json, .zip)"
    parser.add_argument("what", type=place, metavar="PHOTOS-OR-REPORT", help=what)
    parser.add_argument("--budget", **FILE, required=True, help="the goals, as TOML (docs/ci.md)")
    baseline: dict[str, Any] = {"type": Path, "nargs": "+", "default": [], "metavar": "REPORT"}
    parser.add_argument("--baseline", **baseline, help="reports of earlier runs, the latest one last")
    parser.add_argument("--summary", **FILE, help="append the result as Markdown (to stdout)")
    parser.add_argument("--junit", **FILE, help="write the result as JUnit XML")
    parser.add_argument("--true-label", metavar="LABEL", help="what one photo shows")
    add_set_options(parser.add_argument_group("many photos (docs/accuracy.md)"))
    add_run_options(parser)
    return parser
