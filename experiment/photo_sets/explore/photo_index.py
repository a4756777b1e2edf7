"""PhotoIndex: which photos of a set lost their answer, worst first, and how each class fared.

It is filled photo by photo and holds some 20 bytes for each answer, so that other filters and pages need
nothing to be read again: 1,000 photos with 31 variants on 2 backends take about 2 MB.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from experiment.labels import Vocabulary
from experiment.photo_sets.photo_result import PhotoResult
from experiment.photo_sets.shares import share
from experiment.records import Measurement, Prediction, Share
from experiment.report.agreement import first_answer

Only = Literal["", "flipped", "wrong"]
NO_LABEL = -1
YES, NO, UNKNOWN = 1, 0, -1
KNOWN: Mapping[int, bool | None] = {YES: True, NO: False, UNKNOWN: None}


class NothingLikeIt(LookupError):
    """The run has no such variant, backend or class; the message says which."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers count and which photos are listed; "" is any."""

    variant_id: str = ""
    backend_name: str = ""
    class_name: str = ""
    place: int | None = None  # in the order of the run: only this photo
    only: Only = ""  # photos with an answer that differs from the original's, or that is not the true label


class PhotoAnswer(NamedTuple):
    """What one backend said of one variant of a photo."""

    variant_id: str
    backend_name: str
    label: str
    score: float  # probability, 0..1
    kept: (
        bool | None
    )  # the label that this backend gave to the reference; None: it is the reference, or had none
    correct: bool | None  # None: the true label is not known
    fall_points: float | None  # of the reference's label; at least so many where it fell out of the top 5


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A photo with the answers that were wanted."""

    index: int  # its place in the order of the run, from 0
    name: str
    label: str | None  # as the person wrote it
    class_name: str | None
    reference: PhotoAnswer | None  # of the first backend that was wanted
    answers: tuple[PhotoAnswer, ...]  # to the other variants
    flips: int  # how many of the answers are not kept


@dataclass(frozen=True, slots=True)
class Photos:
    """A page of photos, worst first, and how many there are."""

    photos: int  # that were asked about the wanted variant and class
    flipped: int  # of them, with an answer that is not kept
    wrong: int  # of them, with an answer that is not correct
    total: int  # that are listed, on all pages
    rows: tuple[PhotoRow, ...]


@dataclass(frozen=True, slots=True)
class ClassCell:
    """The photos of a class on one variant and backend. None: of no photo it is known."""

    variant_id: str
    backend_name: str
    right: Share | None
    flipped: Share | None  # None for the reference too


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: the true label, or without labels what the original was called."""

    class_name: str
    photos: int
    flipped: int  # photos with a wanted answer that is not kept
    cells: tuple[ClassCell, ...]  # those that were wanted, and those of the reference beside them


@dataclass(frozen=True, slots=True)
class Classes:
    """A page of classes, the one with the largest share of flipped photos first."""

    total: int
    by: Literal["label", "answer"]
    rows: tuple[ClassRow, ...]


class _Photo(NamedTuple):
    place: int  # in the order of the run
    name: str
    label: str | None
    class_at: int
    first: int  # of its answers, as the next
    end: int


class PhotoIndex:
    """Every answer of a set. Photos are added in any order."""

    def __init__(self, vocabularies: Mapping[str, Vocabulary] | None = None):
        """`vocabularies`: what the model behind each backend can answer, by backend name."""
        self._vocabularies = vocabularies or {}
        self._photos: list[_Photo] = []
        self._names: dict[str, int] = {}  # labels and classes, each once
        self._texts: list[str] = []
        self._cells: dict[tuple[str, str], int] = {}  # (variant, backend) -> number
        self._cell, self._said = array("H"), array("i")  # of each answer, as all below
        self._score, self._fall = array("f"), array("f")
        self._kept, self._correct, self._is_reference = array("b"), array("b"), array("b")
        self._reference_cells: set[int] = set()
        self._has_labels = False

    @property
    def variant_ids(self) -> tuple[str, ...]:
        """Those that were answered for so far."""
        return tuple(dict.fromkeys(variant_id for variant_id, _ in self._cells))

    def add(self, result: PhotoResult) -> None:
        """Take in the next photo; one that was refused has no answers and is left out."""
        if result.refused is not None:
            return
        groups: dict[tuple[str, str], list[Measurement]] = {}
        for measurement in result.measurements:
            groups.setdefault((measurement.variant_id, measurement.backend_name), []).append(measurement)
        answers = {key: answer for key, group in groups.items() if (answer := first_answer(group))}
        reference_ids = {variant.id for variant in result.variants if variant.is_reference}
        references = {backend: found for (id_, backend), found in answers.items() if id_ in reference_ids}
        first = len(self._said)
        truths = {name: self._truth(name, result.label) for _, name in answers}
        for (variant_id, backend_name), answer in answers.items():
            if answer.top:
                self._add_answer(variant_id, backend_name, answer, variant_id in reference_ids, references)
                self._correct.append(self._judged(backend_name, answer, truths[backend_name]))
        class_name = _class_of(result.label, truths, references)
        self._has_labels |= result.label is not None
        at = NO_LABEL if class_name is None else self._number(class_name)
        self._photos.append(_Photo(result.index, result.name, result.label, at, first, len(self._said)))

    def photos(self, wanted: Wanted, page: int, page_size: int) -> Photos:
        """Page `page`, from 1. Photos that lose most of the wanted answers come first, then those that lose
        most in all, then those whose probability falls most. Raises NothingLikeIt."""
        cells, class_at = self._cells_of(wanted), self._class_of(wanted)
        photos = (photo for photo in self._photos if wanted.place in {None, photo.place})
        found = [_Judged(self, photo, cells) for photo in photos if class_at in {None, photo.class_at}]
        found = [judged for judged in found if judged.asked]
        listed = [judged for judged in found if _is_listed(judged, wanted.only)]
        listed.sort(key=lambda judged: judged.rank)
        shown = listed[(page - 1) * page_size : page * page_size]
        return Photos(
            photos=len(found),
            flipped=sum(judged.flips > 0 for judged in found),
            wrong=sum(judged.wrong > 0 for judged in found),
            total=len(listed),
            rows=tuple(self._row(judged.photo, cells, judged.flips) for judged in shown),
        )

    def classes(self, wanted: Wanted, page: int, page_size: int) -> Classes:
        """Page `page` of the classes, from 1. `wanted.only` and `wanted.class_name` leave no class out.

        Raises NothingLikeIt."""
        cells = self._cells_of(wanted)
        by_class: dict[int, list[_Judged]] = {}
        for photo in self._photos:
            judged = _Judged(self, photo, cells)
            if judged.asked and photo.class_at != NO_LABEL:
                by_class.setdefault(photo.class_at, []).append(judged)
        order = sorted(by_class.items(), key=lambda item: _class_rank(item[1], self._texts[item[0]]))
        shown = order[(page - 1) * page_size : page * page_size]
        beside = self._cells_of(Wanted(backend_name=wanted.backend_name)) & self._reference_cells
        rows = tuple(
            ClassRow(
                self._texts[at],
                len(group),
                sum(judged.flips > 0 for judged in group),
                tuple(self._class_cells(group, cells | beside)),
            )
            for at, group in shown
        )
        return Classes(len(order), "label" if self._has_labels else "answer", rows)

    def _add_answer(
        self,
        variant_id: str,
        backend_name: str,
        answer: Prediction,
        is_reference: bool,
        references: Mapping[str, Prediction],
    ) -> None:
        reference = references.get(backend_name)
        top = answer.top[0]
        self._cell.append(self._cells.setdefault((variant_id, backend_name), len(self._cells)))
        self._said.append(self._number(top.label))
        self._score.append(top.score)
        self._is_reference.append(is_reference)
        if is_reference:
            self._reference_cells.add(self._cell[-1])
        if is_reference or reference is None or not reference.top:
            self._kept.append(UNKNOWN)
            self._fall.append(math.nan)
        else:
            self._kept.append(top.label == reference.top[0].label)
            self._fall.append(_fall_points(answer, reference))

    def _number(self, text: str) -> int:
        at = self._names.setdefault(text, len(self._texts))
        if at == len(self._texts):
            self._texts.append(text)
        return at

    def _truth(self, backend_name: str, label: str | None) -> str | None:
        vocabulary = self._vocabularies.get(backend_name, NO_VOCABULARY)
        return None if label is None else vocabulary.own_label(label)

    def _judged(self, backend_name: str, answer: Prediction, truth: str | None) -> int:
        if truth is None:
            return UNKNOWN
        return self._vocabularies.get(backend_name, NO_VOCABULARY).is_right(answer.top[0].label, truth)

    def _cells_of(self, wanted: Wanted) -> frozenset[int]:
        """The numbers of the wanted cells. Raises NothingLikeIt."""
        for at, name, what in ((0, wanted.variant_id, "variant"), (1, wanted.backend_name, "backend")):
            if name and not any(key[at] == name for key in self._cells):
                raise NothingLikeIt(f"no answers of a {what} {name}")
        return frozenset(
            number
            for (variant_id, backend_name), number in self._cells.items()
            if wanted.variant_id in {"", variant_id} and wanted.backend_name in {"", backend_name}
        )

    def _class_of(self, wanted: Wanted) -> int | None:
        """The number of the wanted class; None: any. Raises NothingLikeIt."""
        if not wanted.class_name:
            return None
        if wanted.class_name not in self._names:
            raise NothingLikeIt(f"no photo of the class {wanted.class_name}")
        return self._names[wanted.class_name]

    def _row(self, photo: _Photo, cells: frozenset[int], flips: int) -> PhotoRow:
        keys = list(self._cells)
        places = range(photo.first, photo.end)
        backends = {keys[number][1] for number in cells}
        references = (
            self._answer(at, keys)
            for at in places
            if self._is_reference[at] and keys[self._cell[at]][1] in backends
        )
        answers = (
            self._answer(at, keys) for at in places if self._cell[at] in cells and not self._is_reference[at]
        )
        class_name = None if photo.class_at == NO_LABEL else self._texts[photo.class_at]
        return PhotoRow(
            photo.place, photo.name, photo.label, class_name, next(references, None), tuple(answers), flips
        )

    def _answer(self, at: int, keys: Sequence[tuple[str, str]]) -> PhotoAnswer:
        fall = self._fall[at]
        return PhotoAnswer(
            *keys[self._cell[at]],
            self._texts[self._said[at]],
            self._score[at],
            KNOWN[self._kept[at]],
            KNOWN[self._correct[at]],
            None if math.isnan(fall) else fall,
        )

    def _class_cells(self, group: Iterable[_Judged], cells: frozenset[int]) -> Iterator[ClassCell]:
        tallies = {number: [0, 0, 0, 0] for number in sorted(cells)}  # judged, right, compared, flipped
        for judged in group:
            for at in range(judged.photo.first, judged.photo.end):
                tally = tallies.get(self._cell[at])
                if tally is not None:
                    tally[0] += self._correct[at] != UNKNOWN
                    tally[1] += self._correct[at] == YES
                    tally[2] += self._kept[at] != UNKNOWN
                    tally[3] += self._kept[at] == NO
        keys = list(self._cells)
        for number, (known, right, compared, flipped) in tallies.items():
            yield ClassCell(*keys[number], share(right, known), share(flipped, compared))


NO_VOCABULARY = Vocabulary()


def has_flipped(result: PhotoResult) -> bool:
    """Whether any answer differs from the one to the original."""
    index = PhotoIndex()
    index.add(result)
    return index.photos(Wanted(), 1, 1).flipped > 0


class _Judged:
    """How a photo fared on the wanted cells."""

    __slots__ = ("asked", "flips", "photo", "rank", "wrong")

    def __init__(self, index: PhotoIndex, photo: _Photo, cells: frozenset[int]):
        self.photo = photo
        self.asked = self.flips = self.wrong = all_flips = 0
        fall = 0.0
        for at in range(photo.first, photo.end):
            is_flip = index._kept[at] == NO
            all_flips += is_flip
            if index._cell[at] in cells:
                self.asked += 1
                self.flips += is_flip
                self.wrong += index._correct[at] == NO
                fall = max(fall, index._fall[at])  # NaN is never larger
        self.rank = (-self.flips, -all_flips, -fall, photo.name)


def _is_listed(judged: _Judged, only: Only) -> bool:
    return {"": True, "flipped": judged.flips > 0, "wrong": judged.wrong > 0}[only]


def _class_rank(group: Sequence[_Judged], class_name: str) -> tuple[float, int, str]:
    flipped = sum(judged.flips > 0 for judged in group)
    return (-flipped / len(group), -len(group), class_name)


def _class_of(
    label: str | None, truths: Mapping[str, str | None], references: Mapping[str, Prediction]
) -> str | None:
    """The true label in the model's words, else as it was written, else what the original was called."""
    if label is not None:
        return next((truth for truth in truths.values() if truth is not None), label)
    return next((found.top[0].label for found in references.values() if found.top), None)


def _fall_points(answer: Prediction, reference: Prediction) -> float:
    """By how much the probability of the reference's label fell; below the top 5, by at least so much."""
    expected = reference.top[0]
    now = next((found.score for found in answer.top if found.label == expected.label), answer.top[-1].score)
    return 100 * (expected.score - now)
