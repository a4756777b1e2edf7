"""One answer for somebody who has to decide: a conclusion, what it rests on, plots and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """Without figures it is an invitation: `sentence` says what is missing."""

    title: str
    sentence: str
    warnings: tuple[str, ...] = ()  # read these first
    notes: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    tables: tuple[Mapping[str, Any], ...] = ()


def table_of(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], is_main: bool = False
) -> dict[str, Any]:
    """A table as the page and the HTML report take it; a value is text, a number or None.

    The main one of a section is never folded.
    """
    return {
        "title": title,
        "columns": list(columns),
        "rows": [list(each) for each in rows],
        "is_main": is_main,
    }
