"""python -m bench.study PHOTOS: the whole study, from photos to tables, plots and verdicts.

PHOTOS is a folder or ZIP of labelled photos, see docs/accuracy.md. The same command goes on where it
was stopped, and only reports again when all runs are there: to measure anew, name another --out.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.photo import ten_megapixels
from bench.servables import ROOT
from bench.study.ask import Photos, Stopped, asked, report_of
from bench.study.cells import Found
from bench.study.elsewhere import elsewhere
from bench.study.models import NAMES, Missing, Model, prepare
from bench.study.plots import draw, plots
from bench.study.runs import QUESTIONS, Run, runs
from bench.study.tables import put_into, tables
from experiment.environment import environment
from experiment.figures.view import view_of

IMAGENET = ROOT / "models" / "imagenet_labels.txt"  # WordNet id, label, all names; by tabs


def main() -> int:
    """Prepare, ask, report. Returns the exit code: 0 all there, 1 stopped."""
    options = _options()
    started_s = time.monotonic()
    out = options.out.resolve()
    photos = _photos(options, out)
    facts = environment()
    print(f"{facts['cpu_model']}, {facts['cpu_count']} cores, load {facts['load_1m']}", flush=True)
    reports: dict[str, Mapping[str, Any]] = {}
    try:
        found = [
            _found(run, model, asked_in_time(run, model, photos, out, reports), out)
            for model in _models(options, out)
            for run in runs(model.name, photos.kinds, answers=model.answers, quick=options.quick)
            if run.question in options.questions or report_of(run, out).exists()
        ]
    except Stopped as stop:
        print(f"{stop} The same command goes on from there.")
        return 1
    _write([*found, *_elsewhere(options)], reports, out, options.into)
    print(f"{(time.monotonic() - started_s) / 60:.1f} minutes in all")
    return 0


def asked_in_time(
    run: Run, model: Model, photos: Photos, out: Path, reports: dict[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """The report, which also goes into `reports`; says how long it took."""
    started_s = time.monotonic()
    print(f"\n{run.id}: {' '.join(run.arguments)}", flush=True)
    reports[run.id] = asked(run, model, photos, out)
    print(f"{run.id}: {time.monotonic() - started_s:.0f} s", flush=True)
    return reports[run.id]


def _models(options: argparse.Namespace, out: Path) -> list[Model]:
    """Those that can be had. Of the others it is said why not."""
    ready = []
    for name in options.models:
        try:
            ready.append(prepare(name, out / "models", options.mobilenet, options.mobilenet_labels))
        except Missing as missing:
            print(f"{name} is left out. {missing}", flush=True)
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
    rows: list[dict[str, str]] = []
    if run.is_of_set:
        with (out / f"{run.id}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    return Found(run, model.title, view_of(report), rows)


def _photos(options: argparse.Namespace, out: Path) -> Photos:
    """The photos asked for, and those that the study makes."""
    out.mkdir(parents=True, exist_ok=True)
    made, label_map = out / "made.jpg", out / "imagenet.csv"
    if not made.exists():
        made.write_bytes(ten_megapixels())
    lines = (line.split("\t") for line in IMAGENET.read_text("utf-8").splitlines())
    with label_map.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((wnid, names) for wnid, _, names in lines)
    return Photos(options.photos.resolve(), options.small_photos, made, options.photo, label_map)


def _write(
    found: Sequence[Found], reports: Mapping[str, Mapping[str, Any]], out: Path, into: Path | None
) -> None:
    named = tables(found)
    text = "\n".join(f"## {name}\n\n{table}" for name, table in named.items())
    (out / "study.md").write_text(text, "utf-8")
    print(f"\n{named['verdicts']}\nWrote {out / 'study.md'}")
    if into:
        put_into(into, named)
        print(f"Wrote {into}")
    for file in draw(plots(found, reports), into.with_suffix("") if into else out):
        print(f"Wrote {file}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.study", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("photos", type=Path, help="labelled photos: a folder or ZIP")
    add("--small-photos", type=Path, metavar="DIR", help="a further set, of small photos, for more of them")
    add("--photo", type=Path, metavar="FILE", help="a real photo for the times, beside the one that is made")
    add(
        "--mobilenet",
        type=Path,
        metavar="FILE",
        help="MobileNet v2 as TFLite, which the project does not hold",
    )
    add("--mobilenet-labels", type=Path, metavar="FILE", help="its labels, one a line")
    add(
        "--models",
        type=lambda text: text.split(","),
        default=list(NAMES),
        metavar="NAME,NAME",
        help="only these",
    )
    add(
        "--questions",
        type=lambda text: text.split(","),
        default=list(QUESTIONS),
        metavar="NAME,NAME",
        help=f"only these of {', '.join(QUESTIONS)}; of the others what is there is reported",
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
        help="renew this page's tables, and the plots in the folder beside it",
    )
    add(
        "--elsewhere",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="times taken on another machine: reports of python -m experiment, MODEL-time-PHOTO.json",
    )
    add("--quick", action="store_true", help="few sizes and repeats: shows that it works, and nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
