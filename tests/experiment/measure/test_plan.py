"""What a plan may ask for, and how everything else is refused."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.errors import PlanRefused
from experiment.measure.plan import RULES, check_request_count, parse_plan, plan_from_json
from experiment.records import ONE_VALUE, Plan


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(PlanRefused) as refused:
        plan_from_json(text)
    return refused.value.problems


def test_an_empty_plan_has_the_defaults_and_a_random_seed() -> None:
    first, second = parse_plan({}), parse_plan({})
    assert first.sizes_px == Plan().sizes_px
    assert first.seed != second.seed


def test_every_setting_of_the_plan_can_be_set() -> None:
    assert set(RULES) == {each.name for each in fields(Plan)} | set(ONE_VALUE)


def test_a_plan_is_read_as_it_was_written() -> None:
    wanted = {"sizes_px": [512, 64], "formats": ["jpeg"], "jpeg_quality": 40, "repeats": 5, "seed": 7}
    plan = plan_from_json(json.dumps(wanted))
    asked = Plan(sizes_px=(512, 64), formats=("jpeg",), jpeg_qualities=(40,), repeats=5, seed=7)
    assert plan == replace(asked, jpeg_qualities=(40,), resamplers=("lanczos",))


def test_null_stands_for_the_default() -> None:
    plan = plan_from_json('{"repeats": null, "seed": null, "backend_names": null}')
    assert plan.repeats == Plan().repeats
    assert plan.backend_names is None


def test_defaults_can_be_given_and_are_overruled() -> None:
    assert parse_plan({}, timeout_s=5.0).timeout_s == 5.0
    assert parse_plan({"timeout_s": 9}, timeout_s=5.0).timeout_s == 9.0


def test_repeated_entries_count_once() -> None:
    assert parse_plan({"sizes_px": [64, 64, 32]}).sizes_px == (64, 32)


def test_every_problem_is_named_at_once() -> None:
    wanted = {"sizes_px": [4], "formats": ["tiff"], "jpeg_quality": 101, "repeats": 0, "order": "zigzag"}
    assert problems(json.dumps({**wanted, "sizs": 1})) == (
        'The plan has no setting "sizs".',
        "sizes_px must be a list of sizes in pixels, each a whole number from 16 to 8192, not [4].",
        'formats must be a list of formats, each one of png, jpeg, webp, webp-lossless, avif, not ["tiff"].',
        "jpeg_quality must be a whole number from 1 to 100, not 101.",
        "repeats must be a whole number from 1 to 1000, not 0.",
        'order must be one of auto, parallel, in_turns, one_at_a_time, not "zigzag".',
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"timeout_s": NaN}', "NaN is not a number that JSON knows"),
        ('{"max_p50_ms": 1e999}', "max_p50_ms must be"),
        ('{"max_p50_ms": ' + "9" * 400 + "}", "max_p50_ms must be"),
        ('{"timeout_s": ' + "9" * 400 + "}", "timeout_s must be"),
        ('{"margin_points": ' + "9" * 400 + "}", "margin_points must be"),
        ('{"seed": 1, "seed": 2}', "appears twice"),
        ("[" * 10_000 + "]" * 10_000, "nested too deeply"),
        ('{"sizes_px": ' + "[" * 5_000 + "]" * 5_000 + "}", "nested too deeply"),
        ('{"seed": ' + "9" * 5_000 + "}", "not valid JSON"),
        ('{"a": "' + "x" * 20_000 + '"}', "too long"),
        ('{"repeats": true}', "repeats must be"),
        ('{"repeats": "20"}', "repeats must be"),
        ('{"repeats": 20.5}', "repeats must be"),
        ('{"sizes_px": []}', "sizes_px must be"),
        ('{"sizes_px": {}}', "sizes_px must be"),
        ('{"backend_names": [""]}', "each a name"),
        ('{"keep_top1": 1}', "true or false"),
        ('{"formats": "jpeg"}', "formats must be"),
        ('{"formats": [["jpeg"]]}', "formats must be"),
    ],
)
def test_a_broken_plan_is_refused_with_a_reason(text: str, what: str) -> None:
    (problem,) = problems(text)
    assert what in problem
    assert len(problem) < 300


def test_a_whole_float_is_a_whole_number() -> None:
    assert parse_plan({"repeats": 20.0}).repeats == 20


def test_a_run_of_too_many_requests_is_refused() -> None:
    check_request_count(100, limit=100)
    with pytest.raises(PlanRefused, match="101 requests; the limit is 100"):
        check_request_count(101, limit=100)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*RULES, "other"]), VALUES))
def test_whatever_is_asked_for_gives_a_plan_or_a_refusal(wanted: dict[str, object]) -> None:
    try:
        plan = parse_plan(wanted)
    except PlanRefused as refused:
        assert refused.problems
    else:
        assert all(16 <= size <= 8192 for size in plan.sizes_px)
        assert 1 <= plan.repeats <= 1000


@given(st.text(max_size=40))
def test_whatever_text_comes_gives_a_plan_or_a_refusal(text: str) -> None:
    try:
        plan_from_json(text)
    except PlanRefused as refused:
        assert refused.problems
