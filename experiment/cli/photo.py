"""measure_photo(): measures a photo in this process, for `python -m experiment photo.jpg` and notebooks."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from experiment.backends.addresses import that_take_photos
from experiment.backends.connect import connected
from experiment.images.thumbs import fitted, thumb
from experiment.images.variants import make_variants, skipped_sizes_px
from experiment.measure.environment import environment
from experiment.measure.heartbeat import Heartbeat
from experiment.measure.run import measure
from experiment.measure.schedule import planned_requests
from experiment.records import BackendInfo, Measurement, Plan, Report, Run, SourceImage, Thumb, Variant
from experiment.report.summarise import summarise


def measure_photo(
    source: SourceImage, plan: Plan, infos: Sequence[BackendInfo], cancel: threading.Event, console: Console
) -> Report:
    """The report of a photo: makes the variants and sends them to every backend. `console` shows the
    progress.

    When `cancel` is set, the report holds what was measured until then. Raises PlanRefused if no backend
    takes photos.
    """
    created_at = time.time()
    present = that_take_photos(infos)
    facts = environment()
    with console.status("Making variants"):
        variants = make_variants(source, plan)
    measurements, heartbeat = _measure(plan, variants, present, cancel, console)
    run = Run(
        run_id=uuid.uuid4().hex[:12],
        state="cancelled" if cancel.is_set() else "done",
        created_at=created_at,
        source=source,
        plan=plan,
        environment=facts | heartbeat.facts(),
        backends=tuple(infos),
        variants=tuple(variants),
        skipped_sizes_px=tuple(skipped_sizes_px(source, plan)),
        measurements=measurements,
        requests_planned=planned_requests(plan, len(variants), present),
    )
    return summarise(run)


def pictures_in(report: Report) -> dict[str, Thumb]:
    """Small pictures of the variants of a report that was measured here, to be exported with it."""
    return fitted({variant.id: thumb(variant.data) for variant in report.variants})


def _measure(
    plan: Plan,
    variants: Sequence[Variant],
    infos: Sequence[BackendInfo],
    cancel: threading.Event,
    console: Console,
) -> tuple[list[Measurement], Heartbeat]:
    measurements: list[Measurement] = []
    total = planned_requests(plan, len(variants), infos)
    with connected(infos) as backends, Heartbeat() as heartbeat, progress_bar(console) as progress:
        task = progress.add_task("Warming up", total=total)
        for measurement in heartbeat.watched(measure(plan, variants, backends, cancel)):
            measurements.append(measurement)
            doing = f"{measurement.variant_id} on {measurement.backend_name}"
            if measurement.is_warmup:
                doing = f"Warming up {measurement.backend_name}"
            progress.update(task, advance=1, description=doing)
    return measurements, heartbeat


def progress_bar(console: Console, unit: str = "") -> Progress:
    """A bar with what is being done, the count in `unit`, and the time left."""
    return Progress(
        TextColumn("{task.description:<32}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=console,
        refresh_per_second=2,  # drawing must not disturb the timing
    )
