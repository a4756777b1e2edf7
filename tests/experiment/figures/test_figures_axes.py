"""Figures of runs with several qualities, filters and formats: every line is named, none hides another."""

from __future__ import annotations

import json
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from experiment.axes import AXES, variant_id
from experiment.export.report_json import report_dict
from experiment.figures import FIGURES, figures
from experiment.figures.palette import DASHES, FURTHER_DASHES, LIGHT, dash, outline, symbol
from experiment.figures.view import Making
from experiment.records import Plan, Report, Variant
from tests.support.records import (
    TIGER,
    answer,
    answered,
    backend,
    original,
    report,
    sample_measurements,
    variant,
)


def copies(sizes, qualities=(85,), filters=("lanczos",), formats=("jpeg",)) -> list[Variant]:
    return [
        made
        for size in sizes
        for resampler in filters
        for key in formats
        for made in (
            [a_copy(size, key, quality, resampler) for quality in qualities]
            if key != "png"
            else [a_copy(size, key, None, resampler)]
        )
    ]


def a_copy(size_px: int, key: str, quality: int | None, resampler: str | None) -> Variant:
    like = variant(size_px, key)
    settings = {"quality": quality, "resampler": resampler}
    return replace(
        like,
        id=variant_id(size_px, key, settings),
        quality=quality,
        resampler=resampler,
        size_bytes=like.size_bytes * (quality or 85) // 85,
    )


def run_of(variants: list[Variant], backend_names=("8 CPU",), **changes) -> Report:
    plan = Plan(seed=7, repeats=6, warmups=0)
    everything = [original(), *variants]
    measurements = [
        each for name in backend_names for of in everything for each in sample_measurements(of, name, plan)
    ]
    infos = tuple(backend(name) for name in backend_names)
    values = {"plan": plan, "variants": everything, "backends": infos, "measurements": measurements}
    return report(**values | changes)


def names(figure) -> list[str]:
    return [
        each["name"] for each in figure["data"] if each.get("showlegend", True) and "lines" in each["mode"]
    ]


QUALITIES = run_of(copies((1024, 512, 256), (95, 50), formats=("jpeg", "png")))
FILTERS = run_of(copies((1024, 512), (85,), ("lanczos", "nearest")))
CROWDED = run_of(
    copies((512, 256), (95, 85, 70, 50, 30), ("lanczos", "box"), ("jpeg", "png")), ("GPU", "8 CPU")
)


@pytest.mark.parametrize("made", [QUALITIES, FILTERS, CROWDED])
def test_plotly_takes_the_figures_of_many_axes(made):
    for theme in ("light", "dark"):
        for figure in figures(report_dict(made), theme).values():
            go.Figure(figure["data"], figure["layout"])
            assert json.loads(json.dumps(figure, allow_nan=False)) == figure
            assert figure["meta"]["caption"].endswith(".")


def test_the_legend_names_every_quality():
    assert names(figures(report_dict(QUALITIES))["latency_by_size"]) == [
        "8 CPU, JPEG q95",
        "8 CPU, JPEG q50",
        "8 CPU, PNG",
    ]


def test_the_legend_names_the_filter_where_there_are_several_also_the_usual_one():
    lines = names(figures(report_dict(FILTERS))["agreement_by_size"])
    assert lines == ["8 CPU, JPEG q85 Lanczos", "8 CPU, JPEG q85 Nearest"]


def test_lines_of_one_backend_and_format_differ_in_their_dash():
    for figure in ("latency_by_size", "agreement_by_size", "trade_off"):
        data = figures(report_dict(QUALITIES))[figure]["data"]
        looks = [each["line"]["dash"] for each in data if "lines" in each["mode"] and "dash" in each["line"]]
        assert len(set(looks)) == len(looks) == 3
    assert len({*DASHES.values(), *FURTHER_DASHES}) == len(DASHES) + len(FURTHER_DASHES)
    assert dash("jpeg", 1) != dash("jpeg")


def test_each_format_has_a_look_of_its_own():
    """AVIF's symbol is solid with a dot, which the paper's colour makes visible."""
    formats = ("jpeg", "png", "webp", "avif")
    assert len({symbol(0, each) for each in formats}) == len({dash(each) for each in formats}) == 4
    lines = {each: outline(LIGHT, LIGHT.backends[0], each)["color"] for each in formats}
    assert lines == dict.fromkeys(formats, LIGHT.backends[0]) | {"avif": LIGHT.paper}
    copies_of = [a_copy(size_px, "avif", 65, "lanczos") for size_px in (512, 256)]
    for figure in ("latency_by_size", "agreement_by_size", "trade_off"):
        data = figures(report_dict(run_of(copies_of)))[figure]["data"]
        drawn = next(each for each in data if each.get("line", {}).get("dash") == dash("avif"))
        assert drawn["marker"]["line"]["color"] == LIGHT.paper


def test_a_copy_that_no_filter_made_begins_the_line_of_each():
    whole = a_copy(1024, "jpeg", 85, None)
    made = run_of([whole, *copies((512, 256), (85,), ("lanczos", "nearest"))])
    data = figures(report_dict(made))["latency_by_size"]["data"]
    assert [each["x"] for each in data if "lines" in each["mode"]] == [[1024, 512, 256]] * 2


def test_each_bar_of_where_the_time_goes_is_of_one_variant_only():
    figure = figures(report_dict(QUALITIES))["where_time_goes"]
    labels = figure["data"][-1]["y"]
    assert len(set(labels)) == len(labels) == len(QUALITIES.variants)
    assert "512 JPEG q50" in labels


def test_too_many_lines_leave_one_for_each_format_and_say_so():
    made = figures(report_dict(CROWDED))
    lines = names(made["latency_by_size"])
    assert {line.partition(", ")[2] for line in lines} >= {"JPEG q95 Lanczos", "PNG Lanczos"}
    assert len(lines) <= 6
    assert (
        "Only the first combination of settings of each format is drawn"
        in made["latency_by_size"]["meta"]["caption"]
    )


def test_the_trade_off_of_a_crowded_run_has_every_point_once_and_no_lines():
    figure = figures(report_dict(CROWDED))["trade_off"]
    dots = [
        each for each in figure["data"] if each["mode"] == "markers+text" and each["name"] != "recommended"
    ]
    assert sum(len(each["x"]) for each in dots) == len(CROWDED.cells) == len(figure["meta"]["table"]["rows"])
    assert {"GPU, JPEG", "GPU, PNG", "8 CPU, JPEG", "8 CPU, PNG"} <= {each["name"] for each in dots}


def test_quality_has_a_figure_of_its_own_where_it_varies_and_nowhere_else():
    assert tuple(figures(report_dict(FILTERS))) == FIGURES
    assert tuple(figures(report_dict(QUALITIES))) == (*FIGURES, "by_quality")


def test_answers_and_bytes_are_drawn_over_quality_one_line_for_each_size():
    figure = figures(report_dict(QUALITIES))["by_quality"]
    answers = [each for each in figure["data"] if "yaxis" not in each and each["mode"] == "lines+markers"]
    sizes = [each for each in figure["data"] if each.get("yaxis") == "y2"]
    assert [each["name"] for each in answers] == ["1024 px JPEG", "512 px JPEG", "256 px JPEG"]
    assert [each["x"] for each in answers] == [each["x"] for each in sizes] == [[95, 50]] * 3
    drawn = [(x, y) for each in sizes for x, y in zip(each["x"], each["y"], strict=True)]
    assert drawn == [(row[2], row[4]) for row in figure["meta"]["table"]["rows"]]
    assert sizes[0]["y"][0] > sizes[0]["y"][1]
    caption = figure["meta"]["caption"]
    assert caption.startswith("At every quality, down to q50, the answer stays the same.")
    assert "From q95 to q50 the 1024 px JPEG shrinks 1.9x" in caption


def test_the_caption_says_from_which_quality_on_the_answer_holds():
    variants = copies((512,), (95, 85, 20))
    changed = next(each for each in variants if each.quality == 20)
    kept = [original(), *variants[:2]]
    measurements = [each for of in kept for each in answered([9.0] * 6, of.id)]
    measurements += answered([9.0] * 6, changed.id, prediction=answer(TIGER))
    made = report(variants=(*kept, changed), measurements=measurements)
    caption = figures(report_dict(made))["by_quality"]["meta"]["caption"]
    assert caption.startswith("From q85 upwards the answer stays the same at every size.")


def test_the_next_smaller_one_is_named_with_its_quality():
    """The same size at a lower quality loses the answer: its name must not be that of the winner."""
    good, bad = copies((512,), (85, 50))
    measurements = [
        *answered([9.0] * 6),
        *answered([8.0] * 6, good.id),
        *answered([7.0] * 6, bad.id, prediction=answer(TIGER)),
    ]
    made = report(variants=(original(), good, bad), measurements=measurements)
    assert made.recommendation.sentence == "For this photo: 512 px JPEG q85 on 8 CPU (8.0 ms)."
    assert made.recommendation.next_lighter.startswith("Below this the answer changes: at 512 px JPEG q50")


def test_lines_are_told_apart_by_every_axis():
    assert Making._fields == ("format", *AXES)
