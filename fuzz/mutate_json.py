"""Damage to what JSON says, where damage to its bytes would only show that it can't be parsed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

STEPS = (1, 1, 2, 4)
ODD = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e-320, 1e308, 2**31, 2**52, 2**53, 10**30, -(10**30)),
    *("", " ", "a\nb", "\0", "\ud800", "../..", "@@", "=1+1", "<b>", "x" * 5000, "\u202etxt", "NaN", "1"),
    *([], [0], [None], [[]], {}, {"a": 1}, {"": []}),
)


def mutated_json(data: bytes, rng: random.Random) -> bytes:
    """The JSON text `data` with a few of its values changed, left out, doubled or moved."""
    made = json.loads(data)
    for _ in range(rng.choice(STEPS)):
        places = list(_places(made))
        if not places:
            break
        holder, key = rng.choice(places)
        _change(holder, key, places, rng)
    return json.dumps(made, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container within `value`, with each of its keys."""
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(member)


def _change(holder: Any, key: Any, places: list[tuple[Any, Any]], rng: random.Random) -> None:
    way = rng.randrange(6)
    if way == 0:
        del holder[key]
    elif way == 1:
        other, other_key = rng.choice(places)
        holder[key] = copy.deepcopy(other[other_key])
    elif way == 2 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] *= rng.choice((-1, 0, 0.5, 2, 1000, 10**9))
    elif way == 3 and isinstance(holder, list):
        holder += copy.deepcopy(holder[key : key + 1]) * rng.choice((1, 2, 300))
    elif way == 4 and isinstance(holder, dict):
        holder[rng.choice(("x", "", "__proto__", "count"))] = holder.pop(key)
    else:
        holder[key] = copy.deepcopy(rng.choice(ODD))
