"""The answers as one HTML file that opens from disk without a network: sentence, figure, table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loadtest.answers.answer import Answer

HERE = Path(__file__).parent
VENDORED = HERE.parents[1] / "static" / "vendor"


def answers_html(title: str, about: Mapping[str, Any], answers: Sequence[Answer]) -> str:
    """The page. `about` is shown as a list of names and values. Everything is escaped."""
    plotly = "".join(path.read_text("utf-8") for path in sorted(VENDORED.glob("plotly*.min.js")))
    page: str = _template().render(title=title, about=about, answers=answers, plotly=plotly)
    return page.encode("utf-8", "replace").decode()  # a file name may hold what UTF-8 can't


def words(value: Any) -> str:
    """A value in a cell of a table: a dash for what is not known, numbers with three digits or more."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@cache
def _template() -> Any:
    made = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    made.filters["words"] = words
    return made.get_template("answers.html")
