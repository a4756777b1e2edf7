"""What a reader may choose about the figures: another latency, and the trade-off over bytes."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from experiment.export.report_json import report_dict
from experiment.figures import figures
from experiment.records import Plan
from tests.support.reports import REPORTS, points_of


def drawn(name, figure, **chosen):
    return figures(report_dict(REPORTS[name]), **chosen)[figure]


def column(figure, name):
    table = figure["meta"]["table"]
    return [row[table["columns"].index(name)] for row in table["rows"]]


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("latency", ["p50", "p90", "p99", "slowest"])
def test_every_choice_is_a_figure_that_plotly_takes(name, latency):
    for figure in figures(report_dict(REPORTS[name]), latency=latency, over="bytes").values():
        go.Figure(figure["data"], figure["layout"])


def test_the_slowest_sample_is_drawn_where_it_is_chosen():
    made = drawn("whole", "trade_off", latency="slowest")
    slowest = {cell["max_ms"] for cell in report_dict(REPORTS["whole"])["cells"] if cell["count"]}
    assert {x for x, _ in points_of(made)} == set(column(made, "slowest, ms")) == slowest
    assert made["layout"]["xaxis"]["title"]["text"] == "Slowest of all samples, ms"
    lines = drawn("whole", "latency_by_size", latency="slowest")
    assert "Points are the slowest of all samples." in lines["meta"]["caption"]
    assert {y for _, y in points_of(lines)} == slowest


def test_a_percentile_that_no_cell_knows_leaves_the_p50():
    assert drawn("whole", "trade_off", latency="p99") == drawn("whole", "trade_off")


def test_the_time_of_a_goal_is_not_shaded_over_another_latency():
    assert "shapes" not in drawn("goals", "trade_off", latency="slowest")["layout"]


@pytest.mark.parametrize("name", ["whole", "goals", "true label", "no GPU"])
def test_over_bytes_the_table_holds_exactly_the_points_that_are_drawn(name):
    made = drawn(name, "trade_off", over="bytes")
    rows = sorted(zip(column(made, "Size, KB"), column(made, "Probability, %"), strict=True))
    assert rows == points_of(made)
    assert rows


def test_over_bytes_backends_that_answer_alike_share_a_line():
    made = drawn("whole", "trade_off", over="bytes")
    names = [trace["name"] for trace in made["data"] if trace.get("showlegend")]
    assert names == ["all backends, PNG", "all backends, JPEG q85"]
    assert made["layout"]["xaxis"]["title"]["text"] == "Size, KB"


def test_over_bytes_what_weighs_more_than_the_limit_is_shaded():
    limited = replace(REPORTS["whole"], plan=Plan(max_size_bytes=30_000))
    layout = figures(report_dict(limited), over="bytes")["trade_off"]["layout"]
    assert layout["shapes"][0]["x0"] == 30.0
    assert layout["annotations"][0]["text"] == "over your 30 KB"
