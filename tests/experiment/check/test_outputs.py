"""The judgement as Markdown and as JUnit XML: everything is in it, and names of anybody break neither."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from experiment.check.budget import budget_of
from experiment.check.cells import checked_run
from experiment.check.judge import judge
from experiment.check.junit import junit
from experiment.check.markdown import markdown, sentence
from experiment.export.report_json import report_dict
from tests.support.records import answered, backend, original, report, sample_report, source, variant

SMALL = variant(256)
ONE_OF_EACH = """
[[goals]]
variants = ["256-jpeg-85"]
max_p50_ms = 9
max_size_bytes = 9000

[[goals]]
variants = ["original"]
max_p50_ms = 30

[[goals]]
variants = ["256-jpeg-85"]
right_answer = true
"""


def judged(text: str = ONE_OF_EACH, name: str = "8 CPU", photo: str = "cat.jpg", unclear: str = "pass"):
    cells = [
        *answered([29.0] * 10 + [31.0] * 10, "original", name),
        *answered([10.0 + place / 100 for place in range(20)], SMALL.id, name),
    ]
    made = report(
        variants=(original(), SMALL), measurements=cells, backends=(backend(name),), source=source(name=photo)
    )
    return judge(checked_run("this run", report_dict(made)), budget_of(f'unclear = "{unclear}"\n{text}'))


def cases(judgement):
    root = ElementTree.fromstring(junit(judgement))
    return root, {
        (case.get("classname"), case.get("name")): [child.tag for child in case]
        for case in root.iter("testcase")
    }


def test_a_summary_without_a_missed_goal_says_all_are_kept_only_if_all_are_clear():
    kept, unclear = ("[[goals]]\nvariants = ['original']\nmax_p50_ms = " + limit for limit in ("90", "30"))
    assert markdown(judged(kept)).startswith("## Pixelcost: all goals are kept\n\n0 of 1 goal failed. ")
    told = markdown(judged(unclear))
    assert told.startswith("## Pixelcost: no goal is missed\n\n0 of 1 goal failed, 1 is not clear. ")
    assert "all 1 " not in told


def test_the_summary_has_a_row_for_each_goal_and_the_missed_ones_come_first():
    lines = markdown(judged()).splitlines()
    assert lines[0] == "## Pixelcost: a goal is missed"
    assert lines[2].startswith(
        "1 of 4 goals failed, 1 is not clear, 1 could not be judged. cat.jpg, judged by"
    )
    rows = [line.split(" | ") for line in lines if line.startswith("| ")][2:]
    assert [row[0] for row in rows] == ["| **FAIL**", "| **not judged**", "| not clear", "| pass"]
    assert rows[0][1:] == ["256-jpeg-85 on 8 CPU", "p50 at most 9 ms", "10 ms (10.05 to 10.14) |"]


def test_many_kept_goals_are_folded():
    many = checked_run("this run", report_dict(sample_report()))
    shown = markdown(judge(many, budget_of("[[goals]]\nmax_size_bytes = 9_000_000")))
    assert "<details><summary>33 goals kept</summary>" in shown
    assert shown.count("| pass |") == 33
    assert "<details>" not in markdown(judged())


@pytest.mark.parametrize("unclear", ["pass", "fail"])
def test_junit_has_a_case_for_each_goal_and_its_counts_are_those_of_the_cases(unclear):
    root, found = cases(judged(unclear=unclear))
    assert found == {
        ("pixelcost.256-jpeg-85 on 8 CPU", "p50 at most 9 ms"): ["failure"],
        ("pixelcost.256-jpeg-85 on 8 CPU", "at most 9,000 bytes"): ["system-out"],
        ("pixelcost.original on 8 CPU", "p50 at most 30 ms"): ["skipped" if unclear == "pass" else "failure"],
        ("pixelcost.256-jpeg-85 on 8 CPU", "the true label is the answer"): ["error"],
    }
    [suite] = root
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    failures, skipped = ("1", "1") if unclear == "pass" else ("2", "0")
    assert counts == {"tests": "4", "failures": failures, "errors": "1", "skipped": skipped}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 4, "system-out"]
    assert (root.tag, root.get("tests")) == ("testsuites", "4")
    failure = suite.find("testcase/failure")
    assert (failure.get("type"), failure.get("message")) == ("fail", "10 ms (10.05 to 10.14)")


HOSTILE = "x|y <b>`*]]>\u202e\x07 & \ud83d"


def test_names_that_look_like_markup_change_neither_table_nor_xml():
    found = judged("[[goals]]\nmax_p50_ms = 900", name=HOSTILE, photo=f"{HOSTILE}.jpg")
    rows = [line for line in markdown(found).splitlines() if line.startswith("| pass")]
    assert len(rows) == 2
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 5
        assert "\\<b\\>" in row
        assert "\x07" not in row
    _, names = cases(found)
    assert len(names) == 2


def test_what_is_not_clear_counts_as_the_budget_says():
    assert sentence(judged(unclear="fail")) == (
        "1 of 4 goals failed, 1 is not clear and count as failed, 1 could not be judged."
    )
