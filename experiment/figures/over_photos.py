"""What figures show for photo sets: shares with their intervals instead of one photo's probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiment.figures.frame import error_bars
from experiment.figures.view import Point, View
from experiment.records import OverPhotos, Share
from experiment.wording import difference_words, share_words

CAP_PX = 4


def score_column(view: View) -> str:
    """What a table calls the score."""
    if view.photo_set is None:
        return "Probability, %"
    return "Top-1, %" if view.is_accuracy else "Same answer, %"


def axis_title(view: View) -> str:
    """The title of the score's axis for photo sets."""
    return "Top-1 accuracy, % of photos" if view.is_accuracy else "Same answer as the original, % of photos"


def what_is_shown(view: View) -> str:
    """The first sentence of a caption: accuracy or agreement, and of how many photos."""
    facts = view.photo_set
    if facts is None:
        return ""
    bars = "Bars: 95 % intervals."
    if view.is_accuracy:
        return f"Accuracy: the share of {facts.labelled:,} labelled photos whose top answer is right. {bars}"
    return (
        f"Agreement: the share of {facts.measured:,} photos with the same top answer as the original. "
        f"Without labels it is not known which answers are right. {bars}"
    )


def describe_shares(point: Point) -> list[str]:
    """The lines that a point of a photo set shows when pointed at; none for one photo."""
    over = point.cell.over_photos
    return [] if over is None else [text for text in _lines(over) if text]


def bars(points: Sequence[Point], colour: str) -> dict[str, Any]:
    """Vertical bars over the intervals of the scores; nothing for one photo."""
    if not any(point.low is not None for point in points):
        return {}
    arms = [(point.percent or 0.0, point.low or 0.0, point.high or 0.0) for point in points]
    up = [round(100 * high - middle, 4) for middle, _, high in arms]
    down = [round(middle - 100 * low, 4) for middle, low, _ in arms]
    return {"error_y": error_bars(up, down, colour, CAP_PX)}


def _lines(over: OverPhotos) -> list[str]:
    return [
        _share("top-1", over.top1),
        _share("top-5", over.top5),
        f"difference {difference_words(over.difference)}" if over.difference else "",
        _share("same answer as the original", over.agreement),
    ]


def _share(name: str, share: Share | None) -> str:
    return "" if share is None else f"{name} {share_words(share)}, {share.count:,} of {share.total:,} photos"
