"""Every figure is one that Plotly takes, shows what its table says, and can be read by everybody."""

from __future__ import annotations

import itertools
import json
import re
import time

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.export.report_json import report_dict
from experiment.figures import FIGURES, figures
from experiment.figures.frame import round_ticks
from experiment.figures.label_places import (
    CHARACTER_PX,
    LINE_PX,
    OUTSIDE_PX,
    POSITIONS,
    WIDTH_PX,
    Box,
    Spot,
    _on_plot,
    place_labels,
)
from experiment.figures.palette import DARK, LIGHT, colour, symbol
from experiment.figures.points import apart
from experiment.figures.trade_off import frontier
from experiment.figures.view import view_of
from experiment.records import Label, Plan
from tests.support.records import (
    TABBY,
    TIGER,
    answer,
    answered,
    backend,
    original,
    report,
    sample_measurements,
    sample_report,
    variant,
)
from tests.support.reports import REPORTS, points_of
from tests.support.set_records import RIGHT, WRONG, result, summary

SMALL = variant(256)


def drawn(name, figure, theme="light"):
    return figures(report_dict(REPORTS[name]), theme)[figure]


def caption(made, figure):
    return figures(report_dict(made))[figure]["meta"]["caption"]


def texts(value):
    """Every string in a figure."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", REPORTS)
def test_plotly_takes_every_figure_and_the_basic_bundle_can_draw_it(name, theme):
    made = figures(report_dict(REPORTS[name]), theme)
    assert tuple(made) == FIGURES
    for figure in made.values():
        go.Figure(figure["data"], figure["layout"])
        assert {trace["type"] for trace in figure["data"]} <= {"scatter", "bar"}
        assert json.loads(json.dumps(figure, allow_nan=False)) == figure


@pytest.mark.parametrize("name", REPORTS)
def test_every_figure_says_what_it_shows(name):
    for figure in figures(report_dict(REPORTS[name])).values():
        meta = figure["meta"]
        assert meta["title"]
        assert meta["caption"].endswith(".")
        assert all(len(row) == len(meta["table"]["columns"]) for row in meta["table"]["rows"])


def test_an_old_report_that_went_through_json_gives_the_same_figures():
    exported = report_dict(REPORTS["whole"])
    assert figures(json.loads(json.dumps(exported))) == figures(exported)


def test_before_the_first_result_there_is_an_empty_frame_of_the_same_height():
    for name in ("trade_off", "latency_by_size", "agreement_by_size"):
        empty, full = drawn("nothing yet", name), drawn("one backend", name)
        assert empty["data"] == []
        assert empty["layout"]["annotations"][0]["text"] == "Results appear here."
        assert empty["layout"]["height"] == full["layout"]["height"]
        assert empty["meta"]["table"]["columns"] == full["meta"]["table"]["columns"]


# The table shows what is drawn


@pytest.mark.parametrize("name", ["whole", "goals", "true label", "no GPU", "first answer"])
@pytest.mark.parametrize(
    ("figure", "columns"),
    [
        ("trade_off", ("p50, ms", "Probability, %")),
        ("latency_by_size", ("Size, px", "p50, ms")),
        ("agreement_by_size", ("Size, px", "Probability, %")),
    ],
)
def test_the_table_holds_exactly_the_points_that_are_drawn(name, figure, columns):
    made = drawn(name, figure)
    table = made["meta"]["table"]
    places = [table["columns"].index(column) for column in columns]
    rows = sorted(tuple(row[place] for place in places) for row in table["rows"])
    assert rows == points_of(made)
    assert rows


def test_the_bars_of_latency_are_the_95_percent_interval_of_the_median():
    made = drawn("whole", "latency_by_size")
    table = made["meta"]["table"]
    low, high = (table["columns"].index(name) for name in ("95 % from, ms", "to, ms"))
    traces = [
        (round(y - down, 6), round(y + up, 6))
        for trace in made["data"]
        for y, down, up in zip(
            trace["y"], trace["error_y"]["arrayminus"], trace["error_y"]["array"], strict=True
        )
    ]
    assert sorted(traces) == sorted((row[low], row[high]) for row in table["rows"])


def test_the_stages_of_each_bar_add_up_to_its_total():
    made = drawn("whole", "where_time_goes")
    table = made["meta"]["table"]
    assert len(table["rows"]) == 33
    for row in table["rows"]:
        assert sum(value or 0 for value in row[2:-1]) == pytest.approx(row[-1], abs=0.001)
    bars = sum(value or 0 for trace in made["data"] if trace["type"] == "bar" for value in trace["x"])
    assert bars == pytest.approx(sum(row[-1] for row in table["rows"]), abs=0.01)


def test_the_original_as_uploaded_has_no_stages_of_making():
    made = drawn("whole", "where_time_goes")["meta"]["table"]
    columns = [made["columns"].index(f"{name}, ms") for name in ("decode photo", "resize", "encode")]
    first = made["rows"][0]
    assert first[1] == "original"
    assert [first[column] for column in columns] == [None, None, None]


def test_network_is_what_the_latency_holds_beyond_the_servers_own_stages():
    told = answer(server_ms={"queue": 1.0, "decode": 4.0, "inference": 20.0, "postprocess": 2.0})
    table = figures(report_dict(report(measurements=answered([30.0], prediction=told))))["where_time_goes"][
        "meta"
    ]["table"]
    row = dict(zip(table["columns"], table["rows"][0], strict=True))
    assert row["network, ms"] == 3.0
    assert row["server: other, ms"] == 2.0
    assert row["Total, ms"] == 30.0


def test_through_a_queue_the_service_holds_the_model_servers_own_stages():
    def row(**server_ms):
        told = answer(server_ms=server_ms)
        made = report(measurements=answered([30.0], prediction=told), backends=(backend(protocol="queue"),))
        table = figures(report_dict(made))["where_time_goes"]["meta"]["table"]
        return dict(zip(table["columns"], table["rows"][0], strict=True))

    waits = {"queue_wait": 2.0, "batch_wait": 1.0, "service": 20.0}
    known = row(**waits, queue=0.5, decode=4.0, inference=12.0)
    assert (known["queue wait, ms"], known["batch wait, ms"], known["service, ms"]) == (2.0, 1.0, None)
    assert (known["service: to the model, ms"], known["server: wait, ms"]) == (3.5, 0.5)
    assert (known["network, ms"], known["Total, ms"]) == (7.0, 30.0)
    plain = row(**waits)
    assert (plain["service, ms"], plain["network, ms"], plain["Total, ms"]) == (20.0, 7.0, 30.0)


def test_where_no_queue_was_measured_the_table_has_no_stages_of_queues():
    assert "queue wait, ms" not in drawn("whole", "where_time_goes")["meta"]["table"]["columns"]


def test_a_server_that_tells_no_stages_gets_one_bar_for_the_whole_request():
    table = drawn("first answer", "where_time_goes")["meta"]["table"]
    assert table["rows"][0][table["columns"].index("whole request, ms")] == 31.0


# Captions


def test_the_trade_off_names_the_recommended_choice():
    assert caption(REPORTS["whole"], "trade_off").startswith(
        "512 px JPEG q85 on GPU is the smallest that meets all goals. Agreement over latency"
    )


def test_latency_says_how_much_a_smaller_image_gains():
    assert caption(REPORTS["whole"], "latency_by_size") == (
        "From 2048 to 128 px PNG, p50 falls 17x on GPU, 9.0x on 8 CPU and 2.3x on 1 CPU. "
        "Bars: 95 % interval of the median."
    )


def test_latency_that_does_not_depend_on_size_is_called_so():
    large = variant(512)
    made = report(
        variants=(large, SMALL), measurements=[*answered([30.0], large.id), *answered([30.0], SMALL.id)]
    )
    assert caption(made, "latency_by_size").startswith("From 512 to 256 px, p50 hardly changes.")


@pytest.mark.parametrize(
    ("wrong_px", "words"),
    [
        ((), "The answer stays the same at every size, down to 128 px."),
        ((128,), "Below 256 px the answer changes."),
        ((256, 128), "Below 512 px the answer changes."),
        ((512, 256, 128), "The answer changes at every size."),
        ((512,), "Above 256 px the answer changes."),
        ((256,), "The answer changes at 256 px JPEG."),
    ],
)
def test_agreement_says_where_the_answer_changes(wrong_px, words):
    variants = (original(), variant(512), variant(256), variant(128))
    measurements = [
        one
        for each in variants
        for one in answered([30.0], each.id, prediction=answer(TIGER if each.size_px in wrong_px else TABBY))
    ]
    made = report(variants=variants, measurements=measurements)
    assert (
        caption(made, "agreement_by_size")
        == f"Agreement with the original's own answer, tabby (71 %). {words}"
    )


def test_with_a_true_label_accuracy_is_shown_and_called_so():
    made = drawn("true label", "agreement_by_size")
    assert made["meta"]["title"] == "Accuracy by size"
    assert "true label “Tiger_Cat”" in made["meta"]["caption"]
    assert "Above 128 px the answer is wrong." in made["meta"]["caption"]
    assert made["layout"]["yaxis"]["title"]["text"] == "Probability of “Tiger_Cat”, %"
    assert "Accuracy over latency" in drawn("true label", "trade_off")["meta"]["caption"]


def test_answers_that_lost_the_label_can_not_be_drawn_and_are_counted():
    lost = answer((Label("cup", 0.9), Label("dog", 0.1)))
    made = report(
        variants=(original(), SMALL),
        measurements=[*answered([30.0]), *answered([9.0], SMALL.id, prediction=lost)],
    )
    assert "1 answer has the label below their top 5" in caption(made, "agreement_by_size")


def test_where_the_time_goes_names_the_largest_part_of_the_recommended_bar():
    assert caption(REPORTS["whole"], "where_time_goes") == (
        "For 512 px JPEG on GPU, 72 % of the time is the model itself. One request. Copies are made in "
        "advance, so making them is in no bar."
    )


def test_few_bars_are_the_original_the_recommended_copy_and_the_two_quickest_right_ones():
    made = report_dict(REPORTS["whole"])
    table = figures(made, bars="few")["where_time_goes"]["meta"]["table"]
    best = made["recommendation"]
    right = sorted(
        (cell["p50_ms"], cell["variant_id"])
        for cell in made["cells"]
        if cell["backend_name"] == best["backend_name"]
        and cell["same_top1"]
        and cell["variant_id"] != "original"
    )
    alternatives = [key for _, key in right if key != best["variant_id"]][:2]
    named = {
        f"{key.split('-')[0]} {key.split('-')[1].upper()}" for key in [best["variant_id"], *alternatives]
    }
    for name in {row[0] for row in table["rows"]}:
        bars = [row[1] for row in table["rows"] if row[0] == name]
        assert len(bars) == 4 and "riginal" in bars[0]
        assert {" ".join(bar.split()[:2]) for bar in bars[1:]} == named
    caption_of = figures(made, bars="few")["where_time_goes"]["meta"]["caption"]
    assert re.search(r"Shown are 3 of \d+ copies\.$", caption_of)
    assert "Shown are" not in caption(REPORTS["whole"], "where_time_goes")


def test_where_the_time_goes_names_the_longest_bar_where_nothing_is_recommended():
    made = sample_report(plan=Plan(max_p50_ms=0.1, seed=7))
    assert caption(made, "where_time_goes").startswith("For 2048 px PNG on 1 CPU, 52 % of the time is")


def test_the_trade_off_does_not_repeat_a_headline_that_recommends_nothing():
    made = sample_report(plan=Plan(max_p50_ms=0.1, seed=7))
    assert caption(made, "trade_off") == (
        "Agreement over latency: up and to the left is better. Bars: 95 % interval of the median."
    )


def test_while_the_run_goes_on_the_original_is_waited_for():
    made = report(variants=(original(), SMALL), measurements=answered([9.0], SMALL.id), state="running")
    assert caption(made, "agreement_by_size").startswith("The original has not been measured yet")


@pytest.mark.parametrize("name", ["trade_off", "latency_by_size"])
def test_formats_differ_in_line_and_filling_and_backends_in_colour(name):
    looks = {
        trace["name"]: (
            trace["line"]["dash"],
            first_symbol(trace["marker"]["symbol"]),
            trace["line"]["color"],
        )
        for trace in drawn("whole", name)["data"]
        if trace["name"] in {"8 CPU, JPEG q85", "8 CPU, PNG"}
    }
    jpeg, png = looks["8 CPU, JPEG q85"], looks["8 CPU, PNG"]
    assert jpeg[0] != png[0] and jpeg[1] != png[1]
    assert jpeg[2] == png[2]


def first_symbol(symbols):
    """A trace has one symbol, or one for each point."""
    return symbols if isinstance(symbols, str) else symbols[0]


def test_a_reference_that_was_encoded_again_is_not_called_original():
    again = original(encoder="lossless PNG of the original: turned upright", format="png")
    made = figures(report_dict(report(variants=(again,), measurements=answered([9.0]))))
    assert made["where_time_goes"]["meta"]["table"]["rows"][0][1] == "reference (PNG)"
    assert made["latency_by_size"]["meta"]["table"]["rows"][0][1] == "reference (PNG)"
    assert made["trade_off"]["data"][-1]["text"] == ["reference (PNG)"]
    assert "original" not in made["latency_by_size"]["layout"]["xaxis"]["ticktext"][-1]


def test_few_bars_are_thicker_so_that_a_legend_above_leaves_them_room():
    few = figures(report_dict(report(measurements=answered([9.0]))))["where_time_goes"]["layout"]
    assert few["height"] == 28 + 36 + 40 + 56
    assert few["yaxis"]["domain"] == pytest.approx([0, 40 / 76], abs=0.01)


def test_the_time_of_resizing_says_what_it_covers():
    made = figures(report_dict(sample_report(plan=Plan(seed=7, copies="per_request"))))["where_time_goes"]
    bars = made["data"]
    assert "a smaller one that takes other steps may be quicker to make" in made["meta"]["caption"]
    (resize, *_) = [each for each in bars if each.get("name") == "resize"]
    assert any("all steps down from the original" in words for words in resize["hovertext"])


def test_backends_without_results_are_named_if_they_are_there():
    made = report_dict(REPORTS["no GPU"])
    made["backends"][0]["state"] = "down"
    for name in FIGURES:
        assert figures(made)[name]["meta"]["caption"].endswith("No results from GPU.")
        assert "No results" not in drawn("no GPU", name)["meta"]["caption"]


# Looks


def test_backends_that_answer_alike_share_one_line():
    names = {trace["name"] for trace in drawn("whole", "agreement_by_size")["data"]}
    assert {"all backends, PNG", "all backends, JPEG q85", "answer changed"} <= names
    assert not any("GPU" in name for name in names)


def test_backends_that_answer_differently_have_lines_of_their_own():
    plan = Plan(sizes_px=(256,), formats=("jpeg",), repeats=1)
    unsure = (Label("tabby", 0.4), *TABBY[1:])
    made = report(
        backends=(backend("GPU"), backend("8 CPU")),
        variants=(original(), SMALL),
        measurements=[
            *sample_measurements(original(), "GPU", plan),
            *sample_measurements(SMALL, "GPU", plan),
            *sample_measurements(original(), "8 CPU", plan),
            *answered([9.0], SMALL.id, prediction=answer(unsure)),
        ],
    )
    names = {trace["name"] for trace in figures(report_dict(made))["agreement_by_size"]["data"]}
    assert {"GPU, JPEG q85", "8 CPU, JPEG q85"} <= names


def test_a_changed_answer_is_hollow_and_the_legend_says_so():
    made = drawn("whole", "trade_off")
    shapes = {
        (point, shape)
        for trace in made["data"]
        if isinstance(trace.get("marker", {}).get("symbol"), list)
        for point, shape in zip(trace["text"], trace["marker"]["symbol"], strict=True)
    }
    assert all(shape.endswith("-open") for point, shape in shapes if point == "128")
    assert not any(shape.endswith("-open") for point, shape in shapes if point in {"256", "2048"})
    assert "answer changed" in {trace["name"] for trace in made["data"]}


def test_the_recommended_point_is_ringed():
    made = drawn("whole", "trade_off")
    (ring,) = [trace for trace in made["data"] if trace["name"] == "recommended"]
    assert ring["text"] == ["512 JPEG"]
    assert "recommended" not in {trace["name"] for trace in drawn("no labels", "trade_off")["data"]}


def test_what_is_over_the_users_limit_is_shaded():
    layout = drawn("goals", "trade_off")["layout"]
    assert layout["shapes"][0]["x0"] == 15.0
    assert layout["annotations"][0]["text"] == "over your 15 ms"


def test_sizes_are_ticked_where_they_were_measured():
    ticks = drawn("whole", "latency_by_size")["layout"]["xaxis"]
    assert ticks["tickvals"] == [128, 256, 512, 1024, 2048, 4000]
    assert ticks["ticktext"][-1] == "4000<br>original"


def test_a_size_too_near_to_another_has_no_tick_of_its_own():
    assert apart([128, 256, 1000, 1024, 2048]) == [128, 256, 1000, 2048]


@given(st.floats(0.01, 1e4), st.floats(1.5, 1e6))
def test_a_logarithmic_axis_has_a_readable_number_of_ticks(low, factor):
    ticks = round_ticks(low, low * factor)
    assert all(low <= tick <= low * factor for tick in ticks)
    assert len(ticks) <= 13
    assert ticks or factor < 2


@pytest.mark.parametrize(("palette", "paper"), [(LIGHT, "#FFFFFF"), (DARK, "#14171A")])
def test_every_colour_can_be_told_from_the_paper(palette, paper):
    assert palette.paper == paper
    assert contrast(palette.ink, paper) >= 7
    assert contrast(palette.muted, paper) >= 4.5
    for each in (*palette.backends, palette.preparing, palette.sending, palette.serving):
        assert contrast(each, paper) >= 3


def contrast(one, other):
    """Contrast of two #RRGGBB colours (WCAG 2.2, relative luminance)."""

    def luminance(text):
        parts = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_twenty_backends_look_different_and_colour_never_stands_alone():
    looks = [(colour(LIGHT, place), symbol(place)) for place in range(20)]
    assert len(set(looks)) == 20
    assert len({symbol(place) for place in range(4)}) == 4


def test_the_themes_differ_in_colours_only():
    colours = re.compile(r"#[0-9A-Fa-f]{6}|rgba\([^)]*\)")
    light, dark = (json.dumps(figures(report_dict(REPORTS["whole"]), theme)) for theme in ("light", "dark"))
    assert light != dark
    assert colours.sub("", light) == colours.sub("", dark)


# Text from others


def test_names_from_outside_can_not_become_markup():
    evil = "<b>x</b><a href='javascript:alert(1)'>"
    made = report(
        backends=(backend(evil),),
        measurements=answered(
            [30.0] * 6, backend_name=evil, prediction=answer((Label(evil, 0.7), Label("b", 0.3)))
        ),
    )
    for figure in figures(report_dict(made)).values():
        for text in texts(figure["data"]) + texts(figure["layout"]):
            assert not re.search("<(?!br>)", text), text


@pytest.mark.parametrize("name", REPORTS)
def test_no_text_needs_an_inline_style(name):
    """plotly.js turns <b> and <i> into style attributes, which the page's policy forbids."""
    for figure in figures(report_dict(REPORTS[name])).values():
        assert not any(re.search("<(b|i|sub|sup|em|span)>", text) for text in texts(figure))


# The parts


def test_no_point_beats_one_of_the_frontier():
    points = view_of(report_dict(REPORTS["whole"])).points
    best = frontier(points)
    right = [point for point in points if point.is_kept is not False]
    assert best[-1].score == max(point.score for point in right)
    for one, other in itertools.product(best, right):
        assert not (other.p50_ms < one.p50_ms and other.score >= one.score)


@pytest.mark.parametrize("over", ["latency", "bytes"])
def test_a_changed_answer_is_never_among_the_best_trade_offs(over):
    """However small and quick the copy."""
    tiny = variant(128)
    measurements = [
        *answered([20.0] * 6),
        *answered([9.0] * 6, SMALL.id),
        *answered([4.0] * 6, tiny.id, prediction=answer(TIGER)),
    ]
    made = report(variants=(original(), SMALL, tiny), measurements=measurements)
    meta = figures(report_dict(made), over=over)["trade_off"]["meta"]["table"]
    best = {
        row[meta["columns"].index("Size, px")]
        for row in meta["rows"]
        if row[meta["columns"].index("Best trade-off")] == "yes"
    }
    assert tiny.size_px not in best
    assert SMALL.size_px in best


def test_a_copy_that_can_not_be_told_faster_is_no_trade_off():
    """Their intervals meet: 8.9 to 9.3 ms against 9.1 ms, and the slower one is surer."""
    unsure = answer((Label("tabby", 0.6), Label("tiger cat", 0.2)))
    measurements = [
        *answered([20.0] * 8),
        *answered([9.1] * 8, "512-jpeg-85"),
        *answered([8.9, 8.9, 8.9, 9.0, 9.0, 9.3, 9.3, 9.3], SMALL.id, prediction=unsure),
    ]
    made = report(variants=(original(), variant(512), SMALL), measurements=measurements)
    assert SMALL.id not in {each.variant.id for each in frontier(view_of(report_dict(made)).points)}


spots = st.builds(
    Spot, x=st.floats(0, 1), y=st.floats(0, 1), text=st.sampled_from(["32", "2048", "original"])
)


@given(st.lists(spots, max_size=12))
def test_labels_are_placed_for_the_first_points_first(points):
    positions = place_labels(points)
    assert len(positions) == len(points)
    assert place_labels(points[:1]) != [None]


@given(st.lists(spots, min_size=2, max_size=40))
def test_no_label_covers_another_one_or_a_point(points):
    """As every box compared with every other one has it."""
    plot = [_on_plot(each) for each in points]
    labels = []
    for spot, position in zip(points, place_labels(points), strict=True):
        boxes = {name: _label(spot, way) for name, way in POSITIONS.items()}
        free = [name for name, box in boxes.items() if not any(map(box.overlaps, [*plot, *labels]))]
        free = [name for name in free if _reach(boxes[name]) <= OUTSIDE_PX]
        assert position == next(iter(free), None)
        labels += [boxes[position]] if position else []


def _label(spot, way):
    point, width = _on_plot(spot), CHARACTER_PX * len(spot.text)
    x, y = point.x + way[0] * (point.width + width) / 2, point.y + way[1] * (point.height + LINE_PX) / 2
    return Box(x, y, width, LINE_PX)


def _reach(box):
    """By how many px it crosses the left or right edge."""
    return max(-(box.x - box.width / 2), box.x + box.width / 2 - WIDTH_PX)


def test_no_label_stands_over_the_axis_or_beyond_the_plot():
    left, right = Spot(0.01, 0.5, "256 browser/pica"), Spot(0.99, 0.5, "256 browser/canvas")
    assert place_labels([left, right]) == ["middle right", "middle left"]
    assert place_labels([Spot(0.5, 0.5, "x" * 60)]) == [None]


@pytest.mark.parametrize("width", [0, 0.8], ids=["in one place", "in a row"])
def test_thousands_of_points_get_their_labels_in_seconds(width):
    crowd = [Spot(0.1 + width * place / 6400, 0.5, "2048 q85") for place in range(6400)]
    started_s = time.process_time()
    positions = place_labels([Spot(0.9, 0.9, "512"), *crowd])
    assert time.process_time() - started_s < 4  # each compared with each takes more than twice as long
    assert positions[0] == "top center"
    assert 0 < sum(each is not None for each in positions) < 50


def test_a_label_moves_aside_for_a_neighbour_and_goes_where_there_is_no_room():
    assert place_labels([Spot(0.5, 0.5, "512"), Spot(0.5, 0.55, "256")]) == ["bottom center", "top center"]
    crowd = [Spot(0.5, 0.5, "512")] + [
        Spot(0.5 + x, 0.5 + y, "") for x in (-0.06, 0, 0.06) for y in (-0.05, 0, 0.05)
    ]
    assert place_labels(crowd)[0] is None


def test_points_of_a_trade_off_have_crosses_of_their_intervals():
    made = drawn("whole", "trade_off")
    table = made["meta"]["table"]
    low, high, p50 = (table["columns"].index(name) for name in ("95 % from, ms", "to, ms", "p50, ms"))
    told = sorted((row[low], row[high]) for row in table["rows"])
    shown = [
        (round(x - down, 6), round(x + up, 6))
        for trace in made["data"]
        if "error_x" in trace
        for x, up, down in zip(
            trace["x"], trace["error_x"]["array"], trace["error_x"]["arrayminus"], strict=True
        )
    ]
    assert sorted(shown) == told and len(told) == 33
    assert all(row[low] <= row[p50] <= row[high] for row in table["rows"])
    slowest = figures(report_dict(REPORTS["whole"]), latency="slowest")["trade_off"]
    assert {row[low] for row in slowest["meta"]["table"]["rows"]} == {None}


def test_many_ways_of_making_are_not_joined_and_each_label_names_the_format():
    many = drawn("five backends", "trade_off")
    assert not [
        each for each in many["data"] if "lines" in each["mode"] and each["name"] != "best trade-offs"
    ]
    one = drawn("one backend", "trade_off")
    assert [each["name"] for each in one["data"] if each["mode"].startswith("lines+")] == [
        "8 CPU, PNG",
        "8 CPU, JPEG q85",
    ]
    labels = {text for each in one["data"] for text in each.get("text") or () if text}
    assert {"128 PNG", "512 JPEG"} <= labels


def test_no_label_stands_on_a_line():
    spot, (left, right) = Spot(0.5, 0.5, "512 JPEG"), ((0.2, 0.55), (0.8, 0.55))
    assert place_labels([spot]) == ["top center"]
    assert place_labels([spot], [(left, right)]) == ["bottom center"]


def test_the_axis_of_probability_holds_what_was_measured_and_not_much_more():
    low, high = drawn("whole", "trade_off")["layout"]["yaxis"]["range"]
    scores = [row[4] for row in drawn("whole", "trade_off")["meta"]["table"]["rows"]]
    assert low < min(scores) and max(scores) < high
    assert (max(scores) - min(scores)) / (high - low) > 0.85
    flat = report(variants=(original(), SMALL), measurements=[*answered([30.0]), *answered([9.0], SMALL.id)])
    low, high = figures(report_dict(flat))["trade_off"]["layout"]["yaxis"]["range"]
    assert high - low == pytest.approx(11.2)  # 10 points and a margin, wherever the one value lies


@given(st.floats(0.01, 5000), st.floats(1.2, 2.99))
def test_a_short_axis_has_enough_ticks_to_be_read(low, factor):
    assert 3 <= len(round_ticks(low, low * factor)) <= 7


# Sets of photos


def a_set_with_one_large_photo(shown=1):
    """Of 30 photos `shown` are large enough for 512 px, and the copy of these is wrong."""
    found = [
        result(
            at, **({"original": RIGHT, "large": WRONG} if at < shown else {"original": RIGHT}), small=RIGHT
        )
        for at in range(30)
    ]
    return report_dict(summary(found))


@pytest.mark.parametrize("name", FIGURES)
def test_what_few_photos_say_is_hollow_and_joined_to_nothing(name):
    few, many = (figures(a_set_with_one_large_photo(shown))[name] for shown in (1, 20))
    if name == "where_time_goes":
        assert "512 JPEG" not in {row[1] for row in few["meta"]["table"]["rows"]}
        assert "1 variant with under a quarter of the photos is left out." in few["meta"]["caption"]
        assert "512 JPEG" in {row[1] for row in many["meta"]["table"]["rows"]}
        return
    (pale,) = [each for each in few["data"] if "opacity" in each["marker"] and each["x"] != [None]]
    assert pale["mode"].startswith("markers") and len(pale["x"]) == 1
    assert all(each.endswith("-open") for each in pale["marker"]["symbol"])
    assert any("1 photo" in words for words in pale["hovertext"])
    assert [each for each in few["data"] if each.get("name") == "under a quarter of the photos"]
    assert not [each for each in many["data"] if "opacity" in each.get("marker", {})]
    column = few["meta"]["table"]["columns"].index("Photos")
    assert sorted(row[column] for row in few["meta"]["table"]["rows"]) == [1, 30, 30]


def test_one_photo_does_not_stretch_the_axis_of_thirty():
    few = figures(a_set_with_one_large_photo())["agreement_by_size"]["layout"]["yaxis"]["range"]
    assert few[0] > -10
    best = figures(a_set_with_one_large_photo())["trade_off"]["meta"]["table"]
    chosen = {row[2] for row in best["rows"] if row[best["columns"].index("Best trade-off")] == "yes"}
    assert 512 not in chosen


def test_the_accuracy_of_a_set_is_drawn_with_its_interval():
    made = drawn("labelled set", "agreement_by_size")
    assert made["meta"]["title"] == "Accuracy by size"
    assert made["layout"]["yaxis"]["title"]["text"] == "Top-1 accuracy, % of photos"
    assert made["meta"]["caption"].startswith("Accuracy: the share of 100 labelled photos")
    small = made["data"][0]
    assert small["y"] == [82.0]
    low, high = (
        small["y"][0] - small["error_y"]["arrayminus"][0],
        small["y"][0] + small["error_y"]["array"][0],
    )
    assert (round(low, 2), round(high, 2)) == (73.33, 88.30)
    assert made["meta"]["table"]["rows"][0] == ["8 CPU", "JPEG", 256, 82.0, 73.33, 88.3, 100]
    assert "top-1 82.0 % (73.3 to 88.3), 82 of 100 photos" in small["hovertext"][0]
    assert "difference -3.0 points (-9.1 to 2.8" in small["hovertext"][0]


def test_a_set_without_labels_shows_agreement_and_says_so():
    made = drawn("unlabelled set", "agreement_by_size")
    assert made["meta"]["title"] == "Agreement by size"
    assert made["meta"]["caption"].startswith("Agreement: the share of 9 photos with the same top answer")
    assert drawn("unlabelled set", "trade_off")["meta"]["table"]["columns"][4] == "Same answer, %"


def test_the_trade_off_of_a_set_has_accuracy_over_latency():
    made = drawn("labelled set", "trade_off")
    assert made["meta"]["table"]["columns"][4] == "Top-1, %"
    assert "Accuracy over latency" in made["meta"]["caption"]
    assert any("error_y" in each for each in made["data"])


def test_one_photo_has_no_intervals_of_shares():
    assert not any("error_y" in each for each in drawn("true label", "agreement_by_size")["data"])
