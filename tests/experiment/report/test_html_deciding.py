"""What helps to decide, in the HTML report."""

from __future__ import annotations

import json
import re

from experiment.export.report_html import report_html
from experiment.export.report_json import report_dict
from experiment.records import Plan
from tests.support.records import backend, report, sample_report

PRICED = tuple(
    backend(name, price_per_hour=price) for name, price in {"GPU": 1.2, "8 CPU": 0.7, "1 CPU": 0.3}.items()
)


def drawn(page: str) -> dict[str, list[str]]:
    """Names of the figures that the page holds, by theme."""
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    return {theme: list(figures) for theme, figures in json.loads(found.group(1)).items()}


def test_the_report_holds_each_section_that_has_something_to_show():
    page = report_html(report_dict(sample_report(backends=PRICED, plan=Plan(seed=7, uplink_mbit_s=0.75))))
    for figure in ("cost_by_size", "cost_by_rate", "end_to_end", "sensitivity"):
        assert f'<div id="{figure}" role="img"' in page
        assert all(figure in names for names in drawn(page).values())
    assert "<h3>What it costs</h3>" in page and "at 0.75 Mbit/s" in page
    assert len(page.encode()) < 1_600_000


def test_without_prices_nobody_is_asked_for_them_on_paper():
    page = report_html(report_dict(sample_report()))
    assert "What it costs" not in page and "What moved the answer" in page


def test_a_report_without_answers_has_no_such_part():
    assert "What helps to decide" not in report_html(report_dict(report()))
