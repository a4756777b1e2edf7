"""Pairs of figures, and what they say."""

from __future__ import annotations

import pytest

from loadtest.cross_check.comparison import OURS, Figures, Row, figures_of, in_turn, rows_of, sample_at


def row(*ours, theirs=100.0, resolution=0.0):
    return Row("ab", "REST", "p50_ms", (theirs,) * len(ours), ours, (), resolution)


def test_blocks_run_forwards_and_backwards_in_turn():
    assert [name for _, name in in_turn(["A", "B"], 4)] == list("ABBAABBA")
    assert [block for block, _ in in_turn(["A", "B"], 2)] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("ours", "agrees"),
    [
        ((99, 99.5, 100, 100, 100.5, 101), "yes"),  # the interval of six pairs is that of all of them
        ((103, 103, 104, 104, 105, 105), "no"),
        ((90, 90, 91, 91, 92, 92), "no"),
        ((97, 99, 100, 100, 101, 101), "not sure"),  # its middle is right, its lower end is not
        ((100, 100, 100, 100, 100), "too few pairs"),
    ],
)
def test_equivalence_needs_the_whole_interval_within_2_percent(ours, agrees):
    assert row(*ours).agrees == agrees


def test_one_pair_in_ten_that_a_neighbour_disturbed_decides_nothing():
    assert row(*[100.5] * 9, 250).agrees == "yes"


def test_a_tool_that_rounds_is_compared_within_its_rounding():
    assert row(*[20.9] * 6, theirs=20.0).agrees == "no"
    assert row(*[20.9] * 6, theirs=20.0, resolution=1.0).agrees == "yes"
    assert row(*[20.9] * 6, theirs=20.0, resolution=1.0).tolerance_percent == 5.0


def test_percentiles_are_samples_counted_as_loadgen_counts():
    assert [sample_at(range(100), percent) for percent in (50, 90, 99)] == [50, 90, 99]
    assert figures_of([3.0, 1.0, 2.0], seconds=0.5) == Figures(2.0, 3.0, 3.0, 6.0)


def test_a_row_holds_the_pairs_and_a_figure_that_a_tool_does_not_say_has_none():
    runs = {
        OURS: [Figures(20.0, 30.0), Figures(21.0, 31.0)],
        "ab": [Figures(19.0, None), Figures(20.0, 30.0)],
    }
    (only,) = rows_of("REST", runs, ("p50_ms", "p90_ms"), [Figures(18.0)] * 2, {"ab": 0.001})
    assert only == Row("ab", "REST", "p50_ms", (19.0, 20.0), (20.0, 21.0), (18.0, 18.0), 0.001)
    assert only.differences_percent == pytest.approx([100 / 19, 5.0])
