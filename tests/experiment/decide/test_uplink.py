"""End to end over an uplink: 1 MB takes 800 ms at 10 Mbit/s, 100 KB take 80 ms."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.copies import transfer_ms
from experiment.decide.end_to_end import break_even, copies, originals
from experiment.decide.uplink_section import uplink_section
from experiment.decide.uplinks import UPLINKS, UplinkRefused, uplink_of
from experiment.export.report_json import report_dict
from experiment.figures.palette import DARK, LIGHT
from experiment.figures.section import smaller_copy, subject
from experiment.figures.view import view_of
from experiment.records import Plan
from tests.support.deciding_records import ORIGINAL_BYTES, copy, in_browser, seen, small_report, whole
from tests.support.records import report, sample_report

SOURCE = {"size_bytes": ORIGINAL_BYTES}
FASTEST = "145 ms end to end (modelled), of which 60 ms making, 80 ms uploading 100 KB, 5.0 ms latency."
SIX = {"8 CPU": [5.0] * 6}


def run_of(*variants):
    return small_report({each.id: SIX for each in variants}, variants)


def found(*variants):
    return copies(seen(run_of(whole(), *variants)), ORIGINAL_BYTES)


def test_a_megabyte_takes_eight_tenths_of_a_second_at_10_mbit_s():
    assert transfer_ms(1_000_000, 10.0) == 800.0
    assert transfer_ms(1_000_000, UPLINKS["3g"].mbit_s) == pytest.approx(10_666.67, abs=0.01)


def test_a_copy_made_on_the_server_costs_the_upload_of_the_original():
    (made,) = found(copy())
    assert (made.server.making_ms, made.server.upload_bytes, made.server.is_assumed) == (
        60.0,
        1_000_000,
        False,
    )
    assert made.server.total_ms(10.0) == 60 + 800 + 5
    assert (made.browser.making_ms, made.browser.upload_bytes, made.browser.is_assumed) == (
        60.0,
        100_000,
        True,
    )
    assert made.browser.total_ms(10.0) == 60 + 80 + 5


def test_a_copy_made_in_the_browser_as_well_brings_its_own_times():
    server = copy()
    (made,) = found(server, in_browser(server, encode_ms=130.0, size_bytes=90_000))
    assert (made.browser.making_ms, made.browser.upload_bytes, made.browser.is_assumed) == (
        160.0,
        90_000,
        False,
    )
    assert (made.server.making_ms, made.server.is_assumed) == (60.0, False)


def test_a_copy_made_in_the_browser_only_lends_its_times_to_the_server():
    (made,) = found(in_browser(copy()))
    assert (made.browser.is_assumed, made.server.is_assumed) == (False, True)
    assert made.server.upload_bytes == 1_000_000


def test_copies_belong_together_by_size_format_and_quality_then_by_filter():
    server = copy(resampler="lanczos", subsampling="4:2:0")
    other = copy(resampler="box", subsampling="4:2:0", id="512-jpeg-85-box")
    browser = in_browser(server, resampler="box", subsampling=None)
    alone = in_browser(copy(256))
    made = found(server, other, browser, alone)
    assert [(each.server.variant.id, each.browser.variant.id) for each in made] == [
        ("512-jpeg-85", "512-jpeg-85-browser"),
        ("512-jpeg-85-box", "512-jpeg-85-box"),
        ("256-jpeg-85-browser", "256-jpeg-85-browser"),
    ]


def test_each_engine_of_the_browser_is_compared_with_the_servers_copy():
    server = copy()
    pica = in_browser(server, id="512-jpeg-85-pica", resize_ms=40.0)
    canvas = in_browser(server, id="512-jpeg-85-canvas", resize_ms=5.0)
    made = found(server, pica, canvas)
    assert [(each.browser.making_ms, each.server.making_ms) for each in made] == [(80.0, 60.0), (45.0, 60.0)]
    section = uplink_section(seen(run_of(whole(), server, pica, canvas)), SOURCE, uplink_of("10"), LIGHT)
    rows = section.figures["end_to_end"]["meta"]["table"]["rows"]
    assert [(row[2], row[4], row[8]) for row in rows] == [
        ("in the browser", 80.0, "measured"), ("in the browser", 45.0, "measured"),
        ("on the server", 60.0, "measured"), ("not resized", 0.0, "measured"),
    ]  # fmt: skip


def test_where_there_are_many_ways_the_first_of_each_place_is_drawn():
    """Two formats by the server and by two engines of a browser: six lines, and room for four."""
    made = []
    for server in (copy(), copy(id="512-png", format="png")):
        made.append(server)
        made += [in_browser(server, id=f"{server.id}-{name}", engine=name) for name in ("pica", "canvas")]
    section = uplink_section(seen(run_of(whole(), *made)), SOURCE, uplink_of("10"), LIGHT)
    figure = section.figures["end_to_end"]
    names = {trace["name"].replace(" (assumed)", "") for trace in figure["data"]}
    assert {name.rsplit(", ", 1)[1] for name in names} >= {"in the browser", "on the server"}
    assert any("browser/pica" in name for name in names) and not any("canvas" in name for name in names)
    assert "Left out to keep the plot readable: 2 other lines" in figure["meta"]["caption"]


def test_a_photo_that_stayed_in_the_browser_would_have_been_uploaded_whole():
    source = {"size_bytes": 50_000, "original": {"size_bytes": ORIGINAL_BYTES}}
    section = uplink_section(seen(run_of(whole(), in_browser(copy()))), source, uplink_of("10"), LIGHT)
    rows = section.figures["end_to_end"]["meta"]["table"]["rows"]
    assert [(row[2], row[3]) for row in rows] == [("in the browser", 100.0), ("on the server", 1000.0)]


def test_the_original_as_it_is_costs_its_upload_and_its_latency():
    (trip,) = originals(seen(run_of(whole(), copy())), ORIGINAL_BYTES)
    assert (trip.making_ms, trip.total_ms(10.0)) == (0.0, 805.0)


def test_a_copy_of_which_nobody_knows_how_long_making_takes_is_left_out():
    assert found(copy(encode_ms=None)) == []


def test_900_kb_less_are_worth_100_ms_more_of_work_below_72_mbit_s():
    """7.2 Mbit in 100 ms."""
    server = copy()
    (made,) = found(server, in_browser(server, encode_ms=130.0))
    at = break_even(made)
    assert at.mbit_s == pytest.approx(72.0)
    assert at.words == "Below 72 Mbit/s, resizing in the browser wins"


@pytest.mark.parametrize(
    ("encode_ms", "size_bytes", "words"),
    [
        (30.0, 100_000, "Resizing in the browser wins at every bandwidth"),
        (20.0, 1_000_000, "Resizing in the browser wins at every bandwidth"),
        (130.0, 2_000_000, "Resizing on the server wins at every bandwidth"),
        (30.0, 1_000_000, "Resizing takes equally long in both places"),
        (20.0, 1_100_000, "Above 80 Mbit/s, resizing in the browser wins"),  # 0.8 Mbit more, 10 ms less
    ],
)
def test_who_wins_follows_from_the_bytes_and_the_work(encode_ms, size_bytes, words):
    server = copy()
    (made,) = found(server, in_browser(server, encode_ms=encode_ms, size_bytes=size_bytes))
    assert break_even(made).words == words


@given(
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(1, 4_000_000),
    st.sampled_from([0.1, 1.0, 10.0, 1000.0]),
)
def test_the_break_even_agrees_with_adding_up(server_ms, browser_ms, size_bytes, mbit_s):
    server = copy(encode_ms=float(server_ms))
    (made,) = found(server, in_browser(server, encode_ms=float(browser_ms), size_bytes=size_bytes))
    difference_ms = made.browser.total_ms(mbit_s) - made.server.total_ms(mbit_s)
    at = break_even(made)
    winner = at.below if at.mbit_s is None or mbit_s < at.mbit_s else at.above
    if abs(difference_ms) > 1e-6:
        assert winner == ("browser" if difference_ms < 0 else "server")


def test_an_uplink_is_a_row_of_the_table_or_a_number():
    assert [uplink_of(text).mbit_s for text in ("", "3g", "3G", "100", "22.5")] == [10, 0.75, 0.75, 100, 22.5]
    for wrong in ("fast", "0", "-1", "nan", "inf", "1e9"):
        with pytest.raises(UplinkRefused, match="is not an uplink"):
            uplink_of(wrong)


def test_the_section_says_that_it_is_modelled_and_what_is_assumed():
    section = uplink_section(seen(run_of(whole(), copy())), SOURCE, uplink_of("10"), LIGHT)
    assert section.sentence.startswith(
        "Resizing in the browser wins at every bandwidth, if the browser makes the copy as fast as the "
        "server did (512 px JPEG on 8 CPU, modelled). At 10 Mbit/s it saves 720 ms of uploading"
    )
    assert FASTEST in section.sentence
    assert any("No copy of this run was made in a browser" in note for note in section.notes)


@pytest.mark.parametrize(("key", "name"), [("avif", "AVIF"), ("webp-lossless", "WebP lossless")])
def test_the_section_says_that_no_canvas_writes_a_format(key, name):
    made = copy(id=f"512-{key}", format=key, quality=None)
    section = uplink_section(seen(run_of(whole(), made)), SOURCE, uplink_of("10"), LIGHT)
    assert section.sentence.startswith(
        "Resizing in the browser wins at every bandwidth, if the browser makes the copy as fast as the "
        "server did, with an encoder that the page loads, as no browser's canvas writes "
        f"{name} (512 px {name}"
    )


def test_the_section_names_the_break_even_where_both_were_measured():
    server = copy()
    both = run_of(whole(), server, in_browser(server, encode_ms=130.0))
    section = uplink_section(seen(both), SOURCE, uplink_of("100"), LIGHT)
    assert section.sentence.startswith(
        "Below 72 Mbit/s, resizing in the browser wins (512 px JPEG on 8 CPU, modelled)."
    )
    assert len(section.notes) == 1
    assert section.tables[0]["rows"] == [
        ["512 px JPEG", "8 CPU", "900 KB less", "Below 72 Mbit/s, resizing in the browser wins"]
    ]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_plot_shows_what_its_table_says_and_adds_up(palette):
    made = report_dict(sample_report())
    section = uplink_section(view_of(made), made["source"], uplink_of("3g"), palette)
    figure = section.figures["end_to_end"]
    go.Figure(figure["data"], figure["layout"])
    rows = figure["meta"]["table"]["rows"]
    drawn = [(x, y) for each in figure["data"] for x, y in zip(each["x"], each["y"], strict=True)]
    assert drawn == [(row[1], row[7]) for row in rows]
    assert all(row[7] == pytest.approx(row[4] + row[5] + row[6], abs=0.002) for row in rows)
    assert all(row[5] == pytest.approx(row[3] * 8 / 0.75, abs=0.002) for row in rows)
    assert "modelled" in figure["meta"]["title"] and "modelled" in figure["meta"]["caption"]


def test_a_run_without_answers_or_copies_says_so():
    empty = uplink_section(seen(report()), SOURCE, uplink_of(""), LIGHT)
    assert (empty.sentence, empty.figures) == ("Nothing was measured yet.", {})
    alone = uplink_section(seen(run_of(whole())), SOURCE, uplink_of(""), LIGHT)
    assert alone.sentence == "There is no smaller copy to upload."


@pytest.mark.parametrize(
    ("plan", "fastest"),
    [
        (
            Plan(),
            "of all ways that keep the answer and its probability is 512 px JPEG resized in the browser",
        ),
        (Plan(margin_points=40.0), "of all ways is 256 px JPEG resized in the browser"),
        (Plan(keep_top1=False), "of all ways is 256 px JPEG resized in the browser"),
    ],
)
def test_the_fastest_way_keeps_the_probability_where_the_goals_ask_for_it(plan, fastest):
    variants = (whole(), copy(), copy(256, size_bytes=20_000))
    scores = {variants[0].id: 0.5, variants[1].id: 0.48, variants[2].id: 0.2}
    made = small_report({each.id: SIX for each in variants}, variants, scores, plan=plan)
    assert fastest in uplink_section(seen(made), SOURCE, uplink_of("10"), LIGHT).sentence


def test_where_nothing_is_recommended_the_copy_in_question_keeps_its_probability():
    variants = (whole(), copy(), copy(256))
    latencies = {each.id: {"8 CPU": [ms] * 6} for each, ms in zip(variants, (9.0, 8.0, 7.0), strict=True)}
    scores = {variants[2].id: 0.2}
    made = small_report(latencies, variants, scores, plan=Plan(max_p50_ms=1.0))
    assert made.recommendation.variant_id is None
    assert subject(seen(made)).variant.id == variants[1].id
    assert smaller_copy(seen(made)).variant.id == variants[1].id
