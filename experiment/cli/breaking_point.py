"""`python -m experiment photo.jpg --breaking-point`: the smallest copy that keeps the answer."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from experiment.axes import plan_dict
from experiment.backends.addresses import that_take_photos
from experiment.backends.connect import connected
from experiment.cli.backends import asked_backends
from experiment.codec import to_dict
from experiment.images.read import read_image
from experiment.images.reference import make_reference
from experiment.measure.breaking_search import find_breaking_points, most_requests
from experiment.measure.environment import environment
from experiment.measure.plan import parse_plan
from experiment.records import BackendInfo, BreakingPoint, Plan, SearchStep, SourceImage, Variant
from experiment.settings import SharedSettings
from experiment.wording import size

FOUND = {"found", "never", "at_once", "not_right"}  # outcomes of a complete search


def run_search(
    options: argparse.Namespace,
    settings: SharedSettings,
    data: bytes,
    fields: dict[str, Any],
    cancel: threading.Event,
    console: Console,
) -> tuple[int, dict[str, Any]]:
    """Searches on every backend. Returns the exit code and the content of `--json`."""
    source = read_image(data, options.photo.name, true_label=options.true_label)
    plan = parse_plan(fields)
    with asked_backends(settings, plan.backend_names, console, cancel) as asked:
        present = that_take_photos(asked.infos)
        points = _search(source, plan, present, cancel, console)
    found = {
        "source": to_dict(source),
        "plan": plan_dict(plan),
        "environment": environment(),
        "backends": [to_dict(info) for info in present],
        "breaking_points": [to_dict(point) for point in points],
    }
    if cancel.is_set():
        return 130, found
    return (0 if points and all(point.outcome in FOUND for point in points) else 1), found


def print_points(found: dict[str, Any], console: Console) -> None:
    """A sentence per backend."""
    for point in found["breaking_points"]:
        weight = f" ({size(point['size_bytes'])})" if point["size_bytes"] else ""
        console.print(f"{point['backend_name']}: {point['sentence']}{weight}", markup=False, soft_wrap=True)
        how = (
            f"{point['requests']} requests, one per copy. Bisection finds one boundary; there may be others."
        )
        console.print(f"  {how}", markup=False, soft_wrap=True)


def points_json(found: dict[str, Any]) -> str:
    """The breaking points with all steps as JSON."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _search(
    source: SourceImage, plan: Plan, infos: Sequence[BackendInfo], cancel: threading.Event, console: Console
) -> list[BreakingPoint]:
    most = most_requests(max(source.width_px, source.height_px))
    searching = f"Searching, up to {most} requests for each backend"
    with connected(infos) as backends, console.status(searching) as status:

        def show(name: str, step: SearchStep, _copy: Variant) -> None:
            status.update(Text(f"Searching on {name}: {step.size_px} px, JPEG q{step.quality}"))

        reference = make_reference(source)
        return list(find_breaking_points(source, reference, plan, backends, cancel, show))
