"""search(): the smallest copy that keeps the top answer. Bisects the size, then the quality at that size.

Pure: the caller sends the requests. For a photo of 2000 px it takes about 16 requests, and up to 10 more for
neighbours; trying every size and quality would take thousands.

Bisection finds one place where the answer changes. There may be others: an answer need not depend on size in
one direction only. So the neighbours of that place are requested too, to see whether the answer flickers
there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from experiment.records import SearchStep

SMALLEST_PX = 16  # the limit of plans too
LOWEST_QUALITY = 1
STEPS_PER_OCTAVE = 16  # sizes are 4 % apart; finer steps would show the noise of one photo
NEIGHBOURS = 3  # on either side

Ask = Callable[[int, int], SearchStep]  # size_px and quality -> the answer to that copy


@dataclass(frozen=True, slots=True)
class Found:
    """The smallest copy that keeps the answer. A size of None: not even the largest copy keeps it."""

    size_px: int | None = None
    quality: int | None = None
    lost_size_px: int | None = None  # the next smaller size; None: there is none
    lost_quality: int | None = None  # the next lower quality; None: there is none
    lost_above_px: int | None = None  # a larger size nearby that loses the answer; None: none was found
    kept_below_px: int | None = None  # a smaller size nearby that keeps it
    lost_above_quality: int | None = None  # likewise of the quality
    kept_below_quality: int | None = None

    @property
    def flickers(self) -> bool:
        """Whether a neighbour contradicts a single place of change."""
        odd = (self.lost_above_px, self.kept_below_px, self.lost_above_quality, self.kept_below_quality)
        return any(value is not None for value in odd)

    @property
    def never_changes(self) -> bool:
        """Whether even the smallest copy in the lowest quality keeps the answer."""
        return (self.size_px, self.quality) == (SMALLEST_PX, LOWEST_QUALITY)


def sizes_to_try(longest_px: int) -> list[int]:
    """From the original's longest side down to 16 px in steps of about 4 %: 2000, 1915, 1834 ..."""
    sizes = [longest_px]
    while sizes[-1] > SMALLEST_PX:
        size_px = longest_px * 2 ** (-len(sizes) / STEPS_PER_OCTAVE)
        sizes.append(max(SMALLEST_PX, min(sizes[-1] - 1, round(size_px))))
    return sizes


def search(longest_px: int, quality: int, ask: Ask) -> Found:
    """Requests copies of a photo whose longest side is `longest_px`, starting with `quality`."""
    sizes = sizes_to_try(longest_px)
    by_size = _bisect(sizes, lambda size_px: ask(size_px, quality).kept)
    if by_size is None:
        return Found(lost_size_px=sizes[0])
    qualities = range(quality, LOWEST_QUALITY - 1, -1)
    by_quality = _bisect(qualities, lambda lower: ask(by_size.kept, lower).kept)
    assert by_quality is not None  # noqa: S101  its first value was requested already, and keeps the answer
    return Found(
        size_px=by_size.kept,
        quality=by_quality.kept,
        lost_size_px=by_size.next_lower,
        lost_quality=by_quality.next_lower,
        lost_above_px=by_size.lost_above,
        kept_below_px=by_size.kept_below,
        lost_above_quality=by_quality.lost_above,
        kept_below_quality=by_quality.kept_below,
    )


class _Place(NamedTuple):
    """Where an answer changes along falling values."""

    kept: int  # the last value that keeps the answer
    next_lower: int | None  # None: `kept` is the last value
    lost_above: int | None  # the nearest larger value that loses the answer
    kept_below: int | None  # the nearest smaller value that keeps it


def _bisect(values: Sequence[int], keeps: Callable[[int], bool]) -> _Place | None:
    """The place where the answer changes; None: the first value loses it. No value is tried twice."""
    known: dict[int, bool] = {}

    def tried(value: int) -> bool:
        if value not in known:
            known[value] = keeps(value)
        return known[value]

    place = last_kept(values, tried)
    if place is None:
        return None
    found = values[place]
    for value in values[max(0, place - NEIGHBOURS) : place + 1 + NEIGHBOURS]:
        tried(value)
    return _Place(
        found,
        values[place + 1] if place + 1 < len(values) else None,
        min((value for value, is_kept in known.items() if value > found and not is_kept), default=None),
        max((value for value, is_kept in known.items() if value < found and is_kept), default=None),
    )


def last_kept(values: Sequence[int], keeps: Callable[[int], bool]) -> int | None:
    """The index of a value that keeps the answer while the next one does not. `values` fall.

    None: not even the first value keeps it. The last index: the last value keeps it, and so do those at the
    quarters; if one of these does not, the search goes on before it.
    """
    if not keeps(values[0]):
        return None
    low, high = 0, len(values) - 1
    if keeps(values[high]):
        quarters = [high * quarter // 4 for quarter in (1, 2, 3)]
        lost = next((place for place in quarters if 0 < place < high and not keeps(values[place])), None)
        if lost is None:
            return high
        high = lost
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(values[middle]) else (low, middle)
    return low
