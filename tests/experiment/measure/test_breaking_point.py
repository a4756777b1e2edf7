"""The search for the breaking point: pure bisection first, then real pictures, then the command."""

from __future__ import annotations

import threading
from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image

from bench.support.fake_backends import FakeBackend
from experiment.backends.base import RequestFailed
from experiment.images.read import read_image
from experiment.images.reference import make_reference
from experiment.measure.breaking_point import last_kept, search, sizes_to_try
from experiment.measure.breaking_search import find_breaking_points, most_requests
from experiment.measure.breaking_words import with_article
from experiment.records import BreakingPoint, Label, Plan, SearchStep, Variant
from tests.support.photo_sets import blind_when_small, colour_server
from tests.support.processes.command_line import run

ROW = list(range(100, 0, -1))


@pytest.mark.parametrize("smallest", [100, 99, 64, 2, 1])
def test_halving_finds_the_last_value_that_keeps(smallest):
    place = last_kept(ROW, lambda value: value >= smallest)
    assert place is not None
    assert ROW[place] == smallest


def test_halving_takes_few_questions():
    asked: list[int] = []
    last_kept(ROW, lambda value: asked.append(value) or value >= 37)
    assert len(asked) <= 2 + 7


def test_nothing_keeps():
    assert last_kept(ROW, lambda value: False) is None


def test_a_gap_between_the_ends_is_noticed_at_the_quarters():
    place = last_kept(ROW, lambda value: not 20 <= value <= 60)
    assert place is not None
    assert ROW[place] == 61


def test_sizes_are_about_four_percent_apart_and_end_at_16():
    sizes = sizes_to_try(1920)
    assert (sizes[0], sizes[-1]) == (1920, 16)
    assert sizes == sorted(set(sizes), reverse=True)
    assert all(small / large > 0.9 for large, small in pairwise(sizes) if small > 16)
    assert sizes_to_try(10) == [10]


def searched(keeps, longest_px=1920):
    asked = []

    def ask(size_px, quality):
        asked.append((size_px, quality))
        kept = keeps(size_px, quality)
        return SearchStep(size_px, quality, size_px * quality, kept, "tabby" if kept else "lynx", 0.5)

    return search(longest_px, 85, ask), asked


def test_size_is_bisected_first_and_then_quality_at_that_size():
    found, asked = searched(lambda size_px, quality: size_px >= 180 and quality >= 34)
    assert found.size_px is not None
    assert 180 <= found.size_px < 180 * 1.05
    assert found.lost_size_px is not None
    assert found.lost_size_px < 180
    assert (found.quality, found.lost_quality) == (34, 33)
    assert {each for each in asked if each[0] != found.size_px} == {e for e in asked if e[1] == 85} - {
        (found.size_px, 85)
    }
    assert len(set(asked)) <= most_requests(1920)
    assert not any((found.lost_above_px, found.kept_below_px, found.lost_above_quality))


def test_the_neighbours_of_the_place_are_looked_at():
    sizes = sizes_to_try(1920)
    place = next(at for at, size_px in enumerate(sizes) if size_px < 180)
    island = sizes[place + 1]  # smaller, and yet it keeps
    found, asked = searched(lambda size_px, quality: size_px >= 180 or size_px == island)
    assert {size_px for size_px, _ in asked} >= set(sizes[place - 4 : place + 3])
    assert found.kept_below_px == island
    assert found.lost_above_px is None


def solid(colour=(200, 30, 30), side_px=400):
    out = BytesIO()
    Image.new("RGB", (side_px, side_px // 2), colour).save(out, "PNG")
    return read_image(out.getvalue(), "red.png")


def told(keeps, true_label=None, cancel=None) -> BreakingPoint:
    """The outcome on a backend that answers tabby where `keeps(variant)`, else lynx."""

    def answer(variant: Variant):
        return (Label("tabby" if keeps(variant) else "lynx", 0.8),)

    source = read_image(solid().data, "red.png", true_label=true_label)
    backends = [FakeBackend("8 CPU", answer=answer)]
    reference = make_reference(source)
    points = find_breaking_points(source, reference, Plan(), backends, cancel or threading.Event())
    return next(points)


def test_a_place_is_told_in_one_sentence():
    point = told(lambda variant: variant.size_px >= 100 and (variant.quality or 100) >= 34)
    assert point.outcome == "found"
    assert point.sentence == f"Still a tabby down to {point.size_px} px, JPEG q34."
    assert point.size_bytes == next(
        s.size_bytes for s in point.steps if (s.size_px, s.quality) == (point.size_px, 34)
    )
    assert point.requests == len(point.steps) + 1
    assert not point.flickers


def test_a_lower_quality_may_not_matter_at_all():
    point = told(lambda variant: variant.size_px >= 100)
    assert point.sentence == f"Still a tabby down to {point.size_px} px, there even at JPEG q1."


def test_an_answer_that_never_changes_says_so():
    point = told(lambda variant: True)
    assert (point.outcome, point.size_px, point.quality) == ("never", 16, 1)
    assert point.sentence == (
        "Never changes: still a tabby down to 16 px, JPEG q1, the smallest copy that is tried."
    )


def test_an_answer_that_changes_at_once_says_so():
    point = told(lambda variant: variant.is_reference)
    assert (point.outcome, point.size_px) == ("at_once", None)
    assert point.sentence == "Changes already at the largest copy (400 px, JPEG q85): lynx instead of tabby."


def test_a_flickering_answer_is_called_one():
    sizes = sizes_to_try(400)
    place = next(at for at, size_px in enumerate(sizes) if size_px < 100)
    islands = {sizes[place - 3], sizes[place + 1]}
    point = told(lambda variant: (variant.size_px >= 100) != (variant.size_px in islands))
    assert point.flickers
    assert "The answer is unstable around there" in point.sentence
    assert "Stay well above." in point.sentence


def test_with_a_true_label_what_is_right_is_kept():
    point = told(lambda variant: variant.size_px >= 100, true_label="Tabby")
    assert (point.outcome, point.by_true_label) == ("found", True)
    wrong = told(lambda variant: True, true_label="otter")
    assert wrong.outcome == "not_right"
    assert (
        wrong.sentence == "The answer to the original is tabby, not otter: there is no right answer to keep."
    )
    assert wrong.requests == 1


def test_a_failed_request_ends_the_search_with_its_reason():
    def fail(variant):
        raise RequestFailed("deadline", "8 CPU did not answer within 10 s.")

    source = solid()
    backend = FakeBackend("8 CPU", answer=fail)
    (point,) = find_breaking_points(source, make_reference(source), Plan(), [backend], threading.Event())
    assert (point.outcome, point.label) == ("failed", None)
    assert point.sentence == "The search on 8 CPU ended early: 8 CPU did not answer within 10 s."


def test_a_stopped_search_says_how_far_it_came():
    stop = threading.Event()
    point = told(lambda variant: len(stop_after(stop, variant)) < 99, cancel=stop)
    assert point.outcome == "cancelled"
    assert point.sentence == "Stopped after 3 requests, before the smallest copy was found."


def stop_after(stop, variant, seen=[]):  # noqa: B006  one list for the test
    seen.append(variant.id)
    if len(seen) == 3:
        stop.set()
    return seen


@pytest.mark.parametrize(("label", "words"), [("tabby, tabby cat", "a tabby"), ("otter", "an otter")])
def test_labels_get_an_article(label, words):
    assert with_article(label) == words


def test_the_command_searches_on_a_real_server_and_writes_every_step(tmp_path):
    out = tmp_path / "found.json"
    with colour_server(blind_when_small) as address:
        done = run("--breaking-point", "--servers", f"eye:{address}", "--json", str(out))
    assert done.returncode == 0, done.stderr
    assert "eye: Still a" in done.stdout
    assert "there may be others" in done.stdout
    assert '"outcome": "found"' in out.read_text()
