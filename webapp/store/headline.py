"""The headline of a run: what the history shows and searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def headline_of(report: Mapping[str, Any]) -> str:
    """The recommendation, and the reference's top label from the first backend that answered."""
    sentence: str = report["recommendation"]["sentence"]
    references = {variant["id"] for variant in report["variants"] if variant["is_reference"]}
    tops = (cell["top"] for cell in report["cells"] if cell["variant_id"] in references and cell["top"])
    top = next(tops, None)
    return f"{sentence} Answer: {top[0]['label']}." if top else sentence
