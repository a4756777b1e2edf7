"""The order in which one backend is asked: warm-ups first, then shuffled blocks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from experiment.records import BackendInfo, Plan, Variant


class Request(NamedTuple):
    """One request to come."""

    variant: Variant
    attempt: int
    is_warmup: bool


def schedule(plan: Plan, variants: Sequence[Variant], backend_name: str) -> Iterator[Request]:
    """Every request to one backend, in order.

    Each block holds every variant once, so slow drift of the machine falls on all of
    them alike. The shuffle depends only on the plan's seed, the backend's name and the
    block's number: the same plan gives the same order again.
    """
    for variant in variants:
        for attempt in range(plan.warmups):
            yield Request(variant, attempt, is_warmup=True)
    for block in range(plan.repeats):
        shuffled = list(variants)
        random.Random(f"{plan.seed}/{backend_name}/{block}").shuffle(shuffled)
        for variant in shuffled:
            yield Request(variant, block, is_warmup=False)


def planned_requests(plan: Plan, variant_count: int, backend_count: int) -> int:
    """How many requests a run will send when nothing fails."""
    return (plan.warmups + plan.repeats) * variant_count * backend_count


def turn_groups(infos: Sequence[BackendInfo]) -> list[set[str]]:
    """Names of embedded backends whose cores overlap, directly or through a third one.

    Backends that share no core, or whose cores are not known, are in no group.
    """
    groups: list[tuple[set[str], set[int]]] = []
    for info in infos:
        if not info.embedded or not info.cores:
            continue
        names, cores = {info.name}, set(info.cores)
        for group in [group for group in groups if group[1] & cores]:
            groups.remove(group)
            names |= group[0]
            cores |= group[1]
        groups.append((names, cores))
    return [names for names, _ in groups if len(names) > 1]
