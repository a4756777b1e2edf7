"""python -m bench.study PHOTOS...: the whole study, from photos to tables, plots and verdicts.

PHOTOS are folders or ZIPs of labelled photos, see docs/accuracy.md, or single photos without a label. The
same command goes on where it was stopped, and only reports again when all runs are there: to measure anew,
name another --out. Without PHOTOS the page and plots of --into are made anew from the CSV files beside it.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.study import page
from bench.study.cells import Found
from bench.study.changes import Change, Columns, areas_of, bands_of, changes
from bench.study.distances import ByView, distances
from bench.study.gathered import gathered
from bench.study.models import NAMES, Missing, Model, prepare
from bench.study.pairs import confidences, right_by_variant
from bench.study.plots import draw, plots
from bench.study.reports import Photos, Stopped, elsewhere, journal_of, report_of, run_once
from bench.study.runs import QUESTIONS, Run, runs
from bench.study.tables import Row, area_rows, band_rows, read, tables, write
from bench.support.photo import ten_megapixels
from bench.support.servables import ROOT
from experiment.errors import PixelcostError
from experiment.measure.environment import environment
from experiment.photo_sets.journal import read_header_line
from experiment.records import REFERENCE_ID

DESCRIPTION = "What a demo claimed about image sizes and formats in 2018, measured again."
IMAGENET = ROOT / "models" / "catalogue" / "imagenet_labels.txt"  # WordNet id, label, all names; by tabs
NOTHING = "none"
Runs = Sequence[tuple[Model, Run]]


def main() -> int:
    """Prepare, ask, report. Returns the exit code: 0 all there, 1 stopped, 2 bad input."""
    options = _options()
    started_s = time.monotonic()
    try:
        if options.into and not options.into.is_file():
            raise PixelcostError(
                f"{options.into} does not exist. Name a page with marks, like docs/findings.md."
            )
        if options.photos:
            _study(options)
        elif options.into:
            _paper(options.into.with_suffix(""), options.into)
        else:
            raise PixelcostError("Name the photos: folders or ZIPs. Or name a page with --into to renew it.")
    except Stopped as stop:
        print(f"{stop} The same command goes on from there.")
        return 1
    except PixelcostError as error:
        print(f"python -m bench.study: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"python -m bench.study: {error.filename or options.out} can't be used ({error.strerror}). "
            "Name another --out, or make room.",
            file=sys.stderr,
        )
        return 2
    print(f"{(time.monotonic() - started_s) / 60:.1f} minutes in all")
    return 0


def _study(options: argparse.Namespace) -> None:
    out = options.out.resolve()
    photos = _photos(options, out)
    facts = environment()
    print(f"{facts['cpu_model']}, {facts['cpu_count']} cores, load {facts['load_1m']}", flush=True)
    wanted = [
        (model, run)
        for model in _models(options, out)
        for run in runs(model.name, photos.kinds, answers=model.answers, quick=options.quick)
        if run.question in options.questions or report_of(run, out).exists()
    ]
    found = [_found(run, model, _timed(run, model, photos, out), out) for model, run in wanted]
    rows = tables([*found, *_elsewhere(options)]) | _metric(wanted, photos, out)
    folder = options.into.with_suffix("") if options.into else out / "tables"
    for file in write(rows, folder):
        print(f"Wrote {file}")
    _paper(folder, options.into)


def _paper(folder: Path, into: Path | None) -> None:
    """Plots and page from the CSV files in `folder`."""
    found = read(folder)
    for row in found.get("verdicts", []):
        print(f"({row['claim']}) {row['said']}: {row['verdict']}. {row['figure']} {row['why']}")
    for file in draw(plots(found), folder):
        print(f"Wrote {file}")
    if into:
        unknown = page.put_into(into, found)
        print(f"Wrote {into}")
        if unknown:
            print(f"These marks name a figure that was not measured: {'; '.join(unknown)}")


def _timed(run: Run, model: Model, photos: Photos, out: Path) -> Mapping[str, Any]:
    """The report; prints how long the run took."""
    started_s = time.monotonic()
    print(f"\n{run.id}: {' '.join(run.arguments)}", flush=True)
    report = run_once(run, model, photos, out)
    print(f"{run.id}: {time.monotonic() - started_s:.0f} s", flush=True)
    return report


def _metric(wanted: Runs, photos: Photos, out: Path) -> dict[str, list[Row]]:
    """How well each predictor foresees a changed answer; {} if no question was about answers."""
    started_s = time.monotonic()
    of_set = [(model, run) for model, run in wanted if run.is_of_set]
    by_photo = _distances(of_set, photos, out)
    found: list[Change] = []
    for name in dict.fromkeys(model.name for model, _ in of_set):
        journals = [journal_of(run, out) for model, run in of_set if model.name == name]
        found += changes(name, journals, by_photo)
    if not found:
        return {}
    columns = Columns(found)
    sizes_px = sorted({change.size_px for change in found}, reverse=True)
    rows = {
        "areas": list(area_rows(areas_of(columns, sizes_px))),
        "bands": list(band_rows(bands_of(columns))),
    }
    print(f"{len(found):,} answers against PSNR and SSIM: {time.monotonic() - started_s:.0f} s", flush=True)
    return rows


def _distances(of_set: Runs, photos: Photos, out: Path) -> dict[str, dict[str, ByView]]:
    """By photo and variant's SHA-256, of every question's variants."""
    cards = {model.name: model.card for model, _ in of_set}
    by_photo: dict[str, dict[str, ByView]] = {}
    for question in dict.fromkeys(run.question for _, run in of_set):
        run = next(run for _, run in of_set if run.question == question)
        header = read_header_line(journal_of(run, out))
        if header is not None:
            for name, found in distances(photos.labelled, header.plan, cards, out):
                by_photo.setdefault(name, {}).update(found)
    return by_photo


def _models(options: argparse.Namespace, out: Path) -> list[Model]:
    """Those that are available; prints why each of the others is not."""
    ready = []
    for name in options.models:
        try:
            ready.append(prepare(name, out / "models", options.mobilenet, options.mobilenet_labels))
        except Missing as missing:
            print(f"{name} is left out. {missing}", flush=True)
    if not ready and not options.elsewhere:
        raise PixelcostError("None of the models is available, so there is nothing to measure.")
    return ready


def _elsewhere(options: argparse.Namespace) -> list[Found]:
    found = []
    for folder in options.elsewhere:
        try:
            found += elsewhere(folder)
        except Missing as missing:
            print(f"{folder} is left out. {missing}", flush=True)
    return found


def _found(run: Run, model: Model, report: Mapping[str, Any], out: Path) -> Found:
    if not run.is_of_set:
        return Found(run, model.title, report)
    with (out / f"{run.id}.csv").open(encoding="utf-8", newline="") as file:
        right = right_by_variant(csv.DictReader(file))
        file.seek(0)
        return Found(run, model.title, report, right, confidences(csv.DictReader(file), REFERENCE_ID))


def _photos(options: argparse.Namespace, out: Path) -> Photos:
    """The photos that were named, and the one that the study makes."""
    out.mkdir(parents=True, exist_ok=True)
    made, label_map = out / "made.jpg", out / "imagenet.csv"
    if not made.exists():
        made.write_bytes(ten_megapixels())
    lines = (line.split("\t") for line in IMAGENET.read_text("utf-8").splitlines())
    with label_map.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((wnid, names) for wnid, _, names in lines)
    places = [place.resolve() for place in options.photos]
    return Photos(gathered(places, out / "photos"), made, options.photo, label_map)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.study", description=DESCRIPTION)
    add = parser.add_argument
    add(
        "photos",
        type=Path,
        nargs="*",
        help="labelled photos: folders or ZIPs; single photos, without a label",
    )
    add(
        "--photo",
        type=Path,
        metavar="FILE",
        help="a real photo for the times, in addition to the synthetic one",
    )
    add(
        "--mobilenet",
        type=Path,
        metavar="FILE",
        help="MobileNet v2 as TFLite, which is not in the project",
    )
    add("--mobilenet-labels", type=Path, metavar="FILE", help="its labels, one per line")
    add(
        "--models",
        type=_some_of(NAMES),
        default=list(NAMES),
        metavar="NAME,NAME",
        help=f"only these of {', '.join(NAMES)}",
    )
    add(
        "--questions",
        type=_some_of((*QUESTIONS, NOTHING)),
        default=list(QUESTIONS),
        metavar="NAME,NAME",
        help=f"only these of {', '.join(QUESTIONS)}; of the others ({NOTHING}: of all) only existing results "
        "are reported",
    )
    add(
        "--out",
        type=Path,
        default=Path("var/study"),
        metavar="DIR",
        help="journals, reports, tables (var/study)",
    )
    add(
        "--into",
        type=Path,
        metavar="FILE.md",
        help="renew this page's figures, and the tables and plots in the folder beside it",
    )
    add(
        "--elsewhere",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="times taken on another machine: reports of python -m experiment, MODEL-time-PHOTO.json",
    )
    add("--quick", action="store_true", help="few sizes and repeats: only to check that the study runs")
    return parser.parse_args()


def _some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown name {unknown[0]!r}; choose from {', '.join(known)}")
        return text.split(",")

    return names


if __name__ == "__main__":
    sys.exit(main())
