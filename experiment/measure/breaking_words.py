"""What a search for the breaking point found, in a sentence."""

from __future__ import annotations

from experiment.measure.breaking_point import LOWEST_QUALITY, SMALLEST_PX, Found
from experiment.records import Failure, SearchStep
from experiment.wording import count, listed, short_label


def with_article(label: str) -> str:
    """ "tabby, tabby cat" -> "a tabby", "otter" -> "an otter"."""
    name = short_label(label)
    return f"{'an' if name[:1].lower() in {*'aeiou'} else 'a'} {name}"


def found_words(found: Found, label: str, first_quality: int) -> str:
    """ "Still a tabby down to 181 px, JPEG q34.", and whether the answer flickers there."""
    return _place(found, label, first_quality) + _flicker(found)


def flickers(found: Found) -> bool:
    """Whether something that was asked does not fit one place of change."""
    odd = (found.lost_above_px, found.kept_below_px, found.lost_above_quality, found.kept_below_quality)
    return any(each is not None for each in odd)


def never_changes(found: Found) -> bool:
    """Whether even the smallest copy at the lowest quality keeps the answer."""
    return (found.size_px, found.quality) == (SMALLEST_PX, LOWEST_QUALITY)


def at_once_words(first: SearchStep, label: str) -> str:
    """Not even the largest copy keeps the answer."""
    return (
        f"Changes already at the largest copy ({first.size_px} px, JPEG q{first.quality}): "
        f"{short_label(first.label)} instead of {short_label(label)}."
    )


def not_right_words(answer: str, true_label: str) -> str:
    """A true label is given, and the original's answer is another."""
    return (
        f"The answer to the original is {short_label(answer)}, not {short_label(true_label)}: "
        "there is no right answer to keep."
    )


def failed_words(backend_name: str, failure: Failure) -> str:
    """A request failed."""
    return f"The search on {backend_name} ended early: {failure.message}"


def cancelled_words(requests: int) -> str:
    """Somebody stopped it."""
    return f"Stopped after {count(requests, 'request')}, before the smallest copy was found."


def _place(found: Found, label: str, first_quality: int) -> str:
    what = f"till {with_article(label)} down to {found.size_px} px"
    if never_changes(found):
        return f"Never changes: s{what}, JPEG q{found.quality}, the smallest copy that is tried."
    smallest = ", the smallest that is tried" if found.size_px == SMALLEST_PX else ""
    if found.quality == LOWEST_QUALITY < first_quality:
        return f"S{what}{smallest}, there even at JPEG q{LOWEST_QUALITY}."
    return f"S{what}{smallest}, JPEG q{found.quality}."


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
