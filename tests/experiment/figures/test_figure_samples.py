"""The strip of one cell's samples: what it draws, what it says, and what its table holds."""

from __future__ import annotations

import json
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from experiment.export.report_json import report_dict
from experiment.figures import variant_figures
from experiment.figures.where_time_goes import STAGES
from experiment.records import Plan
from experiment.report.statistics import outliers
from tests.support.records import answered, backend, failed, no_gpu, original, report, sample_report, variant

STEADY = [30.0 + place % 5 / 10 for place in range(20)]
WARMUPS = answered([300.0, 31.0, 30.5], is_warmup=True)
MEASURED = {
    "steady": [*WARMUPS, *answered(STEADY)],
    "one outlier": answered([*STEADY[:-1], 88.0]),
    "two outliers": answered([*STEADY[:-2], 88.0, 120.0]),
    "many outliers": answered([*STEADY, 88.0, 91.0, 95.0, 130.0]),
    "some delayed": [*answered(STEADY), *(replace(each, late_ms=20.0) for each in answered([55.0, 61.0]))],
    "few": answered([30.0, 88.0, 31.0]),
    "with failures": [*answered(STEADY), *failed(3)],
    "failures only": failed(20),
    "nothing": [],
    "warm-ups only": WARMUPS,
    "enough for p90": answered([30.0 + place / 10 for place in range(64)]),
    "no time at all": answered([0.0] * 6),
    "far apart": answered([1.0, 1.1, 1.2, 90.0, 1.0, 1.1, 1.2]),
}


def strip(name, theme="light", **changes):
    made = report_dict(report(measurements=MEASURED[name], **changes))
    return variant_figures(made, "original", theme)["samples"]["8 CPU"]


def caption(name, **changes):
    return strip(name, **changes)["meta"]["caption"]


def traces(figure):
    return {trace["name"]: trace for trace in figure["data"]}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", MEASURED)
def test_plotly_takes_every_strip(name, theme):
    figure = strip(name, theme)
    go.Figure(figure["data"], figure["layout"])
    assert json.loads(json.dumps(figure, allow_nan=False)) == figure
    assert figure["meta"]["caption"].endswith(".")
    assert {trace["type"] for trace in figure["data"]} <= {"scatter"}


def test_the_caption_counts_samples_and_names_outliers():
    assert caption("steady").startswith("20 samples, no outliers.")
    assert caption("one outlier").startswith("20 samples, 1 outlier at 88 ms.")
    assert caption("two outliers").startswith("20 samples, 2 outliers at 88 and 120 ms.")
    assert caption("many outliers").startswith("24 samples, 4 outliers, the slowest at 130 ms.")


def test_with_few_samples_nothing_is_called_an_outlier():
    assert caption("few").startswith("3 samples, no outliers.")


def test_the_caption_says_which_percentile_needs_more_samples():
    assert "p90 is known from 64 samples." in caption("steady")
    assert "p99 is known from 662 samples." in caption("enough for p90")


def test_failures_are_told_and_never_drawn_as_latencies():
    figure = strip("with failures")
    assert "3 requests failed." in figure["meta"]["caption"]
    assert traces(figure)["3 failed"]["marker"]["symbol"] == "x"
    assert len(traces(figure)["sample"]["x"]) == 20
    assert max(traces(figure)["3 failed"]["y"]) == pytest.approx(figure["layout"]["yaxis"]["range"][1])


def test_a_cell_with_failures_only_still_has_its_strip():
    figure = strip("failures only")
    assert figure["meta"]["caption"] == "No samples: 20 requests failed."
    assert list(traces(figure)) == ["20 failed"]


def test_warm_ups_are_hollow_come_first_and_say_where_they_are_beyond_the_edge():
    figure = strip("steady")
    warm, dots = traces(figure)["warm-up"], traces(figure)["sample"]
    assert warm["marker"]["symbol"].endswith("-open")
    assert max(warm["x"]) < min(dots["x"])
    assert warm["text"][0].strip() == "↑ 300 ms"
    assert warm["text"][1:] == ["", ""]
    assert max(warm["y"]) < 60


def test_several_warm_ups_beyond_the_edge_share_their_words():
    made = report(measurements=[*answered([300.0, 280.0, 30.5], is_warmup=True), *answered(STEADY)])
    figure = variant_figures(report_dict(made), "original")["samples"]["8 CPU"]
    assert traces(figure)["warm-up"]["text"] == ["", "  ↑ up to 300 ms", ""]


def test_time_goes_to_the_right_and_latency_up():
    figure = strip("one outlier")
    assert traces(figure)["sample"]["x"] == list(range(1, 21))
    assert traces(figure)["sample"]["y"] == [*STEADY[:-1], 88.0]
    assert figure["layout"]["xaxis"]["ticktext"] == ["first", "last"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "Latency, ms"
    p50 = traces(figure)["p50 30 ms"]
    assert p50["y"][0] == p50["y"][1] and p50["x"][0] < 1 and p50["x"][1] > 20


def test_only_the_percentiles_that_the_count_allows_have_a_line():
    assert [name for name in traces(strip("steady")) if name.startswith("p")] == ["p50 30 ms"]
    assert [name[:3] for name in traces(strip("enough for p90")) if name.startswith("p")] == ["p50", "p90"]


def test_the_table_holds_every_warm_up_and_sample_as_measured():
    rows = strip("steady")["meta"]["table"]["rows"]
    assert [row[1] for row in rows if row[2] == "no"] == [300.0, 31.0, 30.5]
    assert [row[1] for row in rows if row[2] == "yes"] == STEADY


def test_samples_that_were_set_apart_are_told_and_stand_in_the_table_but_are_not_drawn():
    made = strip("some delayed")
    assert "20 samples, no outliers. 2 more, up to 61 ms, delayed by other work" in made["meta"]["caption"]
    assert [row for row in made["meta"]["table"]["rows"] if row[0] == "delayed"] == [
        ["delayed", 55.0, "no", None],
        ["delayed", 61.0, "no", None],
    ]
    assert 61.0 not in [y for trace in made["data"] for y in trace["y"]]


def test_while_a_run_goes_on_the_caption_says_so_far():
    assert caption("steady", state="running").startswith("20 samples so far")
    assert caption("nothing", state="running") == "Nothing was measured yet."


def test_samples_that_lie_far_apart_share_a_logarithmic_axis():
    assert strip("far apart")["layout"]["yaxis"]["type"] == "log"
    assert "type" not in strip("steady")["layout"]["yaxis"]


def test_an_outlier_needs_a_distance_that_the_clock_can_tell():
    assert outliers([10.0] * 7 + [10.01]) == []
    assert outliers([10.0] * 7 + [100.0]) == [100.0]
    assert outliers([1.0, 2.0, 900.0]) == []


def test_every_warm_up_that_was_answered_is_in_the_report():
    made = report_dict(report(measurements=MEASURED["steady"]))
    assert made["cells"][0]["warmup_samples_ms"] == [300.0, 31.0, 30.5]
    assert made["cells"][0]["cold_ms"] == 300.0


def test_the_stages_are_those_of_the_variant_and_of_the_original_on_each_backend():
    made = report_dict(sample_report(("GPU", "1 CPU")))
    stages = variant_figures(made, "512-jpeg-85")["stages"]
    rows = stages["meta"]["table"]["rows"]
    assert [row[:2] for row in rows] == [
        [name, words] for name in ("GPU", "1 CPU") for words in ("original", "512 JPEG")
    ]
    order = [stage.name for stage in STAGES]
    drawn = list(dict.fromkeys(trace["name"] for trace in stages["data"] if trace["type"] == "bar"))
    assert drawn == sorted(drawn, key=order.index)
    assert stages["meta"]["caption"].startswith("For 512 px JPEG on ")


def test_a_backend_that_is_not_there_has_a_strip_that_says_nothing_was_measured():
    made = report_dict(
        report(backends=(no_gpu(), backend()), variants=(original(), variant()), plan=Plan(seed=1))
    )
    drawn = variant_figures(made, "512-jpeg-85")
    assert drawn["samples"]["GPU"]["meta"]["caption"] == "Nothing was measured."
    assert drawn["stages"]["data"] == []
