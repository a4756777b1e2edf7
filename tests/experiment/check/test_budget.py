"""A file of goals is read, or refused as a whole with one sentence that names the key."""

from __future__ import annotations

import pytest

from experiment.check.budget import Baseline, Block, BudgetRefused, budget_of, read_budget

WHOLE = """
unclear = "fail"

[[goals]]
cells = "recommended"
max_p50_ms = 50
max_size_bytes = 60_000

[[goals]]
backends = ["8 CPU"]
variants = ["512-jpeg-85", "256-jpeg-85"]
min_agreement_percent = 97.5

[baseline]
backend = "main"
max_slower_percent = 2
same_answer = true
"""


def test_a_budget_is_blocks_of_goals_and_a_baseline(tmp_path):
    path = tmp_path / "b.toml"
    path.write_text(WHOLE)
    found = read_budget(path)
    assert (found.unclear, found.name) == ("fail", "b.toml")
    assert found.blocks == (
        Block("[[goals]] 1", {"max_p50_ms": 50, "max_size_bytes": 60_000}, cells="recommended"),
        Block(
            "[[goals]] 2",
            {"min_agreement_percent": 97.5},
            variants=("512-jpeg-85", "256-jpeg-85"),
            backends=("8 CPU",),
        ),
    )
    goals = {"max_slower_percent": 2, "same_answer": True}
    assert found.baseline == Baseline(Block("[baseline]", goals), backend="main")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it names no goal. Add a block such as [[goals]] with max_p50_ms = 50."),
        ("[goals]\nmax_p50_ms = 5", "goals must be written as [[goals]]"),
        ("goals = 5", "goals must be written as [[goals]]"),
        ("[[goals]]\ncells = 'all'", "[[goals]] 1 names no goal. Goals are max_p50_ms, max_p90_ms"),
        (
            "[[goals]]\np50_ms = 5",
            '[[goals]] 1 has no key "p50_ms". Did you mean max_p50_ms? Keys are cells, variants,',
        ),
        (
            "[[goal]]\nmax_p50_ms = 5",
            'the file has no key "goal". Did you mean goals? Keys are unclear, goals and baseline.',
        ),
        ("[[goals]]\nfastest = 5", '[[goals]] 1 has no key "fastest". Keys are cells,'),
        ("[[goals]]\nmax_p50_ms = '5'", "max_p50_ms in [[goals]] 1 must be a number above 0 and at most"),
        ("[[goals]]\nmax_p50_ms = nan", "must be a number above 0 and at most 1,000,000, not NaN."),
        ("[[goals]]\nmax_p50_ms = true", "must be a number above 0 and at most 1,000,000, not true."),
        ("[[goals]]\nmax_p50_ms = 2026-05-04", 'at most 1,000,000, not "2026-05-04".'),
        ("[[goals]]\nmax_size_bytes = 1.5", "must be a whole number from 1 to 1000000000, not 1.5."),
        ("[[goals]]\nmin_agreement_percent = 101", "must be a number above 0 and at most 100, not 101."),
        ("[[goals]]\nsame_answer = false", "must be true; leave it out if it is not a goal, not false."),
        ("[[goals]]\ncells = 'best'\nmax_p50_ms = 5", 'must be one of all, recommended, not "best".'),
        ("[[goals]]\nbackends = 'a'\nmax_p50_ms = 5", "must be a list of 1 to 64 names of backends"),
        ("[[goals]]\nbackends = []\nmax_p50_ms = 5", "must be a list of 1 to 64 names of backends, not []."),
        ("unclear = 'maybe'\n[[goals]]\nmax_p50_ms = 5", "unclear in the file must be one of pass, fail"),
        (
            "[[goals]]\nmax_p50_ms = 5\nmax_p90_ms = 4",
            "contradicts itself: max_p90_ms = 4 is below max_p50_ms = 5",
        ),
        (
            "[[goals]]\nmax_p50_ms = 5\n[[goals]]\nmax_p50_ms = 4",
            "[[goals]] 1 and [[goals]] 2 are about the same cells and contradict each other: max_p50_ms = 5",
        ),
        (
            "[[goals]]\ncells = 'recommended'\nbackends = ['a']\nmax_p50_ms = 5",
            '[[goals]] 1 has cells = "recommended" beside backends.',
        ),
        (
            "[baseline]\nmax_p50_ms = 5",
            '[baseline] has no key "max_p50_ms". Keys are backend, drift_percent, cells',
        ),
        ("baseline = 3", "baseline must be a table, written as [baseline]."),
        (
            "[baseline]\ndrift_percent = 0\nsame_answer = true",
            "must be a number above 0 and at most 100, not 0.",
        ),
        (
            "[baseline]\nbackend = 'a'\ndrift_percent = 2\nmax_slower_percent = 2",
            "[baseline] has backend and drift_percent.",
        ),
        (
            "[baseline]\nbackend = 'a'\nbackends = ['a']\nmax_slower_percent = 2",
            '[baseline] compares "a" with itself',
        ),
        (
            "[baseline]\nbackend = 'a'\nmax_slower_percent = 1.5",
            "max_slower_percent in [baseline] must be at least 2 beside backend, not 1.5:",
        ),
        ("[baseline]\nbackend = ''\nmax_slower_percent = 2", 'backend in [baseline] must be a name, not ""'),
        ("max_p50_ms 5", "is not valid TOML:"),
    ],
)
def test_what_is_wrong_is_refused_with_the_key_and_what_is_allowed(text, words):
    with pytest.raises(BudgetRefused) as refused:
        budget_of(text)
    assert refused.value.message.startswith("budget.toml")
    assert words in refused.value.message
    assert "\n" not in refused.value.message.removesuffix("\n")


def test_a_mark_of_byte_order_is_no_part_of_the_file(tmp_path):
    path = tmp_path / "b.toml"
    path.write_text("[[goals]]\nmax_p50_ms = 5", encoding="utf-8-sig")
    assert read_budget(path).blocks == (Block("[[goals]] 1", {"max_p50_ms": 5}),)


def test_a_file_that_is_no_text_and_one_that_is_not_there_are_refused(tmp_path):
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BudgetRefused, match="not text in UTF-8"):
        read_budget(tmp_path / "b.toml")
    with pytest.raises(BudgetRefused, match="No such file or directory"):
        read_budget(tmp_path / "none.toml")
