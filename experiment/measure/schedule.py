"""schedule(): the order of requests to one backend: warm-ups first, then shuffled blocks.

Requests that only decode are in the same blocks as the others, so disturbances of the machine affect both
alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from experiment.records import BackendInfo, Plan, Question, Variant

DECODE_REPEATS = 20  # at most; enough for a median
DECODE_WARMUPS = 1  # at most; the other warm-ups have warmed nearly everything


class Request(NamedTuple):
    """A request to send."""

    variant: Variant
    attempt: int
    is_warmup: bool
    asked_for: Question = "predict"


def schedule(
    plan: Plan, variants: Sequence[Variant], backend_name: str, splits_decode: bool = False
) -> Iterator[Request]:
    """Every request to one backend, in order.

    A block holds every variant once, so a slow drift of the machine affects all of them alike. The order
    within a block depends only on the plan's seed, the backend's name and the block's number, so it can be
    repeated.
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
    """Whether decoding alone is timed on this backend, with requests of its own.

    By default it is, if the model can decode only and the server is not ours, which reports the time of
    decoding with every answer.
    """
    wanted = info.runtime is None if plan.split_decode is None else plan.split_decode
    return wanted and info.decode_signature is not None


def planned_requests(plan: Plan, variant_count: int, backends: Sequence[BackendInfo]) -> int:
    """How many requests a run sends if nothing fails."""
    to_predict = plan.warmups + plan.repeats
    to_decode = min(plan.warmups, DECODE_WARMUPS) + min(plan.repeats, DECODE_REPEATS)
    splitting = sum(splits_decode(plan, info) for info in backends)
    return (to_predict * len(backends) + to_decode * splitting) * variant_count


def turn_groups(infos: Sequence[BackendInfo]) -> list[set[str]]:
    """Sets of names of backends that would slow each other, directly or through a third one: embedded ones
    whose cores overlap, and queues whose workers ask a model server that is also asked directly.

    Backends that share nothing, or of which nothing is known, are in none of the sets.
    """
    groups: list[tuple[set[str], set[int | str]]] = []
    behind_queues = {server for info in infos if info.protocol == "queue" for server in info.asked_servers}
    for info in infos:
        names: set[str] = {info.name}
        used: set[int | str] = {
            *(info.cores or () if info.embedded else ()),
            *info.asked_servers & behind_queues,
        }
        for group in [group for group in groups if group[1] & used]:
            groups.remove(group)
            names |= group[0]
            used |= group[1]
        groups.append((names, used))
    return [names for names, _ in groups if len(names) > 1]
