"""python -m experiment photo.jpg: the whole comparison on the command line.

Exit codes: 0 a full result; 1 some requests failed, nothing can be recommended, or the run ended early by
itself; 2 wrong input or settings, or a file that could not be written; 130 interrupted (what was measured is
still reported).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, get_args

from rich.console import Console

from experiment.cli.backends import asked_backends
from experiment.cli.breaking_point import points_json, print_points, run_search
from experiment.cli.compare import print_comparison
from experiment.cli.photo import measure_photo, pictures_in
from experiment.cli.photo_set import DEFAULT_WORKERS, MOST_WORKERS, run_set, save_answers
from experiment.cli.table import print_report
from experiment.decide.sections import sections
from experiment.decide.uplinks import uplink_of
from experiment.embedded.models_cli import StartStopped
from experiment.engines.choose import ENGINES
from experiment.errors import PixelcostError
from experiment.export.pictures import with_pictures
from experiment.export.report_csv import report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict, report_json
from experiment.file_names import printable
from experiment.images.formats import FORMATS, SUBSAMPLINGS
from experiment.images.read import read_image
from experiment.images.resize import RESAMPLERS
from experiment.measure.plan import RULES, parse_plan
from experiment.photo_sets.s3 import is_address
from experiment.records import Copies, Order, Report, Thumb
from experiment.settings import SharedSettings, read_settings

FILE: Final[Mapping[str, Any]] = {"type": Path, "metavar": "FILE"}
PIPE_WIDTH = 132  # columns of the table if stdout is not a terminal
console = Console(stderr=True, highlight=False, markup=False, emoji=False)  # names may look like markup


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, run, report. Returns the exit code."""
    options = _options(arguments)
    return ended(lambda cancel: _run(options, cancel))


def ended(run: Callable[[threading.Event], int]) -> int:
    """The exit code of a command, which gets an event that Ctrl-C sets. Prints the sentence of a
    PixelcostError."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # its encoding may lack characters of names
    cancel = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: cancel.set())
    try:
        return run(cancel)
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
    if options.breaking_point:
        check_outputs(options)
        return _breaking_point(options, settings_of(options), cancel)
    report, all_written = measured(options, cancel)
    print_report(report, _output())
    _print_deciding(report, options)
    return _exit_code(report, cancel) if all_written else 2


def settings_of(options: argparse.Namespace) -> SharedSettings:
    """Of the environment, with --servers in place of TF_SERVERS. Raises ConfigRefused."""
    servers = {"TF_SERVERS": options.servers} if options.servers else {}
    return read_settings(SharedSettings, os.environ | servers)


def measured(options: argparse.Namespace, cancel: threading.Event) -> tuple[Report, bool]:
    """Measures the photo or the photos. Returns the report, and whether all files that were asked for could
    be written. Raises PixelcostError."""
    uplink_of(options.uplink)
    check_outputs(options)
    settings = settings_of(options)
    return (_one_photo if options.photo else _many_photos)(options, settings, cancel)


def _many_photos(
    options: argparse.Namespace, settings: SharedSettings, cancel: threading.Event
) -> tuple[Report, bool]:
    done = run_set(options, settings, _plan_fields(options, settings), cancel, console)
    all_written = _write(done.report, options, {})
    if options.answers:
        all_written &= saved(options.answers, partial(save_answers, done, options.answers))
    if done.report.failure is not None:
        console.print(done.report.failure.message, style="bold red", soft_wrap=True)
    if done.report.state != "done":
        console.print(f"Run the same command again to continue. Journal: {done.journal}", markup=False)
    return done.report, all_written


def _one_photo(
    options: argparse.Namespace, settings: SharedSettings, cancel: threading.Event
) -> tuple[Report, bool]:
    true_label = printable(options.true_label) if options.true_label else None
    source = read_image(_read(options.photo), options.photo.name, true_label=true_label)
    plan = parse_plan(_plan_fields(options, settings))
    with asked_backends(settings, plan.backend_names, console, cancel) as asked:
        report = measure_photo(source, plan, asked.infos, cancel, console)
    return report, _write(report, options, pictures_in(report) if options.json or options.html else {})


def _breaking_point(options: argparse.Namespace, settings: SharedSettings, cancel: threading.Event) -> int:
    fields = _plan_fields(options, settings)
    code, found = run_search(options, settings, _read(options.photo), fields, cancel, console)
    print_points(found, _output())
    written = not options.json or saved(options.json, partial(_save_text, options.json, points_json, found))
    return code if written else 2


def _print_deciding(report: Report, options: argparse.Namespace) -> None:
    """The sentence of every section that has a plot, below the table."""
    for section in sections(report_dict(report)).values():
        if section.figures:
            _output().print(f"{section.title}: {section.sentence}", markup=False, soft_wrap=True)


def _output() -> Console:
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


OUTPUTS = ("json", "csv", "html", "answers", "journal", "summary", "junit")  # summary, junit: of check


def check_outputs(options: argparse.Namespace) -> None:
    """Raises PixelcostError if a file can't be written, before anything is measured."""
    for path in filter(None, (getattr(options, name, None) for name in OUTPUTS)):
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise PixelcostError(f"{path} can't be written. Name a file in a folder that exists.")
    if options.journal and options.journal.exists() and not options.journal.is_file():
        raise PixelcostError(
            f"{options.journal} can't be a journal: it is not a regular file. Name another file."
        )
    _check_none_is_lost(options)


def _check_none_is_lost(options: argparse.Namespace) -> None:
    """Raises PixelcostError if a file would overwrite another one of this run, or one that it reads."""
    taken: dict[Path, str] = {}
    for name in ("photo", "photos", "labels", "label_map", "budget", *OUTPUTS):
        path = getattr(options, name, None)
        if (
            path is None or isinstance(path, str) or (path.exists() and not path.is_file())
        ):  # like s3://, or /dev/stdout
            continue
        place = "as the photo" if name == "photo" else f"with --{name.replace('_', '-')}"
        first = taken.setdefault(path.resolve(), place)
        if first != place:
            raise PixelcostError(
                f"{path} is named twice, {first} and {place}, and one would overwrite the other. "
                "Name another file."
            )


def _write(report: Report, options: argparse.Namespace, pictures: Mapping[str, Thumb]) -> bool:
    """Writes the files of --json, --csv and --html. Returns whether all could be written."""
    exported = with_pictures(report_dict(report), pictures)
    files = ((options.json, report_json), (options.csv, report_csv), (options.html, report_html))
    written = [saved(path, partial(_save_text, path, text, exported)) for path, text in files if path]
    return all(written)


def _save_text(path: Path, text: Callable[[dict[str, Any]], str], exported: dict[str, Any]) -> None:
    # A lone surrogate in a name is written as "\udce9", so that it costs no file.
    path.write_bytes(text(exported).encode("utf-8", "backslashreplace"))


def saved(path: Path, save: Callable[[], object]) -> bool:
    """Whether a file could be written; why not is printed."""
    try:
        save()
    except (OSError, ValueError) as error:  # a value that one format can't hold costs that file only
        why = getattr(error, "strerror", None) or str(error)
        console.print(f"{path} could not be written: {why}.", style="bold red", soft_wrap=True)
        return False
    console.print(f"Wrote {path}", soft_wrap=True)
    return True


def _exit_code(report: Report, cancel: threading.Event) -> int:
    if cancel.is_set():
        return 130
    measured = {cell.backend_name for cell in report.cells if cell.count}
    silent = [info for info in report.backends if info.takes_photos and not info.answers]
    failed = any(cell.unanswered for cell in report.cells)
    failed = failed or any(info.name not in measured for info in silent)
    return 1 if failed or report.failure or report.recommendation.variant_id is None else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PixelcostError(f"{path} can't be read: {error.strerror}.") from None


def _plan_fields(options: argparse.Namespace, settings: SharedSettings) -> dict[str, Any]:
    """The options that were given, under the plan's own keys, which are their `dest`."""
    fields = {key: value for key, value in vars(options).items() if key in RULES and value is not None}
    uplink = {"uplink_mbit_s": uplink_of(options.uplink).mbit_s} if options.uplink else {}
    return {"timeout_s": settings.tf_request_timeout_s, **fields, **uplink}


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


def place(text: str) -> Path | str:
    return text if is_address(text) else Path(text)


def _workers(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= number <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST_WORKERS}")
    return number


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
    if options.breaking_point and options.margin_points is not None:
        parser.error("--breaking-point only asks whether the top answer is kept: leave out --margin")
    of_many = ("labels", "label_map", "journal", "answers", "engine", "workers")
    wrong = of_many if options.photo else ("true_label",)
    given = [f"--{name.replace('_', '-')}" for name in wrong if getattr(options, name) is not None]
    if given:
        parser.error(f"{given[0]} is for {'--photos' if options.photo else 'one photo'}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiment",
        description=__doc__.splitlines()[0],
        epilog="python -m experiment check judges a run by a file of goals, for CI: docs/ci.md",
    )
    add = parser.add_argument_group("photo").add_argument
    add("photo", type=Path, nargs="?", help="JPEG, PNG, WebP, AVIF, HEIC (with pi-heif), GIF or BMP")
    add("--true-label", metavar="LABEL", help="what the photo shows: adds accuracy to agreement")
    add(
        "--breaking-point",
        action="store_true",
        help="instead of a run: the smallest size, then the lowest JPEG quality, that keeps the top answer",
    )

    group = parser.add_argument_group("many photos (docs/accuracy.md)")
    group.add_argument(
        "--photos",
        type=place,
        metavar="DIR",
        help="a folder, ZIP or s3://bucket/prefix, instead of one photo",
    )
    add_set_options(group)
    reports: dict[str, Any] = {"type": Path, "nargs": 2, "metavar": ("OLDER", "NEWER")}
    group = add_run_options(parser)
    group.add_argument("--compare", **reports, help="compare two reports written with --json")
    return parser


def add_set_options(group: argparse._ArgumentGroup) -> None:
    """Of sets of photos."""
    add = group.add_argument
    add("--labels", type=Path, metavar="CSV", help="columns file,label (folder names, labels.csv)")
    add("--label-map", **FILE, help="id,label lines, if the labels are ids")
    add("--journal", **FILE, help="keeps the results so far (in the data folder)")
    add("--answers", **FILE, help="write every answer to every photo as CSV")
    add("--engine", choices=ENGINES, help="measure in several processes, started by this (local)")
    add("--workers", type=_workers, metavar="N", help=f"how many of them ({DEFAULT_WORKERS})")


def add_run_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What to measure, how, and where the report goes. Returns the group of the last."""
    add = parser.add_argument_group("variants, and the defaults").add_argument
    add(
        "--sizes",
        dest="sizes_px",
        type=_numbers,
        metavar="PX,PX",
        help="longest sides (2048,1024,512,256,128)",
    )
    add("--formats", type=_names, metavar="F,F", help=f"of {', '.join(FORMATS)} (png,jpeg)")
    add("--quality", dest="jpeg_quality", type=int, metavar="1..100", help="one JPEG quality (85)")
    qualities: dict[str, Any] = {"type": _numbers, "metavar": "Q,Q"}
    add(
        "--qualities", dest="jpeg_qualities", **qualities, help="several JPEG qualities, instead of --quality"
    )
    add("--webp-qualities", **qualities, help="for the format webp (80)")
    add("--avif-qualities", **qualities, help="for the format avif (65)")
    subsamplings = f"chroma subsamplings of JPEG, of {', '.join(SUBSAMPLINGS)} (4:2:0)"
    add("--subsamplings", type=_names, metavar="S,S", help=subsamplings)
    add("--resampler", choices=sorted(RESAMPLERS), help="one filter (lanczos)")
    add("--resamplers", type=_names, metavar="R,R", help="several filters, instead of --resampler")

    add = parser.add_argument_group("requests, and the defaults").add_argument
    add("--servers", metavar="TF_SERVERS", help='"name:host:port;..." instead of the environment')
    add("--backends", dest="backend_names", type=_names, metavar="NAME,NAME", help="only these backends")
    add("--repeats", type=int, metavar="N", help="counted requests per cell (20; 64 for p90, 662 for p99)")
    add("--warmups", type=int, metavar="N", help="requests before that, not counted (3)")
    add(
        "--order",
        choices=get_args(Order),
        help="whether backends work in parallel (auto; check: in_turns, if it compares two)",
    )
    add("--seed", type=int, metavar="N", help="order of the requests (random)")
    add("--timeout", dest="timeout_s", type=_number, metavar="S", help="per request (TF_REQUEST_TIMEOUT, 60)")
    add(
        "--split-decode",
        action=argparse.BooleanOptionalAction,
        help="also measure decoding alone (if a server does not report its stages)",
    )

    add = parser.add_argument_group("goals, and end-to-end times").add_argument
    add("--max-p50-ms", type=_number, metavar="MS", help="p50 latency below this")
    add("--max-size-bytes", type=int, metavar="BYTES", help="size below this")
    add(
        "--margin",
        dest="margin_points",
        type=_number,
        metavar="POINTS",
        help="how much the answer's probability may fall (5), or with --photos accuracy (1; 5 unlabelled)",
    )
    add(
        "--keep-top1",
        action=argparse.BooleanOptionalAction,
        help="only recommend what keeps the top answer, or with --photos the accuracy (yes)",
    )
    add(
        "--copies",
        choices=get_args(Copies),
        help="where copies are made: once and stored (the default), by the server per request, by the client",
    )
    add("--uplink", default="", metavar="MBIT/S", help="of the user's network: 3g, 10, 100 ... (10)")

    reports = parser.add_argument_group("reports")
    add = reports.add_argument
    add("--json", **FILE, help="write the report as JSON")
    add("--csv", **FILE, help="write one row per cell")
    add("--html", **FILE, help="write a report that opens without a network")
    return reports
