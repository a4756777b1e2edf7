"""What predictions cost, in numbers that can be worked out without paper."""

from __future__ import annotations

import math
from fractions import Fraction

import plotly.graph_objects as go
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiment.decide.cost import Rival, cost_of, crossover, money
from experiment.decide.cost_section import INVITATION, cost_section
from experiment.decide.prices import PriceRefused, prices_of, read_prices
from experiment.export.report_json import report_dict
from experiment.figures.palette import DARK, LIGHT
from experiment.figures.view import view_of
from tests.support.deciding_records import copy, seen, small_report, whole
from tests.support.records import backend, sample_report

FAST, SLOW = Rival("GPU", 4.0, 10.0), Rival("CPU", 1.0, 50.0)  # 100 and 20 requests/s


def two_backends(fast_ms=10.0, slow_ms=50.0, **changes):
    small = copy()
    latencies = {each.id: {"GPU": [fast_ms] * 6, "CPU": [slow_ms] * 6} for each in (whole(), small)}
    return small_report(latencies, (whole(), small), **changes)


def test_an_hour_of_36_ms_answers_is_100_000_predictions():
    assert cost_of(100_000, 3.5, 36.0) == 3.5
    assert cost_of(1000, 3.6, 1000.0) == 1.0  # a second each, 3.60 an hour


def test_four_times_the_price_pays_when_a_fifth_server_would_be_needed():
    """4 slow ones cost as much as the fast one, and answer 80 requests/s; above, a 5th would be needed."""
    at = crossover(FAST, SLOW)
    assert (at.servers, at.from_per_s, at.to_per_s, at.for_good) == (5, 80.0, 100.0, True)


def test_a_fast_server_that_is_full_before_it_pays_never_does():
    assert crossover(Rival("GPU", 5.0, 10.0), SLOW) is None  # 5 slow ones answer 100 requests/s for 5.00


def test_a_window_in_which_the_dearer_one_pays_is_told_from_paying_for_good():
    at = crossover(Rival("GPU", 2.5, 10.0), Rival("CPU", 1.0, 22.0))  # 100 and 45.5 requests/s
    assert (at.servers, round(at.from_per_s), at.for_good) == (3, 91, False)


def test_a_server_that_is_faster_and_cheaper_is_so_at_every_rate():
    assert crossover(Rival("GPU", 0.5, 10.0), SLOW).from_per_s == 0


def test_three_times_a_tenth_is_three_tenths():
    """Floats say that 0.3 / 0.1 is below 3; then two servers would seem to cost more than three."""
    assert crossover(Rival("GPU", 0.3, 1.0), Rival("CPU", 0.1, 50.0)).servers == 4


prices = st.integers(1, 400).map(lambda cents: cents / 100)
times_ms = st.integers(1, 400).map(float)


@example(0.09, 0.03, 33.0, 3)  # floats say that three of the slow ones answer a little less than the fast one
@given(prices, prices, times_ms, st.integers(1, 20))
def test_what_the_crossover_says_is_what_counting_servers_says(price_fast, price_slow, fast_ms, factor):
    fast, slow = Rival("f", price_fast, fast_ms), Rival("s", price_slow, fast_ms * factor)
    at = crossover(fast, slow)
    full = Fraction(1000) / Fraction(fast_ms)
    one_slow = Fraction(1000) / Fraction(slow.latency_ms)

    def slow_costs(per_s: Fraction) -> Fraction:
        return math.ceil(per_s / one_slow) * Fraction(str(price_slow))

    if at is None:
        assert slow_costs(full) <= Fraction(str(price_fast))
    else:
        begins = (at.servers - 1) * one_slow
        assert slow_costs((begins + full) / 2) > Fraction(str(price_fast))
        assert slow_costs(begins) <= Fraction(str(price_fast)) or at.servers == 1


def test_prices_are_read_as_they_are_typed():
    assert read_prices(["8 CPU:0.35", "a:b:2"]) == {"8 CPU": 0.35, "a:b": 2.0}
    for wrong in ("8 CPU", "8 CPU:dear", ":1", "8 CPU:-1", "8 CPU:1e6", "8 CPU:nan", "8 CPU:inf"):
        with pytest.raises(PriceRefused, match="is not a price"):
            read_prices([wrong])


def test_a_typed_price_outranks_the_reports_and_0_is_none():
    made = report_dict(two_backends(backends=(backend("GPU", price_per_hour=2.0), backend("CPU"))))
    assert prices_of(made, {}) == {"GPU": 2.0}
    assert prices_of(made, {"GPU": 3.0, "CPU": 0.5}) == {"GPU": 3.0, "CPU": 0.5}
    assert prices_of(made, {"GPU": 0.0}) == {}
    with pytest.raises(PriceRefused, match=r"no backend named TPU\. It has: GPU, CPU"):
        prices_of(made, {"TPU": 1.0})


def test_the_section_says_what_it_costs_and_from_when_on_the_gpu_pays():
    section = cost_section(seen(two_backends()), {"GPU": 4.0, "CPU": 1.0}, LIGHT)
    assert section.sentence == (
        "512 px JPEG on GPU costs 0.0111 for 1,000 predictions, 11.11 for a million, the least of all "
        "backends. Above 80 requests/s one GPU (4.00 per hour) is cheaper than the 5 × CPU (5.00) needed "
        "for that rate, up to its own limit of 100 requests/s. Per prediction, with both kept busy, "
        "GPU is cheaper."
    )
    assert any("one request in flight" in note and "upper bound" in note for note in section.notes)


def test_where_the_gpu_never_pays_the_section_says_why():
    section = cost_section(seen(two_backends()), {"GPU": 6.0, "CPU": 1.0}, LIGHT)
    assert (
        "At no rate is GPU cheaper than CPU: one GPU answers at most 100 requests/s, "
        "and 5 × CPU answer as many for 5.00 per hour." in section.sentence
    )


def test_backends_that_cant_be_told_apart_are_compared_by_their_price_alone():
    section = cost_section(seen(two_backends(10.0, 10.0)), {"GPU": 4.0, "CPU": 1.0}, LIGHT)
    assert section.sentence.startswith(
        "512 px JPEG on CPU costs 0.00278 for 1,000 predictions, 2.78 for a million. There"
    )
    assert section.tables[0]["rows"][0][2].endswith(
        "There is no measurable difference in p50; CPU costs less per hour."
    )


def test_without_prices_there_is_an_invitation_and_no_plot():
    section = cost_section(seen(two_backends()), {}, LIGHT)
    assert (section.sentence, section.figures) == (INVITATION, {})


def test_a_backend_without_a_price_is_named_and_not_drawn():
    section = cost_section(seen(two_backends()), {"CPU": 1.0}, LIGHT)
    assert "No price was given for GPU." in section.notes
    rows = section.figures["cost_by_size"]["meta"]["table"]["rows"]
    assert {row[0] for row in rows} == {"CPU"}


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_plots_show_what_their_tables_say(palette):
    view = view_of(report_dict(sample_report()))
    figures = cost_section(view, {"GPU": 1.2, "8 CPU": 0.7, "1 CPU": 0.3}, palette).figures
    for figure in figures.values():
        go.Figure(figure["data"], figure["layout"])
        assert figure["meta"]["caption"].endswith(".")
    by_size, by_rate = figures["cost_by_size"], figures["cost_by_rate"]
    drawn = [(x, y) for each in by_size["data"] for x, y in zip(each["x"], each["y"], strict=True)]
    assert drawn == [(row[2], row[6]) for row in by_size["meta"]["table"]["rows"]]
    stairs = [(x, y) for each in by_rate["data"] for x, y in zip(each["x"][1:], each["y"][1:], strict=True)]
    assert stairs == [(row[2], row[3]) for row in by_rate["meta"]["table"]["rows"]]
    assert not [key for figure in figures.values() for key in figure["layout"] if key == "yaxis2"]


def test_every_row_of_the_plot_is_price_times_time():
    view = view_of(report_dict(sample_report()))
    figure = cost_section(view, {"GPU": 1.2}, LIGHT).figures["cost_by_size"]
    for row in figure["meta"]["table"]["rows"]:
        _, _, _, price, p50_ms, thousand, million, *_ = row
        assert million == pytest.approx(price * p50_ms / 3.6, rel=1e-5)
        assert thousand == pytest.approx(million / 1000, rel=1e-5)


def test_sums_of_money_keep_three_digits_however_small():
    assert [money(each) for each in (1234.5, 12.345, 0.4, 0.0123, 0.0000834, 0)] == [
        "1,234", "12.35", "0.40", "0.0123", "0.0000834", "0.00",
    ]  # fmt: skip
