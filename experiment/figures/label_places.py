"""Where the labels of points may stand without covering each other or another point."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

# The plot as it is on a phone; on a wider one there is more room than this.
WIDTH_PX, HEIGHT_PX = 280.0, 240.0
CHARACTER_PX, LINE_PX = 7.0, 13.0
MOST_CHARACTERS = 60  # that are given room; an imported name may be of any length
PART_PX = 4.0  # of the grid that finds neighbours; less than half a point
STROKE_PX = 3.0  # width of a line, with some air
OUTSIDE_PX = 8.0  # by which a label may cross the left or right edge
TOUCHING_PX = 1e-6  # what neighbours may share and still lie side by side

# Position -> the direction of the label from its point: to the right, and up.
POSITIONS = {"top center": (0, 1), "bottom center": (0, -1), "middle right": (1, 0), "middle left": (-1, 0)}


@dataclass(frozen=True, slots=True)
class Spot:
    """A point on the plot and the words that should stand beside it."""

    x: float  # share of the plot's width, 0..1
    y: float  # share of its height
    text: str
    radius_px: float = 6.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px, by its centre."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box) -> bool:
        """Whether the two share any area; side by side they don't."""
        return (
            abs(self.x - other.x) * 2 < self.width + other.width - TOUCHING_PX
            and abs(self.y - other.y) * 2 < self.height + other.height - TOUCHING_PX
        )


Place = tuple[float, float]  # x and y, each 0..1


def place_labels(spots: Sequence[Spot], strokes: Sequence[tuple[Place, Place]] = ()) -> list[str | None]:
    """Plotly's textposition for each spot, or None where its label finds no room.

    Spots choose in the order they come in. `strokes` are lines between two points, which no label may cross.
    """
    points = [_on_plot(spot) for spot in spots]
    grid = _Grid()
    for point in points:
        grid.add(point)
    for one, other in strokes:
        for box in _along(one, other):
            grid.add(box)
    positions: list[str | None] = []
    for spot, point in zip(spots, points, strict=True):
        position, box = _free_place(spot, point, grid)
        positions.append(position)
        if box is not None:
            grid.add(box)
    return positions


class _Grid:
    """Boxes by the parts of the plot that they touch, so that each is compared with its neighbours alone.

    A part that one box covers as a whole needs no comparing: thousands of points in one cloud cost little.
    """

    def __init__(self) -> None:
        self._boxes: dict[tuple[int, int], set[Box]] = defaultdict(set)
        self._covered: set[tuple[int, int]] = set()

    def add(self, box: Box) -> None:
        """Here it takes room from now on."""
        inner = set(product(_parts(box.x, box.width, covered=True), _parts(box.y, box.height, covered=True)))
        self._covered |= inner
        for part in _touched(box):
            if part not in self._covered:
                self._boxes[part].add(box)

    def is_free(self, box: Box) -> bool:
        """Whether nothing shares any area with it."""
        parts = list(_touched(box))
        return self._covered.isdisjoint(parts) and not any(
            box.overlaps(other) for part in parts for other in self._boxes.get(part, ())
        )


def _touched(box: Box) -> Iterator[tuple[int, int]]:
    return product(_parts(box.x, box.width), _parts(box.y, box.height))


def _parts(middle: float, length: float, *, covered: bool = False) -> range:
    """The parts of one axis that a length touches, or only those that it covers as a whole."""
    first, last = (middle - length / 2) / PART_PX, (middle + length / 2) / PART_PX
    slack = TOUCHING_PX / PART_PX
    if covered:
        return range(math.ceil(first - slack), math.floor(last + slack))
    return range(math.floor(first + slack), math.ceil(last - slack))


def _along(one: Place, other: Place) -> Iterator[Box]:
    """Small boxes that cover a line."""
    (x, y), (to_x, to_y) = ((place[0] * WIDTH_PX, place[1] * HEIGHT_PX) for place in (one, other))
    steps = max(1, math.ceil(math.hypot(to_x - x, to_y - y) / STROKE_PX))
    for step in range(steps + 1):
        part = step / steps
        yield Box(x + part * (to_x - x), y + part * (to_y - y), STROKE_PX, STROKE_PX)


def _on_plot(spot: Spot) -> Box:
    side = 2 * spot.radius_px
    return Box(spot.x * WIDTH_PX, spot.y * HEIGHT_PX, side, side)


def _free_place(spot: Spot, point: Box, grid: _Grid) -> tuple[str | None, Box | None]:
    width = CHARACTER_PX * min(len(spot.text), MOST_CHARACTERS)
    for position, (right, up) in POSITIONS.items():
        box = Box(
            point.x + right * (point.width + width) / 2,
            point.y + up * (point.height + LINE_PX) / 2,
            width,
            LINE_PX,
        )
        if _is_inside(box) and grid.is_free(box):
            return position, box
    return None, None


def _is_inside(box: Box) -> bool:
    """Whether neither the axis nor the end of the plot cuts it."""
    left, right = box.x - box.width / 2, box.x + box.width / 2
    return left >= -OUTSIDE_PX and right <= WIDTH_PX + OUTSIDE_PX
