"""Small pieces of HTML. Everything is escaped unless it is Safe already."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any

ICONS = {"VALID": "✓", "NOISY": "~", "INVALID": "✕"}

LONG = 40  # characters; a longer text in a table is broken into lines


class Safe(str):
    """HTML that was made here, from escaped parts."""

    __slots__ = ()


class Figures(str):
    """A number that is formatted already; it stands to the right."""

    __slots__ = ()


def text(value: Any) -> Safe:
    """The value as HTML text, also fit for an attribute. None is a dash, yes and no are words."""
    if isinstance(value, Safe):
        return value
    words = (
        {None: "–", True: "yes", False: "no"}.get(value) if value is None or isinstance(value, bool) else None
    )
    return Safe(html.escape(words or str(value)))


def script_json(value: Any) -> Safe:
    """JSON that may stand inside a script element: no tag can begin in it."""
    return Safe(json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def badge(validity: str) -> Safe:
    """Icon and word, never colour alone."""
    return Safe(f'<span class="badge {text(validity)}">{ICONS[validity]} {text(validity)}</span>')


def items(lines: Iterable[Any]) -> Safe:
    """A list, or nothing when there are no lines."""
    rows = "".join(f"<li>{text(each)}</li>" for each in lines)
    return Safe(f"<ul>{rows}</ul>" if rows else "")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Safe:
    """A table that scrolls by itself when it is too wide. Numbers stand to the right."""
    head = "".join(f'<th scope="col">{text(each)}</th>' for each in columns)
    body = "".join(f"<tr>{''.join(_field(each) for each in row)}</tr>" for row in rows)
    return Safe(
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts(title: str, rows: Iterable[tuple[str, Any]]) -> Safe:
    """Names and values, one pair in each row."""
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows
    )
    return Safe(
        f'<div class="scroll" tabindex="0"><table class="facts"><caption>{text(title)}</caption>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _field(value: Any) -> str:
    if isinstance(value, Figures):
        return f'<td class="number">{text(value)}</td>'
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="number">{value:,}</td>'
    wraps = ' class="long"' if not isinstance(value, Safe) and len(str(value)) > LONG else ""
    return f"<td{wraps}>{text(value)}</td>"
