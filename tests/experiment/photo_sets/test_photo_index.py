"""Which photos of a set flipped and how each class fared, from answers made up by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiment.labels import Vocabulary
from experiment.photo_sets.explore.photo_index import NothingLikeIt, PhotoIndex, Wanted
from experiment.photo_sets.photo_result import PhotoResult
from experiment.records import Failure, Label
from experiment.report.proportions import wilson
from tests.support.records import answer, answered
from tests.support.set_records import SMALL, TINY, VOCABULARY, result

BOTH = ("1 CPU", "8 CPU")


def index_of(*results: PhotoResult, vocabulary: Vocabulary = VOCABULARY) -> PhotoIndex:
    index = PhotoIndex(dict.fromkeys(("8 CPU", *BOTH), vocabulary))
    for each in results:
        index.add(each)
    return index


def names(index: PhotoIndex, page: int = 1, size: int = 24, **wanted: str) -> list[str]:
    return [row.name for row in index.photos(Wanted(**wanted), page, size).rows]


def test_the_photo_that_loses_most_answers_comes_first():
    index = index_of(
        result(0, original="tabby", small="tabby", tiny="tabby"),
        result(1, original="tabby", small="tabby", tiny="lynx"),
        result(2, original="tabby", small="lynx", tiny="lynx"),
    )
    found = index.photos(Wanted(), 1, 24)
    assert [(row.name, row.flips) for row in found.rows] == [("2.jpg", 2), ("1.jpg", 1), ("0.jpg", 0)]
    assert (found.photos, found.flipped, found.wrong, found.total) == (3, 2, 2, 3)
    assert names(index, only="flipped") == ["2.jpg", "1.jpg"]
    assert names(index, variant_id=SMALL.id, only="flipped") == ["2.jpg"]


def test_of_two_that_lose_as_many_the_one_whose_probability_falls_further_comes_first():
    def fading(place: int, score: float) -> PhotoResult:
        photo = result(place, original="tabby", small="tabby")
        kept = answered([20.0], SMALL.id, "8 CPU", answer((Label("tabby", score),)))
        return replace(photo, measurements=(*photo.measurements[:1], *kept))

    index = index_of(fading(0, 0.45), fading(1, 0.05), fading(2, 0.3))
    assert names(index) == ["1.jpg", "2.jpg", "0.jpg"]
    (worst, *_) = index.photos(Wanted(), 1, 24).rows
    assert worst.answers[0].fall_points == pytest.approx(45)
    assert worst.answers[0].kept is True


def test_each_backend_is_compared_with_its_own_answer_to_the_original():
    lynx_here = [
        *answered([20.0], "original", "1 CPU", answer((Label("tabby", 0.5),))),
        *answered([20.0], "original", "8 CPU", answer((Label("lynx", 0.5),))),
        *answered([20.0], SMALL.id, "1 CPU", answer((Label("lynx", 0.5),))),
        *answered([20.0], SMALL.id, "8 CPU", answer((Label("lynx", 0.5),))),
    ]
    photo = result(0, original="tabby", small="tabby", on=BOTH)
    index = index_of(replace(photo, measurements=tuple(lynx_here)))
    (row,) = index.photos(Wanted(), 1, 24).rows
    assert [(each.backend_name, each.kept) for each in row.answers] == [("1 CPU", False), ("8 CPU", True)]
    assert names(index, backend_name="8 CPU", only="flipped") == []
    (row,) = index.photos(Wanted(backend_name="8 CPU"), 1, 24).rows
    assert (row.reference.label, row.flips) == ("lynx", 0)


def test_wrong_photos_are_those_whose_answer_is_not_the_true_label():
    index = index_of(
        result(0, "tabby", original="tabby", small="tabby"),
        result(1, "dog", original="tabby", small="tabby"),
        result(2, "wombat", original="tabby", small="tabby"),
        result(3, None, original="tabby", small="tabby"),
    )
    assert names(index, only="wrong") == ["1.jpg"]
    correct = {row.name: row.answers[0].correct for row in index.photos(Wanted(), 1, 24).rows}
    assert correct == {"0.jpg": True, "1.jpg": False, "2.jpg": None, "3.jpg": None}


def test_pages_hold_every_photo_once():
    index = index_of(*(result(at, original="tabby", small="lynx") for at in range(7)))
    pages = [names(index, page, 3) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert sorted(name for page in pages for name in page) == [f"{at}.jpg" for at in range(7)]


def test_a_class_counts_right_and_flipped_with_wilson_intervals():
    index = index_of(
        result(0, "tabby", original="tabby", small="tabby"),
        result(1, "Tabby", original="tabby", small="lynx"),
        result(2, "dog", original="dog", small="dog"),
        result(3, "dog", original="lynx", small="dog"),
        result(4, "dog", original="lynx", small="dog"),
    )
    found = index.classes(Wanted(), 1, 50)
    assert (found.by, found.total) == ("label", 2)
    assert [(row.class_name, row.photos, row.flipped) for row in found.rows] == [
        ("dog", 3, 2),
        ("tabby", 2, 1),
    ]
    original, small = found.rows[0].cells
    assert (original.right.count, original.right.total, original.flipped) == (1, 3, None)
    assert (small.right.count, small.flipped.count, small.flipped.total) == (3, 2, 3)
    assert (small.flipped.low, small.flipped.high) == wilson(2, 3)
    assert names(index, class_name="tabby") == ["1.jpg", "0.jpg"]


def test_without_labels_the_originals_answer_is_the_class():
    index = index_of(
        result(0, None, original="lynx", small="dog"), result(1, None, original="dog", small="dog")
    )
    found = index.classes(Wanted(), 1, 50)
    assert (found.by, [row.class_name for row in found.rows]) == ("answer", ["lynx", "dog"])
    assert found.rows[0].cells[0].right is None


def test_a_photo_that_was_refused_or_is_too_small_for_the_variant_does_not_count():
    refused = PhotoResult(9, "9.jpg", "tabby", refused=Failure("truncated", "9.jpg is cut off."))
    index = index_of(
        refused, result(0, original="tabby", tiny="lynx"), result(1, original="tabby", small="tabby")
    )
    assert index.photos(Wanted(), 1, 24).photos == 2
    assert index.photos(Wanted(TINY.id), 1, 24).photos == 1


@pytest.mark.parametrize(
    "wanted", [{"variant_id": "7-png"}, {"backend_name": "TPU"}, {"class_name": "wombat"}]
)
def test_what_the_set_does_not_have_is_named(wanted):
    with pytest.raises(NothingLikeIt, match=next(iter(wanted.values()))):
        index_of(result(0, original="tabby", small="lynx")).photos(Wanted(**wanted), 1, 24)
