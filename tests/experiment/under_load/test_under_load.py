"""Cells that were put under load, as the report, its figures, its costs and its comparison tell of them."""

from __future__ import annotations

import csv
import html
import io
import json

import jsonschema
import plotly.graph_objects as go
import pytest

from experiment.decide.compare_section import compare_section
from experiment.decide.cost_section import AT_CAPACITY, IN_FLIGHT, NOT_ALL, cost_section
from experiment.decide.sections import deciding, sections
from experiment.export.import_report import MOST_SAMPLES, ReportRefused, read_report
from experiment.export.report_csv import load_csv, report_csv
from experiment.export.report_html import report_html
from experiment.export.report_json import SCHEMA, report_dict
from experiment.figures.palette import LIGHT
from experiment.figures.view import view_of
from experiment.records import LoadLoop, Plan
from experiment.report.method import method
from experiment.report.statistics import median_ranks
from experiment.under_load.capacities import MARKED
from experiment.under_load.comparison import ratio_of_capacities
from experiment.under_load.defaults import choices, default_load, rounded_up
from tests.support.records import load_curve, load_point, sample_report
from tests.support.reports import closed

SMALL = "512-jpeg-85"


def loaded(*curves, **changes):
    return report_dict(sample_report(("GPU", "8 CPU"), load=curves, **changes))


BOTH = loaded(
    load_curve(), load_curve(SMALL, per_s=82.0, low_per_s=78.0, high_per_s=86.0, shares_machine=True)
)


def section_of(report):
    return sections(report)["load"]


def column(table, name):
    return [row[table["columns"].index(name)] for row in table["rows"]]


def test_the_report_keeps_every_latency_of_a_load_and_reads_it_back():
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(BOTH)
    assert read_report(json.dumps(BOTH).encode(), "run.json") == BOTH
    points = BOTH["load"][0]["points"]
    assert [point["count"] for point in points] == [40, 80, 100, 100]
    assert points[2]["samples_ms"] == [30.0] * 98 + [90.0] * 2
    assert BOTH["requests"]["done"] == loaded()["requests"]["done"]  # no samples of the run


def test_a_report_of_an_older_version_has_no_load_and_says_how_to_begin():
    old = {key: value for key, value in loaded().items() if key != "load"}
    assert section_of(old).figures == {}
    assert "Put variants under load" in section_of(old).sentence
    assert read_report(json.dumps(old).encode(), "run.json") == old


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"per_s": 50.0}, "does not fit its interval"),
        ({"per_s": None}, "does not fit its interval"),
        ({"outcome": "not_met"}, "does not fit its interval"),
        ({"variant_id": "999-jpeg-85"}, "under load that it does not have"),
        ({"points": [{"p50_ms": 3.0}]}, "its own samples give"),
        ({"points": [{"count": 41}]}, "does not fit its samples"),
        ({"points": [{"failures": 1, "count": 41}]}, "causes don't fit"),
    ],
)
def test_an_imported_load_that_contradicts_itself_is_refused(change, why):
    made = json.loads(json.dumps(BOTH))
    for place, point in enumerate(change.pop("points", [])):
        made["load"][0]["points"][place] |= point
    made["load"][0] |= change
    with pytest.raises(ReportRefused, match=why):
        read_report(json.dumps(made).encode(), "run.json")


def test_the_plot_has_p50_and_the_slow_end_over_the_rate_with_knee_limit_and_capacity():
    drawn = section_of(BOTH).figures["under_load"]
    go.Figure(drawn["data"], drawn["layout"])
    by_name = {trace["name"]: trace for trace in drawn["data"]}
    assert by_name["512 px JPEG on 8 CPU, p50"]["x"] == [10, 20, 40, 60]
    assert by_name["512 px JPEG on 8 CPU, p50"]["y"] == [20, 22, 30, 150]
    first, second = (trace for trace in drawn["data"] if trace["name"] == "capacity")
    assert (first["x"], second["x"]) == ([41], [82])
    assert first["y"] == second["y"] == [100]
    assert (first["error_x"]["array"], second["error_x"]["array"]) == ([2], [4])
    assert (first["showlegend"], second["showlegend"]) == (True, False)
    assert by_name["knee"]["x"] == [20, 20]
    assert by_name["knee"]["y"] == pytest.approx([22, 22])
    assert [shape["y0"] for shape in drawn["layout"]["shapes"]] == [100]
    assert drawn["layout"]["annotations"][0]["text"] == "limit 100 ms"
    assert len(drawn["meta"]["table"]["rows"]) == 8


def test_a_rate_that_a_capacity_is_only_known_to_reach_has_no_star():
    made = section_of(loaded(load_curve(outcome="at_least", high_per_s=None))).figures["under_load"]
    assert not any(trace["name"] == "capacity" for trace in made["data"])
    assert "Star" not in made["meta"]["caption"]


def slow_end(*points):
    drawn = section_of(loaded(load_curve(points=points))).figures["under_load"]
    return (
        drawn["data"][1]["name"].replace("<br>", " ").rpartition(", ")[2],
        drawn["data"][1]["x"],
        drawn["meta"]["caption"],
    )


def test_a_percentile_is_drawn_only_at_rates_with_enough_answers_for_it():
    few, some, many = load_point(10, [20.0] * 9), load_point(20, [30.0] * 64), load_point(40, [30.0] * 662)
    assert slow_end(some, many)[:2] == ("p90", [20, 40])
    assert slow_end(few, some, many)[:2] == ("p90", [20, 40])
    assert slow_end(few)[:2] == ("slowest", [10])
    assert "A p99 needs 662 answers" in slow_end(few)[2]
    assert slow_end(many)[:2] == ("p99", [40])
    assert "662" not in slow_end(many)[2]


def test_points_that_cannot_be_relied_on_are_hollow_and_said_to_be():
    points = (load_point(10, [20.0] * 9), load_point(20, [30.0] * 9, validity="INVALID"))
    drawn = section_of(loaded(load_curve(points=points))).figures["under_load"]
    assert drawn["data"][0]["marker"]["symbol"] == ["circle", "circle-open"]
    assert "Hollow" in drawn["meta"]["caption"]


def test_a_load_without_any_answer_is_told_and_not_drawn():
    points = (load_point(10, [], count=9, failures=9, causes={"unreachable": 9}, achieved_per_s=0.0),)
    curve = load_curve(
        outcome="no_answer", sentence="unknown: no request under load was answered", points=points,
        knee_per_s=None, per_s=None, low_per_s=None, high_per_s=None, validity="INVALID",
        reasons=("All failed.",),
    )  # fmt: skip
    made = loaded(curve)
    assert section_of(made).figures == {}
    assert section_of(made).sentence.endswith("8 CPU: unknown: no request under load was answered.")
    assert "All failed." in section_of(made).warnings[0]
    assert read_report(json.dumps(made).encode(), "run.json") == made


def test_a_backend_on_the_generators_machine_is_always_marked():
    section = section_of(BOTH)
    assert f"8 CPU: {MARKED}." in section.warnings
    assert column(section.tables[0], "Load generator") == ["another machine", "same machine"]
    assert html.escape(f"8 CPU: {MARKED}.").replace("x27", "39") in report_html(BOTH)
    assert any("ran on the machine of 8 CPU" in each["text"] for each in method(BOTH))
    assert not any("ran on the machine" in each["text"] for each in method(loaded(load_curve())))


def test_goodput_is_told_per_second_and_per_core():
    (table,) = section_of(BOTH).tables
    assert column(table, "Right answers/s") == [20, 20]
    assert column(table, "Per core") == [2.5, 2.5]


def test_the_capacity_stands_beside_each_cell_in_the_csv_and_every_rate_in_a_csv_of_its_own():
    rows = {
        (row["variant_id"], row["backend_name"]): row for row in csv.DictReader(io.StringIO(report_csv(BOTH)))
    }
    own = rows[SMALL, "8 CPU"]
    assert (own["capacity_per_s"], own["capacity_low_per_s"], own["knee_per_s"]) == ("82.0", "78.0", "20.0")
    assert rows[SMALL, "GPU"]["capacity_per_s"] == ""
    points = list(csv.DictReader(io.StringIO(load_csv(BOTH))))
    assert [float(row["offered_per_s"]) for row in points] == [10, 20, 40, 60] * 2
    assert [len(row["samples_ms"].split()) for row in points[:4]] == [40, 80, 100, 100]
    assert load_csv(loaded()).startswith("run_id,variant_id,backend_name,measured_at")
    assert report_csv({**loaded(), "cells": []}) == "run_id,variant_id,backend_name\r\n"


def test_a_load_of_more_requests_than_a_cell_may_have_is_imported_again():
    made = json.loads(json.dumps(BOTH))
    point = made["load"][0]["points"][0]
    more = MOST_SAMPLES
    point["samples_ms"] = [point["p50_ms"]] * more
    point |= dict.fromkeys(("p90_ms", "p99_ms", "max_ms"), point["p50_ms"])
    point |= {"count": more + point["failures"]}
    before = median_ranks.cache_info().currsize
    assert read_report(json.dumps(made).encode(), "run.json") == made
    assert median_ranks.cache_info().currsize <= before + 10  # of the cells; not of 100,000 requests


def test_closed_loops_before_a_search_are_in_the_report_and_checked():
    loop = LoadLoop(1, 0.5, count=3, failures=1, causes={"deadline": 1}, samples_ms=(20.0, 21.0))
    made = loaded(load_curve(closed_loops=(loop,)))
    (told,) = made["load"][0]["closed_loops"]
    assert (told["in_flight"], told["samples_ms"]) == (1, [20.0, 21.0])
    made = json.loads(json.dumps(made))
    assert read_report(json.dumps(made).encode(), "run.json") == made
    made["load"][0]["closed_loops"][0]["count"] = 4
    with pytest.raises(ReportRefused, match="closed_loops"):
        read_report(json.dumps(made).encode(), "run.json")


def test_names_in_the_legend_are_broken_so_that_a_phone_shows_all_of_them():
    figures = [section_of(report).figures["under_load"] for report in (BOTH, loaded(load_curve()))]
    names = [trace["name"] for figure in figures for trace in figure["data"]]
    lines = [line for name in names for line in html.unescape(name).split("<br>")]
    assert max(map(len, lines)) <= 40
    assert any("<br>" in name for name in names)
    assert figures[0]["layout"]["height"] > figures[1]["layout"]["height"]


def test_html_has_the_section_and_a_column_of_capacities():
    text = report_html(BOTH)
    assert "82 requests/s (95 %: 78 to 86)" in text
    assert "Latency under load" in text
    assert "Capacity, requests/s" not in report_html(loaded()).split('id="report"')[0]


PRICES = {"GPU": 4.0, "8 CPU": 1.8}


def test_a_cost_comes_from_the_capacity_where_one_was_measured():
    """1.80 an hour at 50 requests/s, 180,000 an hour: 10.00 for a million, 0.01 for 1,000."""
    names = {"per_s": 50.0, "low_per_s": 45.0, "high_per_s": 60.0}
    made = loaded(load_curve(SMALL, "8 CPU", **names), load_curve(SMALL, "GPU", per_s=100.0, low_per_s=99.0))
    section = cost_section(view_of(made), PRICES, LIGHT)
    costs = (
        "costs 0.0100 for 1,000 predictions, 10.00 for a million, at its measured capacity of 50 requests/s"
    )
    assert costs in section.sentence
    table = section.tables[0]
    assert column(table, "Per million") == ["10.00", "11.11"]
    assert column(table, "Per million, 95 %")[0] == "8.33 to 11.11"
    assert column(table, "Right answers for a price of 1") == [40_000, 18_000]  # 20 a second, by the hour
    assert section.notes[0] == AT_CAPACITY
    assert "at its measured capacity" in section.figures["cost_by_rate"]["meta"]["caption"]
    stars = section.figures["cost_by_size"]["data"][-1]
    assert sorted(stars["y"]) == [10.0, pytest.approx(11.1111)]


def test_backends_are_compared_by_p50_where_only_one_of_them_has_a_capacity():
    made = loaded(load_curve(SMALL, "8 CPU"))
    section = cost_section(view_of(made), PRICES, LIGHT)
    assert NOT_ALL in section.notes
    assert "answering one request after another" in section.figures["cost_by_rate"]["meta"]["caption"]
    assert section.tables[0]["title"] == "At the measured capacity"


@pytest.mark.parametrize("change", [{"validity": "INVALID"}, {"outcome": "at_least"}])
def test_a_capacity_that_is_not_known_well_enough_makes_no_cost(change):
    section = cost_section(view_of(loaded(load_curve(SMALL, "8 CPU", **change))), PRICES, LIGHT)
    assert section == cost_section(view_of(loaded()), PRICES, LIGHT)


def test_without_a_capacity_a_cost_stays_an_upper_bound():
    section = cost_section(view_of(loaded()), PRICES, LIGHT)
    assert section.notes[0] == IN_FLIGHT
    assert [table["title"] for table in section.tables] == ["For 512 px JPEG"]


def compared(this, other):
    return compare_section(loaded(this), loaded(other), LIGHT)


def test_a_capacity_is_compared_with_that_of_another_run_with_an_interval():
    this = load_curve(per_s=44.28, low_per_s=43.8, high_per_s=44.8)
    section = compared(this, load_curve(per_s=41.0, low_per_s=40.5, high_per_s=41.5))
    assert "The original (4000 px JPEG) on 8 CPU: capacity +8 % (95 %: 6 to 10)." in section.sentence
    assert section.tables[-1]["rows"][0][1:3] == [
        "41 requests/s (95 %: 40 to 42)",
        "44 requests/s (95 %: 44 to 45)",
    ]
    slower = compared(load_curve(per_s=41.0, low_per_s=40.5, high_per_s=41.5), this)
    assert "capacity -7 % (95 %: " in slower.sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"per_s": 42.0}, "no difference we can detect (95 %: -6 to +8 %)"),
        ({"limit_ms": 50.0}, "the limit was p99 ≤ 100 ms in the other run, p99 ≤ 50 ms in this one"),
        ({"outcome": "at_least"}, "only a lower bound"),
        ({"low_per_s": None}, "no interval"),
        ({"validity": "INVALID"}, "one of them is INVALID"),
        ({"per_s": None, "low_per_s": None, "high_per_s": None, "outcome": "not_met"}, "found no capacity"),
    ],
)
def test_capacities_that_cannot_be_told_apart_or_compared_are_said_to_be(change, words):
    assert words in compared(load_curve(**change), load_curve()).sentence


def test_a_comparison_says_where_only_one_generator_shared_the_machine():
    section = compared(load_curve(shares_machine=True), load_curve())
    assert any("in only one of the runs" in note for note in section.notes)


def test_the_ratio_of_two_capacities_has_an_interval_that_turns_round_with_it():
    fast = load_curve(per_s=80.0, low_per_s=70.0, high_per_s=85.0)
    there, back = ratio_of_capacities(fast, load_curve()), ratio_of_capacities(load_curve(), fast)
    assert (there.low, there.value, there.high) == pytest.approx(
        (1 / back.high, 1 / back.value, 1 / back.low)
    )
    exact = ratio_of_capacities(fast, load_curve(per_s=40.0, low_per_s=40.0, high_per_s=40.0))
    assert (exact.low, exact.high) == pytest.approx((70 / 40, 85 / 40))


def test_what_is_put_under_load_by_default_is_what_is_recommended_and_the_original():
    view = view_of(loaded())
    chosen = default_load(view)
    best = view.recommended()
    assert chosen.variant_ids == (best.variant.id, "original")
    assert chosen.backend_names == (best.backend.name,)
    (slowest,) = [point.p50_ms for point in view.references if point.backend.name == best.backend.name]
    assert chosen.limit_ms >= 2.5 * slowest
    assert chosen.limit_ms >= 5 * best.p50_ms


def test_the_limit_is_the_runs_own_goal_where_that_leaves_room_for_a_queue():
    roomy = default_load(view_of(loaded(plan=Plan(max_p50_ms=400.0))))
    tight = default_load(view_of(loaded(plan=Plan(max_p50_ms=15.0))))
    assert roomy.limit_ms == 400.0
    assert tight.limit_ms > 15.0


def test_nothing_can_be_put_under_load_in_a_report_whose_images_are_elsewhere():
    assert deciding(loaded())["load"]["variants"]
    assert deciding(loaded() | {"imported": {"name": "run.json"}})["load"]["variants"] == []
    nothing = report_dict(sample_report((), measurements=()))
    assert deciding(nothing)["load"]["variants"] == []


@pytest.mark.parametrize(("limit_ms", "shown"), [(83, 100), (100, 100), (0.02, 0.1), (101, 150), (6.2, 7.5)])
def test_a_limit_is_a_number_that_people_would_choose(limit_ms, shown):
    assert rounded_up(limit_ms) == shown


def queues(*names: str) -> dict:
    """The sample report, in which these backends are queues."""
    made = loaded()
    for info in made["backends"]:
        info["protocol"] = "queue" if info["name"] in names else "grpc"
    return made


def test_a_queue_is_not_offered_and_the_reason_is():
    recommended = loaded()["recommendation"]["backend_name"]
    other = next(info["name"] for info in loaded()["backends"] if info["name"] != recommended)
    made = queues(recommended)
    offered = choices(made, view_of(made))
    assert (offered["backends"], offered["backend_names"]) == ([other], (other,))
    assert offered["note"].startswith(f"Not {recommended}: a queue takes what its workers can't answer yet")
    assert choices(loaded(), view_of(loaded()))["note"] == ""


def test_where_only_queues_answered_nothing_is_offered():
    made = queues("GPU", "8 CPU")
    offered = choices(made, view_of(made))
    assert (offered["variants"], offered["backends"]) == ([], [])
