"""The warnings of a report about photo sets: most of those of one photo, and SET_CODES."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from experiment.photo_sets.counts import SetCounts
from experiment.photo_sets.label_match import NO_SUCH_PHOTO
from experiment.records import (
    BackendInfo,
    Cell,
    GivenLabels,
    PhotoSetFacts,
    RunState,
    SkippedPhoto,
    Warning_,
    is_live,
)
from experiment.report.contention import NOT_THERE
from experiment.report.goals import Results
from experiment.report.versions import several_versions
from experiment.report.warnings import (
    ENDED_EARLY,
    as_warnings,
    busy_machine,
    different_models,
    left_out,
    shared_machine,
    short_of_cores,
    unread_formats,
)
from experiment.wording import count, listed, points, sentence, short_label

MOST_NAMED = 5
MOST_NOTES = 3


def warnings_of_set(
    results: Results, photo_set: PhotoSetFacts, counts: SetCounts, *, was_busy: bool
) -> tuple[Warning_, ...]:
    """Every warning that a run over a set calls for, in the order of their codes."""
    found: tuple[tuple[str, Iterable[str | Warning_]], ...] = (
        ("W3", shared_machine(results.backends, results.plan.order)),
        ("W4", busy_machine(results.cells, was_busy=was_busy)),
        ("W6", _small_photos(counts)),
        ("W8", _unusable_backends(results.backends, counts)),
        ("W9", _changed_pixels(counts)),
        ("W10", _failed_requests(counts)),
        ("W12", _early_end(results.state, counts.done, photo_set.count)),
        ("W13", short_of_cores(results.backends)),
        ("W14", _skipped_photos(photo_set)),
        ("W15", _unknown_labels(photo_set)),
        ("W16", _unseen_labels(results.state, counts)),
        ("W17", _small_differences(results.cells, photo_set.comparisons)),
        ("W18", _labels_that_miss(photo_set)),
        ("W19", _workers_together(counts)),
        ("W22", different_models(results.backends, results.cells)),
        ("W23", unread_formats(results.backends, results.plan.formats)),
        ("W24", several_versions(results.backends, counts.versions)),
    )
    return as_warnings(found)


def _small_photos(counts: SetCounts) -> Iterator[str]:
    skipped = sorted(counts.skipped_sizes_px.items(), reverse=True)
    parts = [f"{size_px} px for {number:,}" for size_px, number in skipped]
    if parts:
        yield (
            f"Sizes above a photo's own were skipped, of {count(counts.measured, 'photo')}: {listed(parts)}. "
            "Nothing is enlarged. So sizes cover different photos, but every difference is on the same ones."
        )


def _unusable_backends(backends: Iterable[BackendInfo], counts: SetCounts) -> Iterator[Warning_]:
    for info in backends:
        asked, why = counts.backends.get(info.name), sentence(info.detail or info.state)
        if info.state in NOT_THERE and asked is None:
            yield left_out(info, why)


def _changed_pixels(counts: SetCounts) -> Iterator[str]:
    notes = counts.notes.most_common()
    if notes:
        named = [f"{sentence(note).rstrip('.')} ({number:,})" for note, number in notes[:MOST_NOTES]]
        more = f"; and {len(notes) - MOST_NOTES} other kinds of change" if len(notes) > MOST_NOTES else ""
        yield f"Pixels were changed to make photos usable: {'; '.join(named)}{more}."


def _failed_requests(counts: SetCounts) -> Iterator[str]:
    for name, failures in counts.backends.items():
        if failures.failed:
            warmups = f" ({failures.warmups_failed:,} of them warm-ups)" if failures.warmups_failed else ""
            yield (
                f"{failures.failed:,} of {count(failures.asked, 'request')} to {name} failed{warmups}: "
                f"{sentence(failures.most_frequent[0].message)}"
            )


def _early_end(state: RunState, done: int, photos: int) -> Iterator[Warning_]:
    if state in ENDED_EARLY:
        what = "Stopped" if state == "cancelled" else "The run failed"
        words = (
            f"{what} after {done:,} of {count(photos, 'photo')}. "
            "They came in random order, so the results so far are a fair sample."
        )
        yield Warning_("W12", words, "note" if state == "cancelled" else "warning")


def _skipped_photos(photo_set: PhotoSetFacts) -> Iterator[str]:
    skipped = [photo for photo in photo_set.skipped if photo.code != "missing"]
    if skipped:
        # Each begins with a file's name.
        named = [sentence(photo.message, capital=False) for photo in skipped[:MOST_NAMED]]
        more = f" And {len(skipped) - MOST_NAMED:,} more." if len(skipped) > MOST_NAMED else ""
        yield f"{count(len(skipped), 'photo')} could not be used. {' '.join(named)}{more}"


def _unknown_labels(photo_set: PhotoSetFacts) -> Iterator[str]:
    unknown = photo_set.unknown_labels
    if unknown:
        photos = sum(label.photos for label in unknown)
        have = "photo has a label" if photos == 1 else "photos have labels"
        yield (
            f"{photos:,} {have} that the model does not know ({_some([label.label for label in unknown])}): "
            "they count for latency and agreement, not for accuracy. If these are ids, use the model's class "
            "names."
        )


def _unseen_labels(state: RunState, counts: SetCounts) -> Iterator[str]:
    unseen = [label for label in counts.wanted_labels if label not in counts.seen_labels]
    if unseen and not is_live(state):
        photos = sum(counts.wanted_labels[label] for label in unseen)
        yield (
            f"{count(len(unseen), 'label')} never appeared in a top 5: {_some(unseen)}. "
            f"{'Does it' if len(unseen) == 1 else 'Do they'} match the model's class names? Until then "
            f"{count(photos, 'photo')} {'counts' if photos == 1 else 'count'} as wrong."
        )


def _small_differences(cells: Iterable[Cell], comparisons: int) -> Iterator[str]:
    over = [cell.over_photos for cell in cells if cell.over_photos is not None]
    found = [photos.difference for photos in over if photos.difference is not None]
    if found:
        widest = max(found, key=lambda difference: difference.detectable_points)
        finest = min(found, key=lambda difference: difference.detectable_points)
        low, high = points(finest.detectable_points), points(widest.detectable_points)
        bounds = high if low == high else f"{low.split()[0]} to {high}"
        yield (
            f"With {count(widest.photos, 'photo')}, differences in accuracy below about {bounds} "
            "can't be detected (80 % power). p-values are per comparison; those corrected for all "
            f"{comparisons} are in the export."
        )


def _labels_that_miss(photo_set: PhotoSetFacts) -> Iterator[Warning_]:
    if photo_set.given_labels is not None:
        rows = [photo for photo in photo_set.skipped if photo.code == "missing"]
        yield from labels_that_miss(photo_set.given_labels, photo_set.count, rows)


def labels_that_miss(given: GivenLabels, photos: int, rows: Sequence[SkippedPhoto]) -> Iterator[Warning_]:
    """Whether a CSV of labels and the set are of the same files. `rows`: the first that are not.

    A note where the CSV is of a larger set, or of a part of this one; a warning where both lack something.
    """
    without = photos - given.photos
    parts = []
    if not given.photos:
        parts.append(
            f"No photo has a label: {given.name} names {count(given.rows, 'file')}, and none of them is in "
            "the set. Accuracy is therefore unknown; answers are only compared with those to the originals."
        )
    elif without:
        have = "has" if without == 1 else "have"
        parts.append(
            f"{without:,} of {photos:,} photos {have} no label in {given.name}, "
            "and accuracy covers the others only."
        )
    if given.unlabelled is not None:
        parts.append(f"The first photo without a label is {given.unlabelled}.")
    if given.unused:
        parts.append(_unused_rows(given, rows))
    is_amiss = without and (given.unused or 2 * given.photos < photos)
    if parts:
        yield Warning_("W18", " ".join(parts), "warning" if is_amiss else "note")


def _unused_rows(given: GivenLabels, rows: Sequence[SkippedPhoto]) -> str:
    """Names where the files are not there; where a row names several photos or contradicts another, why."""
    shown = rows[:MOST_NAMED]
    left = given.unused - len(shown)
    if all(row.message.endswith(f"{NO_SUCH_PHOTO}.") for row in shown):
        are = "is" if given.unused == 1 else "are"
        more = f" and {left:,} more" if left else ""
        names = ", ".join(row.name for row in shown)
        return f"{given.name} lists {count(given.unused, 'file')} that {are} not in the set: {names}{more}."
    reasons = " ".join(sentence(row.message, capital=False) for row in shown)
    more = f" And {left:,} more." if left else ""
    return f"{count(given.unused, 'row')} of {given.name} label no photo. {reasons}{more}"


def _workers_together(counts: SetCounts) -> Iterator[str]:
    several = {key: photos for key, photos in counts.together.items() if key[1] > 1}
    if several:
        photos, most = sum(several.values()), max(workers for _, workers in several)
        which = "" if photos == counts.done else f" of {photos:,} of {counts.done:,} photos"
        yield (
            f"The latencies{which} were measured while up to {most} workers asked the same backends at once "
            f"({listed(sorted({engine for engine, _ in several}))}). They include the wait for each other: "
            "compare variants by them, but not this run with one of another number of workers. Answers and "
            "sizes do not depend on it."
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(short_label(name) for name in names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else shown
