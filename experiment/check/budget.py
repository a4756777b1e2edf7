"""A file of goals, budget.toml: read, and refused as a whole with a sentence if anything in it is wrong."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from common.checks import Expected, is_line, list_of, number_above, one_of
from common.json_values import quoted
from experiment.check.goals import BASELINE_GOALS, GOALS, GoalKind
from experiment.errors import PixelcostError
from experiment.records import MAX_BACKENDS, MAX_VARIANTS
from experiment.wording import listed

MOST_BYTES = 1_000_000
MOST_BLOCKS = 100
LONGEST_NAME = 300
DRIFT_PERCENT = 5.0  # between two runs of the same thing, if nobody says better: one standard deviation
LEAST_SLOWER_PERCENT = 2.0  # between two backends of a run: alike ones differ by less (docs/ci.md)


class BudgetRefused(PixelcostError):
    """A file of goals that can't be used; the message names the key and what is allowed."""

    code = "budget_refused"
    http_status = 422


@dataclass(frozen=True, slots=True)
class Block:
    """Cells, and the goals of each of them."""

    name: str  # as messages call it: "[[goals]] 2"
    goals: Mapping[str, float]  # key of GOALS or BASELINE_GOALS -> limit
    cells: Literal["all", "recommended"] = "all"
    variants: tuple[str, ...] | None = None  # ids; None: all of them
    backends: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the run is compared with, and the goals of that."""

    block: Block
    backend: str | None = None  # of the same run; None: other reports
    drift_percent: float | None = None  # how much two runs of the same thing differ; None: not said


@dataclass(frozen=True, slots=True)
class Budget:
    """The whole file."""

    blocks: tuple[Block, ...] = ()
    baseline: Baseline | None = None
    unclear: Literal["pass", "fail"] = "pass"
    name: str = field(default="budget.toml", compare=False)


def read_budget(path: Path) -> Budget:
    """The budget in a file. Raises BudgetRefused."""
    try:
        data = path.read_bytes()[: MOST_BYTES + 1]
    except OSError as error:
        raise BudgetRefused(f"{path} can't be read: {error.strerror}.") from None
    if len(data) > MOST_BYTES:
        raise BudgetRefused(f"{path} is larger than a file of goals can be: {MOST_BYTES:,} bytes.")
    try:
        return budget_of(data.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError:
        raise BudgetRefused(f"{path.name} is not text in UTF-8. Save it as UTF-8.") from None


def budget_of(text: str, name: str = "budget.toml") -> Budget:
    """The budget in a text. Raises BudgetRefused."""
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BudgetRefused(f"{name} is not valid TOML: {error}.") from None
    try:
        return _budget(found, name)
    except Expected as expected:
        raise BudgetRefused(f"{name}: {expected}") from None


def _budget(found: Mapping[str, Any], name: str) -> Budget:
    _known(found, ("unclear", "goals", "baseline"), "the file")
    blocks = found.get("goals", [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise Expected("goals must be written as [[goals]], with two brackets on each side.")
    if len(blocks) > MOST_BLOCKS:
        raise Expected(f"there are {len(blocks)} blocks of [[goals]]; the limit is {MOST_BLOCKS}.")
    read = tuple(_block(block, f"[[goals]] {place}", GOALS) for place, block in enumerate(blocks, start=1))
    _refuse_twice(read)
    baseline = _baseline(found["baseline"]) if "baseline" in found else None
    if not read and baseline is None:
        raise Expected("it names no goal. Add a block such as [[goals]] with max_p50_ms = 50.")
    unclear: Literal["pass", "fail"] = (
        _checked(found, "unclear", one_of(("pass", "fail")), "the file") or "pass"
    )
    return Budget(read, baseline, unclear, name)


def _name(value: Any) -> str:
    if not is_line(value, LONGEST_NAME):
        raise Expected("a name")
    return value


CHOICES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "cells": one_of(("all", "recommended")),
    "variants": list_of(_name, "ids of variants", MAX_VARIANTS),
    "backends": list_of(_name, "names of backends", MAX_BACKENDS),
}


def _block(
    found: Mapping[str, Any], where: str, kinds: Mapping[str, GoalKind], others: tuple[str, ...] = ()
) -> Block:
    _known(found, (*others, *CHOICES, *kinds), where)
    chosen = {key: _checked(found, key, check, where) for key, check in CHOICES.items() if key in found}
    goals = {key: _checked(found, key, kind.check, where) for key, kind in kinds.items() if key in found}
    if not goals:
        raise Expected(f"{where} names no goal. Goals are {listed(list(kinds))}.")
    if chosen.get("cells") == "recommended" and len(chosen) > 1:
        raise Expected(
            f'{where} has cells = "recommended" beside {listed(list(chosen)[1:])}. The run recommends one '
            "cell: leave one of them out."
        )
    if "max_p50_ms" in goals and goals.get("max_p90_ms", goals["max_p50_ms"]) < goals["max_p50_ms"]:
        raise Expected(
            f"{where} contradicts itself: max_p90_ms = {goals['max_p90_ms']:g} is below max_p50_ms = "
            f"{goals['max_p50_ms']:g}, but p90 is never below p50."
        )
    return Block(where, goals, **chosen)


def _refuse_twice(blocks: tuple[Block, ...]) -> None:
    """The same cells may not have two limits for one goal."""
    first: dict[tuple[Any, ...], Block] = {}
    for block in blocks:
        for key, limit in block.goals.items():
            other = first.setdefault((block.cells, block.variants, block.backends, key), block)
            if other.goals[key] != limit:
                raise Expected(
                    f"{other.name} and {block.name} are about the same cells and contradict each other: "
                    f"{key} = {other.goals[key]:g} and {limit:g}. Leave one out."
                )


def _baseline(found: Any) -> Baseline:
    where = "[baseline]"
    if not isinstance(found, dict):
        raise Expected("baseline must be a table, written as [baseline].")
    block = _block(found, where, BASELINE_GOALS, ("backend", "drift_percent"))
    backend = _checked(found, "backend", _name, where)
    drift = _checked(found, "drift_percent", number_above(0, 100), where)
    if backend is not None and drift is not None:
        raise Expected(
            f"{where} has backend and drift_percent. A backend of the same run is measured beside "
            "the others, so there is no drift to allow for: leave drift_percent out."
        )
    slower = block.goals.get("max_slower_percent")
    if backend is not None and slower is not None and slower < LEAST_SLOWER_PERCENT:
        raise Expected(
            f"max_slower_percent in {where} must be at least {LEAST_SLOWER_PERCENT:g} beside backend, not "
            f"{slower:g}: two processes of the same server differ by up to that much, and repeats tell it."
        )
    if backend is not None and backend in (block.backends or ()):
        raise Expected(f"{where} compares {quoted(backend)} with itself. Take it out of backends.")
    return Baseline(block, backend, None if drift is None else float(drift))


def _known(found: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in found:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            asked = f" Did you mean {near[0]}?" if near else ""
            raise Expected(f"{where} has no key {quoted(key)}.{asked} Keys are {listed(list(keys))}.")


def _checked(found: Mapping[str, Any], key: str, check: Callable[[Any], Any], where: str) -> Any:
    if key not in found:
        return None
    try:
        return check(found[key])
    except Expected as expected:
        raise Expected(f"{key} in {where} must be {expected}, not {quoted(found[key])}.") from None
