"""Where the labels of points may stand without covering each other or another point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The plot as it is on a phone; on a wider one there is more room than this.
WIDTH_PX, HEIGHT_PX = 280.0, 240.0
CHARACTER_PX, LINE_PX = 7.0, 13.0

# Position -> the direction of the label from its point: to the right, and up.
POSITIONS = {
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
}


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
        """Whether the two share any area."""
        return (
            abs(self.x - other.x) * 2 < self.width + other.width
            and abs(self.y - other.y) * 2 < self.height + other.height
        )


def place_labels(spots: Sequence[Spot]) -> list[str | None]:
    """Plotly's textposition for each spot, or None where its label finds no room.

    Spots choose in the order they come in.
    """
    points = [_on_plot(spot) for spot in spots]
    taken: list[Box] = []
    positions: list[str | None] = []
    for number, (spot, point) in enumerate(zip(spots, points, strict=True)):
        others = [*points[:number], *points[number + 1 :], *taken]
        position, box = _free_place(spot, point, others)
        positions.append(position)
        if box is not None:
            taken.append(box)
    return positions


def _on_plot(spot: Spot) -> Box:
    side = 2 * spot.radius_px
    return Box(spot.x * WIDTH_PX, spot.y * HEIGHT_PX, side, side)


def _free_place(spot: Spot, point: Box, others: Sequence[Box]) -> tuple[str | None, Box | None]:
    width = CHARACTER_PX * len(spot.text)
    for position, (right, up) in POSITIONS.items():
        box = Box(
            point.x + right * (point.width + width) / 2,
            point.y + up * (point.height + LINE_PX) / 2,
            width,
            LINE_PX,
        )
        if not any(box.overlaps(other) for other in others):
            return position, box
    return None, None
