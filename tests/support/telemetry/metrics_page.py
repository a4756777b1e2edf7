"""A page of metrics, read as Prometheus reads it."""

from __future__ import annotations

import re

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(page: str) -> Series:
    """(Name, labels in their order) -> value, of every sample of a page in either format."""
    families = openmetrics(page) if page.endswith("# EOF\n") else plain_text(page)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(page: str, name: str, **labels: str) -> float | None:
    """One sample; None if the page has no such series."""
    return series(page).get((name, tuple(sorted(labels.items()))))


def names_and_labels(page: str) -> dict[str, set[str]]:
    """Each name as it stands on the page, and the labels that it has there.

    Not by prometheus_client's parsers, which rename what they take for a counter; Prometheus does not.
    """
    found: dict[str, set[str]] = {}
    for line in page.splitlines():
        match = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+.*", line)
        if match and not line.startswith("#"):
            labels = re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', match[2] or "")
            found.setdefault(match[1], set()).update(labels)
    return found
