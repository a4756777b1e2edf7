"""python -m experiment photo.jpg: the whole comparison on the command line.

Exit codes: 0 a full result; 1 some requests failed or nothing can be recommended;
2 bad input or settings, or a file that could not be written; 130 interrupted
(what was measured is still reported).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from experiment.backends.connect import connected
from experiment.cli.backends import asked_backends
from experiment.cli.breaking_point import points_json, print_points, run_search
from experiment.cli.compare import print_comparison
from experiment.cli.photo_set import run_set, save_answers
from experiment.cli.table import print_report
from experiment.decide.sections import sections
from experiment.decide.uplinks import uplink_of
from experiment.embedded.models_cli import StartStopped
from experiment.errors import PixelcostError
from experiment.export.report_csv import report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict, report_json
from experiment.file_names import printable
from experiment.images.formats import SUBSAMPLINGS
from experiment.images.read import read_image
from experiment.images.variants import FORMATS, RESAMPLERS, make_variants, skipped_sizes_px
from experiment.measure.environment import environment
from experiment.measure.heartbeat import Heartbeat
from experiment.measure.plan import parse_plan
from experiment.measure.run import measure
from experiment.measure.schedule import planned_requests
from experiment.records import BackendInfo, Measurement, Plan, Report, SourceImage, Variant
from experiment.report.summarise import summarise
from experiment.settings import SharedSettings, read_settings

PIPE_WIDTH = 132  # columns of the table where there is no terminal to fit
console = Console(stderr=True, highlight=False, markup=False, emoji=False)  # names are no markup


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, run, report. Returns the exit code."""
    options = _options(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: names may be no text of its encoding
    cancel = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: cancel.set())
    try:
        return _run(options, cancel)
    except StartStopped:
        return 130
    except PixelcostError as error:
        console.print(error.message, style="bold red", soft_wrap=True)
        return 2


def _run(options: argparse.Namespace, cancel: threading.Event) -> int:
    if options.compare:
        older, newer = options.compare
        print_comparison(older, newer, _output())
        return 0
    uplink_of(options.uplink)
    _check_outputs(options)
    servers = {"TF_SERVERS": options.servers} if options.servers else {}
    settings = read_settings(SharedSettings, os.environ | servers)
    command = _breaking_point if options.breaking_point else _one_photo if options.photo else _many_photos
    return command(options, settings, cancel)


def _many_photos(options: argparse.Namespace, settings: SharedSettings, cancel: threading.Event) -> int:
    done = run_set(options, settings, _plan_fields(options, settings), cancel, console)
    all_written = _write(done.report, options)
    if options.answers:
        all_written &= _saved(options.answers, partial(save_answers, done, options.answers))
    print_report(done.report, _output())
    _print_deciding(done.report, options)
    if done.report.state != "done":
        console.print(f"Run the same command again to continue. Journal: {done.journal}", markup=False)
    return _exit_code(done.report, cancel) if all_written else 2


def _one_photo(options: argparse.Namespace, settings: SharedSettings, cancel: threading.Event) -> int:
    true_label = printable(options.true_label) if options.true_label else None
    source = read_image(_read(options.photo), options.photo.name, true_label=true_label)
    plan = parse_plan(_plan_fields(options, settings))
    with asked_backends(settings, plan.backend_names, console, cancel) as asked:
        report = _experiment(source, plan, asked.infos, cancel)
    all_written = _write(report, options)
    print_report(report, _output())
    _print_deciding(report, options)
    return _exit_code(report, cancel) if all_written else 2


def _breaking_point(options: argparse.Namespace, settings: SharedSettings, cancel: threading.Event) -> int:
    fields = _plan_fields(options, settings)
    code, told = run_search(options, settings, _read(options.photo), fields, cancel, console)
    print_points(told, _output())
    written = not options.json or _saved(options.json, partial(_save_text, options.json, points_json, told))
    return code if written else 2


def _print_deciding(report: Report, options: argparse.Namespace) -> None:
    """The conclusion of each section that has one, below the table."""
    for section in sections(report_dict(report), uplink=uplink_of(options.uplink)).values():
        if section.figures:
            _output().print(f"{section.title}: {section.sentence}", markup=False, soft_wrap=True)


def _output() -> Console:
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _experiment(
    source: SourceImage, plan: Plan, infos: Sequence[BackendInfo], cancel: threading.Event
) -> Report:
    created_at = time.time()
    present = [info for info in infos if info.is_present]
    facts = environment()
    with console.status("Making variants"):
        variants = make_variants(source, plan)
    measurements, heartbeat = _measure(plan, variants, present, cancel)
    return summarise(
        run_id=uuid.uuid4().hex[:12],
        state="cancelled" if cancel.is_set() else "done",
        created_at=created_at,
        source=source,
        plan=plan,
        environment=facts | heartbeat.facts(),
        backends=infos,
        variants=variants,
        skipped_sizes_px=skipped_sizes_px(source, plan),
        measurements=measurements,
        requests_planned=planned_requests(plan, len(variants), present),
    )


def _measure(
    plan: Plan, variants: Sequence[Variant], infos: Sequence[BackendInfo], cancel: threading.Event
) -> tuple[list[Measurement], Heartbeat]:
    measurements: list[Measurement] = []
    total = planned_requests(plan, len(variants), infos)
    with connected(infos) as backends, Heartbeat() as heartbeat, _progress() as progress:
        task = progress.add_task("Warming up", total=total)
        for measurement in measure(plan, variants, backends, cancel):
            measurements.append(measurement)
            progress.update(task, advance=1, description=_doing(measurement))
    return measurements, heartbeat


def _check_outputs(options: argparse.Namespace) -> None:
    """Before anything is measured: can the files be written?"""
    for path in filter(None, (options.json, options.csv, options.html, options.answers, options.journal)):
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PixelcostError(f"{path} can't be written. Name a file in a folder that exists.")
    if options.journal and options.journal.exists() and not options.journal.is_file():
        raise PixelcostError(
            f"{options.journal} can't be a journal: it is not a regular file. Name another file."
        )
    _check_none_is_lost(options)


def _check_none_is_lost(options: argparse.Namespace) -> None:
    """No file may be written over another one of this run, nor over what it reads."""
    taken: dict[Path, str] = {}
    for name in ("photo", "photos", "labels", "label_map", "journal", "json", "csv", "html", "answers"):
        path = getattr(options, name)
        if path is None or (path.exists() and not path.is_file()):  # as /dev/stdout, which takes any number
            continue
        first = taken.setdefault(path.resolve(), name)
        if first != name:
            raise PixelcostError(
                f"{path} is named twice, {_named(first)} and {_named(name)}, and one would overwrite "
                "the other. Name another file."
            )


def _named(option: str) -> str:
    return "as the photo" if option == "photo" else f"with --{option.replace('_', '-')}"


def _write(report: Report, options: argparse.Namespace) -> bool:
    """The files asked for, first of all. Returns whether all of them were written."""
    exported = report_dict(report)
    html = partial(report_html, uplink=uplink_of(options.uplink))
    files = ((options.json, report_json), (options.csv, report_csv), (options.html, html))
    saved = [_saved(path, partial(_save_text, path, text, exported)) for path, text in files if path]
    return all(saved)


def _save_text(path: Path, text: Callable[[dict[str, Any]], str], exported: dict[str, Any]) -> None:
    # A name that was no text is written as Python shows it, "\udce9": it costs no file.
    path.write_bytes(text(exported).encode("utf-8", "backslashreplace"))


def _saved(path: Path, save: Callable[[], object]) -> bool:
    try:
        save()
    except (OSError, ValueError) as error:  # what can't be expressed in a format costs that file alone
        why = getattr(error, "strerror", None) or str(error)
        console.print(f"{path} could not be written: {why}.", style="bold red", soft_wrap=True)
        return False
    console.print(f"Wrote {path}", soft_wrap=True)
    return True


def _exit_code(report: Report, cancel: threading.Event) -> int:
    if cancel.is_set():
        return 130
    failed = any(cell.unanswered for cell in report.cells)
    return 1 if failed or report.recommendation.variant_id is None else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PixelcostError(f"{path} can't be read: {error.strerror}.") from None


def _plan_fields(options: argparse.Namespace, settings: SharedSettings) -> dict[str, Any]:
    """The options that were given, under the plan's own names."""
    fields: dict[str, Any] = {
        "sizes_px": options.sizes,
        "formats": options.formats,
        "jpeg_quality": options.quality,
        "resampler": options.resampler,
        "jpeg_qualities": options.qualities,
        "webp_qualities": options.webp_qualities,
        "avif_qualities": options.avif_qualities,
        "subsamplings": options.subsamplings,
        "resamplers": options.resamplers,
        "split_decode": options.split_decode,
        "warmups": options.warmups,
        "repeats": options.repeats,
        "order": options.order,
        "seed": options.seed,
        "timeout_s": options.timeout or settings.tf_request_timeout_s,
        "backend_names": options.backends,
        "max_p50_ms": options.max_p50_ms,
        "max_size_bytes": options.max_size_bytes,
        "margin_points": options.margin,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _doing(measurement: Measurement) -> str:
    if measurement.is_warmup:
        return f"Warming up {measurement.backend_name}"
    return f"{measurement.variant_id} on {measurement.backend_name}"


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=2,  # drawing must not disturb what is being timed
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers like 512,256") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number like 5 or 0.5") from None


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.compare:
        if options.photo or options.photos:
            parser.error("--compare takes two reports and measures nothing")
        return options
    if (options.photo is None) == (options.photos is None):
        parser.error("name one photo, or a folder or ZIP file of many with --photos")
    if options.breaking_point and (options.photo is None or options.csv or options.html):
        parser.error("--breaking-point is for one photo, and writes --json alone")
    if options.breaking_point and options.margin is not None:
        parser.error("--breaking-point only asks whether the top answer is kept: leave out --margin")
    of_many = ("labels", "label_map", "journal", "answers")
    wrong = of_many if options.photo else ("true_label",)
    given = [f"--{name.replace('_', '-')}" for name in wrong if getattr(options, name) is not None]
    if given:
        parser.error(f"{given[0]} is for {'--photos' if options.photo else 'one photo'}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiment", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("photo", type=Path, nargs="?", help="JPEG, PNG, WebP, GIF or BMP")
    add(
        "--photos",
        type=Path,
        metavar="DIR",
        help="many photos instead: a folder or ZIP, see docs/accuracy.md",
    )
    add("--sizes", type=_numbers, metavar="PX,PX", help="longest sides (2048,1024,512,256,128)")
    add("--formats", type=_names, metavar="F,F", help=f"of {', '.join(FORMATS)} (png,jpeg)")
    add("--quality", type=int, metavar="1..100", help="one JPEG quality (85)")
    add("--qualities", type=_numbers, metavar="Q,Q", help="several of them, instead of --quality")
    add("--webp-qualities", type=_numbers, metavar="Q,Q", help="for the format webp (80)")
    add("--avif-qualities", type=_numbers, metavar="Q,Q", help="for the format avif (65)")
    add("--subsamplings", type=_names, metavar="S,S", help=f"JPEG's, of {', '.join(SUBSAMPLINGS)} (4:2:0)")
    add("--resampler", choices=sorted(RESAMPLERS), help="one filter (lanczos)")
    add("--resamplers", type=_names, metavar="R,R", help="several of them, instead of --resampler")
    add(
        "--split-decode",
        action=argparse.BooleanOptionalAction,
        help="also measure decoding alone (if a server does not report its stages)",
    )
    add("--repeats", type=int, metavar="N", help="counted requests per cell (20; 64 for p90, 662 for p99)")
    add("--warmups", type=int, metavar="N", help="requests before that, not counted (3)")
    add("--order", choices=["auto", "parallel", "one_at_a_time"], help="how backends are asked (auto)")
    add("--seed", type=int, metavar="N", help="order of the requests (random)")
    add("--timeout", type=_number, metavar="S", help="time limit per request (TF_REQUEST_TIMEOUT, 60)")
    add("--backends", type=_names, metavar="NAME,NAME", help="only these")
    add("--servers", metavar="TF_SERVERS", help='"name:host:port;..." instead of the environment')
    add("--true-label", metavar="LABEL", help="what the photo shows: gives accuracy beside agreement")
    add(
        "--labels",
        type=Path,
        metavar="CSV",
        help="of --photos: columns file,label (folder names, labels.csv)",
    )
    add("--label-map", type=Path, metavar="FILE", help="of --photos: id,label lines for labels that are ids")
    add(
        "--journal", type=Path, metavar="FILE", help="of --photos: where it is kept and goes on (data folder)"
    )
    add("--answers", type=Path, metavar="FILE", help="of --photos: write every answer to every photo as CSV")
    add(
        "--margin",
        type=_number,
        metavar="POINTS",
        help="goal: the answer's probability falls by no more (5); of --photos: accuracy (1; 5 unlabelled)",
    )
    add(
        "--breaking-point",
        action="store_true",
        help="instead of a run: the smallest size, then the lowest JPEG quality, that keeps the top answer",
    )
    add("--max-p50-ms", type=_number, metavar="MS", help="goal: p50 latency below this")
    add("--max-size-bytes", type=int, metavar="BYTES", help="goal: size below this")
    add("--uplink", default="", metavar="MBIT/S", help="of the modelled end to end: 3g, 10, 100 ... (10)")
    add(
        "--compare",
        type=Path,
        nargs=2,
        metavar=("OLDER", "NEWER"),
        help="compare two reports written with --json",
    )
    add("--json", type=Path, metavar="FILE", help="write the report as JSON")
    add("--csv", type=Path, metavar="FILE", help="write one row per cell")
    add("--html", type=Path, metavar="FILE", help="write a report that opens without a network")
    return parser
