"""Finds runs by words: the photo's name, the answer, a backend, its model, the day. Every word must match.

The database preselects with LIKE. Its matches are checked again here, because backends are stored as JSON and
a word may match one of its keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_

from experiment.export.report_json import timestamp
from httpserver.problems import Refused
from webapp.store.store import HistoryRow
from webapp.store.tables import runs

LONGEST_QUERY = 200  # characters
MOST_WORDS = 8
PAGE_ROWS = 200  # looked at in one go
MOST_ROWS = 5000  # of one search; the rest is the next page's
_DAY: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_OF_BACKENDS = ("name", "model", "runtime", "device_name")

# (limit, before, condition) -> rows, newest first
Rows = Callable[[int, int | None, ColumnElement[bool] | None], list[HistoryRow]]


def words_in(text: str) -> list[str]:
    """The words to look for, in lower case. Raises Refused if they are too many or too long."""
    words = text.lower().split()
    if len(text) > LONGEST_QUERY or len(words) > MOST_WORDS:
        raise Refused("bad_query", f"q must have at most {MOST_WORDS} words and {LONGEST_QUERY} characters.")
    return words


def found(rows: Rows, words: list[str], limit: int, before: int | None) -> list[HistoryRow]:
    """Up to `limit` runs in which every word is found, newest first."""
    kept: list[HistoryRow] = []
    condition = and_(*(_narrowed(word) for word in words)) if words else None
    for _ in range(MOST_ROWS // PAGE_ROWS):
        page = rows(PAGE_ROWS if words else limit, before, condition)
        kept += [run for run in page if all(_holds(run, word) for word in words)]
        if len(kept) >= limit or len(page) < PAGE_ROWS:
            break
        before = page[-1].number
    return kept[:limit]


def _narrowed(word: str) -> ColumnElement[bool]:
    """Selects every row with the word, and perhaps a few without it."""
    pattern = f"%{_escaped(word)}%"
    in_json = f"%{_escaped(json.dumps(word)[1:-1])}%"  # as the stored JSON spells it
    conditions = [
        func.lower(runs.c.name).like(pattern, escape="\\"),
        func.lower(func.coalesce(runs.c.headline, "")).like(pattern, escape="\\"),
        func.lower(runs.c.backends).like(in_json, escape="\\"),
    ]
    if not word.isascii():  # SQLite's lower() knows only ASCII, so capitals are searched too
        conditions += [
            column.like(f"%{_escaped(form)}%", escape="\\")
            for column in (runs.c.name, runs.c.headline)
            for form in (word.upper(), word.capitalize())
        ]
    span = _span(word)
    if span:
        conditions.append(runs.c.created_at.between(*span))
    return or_(*conditions)


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _span(word: str) -> tuple[float, float] | None:
    """ "2026", "2026-05" or "2026-05-04" as seconds since the epoch; None for other words."""
    given = _DAY.fullmatch(word)
    if not given:
        return None
    year, month, day = (int(part) if part else 0 for part in given.groups())
    try:
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        days = 1 if day else 32 if month else 367  # a little too long; _holds() is exact
        end = start + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return start.timestamp(), end.timestamp()


def _holds(run: HistoryRow, word: str) -> bool:
    backends = json.loads(run.backends)
    texts = [run.name, run.headline or ""]
    texts += [str(backend.get(key) or "") for backend in backends for key in _OF_BACKENDS]
    return any(word in text.lower() for text in texts) or timestamp(run.created_at).startswith(word)
