"""What the history shows and searches of a run: its recommendation, and what the photo was taken for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_answer(sentence: str, report: Mapping[str, Any]) -> str:
    """`sentence`, and what the reference was taken for by the first backend that answered."""
    references = {variant["id"] for variant in report["variants"] if variant["is_reference"]}
    tops = (cell["top"] for cell in report["cells"] if cell["variant_id"] in references and cell["top"])
    top = next(tops, None)
    return f"{sentence} Answer: {top[0]['label']}." if top else sentence
