"""found_words(): the breaking point in a sentence."""

from __future__ import annotations

from experiment.measure.breaking_point import LOWEST_QUALITY, SMALLEST_PX, Found
from experiment.wording import listed, short_label


def with_article(label: str) -> str:
    """ "tabby, tabby cat" -> "a tabby", "otter" -> "an otter"."""
    name = short_label(label)
    return f"{'an' if name[:1].lower() in {*'aeiou'} else 'a'} {name}"


def found_words(found: Found, label: str, first_quality: int) -> str:
    """ "Still a tabby down to 181 px, JPEG q34.", and whether the answer flickers there.

    `found` must have a size, `first_quality` is the one that the search began with.
    """
    what = f"till {with_article(label)} down to {found.size_px} px"
    smallest = ", the smallest that is tried" if found.size_px == SMALLEST_PX else ""
    if found.never_changes:
        words = f"Never changes: s{what}, JPEG q{found.quality}, the smallest copy that is tried."
    elif found.quality == LOWEST_QUALITY < first_quality:
        words = f"S{what}{smallest}, there even at JPEG q{LOWEST_QUALITY}."
    else:
        words = f"S{what}{smallest}, JPEG q{found.quality}."
    return words + _flicker(found)


def _flicker(found: Found) -> str:
    changed = _named(found.lost_above_px, found.lost_above_quality)
    back = _named(found.kept_below_px, found.kept_below_quality)
    parts = [f"it changes at {changed}" if changed else "", f"is back at {back}" if back else ""]
    said = " but ".join(part for part in parts if part)
    if not said:
        return ""
    return f" The answer is unstable around there: {said if changed else f'it {said}'}. Stay well above."


def _named(size_px: int | None, quality: int | None) -> str:
    names = [f"{size_px} px" if size_px else "", f"q{quality}" if quality else ""]
    return listed([name for name in names if name])
