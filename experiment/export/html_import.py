"""Where a report came from that was not measured here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def imported_words(report: Mapping[str, Any]) -> str:
    """ "Imported from run.json, measured at 2026-05-04T10:20:30Z on AMD EPYC 9B14."."""
    machine = report["environment"].get("cpu_model")
    where = f" on {machine}" if machine else ""
    return f"Imported from {report['imported']['name']}, measured at {report['created_at']}{where}."
