"""What `import experiment` offers to a notebook or a script: the names that `experiment/__init__.py` lists.

Reports are the exported JSON as a dict, so that a file of last year works like a run of today.
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

from experiment.cli.backends import asked_backends
from experiment.cli.photo import measure_photo as measured
from experiment.decide.compare_section import compare_section
from experiment.decide.other_goals import GOALS
from experiment.decide.other_goals import with_goals as judged_by
from experiment.decide.section import Section
from experiment.decide.sections import sections
from experiment.errors import PixelcostError, PlanRefused
from experiment.export.import_report import load_report
from experiment.export.report_csv import report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict, report_json
from experiment.figures import figures
from experiment.figures.palette import palette_of
from experiment.images.read import read_image
from experiment.measure.plan import parse_plan
from experiment.settings import SharedSettings, read_settings

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "PixelcostError",
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
    photo: str | Path,
    plan: Mapping[str, Any] | None = None,
    servers: str = "",
    true_label: str | None = None,
) -> dict[str, Any]:
    """The report of one photo. Takes as long as `python -m experiment photo` does.

    `plan` has the keys of the report's own plan; `servers` is text as in TF_SERVERS, "8 CPU:host:8500".
    Ctrl-C, or a notebook's stop button, ends it: the report then has what was measured, and the state
    "cancelled". Raises PixelcostError when photo, plan, servers or settings can't be used, OSError when
    the photo can't be read.
    """
    path = Path(photo)
    source = read_image(path.read_bytes(), path.name, true_label=true_label)
    settings = read_settings(SharedSettings, os.environ | ({"TF_SERVERS": servers} if servers else {}))
    chosen = parse_plan({"timeout_s": settings.tf_request_timeout_s, **(plan or {})})
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    with (
        _interrupted() as cancel,
        asked_backends(settings, chosen.backend_names, console, cancel) as asked,
    ):
        return report_dict(measured(source, chosen, asked.infos, cancel, console))


def figure(
    report: Report,
    name: str,
    theme: Theme = "light",
    latency: str = "p50",
    over: Literal["latency", "bytes"] = "latency",
) -> Figure:
    """One plot of the page, for Plotly's Python package.

    `name` is a key of figures(), or of a section's `figures`. `latency` is p50, p90, p99 or slowest, and
    `over` says what the trade-off lies over. Raises PixelcostError when this report has no such plot,
    ImportError without Plotly, which only this function needs.
    """
    try:
        from plotly.graph_objects import Figure  # noqa: PLC0415  not installed by `make run`
    except ImportError:
        raise ImportError("experiment.figure() needs Plotly: python -m pip install plotly") from None
    drawn = figures(report, theme, latency, over)
    for section in sections(report, theme=theme).values():
        drawn.update(section.figures)
    if name not in drawn:
        raise PixelcostError(f"This report has no plot {name!r}. It has: {', '.join(drawn)}.")
    return Figure(drawn[name]["data"], drawn[name]["layout"])


def with_goals(report: Report, **goals: Any) -> dict[str, Any]:
    """The report with what it recommends for other goals; nothing is measured again.

    Goals are max_p50_ms, max_size_bytes, margin_points and keep_top1; None is no such goal (of the margin:
    the usual one). Raises PlanRefused.
    """
    if unknown := goals.keys() - set(GOALS):
        raise PlanRefused([f"{', '.join(sorted(unknown))} is not a goal. Goals are {', '.join(GOALS)}."])
    parse_plan({key: value for key, value in goals.items() if value is not None})
    return judged_by(report, goals)


def compare(newer: Report, older: Report, theme: Theme = "light") -> Section:
    """What changed from one report to another. Raises NotComparable, for a photo beside a set."""
    return compare_section(newer, older, palette_of(theme))


@contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Set by Ctrl-C instead of raising KeyboardInterrupt, which would lose what was measured."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    before = signal.signal(signal.SIGINT, lambda *_: cancel.set())
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
