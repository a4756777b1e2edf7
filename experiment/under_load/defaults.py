"""What is put under load where nobody chose: which variants, on which backend, within which limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from experiment.figures.section import subject
from experiment.figures.view import View
from experiment.records import BackendInfo
from experiment.wording import NO_LOAD_ON_QUEUES, listed

LIMIT_MS = 100.0  # where nothing is known
TIMES_UNLOADED = 5  # a limit, in p50 of the recommended cell without load
TIMES_SLOWEST = 2.5  # but at least this many times the slowest of the chosen cells
BUDGET_S = 25.0  # of each curve
LEAST_BUDGET_S, MOST_BUDGET_S = 5.0, 600.0
LEAST_LIMIT_MS, MOST_LIMIT_MS = 0.1, 60_000.0
MOST_CURVES = 8


@dataclass(frozen=True, slots=True)
class LoadChoice:
    """What to put under load: every variant on every backend, each for `budget_s`."""

    variant_ids: tuple[str, ...]
    backend_names: tuple[str, ...]
    limit_ms: float
    budget_s: float


def default_load(view: View) -> LoadChoice | None:
    """The recommended variant and the reference on the recommended backend, or if that is a queue on another
    one. None: nothing was answered, or only by queues.

    The limit is the run's own goal for p50 where that leaves room for a queue, else five times the latency
    without load.
    """
    chosen, direct = subject(view), [point for point in view.points if not is_queue(point.backend)]
    if chosen is None or not direct:
        return None
    if is_queue(chosen.backend):
        same = [point for point in direct if point.variant.id == chosen.variant.id]
        chosen = min(same or direct, key=lambda point: point.p50_ms)
    name = chosen.backend.name
    ids = dict.fromkeys((chosen.variant.id, *(point.variant.id for point in view.references)))
    times_ms = {point.variant.id: point.p50_ms for point in view.points if point.backend.name == name}
    answered = tuple(id_ for id_ in ids if id_ in times_ms)
    goal_ms, slowest_ms = view.plan.max_p50_ms, max(times_ms[id_] for id_ in answered)
    limit_ms = rounded_up(max(TIMES_UNLOADED * chosen.p50_ms, TIMES_SLOWEST * slowest_ms))
    if goal_ms is not None and goal_ms >= TIMES_SLOWEST * slowest_ms:
        limit_ms = goal_ms
    return LoadChoice(answered, (name,), limit_ms, BUDGET_S)


def is_queue(info: BackendInfo) -> bool:
    """Whether it can't be put under load: a queue takes what its workers can't answer yet."""
    return info.protocol == "queue"


def rounded_up(limit_ms: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 and their multiples by ten: 83 -> 100."""
    limit_ms = max(limit_ms, LEAST_LIMIT_MS)
    decade = 10.0 ** math.floor(math.log10(limit_ms))
    steps = (1, 1.5, 2, 3, 5, 7.5, 10)
    return next(float(f"{step * decade:.3g}") for step in steps if step * decade >= limit_ms * 0.9999)


def choices(report: Mapping[str, Any], view: View) -> dict[str, Any]:
    """The default and what else can be chosen, as JSON values. `variants` is empty where nothing can."""
    default = default_load(view)
    found = default or LoadChoice((), (), LIMIT_MS, BUDGET_S)
    can = default is not None and view.photo_set is None and not report.get("imported")
    answered = {point.variant.id for point in view.points}
    names = {point.backend.name for point in view.points}
    queues = [info.name for info in view.backends if info.name in names and is_queue(info)]
    return asdict(found) | {
        "variants": [variant.id for variant in view.variants if can and variant.id in answered],
        "backends": [
            info.name for info in view.backends if can and info.name in names and not is_queue(info)
        ],
        "note": f"Not {listed(queues)}: {NO_LOAD_ON_QUEUES}" if queues else "",
        "most_curves": MOST_CURVES,
        "limit_range_ms": [LEAST_LIMIT_MS, MOST_LIMIT_MS],
        "budget_range_s": [LEAST_BUDGET_S, MOST_BUDGET_S],
    }
