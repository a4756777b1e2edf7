"""What helps to decide, in the HTML report: every section that has something to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from experiment.decide.section import Section
from experiment.export.html_parts import Safe, items, table, text

Draw = Callable[[str, Mapping[str, Any]], Safe]


def deciding_html(sections: Mapping[str, Section], draw: Draw) -> Safe:
    """`draw` makes the frame of a figure from its name and its meta. An invitation is left out."""
    told = [_section(each, draw) for each in sections.values() if each.figures]
    if not told:
        return Safe()
    return Safe(
        '<section aria-labelledby="deciding-heading"><h2 id="deciding-heading">What helps to decide</h2>'
        f"{''.join(told)}</section>"
    )


def deciding_figures(sections: Mapping[str, Section]) -> dict[str, Any]:
    """The figures of all sections by name."""
    return {name: drawn for each in sections.values() for name, drawn in each.figures.items()}


def _section(section: Section, draw: Draw) -> Safe:
    figures = "".join(draw(name, each["meta"]) for name, each in section.figures.items())
    tables = "".join(
        f"<details><summary>{text(each['title'])}</summary>{table(each['columns'], each['rows'])}</details>"
        for each in section.tables
    )
    return Safe(
        f'<div class="answer"><h3>{text(section.title)}</h3><p>{text(section.sentence)}</p>'
        f'<div class="figures">{figures}</div>{tables}{items(section.notes)}</div>'
    )
