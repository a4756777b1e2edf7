"""The order in which one backend is asked: warm-ups first, then shuffled blocks.

Where decoding is measured apart, requests that only decode stand among the others, in the
same blocks: what disturbs the machine falls on both alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from experiment.records import BackendInfo, Plan, Question, Variant

DECODE_REPEATS = 20  # at most: enough for a middle, and a long run takes little longer
DECODE_WARMUPS = 1  # at most: the other warm-ups have warmed nearly everything


class Request(NamedTuple):
    """One request to come."""

    variant: Variant
    attempt: int
    is_warmup: bool
    asked_for: Question = "predict"


def schedule(
    plan: Plan, variants: Sequence[Variant], backend_name: str, splits_decode: bool = False
) -> Iterator[Request]:
    """Every request to one backend, in order.

    Each block holds every variant once, so slow drift of the machine falls on all of
    them alike. The shuffle depends only on the plan's seed, the backend's name and the
    block's number: the same plan gives the same order again.
    """
    for variant in variants:
        for attempt in range(plan.warmups):
            yield Request(variant, attempt, is_warmup=True)
        if splits_decode:
            for attempt in range(min(plan.warmups, DECODE_WARMUPS)):
                yield Request(variant, attempt, is_warmup=True, asked_for="decode")
    for block in range(plan.repeats):
        requests = [Request(variant, block, is_warmup=False) for variant in variants]
        if splits_decode and block < DECODE_REPEATS:
            requests += [request._replace(asked_for="decode") for request in requests]
        random.Random(f"{plan.seed}/{backend_name}/{block}").shuffle(requests)
        yield from requests


def splits_decode(plan: Plan, info: BackendInfo) -> bool:
    """Whether decoding is measured apart on this backend: it can be, and is wanted.

    By default it is wanted of servers that tell nothing about themselves. Ours do, and with
    every answer how long decoding took.
    """
    wanted = info.runtime is None if plan.split_decode is None else plan.split_decode
    return wanted and info.decode_signature is not None


def planned_requests(plan: Plan, variant_count: int, backends: Sequence[BackendInfo]) -> int:
    """How many requests a run will send when nothing fails."""
    to_predict = plan.warmups + plan.repeats
    to_decode = min(plan.warmups, DECODE_WARMUPS) + min(plan.repeats, DECODE_REPEATS)
    splitting = sum(splits_decode(plan, info) for info in backends)
    return (to_predict * len(backends) + to_decode * splitting) * variant_count


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
