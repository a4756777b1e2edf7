"""Which factor moved the answer, on grids that can be looked at as a whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.axes import variant_id
from experiment.decide.sensitivity import effects
from experiment.decide.sensitivity_section import sensitivity_section
from experiment.export.report_json import report_dict
from experiment.figures.palette import DARK, LIGHT
from experiment.figures.view import view_of
from experiment.records import Label
from tests.support.deciding_records import copy, in_browser, seen, small_report, whole
from tests.support.records import answer, answered, report, sample_report, source
from tests.support.set_records import photos, summary

SAMPLES = {"8 CPU": [5.0] * 6}


def grid(scores, *variants, **changes):
    """The view of a run on one backend; `scores` by id."""
    every = (whole(), *variants)
    made = small_report({each.id: SAMPLES for each in every}, every, {"original": 0.9, **scores}, **changes)
    return seen(made)


def like(size_px, quality=85, format="jpeg", resampler="lanczos"):
    settings = {"quality": quality, "resampler": resampler}
    return copy(
        size_px, quality=quality, format=format, resampler=resampler, id=variant_id(size_px, format, settings)
    )


def told(view):
    return {
        each.factor.name: (each.pairs, round(each.mean_points, 6)) for each in effects(view) if each.pairs
    }


def test_two_sizes_and_two_qualities_are_two_pairs_each():
    """
             q85   q50
    512 px   0.9   0.8
    256 px   0.7   0.4    size moves 20 and 40 points, quality 10 and 30
    """
    scores = {"512-jpeg-85": 0.9, "512-jpeg-50": 0.8, "256-jpeg-85": 0.7, "256-jpeg-50": 0.4}
    view = grid(scores, *(like(size, quality) for size in (512, 256) for quality in (85, 50)))
    assert told(view) == {"size": (2, 30.0), "quality": (2, 20.0)}
    size, quality = effects(view)
    assert round(size.largest_points) == 40
    assert [each.variant.id for each in size.largest] == ["512-jpeg-50", "256-jpeg-50"]
    assert quality.values == ("q85", "q50")


def test_the_strongest_factor_comes_first_whichever_it_is():
    scores = {"512-jpeg-85": 0.9, "512-jpeg-50": 0.2, "256-jpeg-85": 0.85, "256-jpeg-50": 0.2}
    view = grid(scores, *(like(size, quality) for size in (512, 256) for quality in (85, 50)))
    assert list(told(view)) == ["quality", "size"]


def test_three_sizes_are_three_pairs():
    view = grid({"512-jpeg-85": 0.9, "256-jpeg-85": 0.8, "128-jpeg-85": 0.5}, like(512), like(256), like(128))
    assert told(view) == {"size": (3, pytest.approx((10 + 40 + 30) / 3, abs=1e-6))}


def test_formats_are_compared_in_their_usual_quality_only():
    png = like(512, None, "png")
    view = grid({"512-jpeg-85": 0.8, "512-jpeg-20": 0.1, png.id: 0.9}, like(512), like(512, 20), png)
    assert told(view)["format"] == (1, 10.0)


def test_filters_are_compared_with_filters_and_not_with_copies_that_no_filter_made():
    same_size = like(4000, resampler=None)
    scores = {"512-jpeg-85": 0.8, "512-jpeg-85-box": 0.7, same_size.id: 0.9}
    view = grid(scores, like(512), like(512, resampler="box"), same_size)
    assert told(view)["filter"] == (1, 10.0)


def test_the_place_of_resizing_is_a_factor_whatever_filter_the_browser_has():
    server = like(512)
    browser = in_browser(server, resampler=None, subsampling=None)
    view = grid({server.id: 0.8, browser.id: 0.75}, server, browser)
    assert told(view) == {"place of resizing": (1, 5.0)}
    assert (
        "made on the server and 512 px JPEG made in the browser" in sensitivity_section(view, LIGHT).sentence
    )


def on_two_backends(first_top, second_top):
    """Each backend says the same of the original and of a copy, with 0.9 and the second score."""
    every = (whole(), like(512))
    measurements = [
        sample
        for name, (label, score) in {"A": first_top, "B": second_top}.items()
        for of, said in zip(every, (0.9, score), strict=True)
        for sample in answered([5.0] * 6, of.id, name, answer((Label(label, said),)))
    ]
    backends = [replace(report().backends[0], name=name) for name in "AB"]
    return seen(report(variants=every, backends=backends, measurements=measurements))


def test_backends_are_compared_where_they_mean_the_same_label():
    assert told(on_two_backends(("tabby", 0.8), ("tabby", 0.6))) == {"backend": (1, 20.0)}
    (effect,) = effects(on_two_backends(("tabby", 0.8), ("lynx", 0.6)))
    assert (effect.pairs, effect.mean_points) == (0, None)


def test_unknown_scores_are_counted_and_left_out():
    view = grid({"512-jpeg-85": 0.8, "256-jpeg-85": 0.7}, like(512), like(256), like(128))
    lost = replace(next(each for each in view.points if each.variant.size_px == 128), score=None)
    view = replace(view, points=(*view.points[:-1], lost))
    (size,) = effects(view)
    assert (size.pairs, size.unknown) == (1, 2)
    assert (
        "2 pairs are left out" in sensitivity_section(view, LIGHT).figures["sensitivity"]["meta"]["caption"]
    )


def test_what_was_not_varied_is_not_shown():
    names = [each.factor.name for each in effects(view_of(report_dict(sample_report())))]
    assert names == ["size", "format", "backend"]
    assert "Every setting had only one value" in sensitivity_section(grid({}, like(512)), LIGHT).sentence
    assert sensitivity_section(seen(report()), LIGHT).sentence == "Nothing was measured yet."


def test_a_true_label_and_a_set_say_what_is_moved():
    true = view_of(report_dict(sample_report(source=source(true_label="Tiger_Cat"))))
    assert sensitivity_section(true, LIGHT).sentence.startswith(
        "Size matters most (12.8 points of the true label's probability on average), then format (1.6). "
        "The backend makes no difference. The largest change is"
    )
    of_set = summary(photos(both=80, lost=20, on=("8 CPU", "GPU")), backend_names=("8 CPU", "GPU"))
    section = sensitivity_section(view_of(report_dict(of_set)), LIGHT)
    assert section.sentence == "Nothing that was varied moved the share of photos with a right top answer."


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=6))
def test_the_mean_over_pairs_is_numpys(thousandths):
    scores = np.array(thousandths).reshape(3, 2) / 1000  # sizes by qualities
    sizes, qualities = (512, 256, 128), (85, 50)
    ids = {
        f"{size}-jpeg-{quality}": scores[i, j]
        for i, size in enumerate(sizes)
        for j, quality in enumerate(qualities)
    }
    view = grid(
        {key: float(value) for key, value in ids.items()},
        *(like(size, q) for size in sizes for q in qualities),
    )
    found = told(view)
    by_size = [abs(scores[a] - scores[b]) for a, b in combinations(range(3), 2)]
    assert found["size"] == (6, pytest.approx(100 * np.mean(by_size), abs=2e-4))
    assert found["quality"] == (3, pytest.approx(100 * np.mean(abs(scores[:, 0] - scores[:, 1])), abs=2e-4))


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_plot_shows_what_its_table_says(palette):
    section = sensitivity_section(view_of(report_dict(sample_report())), palette)
    figure = section.figures["sensitivity"]
    go.Figure(figure["data"], figure["layout"])
    rows = figure["meta"]["table"]["rows"]
    assert list(zip(figure["data"][0]["y"], figure["data"][0]["x"], strict=True)) == [
        (row[0], row[2]) for row in rows
    ]
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)
    assert figure["meta"]["caption"].startswith("A bar is the mean absolute change of the reference label's")
