"""Which factor moved the answer most: the grid of a run, looked at along one factor at a time.

The effect of a factor is the mean absolute change, in percentage points, of the reference
label's probability between two cells that differ in nothing but this factor, over all such
pairs. For photo sets it is the share of photos instead of the probability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from experiment.axes import AXES
from experiment.figures.view import Point, View
from experiment.records import Variant
from experiment.wording import format_name


@dataclass(frozen=True, slots=True)
class Factor:
    """Something that may differ between two cells."""

    key: str
    name: str
    value: Callable[[Point], Any]  # None: this cell has no such choice
    words: Callable[[Any], str] = str
    follows: frozenset[str] = frozenset()  # keys that this choice decides, so they need not be equal


def _of_variant(key: str) -> Callable[[Point], Any]:
    return lambda point: getattr(point.variant, key, None)


# A quality of JPEG says nothing about WebP, and a browser has its own filter: such choices follow.
BROWSERS_OWN = frozenset({"subsampling", "resampler"})
FACTORS: Final = (
    Factor("size_px", "size", _of_variant("size_px"), lambda value: f"{value} px"),
    Factor("format", "format", _of_variant("format"), format_name, frozenset({"quality", "subsampling"})),
    Factor("quality", "quality", _of_variant("quality"), lambda value: f"q{value}"),
    Factor("subsampling", "subsampling", _of_variant("subsampling")),
    Factor("resampler", "filter", _of_variant("resampler"), str.capitalize),
    Factor("made_in", "place of resizing", _of_variant("made_in"), str, BROWSERS_OWN | {"engine"}),
    Factor("engine", "browser's engine", _of_variant("engine"), str, BROWSERS_OWN),
    Factor("backend", "backend", lambda point: point.backend.name),
)


@dataclass(frozen=True, slots=True)
class Effect:
    """How much one factor moved the score."""

    factor: Factor
    values: tuple[str, ...]  # that were tried, in the order of the report
    pairs: int  # cells that differ in this factor alone, and whose score is known
    unknown: int  # such pairs where a score is not known
    mean_points: float | None  # None: no pair
    largest_points: float | None
    largest: tuple[Point, Point] | None  # the pair that it is of
    answers_changed: int  # pairs with another top answer


def effects(view: View) -> list[Effect]:
    """Of every factor that was varied, the strongest first; those without a pair come last."""
    points = [point for point in view.points if not point.variant.is_reference]
    varied = [factor for factor in FACTORS if len(_values(factor, points)) > 1]
    expected = _expected_by_backend(view)
    found = [_effect(factor, varied, points, expected) for factor in varied]
    return sorted(
        found, key=lambda effect: -1.0 if effect.mean_points is None else effect.mean_points, reverse=True
    )


def _values(factor: Factor, points: Iterable[Point]) -> list[Any]:
    values = dict.fromkeys(factor.value(point) for point in points)
    return [value for value in values if value is not None]


def _effect(
    factor: Factor, varied: Sequence[Factor], points: Sequence[Point], expected: Mapping[str, str]
) -> Effect:
    every = list(_pairs(factor, varied, points, expected))
    known = [(abs(_points(*pair)), pair) for pair in every if _is_known(pair)]
    largest = max(known, key=lambda effect: effect[0], default=None)
    return Effect(
        factor=factor,
        values=tuple(factor.words(value) for value in _values(factor, points)),
        pairs=len(known),
        unknown=len(every) - len(known),
        mean_points=sum(change for change, _ in known) / len(known) if known else None,
        largest_points=largest[0] if largest else None,
        largest=largest[1] if largest else None,
        answers_changed=sum(_other_answer(*pair) for _, pair in known),
    )


def _pairs(
    factor: Factor, varied: Sequence[Factor], points: Sequence[Point], expected: Mapping[str, str]
) -> Iterator[tuple[Point, Point]]:
    """Cells that differ in this factor alone. Where it decides further choices, each in its usual one."""
    others = [other for other in varied if other != factor and other.key not in factor.follows]
    groups: dict[tuple[Any, ...], list[Point]] = {}
    for point in _representatives(factor, others, points):
        groups.setdefault(tuple(other.value(point) for other in others), []).append(point)
    for group in groups.values():
        for first, second in combinations(group, 2):
            if _comparable(first, second, expected):
                yield first, second


def _representatives(factor: Factor, others: Sequence[Factor], points: Sequence[Point]) -> list[Point]:
    """One cell for each value: of those that differ only in what the factor decides, the most usual one."""
    best: dict[tuple[Any, ...], Point] = {}
    for point in points:
        key = tuple(one.value(point) for one in (factor, *others))
        if key[0] is not None and (key not in best or _unusual(point.variant) < _unusual(best[key].variant)):
            best[key] = point
    return list(best.values())


def _unusual(variant: Variant) -> int:
    """How many of its settings are not the usual ones."""
    return sum(getattr(variant, key) not in {None, axis.usual(variant.format)} for key, axis in AXES.items())


def _expected_by_backend(view: View) -> dict[str, str]:
    """The label whose probability a cell's score is: the original's answer there; {}: the same for all."""
    if view.true_label is not None or view.photo_set is not None:
        return {}
    return {point.backend.name: point.answer for point in view.references}


def _comparable(first: Point, second: Point, expected: Mapping[str, str]) -> bool:
    """Whether both scores are of the same label."""
    if first.backend.name == second.backend.name or not expected:
        return True
    return expected.get(first.backend.name) == expected.get(second.backend.name)


def _is_known(pair: tuple[Point, Point]) -> bool:
    return all(point.score is not None for point in pair)


def _points(first: Point, second: Point) -> float:
    """Change in percentage points."""
    return 100 * ((second.score or 0.0) - (first.score or 0.0))


def _other_answer(first: Point, second: Point) -> bool:
    return bool(first.answer and second.answer) and first.answer != second.answer
