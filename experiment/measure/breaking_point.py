"""The smallest copy that keeps the top answer: bisect the size, then the quality at that size.

Pure: whoever calls says how a copy is asked for. About 16 requests find the place in a photo of
2000 px, up to 10 more look at its neighbours; trying every size and quality would take thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiment.measure.bisection import last_kept, neighbours
from experiment.records import SearchStep

SMALLEST_PX = 16  # the plan's own limit
LOWEST_QUALITY = 1
STEPS_PER_OCTAVE = 16  # sizes are 4 % apart: finer ones would tell one photo's noise

# (size_px, quality) -> what the backend said to that copy
Ask = Callable[[int, int], SearchStep]


@dataclass(frozen=True, slots=True)
class Found:
    """Where the answer changes. A size of None: it changes already at the largest copy."""

    size_px: int | None
    quality: int | None
    lost_size_px: int | None  # the next smaller size, which loses the answer; None: there is none
    lost_quality: int | None  # likewise the next lower quality
    lost_above_px: int | None  # a neighbour among the larger sizes that loses the answer all the same
    kept_below_px: int | None  # one among the smaller sizes that has it again
    lost_above_quality: int | None
    kept_below_quality: int | None


def sizes_to_try(longest_px: int) -> list[int]:
    """From the original's longest side down to 16 px, each about 4 % smaller than the one before."""
    sizes = [longest_px]
    while sizes[-1] > SMALLEST_PX:
        size_px = longest_px * 2 ** (-len(sizes) / STEPS_PER_OCTAVE)
        sizes.append(max(SMALLEST_PX, min(sizes[-1] - 1, round(size_px))))
    return sizes


def search(longest_px: int, quality: int, ask: Ask) -> Found:
    """Ask for copies of one photo, the largest `longest_px`, the first quality `quality`."""
    by_size = _Row(sizes_to_try(longest_px), lambda size_px: ask(size_px, quality).kept)
    if by_size.place is None:
        return Found(None, None, by_size.values[0], None, None, None, None, None)
    size_px = by_size.values[by_size.place]
    qualities = list(range(quality, LOWEST_QUALITY - 1, -1))
    by_quality = _Row(qualities, lambda each: ask(size_px, each).kept)
    assert by_quality.place is not None  # noqa: S101  its first value was asked for and keeps
    return Found(
        size_px=size_px,
        quality=by_quality.values[by_quality.place],
        lost_size_px=by_size.next_lost,
        lost_quality=by_quality.next_lost,
        lost_above_px=by_size.lost_above,
        kept_below_px=by_size.kept_below,
        lost_above_quality=by_quality.lost_above,
        kept_below_quality=by_quality.kept_below,
    )


class _Row:
    """One bisection with its neighbours; no value is asked for twice."""

    def __init__(self, values: Sequence[int], keeps: Callable[[int], bool]):
        self.values = values
        self._keeps = keeps
        self._known: dict[int, bool] = {}
        self.place = last_kept(values, self._asked)
        self.lost_above: int | None = None
        self.kept_below: int | None = None
        if self.place is not None:
            self._look_around(self.place)

    @property
    def next_lost(self) -> int | None:
        """The value after the place; None where the place is the last."""
        is_last = self.place is None or self.place + 1 == len(self.values)
        return None if is_last else self.values[(self.place or 0) + 1]

    def _look_around(self, place: int) -> None:
        """All that was asked counts, the bisection's own values too; the nearest one is named."""
        for each in (value for side in neighbours(self.values, place) for value in side):
            self._asked(each)
        found = self.values[place]
        self.lost_above = min((v for v, kept in self._known.items() if v > found and not kept), default=None)
        self.kept_below = max((v for v, kept in self._known.items() if v < found and kept), default=None)

    def _asked(self, value: int) -> bool:
        if value not in self._known:
            self._known[value] = self._keeps(value)
        return self._known[value]
