"""How sure a run is, and what more photos would tell: one photo, tens, hundreds.

With labels the question is which difference of accuracy between a copy and the original so many photos can
tell (McNemar's test, 95 %, found in 80 of 100 sets). Without them it is how narrowly the share of unchanged
answers is known. Both depend on how often the two answers differ: what was seen, or where one photo says
nothing of that, USUAL_DISCORDANT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from experiment.figures.view import Point, View, view_of
from experiment.photo_sets.recommendation import LEAST_PHOTOS_TO_ORDER, compared_photos
from experiment.records import OverPhotos
from experiment.report.proportions import detectable_difference, photos_needed, photos_to_know, reach
from experiment.wording import count, points

# Share of photos that only one of two gets right: 36 of 891, 384 px JPEG and the original (docs/accuracy.md).
USUAL_DISCORDANT: Final = 0.04
TIERS: Final = (1, LEAST_PHOTOS_TO_ORDER, 10 * LEAST_PHOTOS_TO_ORDER)
ONE_POINT = 1.0


def photos_for(points_told: float, discordant_share: float) -> int:
    """Photos that tell a difference of accuracy of so many percentage points, in 80 of 100 sets at 5 %.

    `discordant_share`, 0..1: photos that only one of the two gets right; at least the difference itself.
    Connor 1987, Biometrics 43:207.
    """
    return photos_needed(discordant_share, points_told / 100)


def evidence(report: Mapping[str, Any]) -> dict[str, Any]:
    """`photos` that count, in how far they tell, and for each of TIERS what so many would, as JSON values."""
    if report.get("photo_set") is None:
        photos, share, is_accuracy = 1, USUAL_DISCORDANT, report["source"]["true_label"] is not None
        sentence = "One photo shows what happens to this photo, not to your traffic."
    else:
        view = view_of(report)
        copy, is_accuracy = _copy(view), view.is_accuracy
        photos = compared_photos(copy) if copy else report["photo_set"]["measured"]
        share = _discordant_share(copy)
        sentence = _of_a_set(photos, share, is_accuracy)
    return {
        "photos": photos,
        "kind": "photo" if report.get("photo_set") is None else "set",
        "sentence": sentence,
        "tiers": [_tier(total, photos, share, is_accuracy) for total in TIERS],
    }


def _copy(view: View) -> Point | None:
    """The recommended copy; where that is the original, the copy nearest to it on the same backend."""
    chosen = view.recommended()
    if chosen and not chosen.variant.is_reference:
        return chosen
    copies = [
        point
        for point in view.points
        if not point.variant.is_reference and (chosen is None or point.backend == chosen.backend)
    ]
    return max(copies, key=lambda point: point.variant.size_bytes, default=None)


def _discordant_share(copy: Point | None) -> float:
    """As seen; one photo at least, since none among few does not mean none among many."""
    over = (copy.cell.over_photos if copy else None) or OverPhotos(None, None, None, None)
    if over.difference is not None:
        return max(over.difference.gained + over.difference.lost, 1) / max(over.difference.photos, 1)
    if over.agreement is not None:
        return max(over.agreement.total - over.agreement.count, 1) / max(over.agreement.total, 1)
    return USUAL_DISCORDANT


def _told_points(total: int, share: float, is_accuracy: bool) -> float:
    told = detectable_difference(share, total) if is_accuracy else reach(share, total)
    return float(f"{100 * told:.2g}")


def _tier(total: int, photos: int, share: float, is_accuracy: bool) -> dict[str, Any]:
    if total == 1:
        words = "1 photo tells what happens to this photo."
        return {"photos": 1, "detects_points": None, "sentence": words}
    told = _told_points(total, share, is_accuracy)
    tell = "tell" if photos >= total else "would tell"
    return {
        "photos": total,
        "detects_points": told,
        "sentence": f"{total} photos {tell} {_what(told, is_accuracy)}.",
    }


def _what(told: float, is_accuracy: bool) -> str:
    if is_accuracy:
        return f"a difference in accuracy of about {points(told)}"
    return f"how many answers stay the same, to within about {points(told)}"


def _of_a_set(photos: int, share: float, is_accuracy: bool) -> str:
    if photos < 2:
        return "Too few photos were compared to say anything about others."
    now = f"{count(photos, 'photo')} tell {_what(_told_points(photos, share, is_accuracy), is_accuracy)}."
    one = ONE_POINT / 100
    needed = photos_for(ONE_POINT, share) if is_accuracy else photos_to_know(share, one)
    if needed <= photos:
        return now
    about = float(f"{needed:.2g}")
    return f"{now} For 1 point it takes about {about:,.0f}."
