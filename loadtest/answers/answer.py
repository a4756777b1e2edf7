"""Answer: a question, the sentence that answers it, a figure and the table of exactly what is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.figures.frame import Figure, base_layout, figure
from experiment.figures.palette import LIGHT

HEIGHT_PX = 340

Rows = Sequence[list[Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `figure` is Plotly's, with the table in its `meta` (experiment/figures/frame.py)."""

    key: str  # of files and JSON: "inference"
    question: str
    sentence: str
    figure: Figure
    notes: tuple[str, ...] = ()  # how it was measured, what it does not say; one sentence each
    facts: dict[str, Any] = field(default_factory=dict)  # the figures in the sentence, unrounded
    measured: Any = None  # all that the figures were computed from, as JSON values

    @property
    def columns(self) -> Sequence[str]:
        """Headings of the table."""
        columns: Sequence[str] = self.figure["meta"]["table"]["columns"]
        return columns

    @property
    def rows(self) -> Rows:
        """Rows of the table. None: not known."""
        rows: Rows = self.figure["meta"]["table"]["rows"]
        return rows


def answer(
    key: str,
    question: str,
    sentence: str,
    columns: Sequence[str],
    rows: Rows,
    data: list[dict[str, Any]],
    layout: dict[str, Any],
    notes: Sequence[str] = (),
    facts: dict[str, Any] | None = None,
    measured: Any = None,
    height_px: int = HEIGHT_PX,
) -> Answer:
    """An answer whose figure has the layout of all figures, changed by `layout`."""
    whole = base_layout(LIGHT, height_px, lines=len(data)) | layout
    drawn = figure(data, whole, question, sentence, columns, rows)
    return Answer(key, question, sentence, drawn, tuple(notes), facts or {}, measured)


def not_known(key: str, question: str, sentence: str) -> Answer:
    """An answer to a question that can't be answered here. The sentence says why, and what would help."""
    return answer(
        key, question, sentence, (), (), [], {"xaxis": {"visible": False}, "yaxis": {"visible": False}}
    )
