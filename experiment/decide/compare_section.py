"""Compared with another run: the section, for the page and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiment.decide.compare import (
    Comparison,
    Pair,
    by_chance,
    changed_words,
    compare,
    conclusion,
    left_out,
)
from experiment.decide.compare_figure import compared
from experiment.decide.section import Section, table_of
from experiment.figures.palette import Palette
from experiment.wording import capitalised, percent, short_label, short_name

CELL_COLUMNS = ("Variant", "Backend", "Other run, p50 ms", "This run, p50 ms", "Difference", "Answer")
DIFFERENCE_COLUMNS = ("What differs", "Other run", "This run")
MOST_NAMED = 5  # answers that changed; the table has them all
METHOD = (
    "The interval is that of the ratio of the two medians and "
    "assumes no distribution (Price and Bonett 2002)."
)
OF_SETS = (
    "A sample of a set is one photo's latency, so photos that differ among themselves make the intervals "
    "wide. Shares of right or unchanged answers are shown side by side; whether they differ by more than "
    "chance is not tested."
)


def compare_section(this: Mapping[str, Any], other: Mapping[str, Any], palette: Palette) -> Section:
    """Two exported reports. Raises NotComparable."""
    found = compare(this, other)
    title = f"Compared with {other['source']['name']}, {moment(other)}"
    warnings = tuple(each.warning for each in found.differences if each.warning)
    answers = tuple(changed_words(each) for each in found.changed[:MOST_NAMED])
    of_sets = OF_SETS if found.this.photo_set else ""
    notes = (*answers, METHOD, by_chance(found), of_sets, left_out(found))
    return Section(
        title,
        conclusion(found),
        warnings,
        tuple(each for each in notes if each),
        {"compared": compared(found, older_or_newer(this, other), palette)},
        tables_of(found),
    )


def tables_of(found: Comparison) -> tuple[dict[str, Any], ...]:
    """All cells that both have; and what else differs between the runs, where anything does."""
    of_cells = [_row(each) for each in found.pairs]
    cells = table_of("Every cell that both runs have", CELL_COLUMNS, of_cells, is_main=True)
    rows = [[each.what, each.other, each.this] for each in found.differences]
    if not rows:
        return (cells,)
    return cells, table_of("What else differs between the runs", DIFFERENCE_COLUMNS, rows)


def older_or_newer(this: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What the other run is called."""
    return "newer run" if other["created_at"] > this["created_at"] else "older run"


def moment(report: Mapping[str, Any]) -> str:
    """ "2026-05-04 10:20 UTC"."""
    day, _, time = report["created_at"].partition("T")
    return f"{day} {time[:5]} UTC"


def _row(pair: Pair) -> list[Any]:
    name = short_name(pair.this.variant)
    return [
        capitalised(name), pair.this.backend.name, pair.other.p50_ms, pair.this.p50_ms,
        pair.words, _answer(pair),
    ]  # fmt: skip


def _answer(pair: Pair) -> str | None:
    """What became of the answer; None: nothing to compare."""
    if pair.this.cell.over_photos is not None:
        shares = (pair.other.score, pair.this.score)
        return None if None in shares else " → ".join(percent(each or 0.0) for each in shares)
    if not pair.before or not pair.after:
        return None
    before, after = short_label(pair.before), short_label(pair.after)
    return f"{before} → {after}" if pair.is_changed else "same"
