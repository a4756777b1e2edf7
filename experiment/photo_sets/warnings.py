"""The warnings of a report about a set: most of those of one photo, and cautions.SET_CODES."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from experiment.photo_sets.tally import Tally
from experiment.records import (
    BackendInfo,
    Cell,
    GivenLabels,
    PhotoSetFacts,
    Plan,
    RunState,
    Variant,
    Warning_,
    is_live,
)
from experiment.report.contention import NOT_THERE
from experiment.report.warnings import as_warning, busy_app, shared_machine, short_of_cores
from experiment.wording import count, listed, points, sentence, short_label

MOST_NAMED = 5
MOST_NOTES = 3


@dataclass(frozen=True, slots=True)
class SetFacts:
    """What the warnings are drawn from."""

    state: RunState
    plan: Plan
    backends: Sequence[BackendInfo]
    variants: Sequence[Variant]
    cells: Sequence[Cell]
    photo_set: PhotoSetFacts
    tally: Tally
    late_ms: float | None


def set_cautions(facts: SetFacts) -> tuple[Warning_, ...]:
    """Every warning that the facts call for, in the order of their codes."""
    rows: tuple[tuple[str, Callable[[SetFacts], Iterator[str | Warning_]]], ...] = (
        ("W3", shared_machine),
        ("W4", busy_app),
        ("W6", _small_photos),
        ("W8", _unusable_backends),
        ("W9", _changed_pixels),
        ("W10", _failed_requests),
        ("W12", _early_end),
        ("W13", short_of_cores),
        ("W14", _skipped_photos),
        ("W15", _unknown_labels),
        ("W16", _unseen_labels),
        ("W17", _small_differences),
        ("W18", _labels_that_miss),
    )
    return tuple(as_warning(code, found) for code, find in rows for found in find(facts))


def _small_photos(facts: SetFacts) -> Iterator[str]:
    measured = facts.tally.measured
    skipped = sorted(facts.tally.skipped_sizes_px.items(), reverse=True)
    parts = [f"{size_px} px for {number:,}" for size_px, number in skipped]
    if parts:
        yield (
            f"Sizes above a photo's own were skipped, of {count(measured, 'photo')}: {listed(parts)}. "
            "Nothing is enlarged. So sizes stand for different photos; each difference is on the same ones."
        )


def _unusable_backends(facts: SetFacts) -> Iterator[Warning_]:
    for info in facts.backends:
        asked = facts.tally.backends.get(info.name)
        if info.state in NOT_THERE and (asked is None or asked.unanswered == asked.asked):
            words = f"{info.name}: {sentence(info.detail or info.state)}"
            yield Warning_("W8", words, "warning" if info.is_present else "note")


def _changed_pixels(facts: SetFacts) -> Iterator[str]:
    notes = facts.tally.notes.most_common()
    if notes:
        named = [f"{sentence(note)[:-1]} ({number:,})" for note, number in notes[:MOST_NOTES]]
        more = f"; and {len(notes) - MOST_NOTES} other kinds of change" if len(notes) > MOST_NOTES else ""
        yield f"Pixels were changed to make photos usable: {'; '.join(named)}{more}."


def _failed_requests(facts: SetFacts) -> Iterator[str]:
    for name, each in facts.tally.backends.items():
        if each.failed:
            warmups = f" ({each.warmups_failed:,} of them warm-ups)" if each.warmups_failed else ""
            yield (
                f"{each.failed:,} of {count(each.asked, 'request')} to {name} failed{warmups}: "
                f"{sentence(each.most_frequent[0].message)}"
            )


def _early_end(facts: SetFacts) -> Iterator[str]:
    if facts.state in {"cancelled", "failed"}:
        what = "Stopped" if facts.state == "cancelled" else "The run failed"
        yield (
            f"{what} after {facts.tally.done:,} of {count(facts.photo_set.count, 'photo')}. "
            "They came in random order, so the results so far are a fair sample."
        )


def _skipped_photos(facts: SetFacts) -> Iterator[str]:
    skipped = [each for each in facts.photo_set.skipped if each.code != "missing"]
    if skipped:
        # Each begins with a file's name.
        named = [sentence(each.message, capital=False) for each in skipped[:MOST_NAMED]]
        more = f" And {len(skipped) - MOST_NAMED:,} more." if len(skipped) > MOST_NAMED else ""
        yield f"{count(len(skipped), 'photo')} could not be used. {' '.join(named)}{more}"


def _unknown_labels(facts: SetFacts) -> Iterator[str]:
    unknown = facts.photo_set.unknown_labels
    if unknown:
        photos = sum(each.photos for each in unknown)
        have = "photo has a label" if photos == 1 else "photos have labels"
        yield (
            f"{photos:,} {have} that the model does not know ({_some([each.label for each in unknown])}): "
            "they count for latency and agreement, not for accuracy. Ids need a --label-map."
        )


def _unseen_labels(facts: SetFacts) -> Iterator[str]:
    unseen = [label for label in facts.tally.wanted_labels if label not in facts.tally.seen_labels]
    if unseen and not is_live(facts.state):
        photos = sum(facts.tally.wanted_labels[label] for label in unseen)
        yield (
            f"{count(len(unseen), 'label')} ({_some(unseen)}) never appeared in any top 5, for "
            f"{count(photos, 'photo')}: they count as wrong. Check how the model spells them."
        )


def _small_differences(facts: SetFacts) -> Iterator[str]:
    cells = [each.over_photos.difference for each in facts.cells if each.over_photos]
    found = [each for each in cells if each is not None]
    if found:
        widest = max(found, key=lambda each: each.detectable_points)
        finest = min(found, key=lambda each: each.detectable_points)
        bounds = _from_to(finest.detectable_points, widest.detectable_points)
        yield (
            f"With {count(widest.photos, 'photo')}, differences in accuracy below about {bounds} "
            "can't be seen (80 % power). Each p is that of one comparison; there are "
            f"{facts.photo_set.comparisons}, and mcnemar_p_holm is corrected for that."
        )


def _labels_that_miss(facts: SetFacts) -> Iterator[Warning_]:
    given = facts.photo_set.given_labels
    if given is not None:
        rows = [each.message for each in facts.photo_set.skipped if each.code == "missing"]
        yield from labels_that_miss(given, facts.photo_set.count, rows)


def labels_that_miss(given: GivenLabels, photos: int, rows: Sequence[str]) -> Iterator[Warning_]:
    """Whether a CSV of labels and the set are of the same files. `rows`: about the first that are not.

    A note where the CSV is of a larger set, or of a part of this one; a warning where both lack something.
    """
    without = photos - given.photos
    parts = []
    if not given.photos:
        parts.append(
            f"No photo has a label: {given.name} names {count(given.rows, 'file')}, and none of them is in "
            "the set. So what the photos show is not known; answers are compared with the originals' alone."
        )
    elif without:
        have = "has" if without == 1 else "have"
        parts.append(
            f"{without:,} of {photos:,} photos {have} no label in {given.name}, "
            "and accuracy is that of the others."
        )
    if given.unlabelled is not None:
        parts.append(f"The first one without is {given.unlabelled}.")
    if given.unused:
        named = [sentence(each, capital=False) for each in rows[:MOST_NAMED]]
        more = f" And {given.unused - len(named):,} more." if given.unused > len(named) else ""
        parts.append(f"{count(given.unused, 'row')} of the CSV without a photo: {' '.join(named)}{more}")
    is_amiss = without and (given.unused or 2 * given.photos < photos)
    if parts:
        yield Warning_("W18", " ".join(parts), "warning" if is_amiss else "note")


def _from_to(low: float, high: float) -> str:
    return points(high) if points(low) == points(high) else f"{points(low).split()[0]} to {points(high)}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(short_label(each) for each in names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else shown
