"""The functions behind the names that `experiment/__init__.py` lists, for notebooks and scripts.

A report is the exported JSON as a dict, so a file of last year works like a run of today.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from experiment.backends.addresses import that_take_photos
from experiment.backends.connect import connected
from experiment.cli.backends import asked_backends
from experiment.cli.photo import measure_photo as measured
from experiment.cli.photo import pictures_in
from experiment.decide.compare_section import compare_section
from experiment.decide.other_goals import GOALS
from experiment.decide.other_goals import with_goals as judged_by
from experiment.decide.sections import sections
from experiment.errors import PixelcostError, PlanRefused
from experiment.export.import_report import load_report
from experiment.export.pictures import with_pictures
from experiment.export.report_csv import report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict, report_json
from experiment.figures import figures
from experiment.figures.palette import palette_of
from experiment.figures.section import Section
from experiment.images.read import read_image
from experiment.measure.one_answer import ask, preparation, prepare, recommended, usual_backend
from experiment.measure.plan import parse_plan
from experiment.settings import SharedSettings, read_settings

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "PixelcostError",
    "classify",
    "compare",
    "figure",
    "load_report",
    "measure_photo",
    "report_csv",
    "report_html",
    "report_json",
    "sections",
    "with_goals",
]

Report = Mapping[str, Any]
Theme = Literal["light", "dark"]


def measure_photo(
    photo: str | Path, plan: Mapping[str, Any] | None = None, servers: str = "", true_label: str | None = None
) -> dict[str, Any]:
    """The report of one photo, measured now. Takes as long as `python -m experiment photo` does.

    `plan` has the keys of a report's plan; `servers` is written as in TF_SERVERS: "8 CPU:host:8500". Ctrl-C
    or a notebook's stop button ends the run: its report then holds what was measured, and the state
    "cancelled". Raises PixelcostError for a photo, plan, servers or settings that can't be used, OSError if
    the photo can't be read.

    >>> report = measure_photo("cat.png", {"sizes_px": [256]}, servers="GPU:tf-gpu:8500")
    """
    path = Path(photo)
    source = read_image(path.read_bytes(), path.name, true_label=true_label)
    settings = read_settings(SharedSettings, os.environ | ({"TF_SERVERS": servers} if servers else {}))
    chosen = parse_plan({"timeout_s": settings.tf_request_timeout_s, **(plan or {})})
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with _interrupted() as cancel, asked_backends(settings, chosen.backend_names, console, cancel) as asked:
        report = measured(source, chosen, asked.infos, cancel, console)
    return with_pictures(report_dict(report), pictures_in(report))


def classify(
    photo: str | Path,
    backend: str | None = None,
    size: int | None = None,
    format: str | None = None,
    quality: int | None = None,
    servers: str = "",
    report: Report | None = None,
) -> dict[str, Any]:
    """One answer to one photo: top labels, bytes sent and stage times, as `POST /api/classify` gives them.

    Without more, the photo is sent as it is. `size` (longest side, in pixels), `format` and `quality` make it
    smaller first, never larger; or `report` does it as that report recommends, on its backend unless
    `backend` names another one. Raises PixelcostError for a photo, a choice or servers that can't be used, or
    if the backend gives no answer; OSError if the photo can't be read.

    >>> classify("cat.png", size=256, servers="GPU:tf-gpu:8500")["sent"]["size_bytes"]
    14391
    """
    path, wanted = Path(photo), preparation(size, format, quality)
    if report is not None:
        if wanted.format is not None:
            raise PixelcostError(
                "The report says how to prepare the photo: leave out size, format and quality."
            )
        wanted, recommended_name = recommended(report)
        backend = backend or recommended_name
    sent = prepare(source := read_image(path.read_bytes(), path.name), wanted)
    settings = read_settings(SharedSettings, os.environ | ({"TF_SERVERS": servers} if servers else {}))
    names = None if backend is None else [backend]
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    never = threading.Event()  # Ctrl-C raises KeyboardInterrupt: nothing has been measured that it could lose
    with (
        asked_backends(settings, names, console, never) as asked,
        connected([usual_backend(that_take_photos(asked.infos))]) as (opened,),
    ):
        answer = ask(source, sent, wanted, opened, settings.tf_request_timeout_s)
    return answer | {"run_id": report["run_id"] if report else None}


def figure(
    report: Report,
    name: str,
    theme: Theme = "light",
    latency: str = "p50",
    over: Literal["latency", "bytes"] = "latency",
) -> Figure:
    """A plot of the page as a plotly.graph_objects.Figure.

    `name` is "trade_off" or another plot; a wrong one raises PixelcostError, whose message lists those that
    this report has. `latency` is p50, p90, p99 or slowest; `over` is the x axis of the trade-off. Raises
    ImportError without Plotly, which only this function needs.
    """
    try:
        from plotly.graph_objects import Figure  # noqa: PLC0415  `make run` does not install it
    except ImportError:
        raise ImportError("experiment.figure() needs Plotly: python -m pip install plotly") from None
    drawn = figures(report, theme, latency, over)
    for section in sections(report, theme=theme).values():
        drawn.update(section.figures)
    if name not in drawn:
        raise PixelcostError(f"This report has no plot {name!r}. It has: {', '.join(drawn)}.")
    return Figure(drawn[name]["data"], drawn[name]["layout"])


def with_goals(report: Report, **goals: Any) -> dict[str, Any]:
    """The report with the recommendation for other goals; nothing is measured again.

    Goals are max_p50_ms, max_size_bytes, margin_points and keep_top1. None removes a goal, and sets the
    margin to its default. Raises PlanRefused.
    """
    if unknown := goals.keys() - set(GOALS):
        raise PlanRefused([f"{', '.join(sorted(unknown))} is not a goal. Goals are {', '.join(GOALS)}."])
    parse_plan({key: value for key, value in goals.items() if value is not None})
    return judged_by(report, goals)


def compare(newer: Report, older: Report, theme: Theme = "light") -> Section:
    """What changed from `older` to `newer`. Raises NotComparable, as for a photo and a photo set."""
    return compare_section(newer, older, palette_of(theme))


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets. KeyboardInterrupt would lose what was measured."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    before = signal.signal(signal.SIGINT, lambda *_: cancel.set())
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
