"""Measured: a part of a load test that was sent."""

from __future__ import annotations

from typing import NamedTuple

from loadtest.records import Load, Summary


class Measured(NamedTuple):
    """One load of a load test, and its figures."""

    title: str  # "100/s", "20 at once"
    load: Load
    summary: Summary
