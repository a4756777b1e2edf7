"""Where a yes becomes a no along a row of values: halving, and a look at the neighbours.

Halving finds one place where the answer changes. That there is only one is a guess, not known:
whether a copy keeps its answer need not depend on its size in one direction. So the values beside
the place are looked at too, and whoever reports it can say whether the answer flickers there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

NEIGHBOURS = 3  # looked at on either side


def last_kept(values: Sequence[int], keeps: Callable[[int], bool]) -> int | None:
    """The place of a value that keeps while the next one does not; `values` begin with the easiest.

    None: not even the first one keeps. The last place: the last one keeps, and so do those at the
    quarters between; where one of these does not, the search goes on before it.
    """
    if not keeps(values[0]):
        return None
    low, high = 0, len(values) - 1
    if keeps(values[high]):
        lost = next((place for place in _quarters(high) if not keeps(values[place])), None)
        if lost is None:
            return high
        high = lost
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if keeps(values[middle]) else (low, middle)
    return low


def neighbours(values: Sequence[int], place: int) -> tuple[Sequence[int], Sequence[int]]:
    """The values just before and just after a place, nearest first."""
    before = values[max(0, place - NEIGHBOURS) : place]
    return list(reversed(before)), values[place + 1 : place + 1 + NEIGHBOURS]


def _quarters(last: int) -> list[int]:
    places = [last * quarter // 4 for quarter in (1, 2, 3)]
    return [place for place in dict.fromkeys(places) if 0 < place < last]
