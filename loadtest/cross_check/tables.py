"""What a cross-check found, as Markdown for people and as a dict for cross_check.json."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.cross_check.comparison import TOLERANCE_PERCENT, Row
from loadtest.cross_check.run import CrossCheck
from loadtest.cross_check.stall import STOP_S, StallRow
from loadtest.records import SCHEMA_VERSION

FIGURES = {
    "p50_ms": ("p50", "ms"),
    "p90_ms": ("p90", "ms"),
    "p99_ms": ("p99", "ms"),
    "rate_per_s": ("rate", "/s"),
}
PAIR_COLUMNS = (
    "tool", "scenario", "figure", "theirs", "ours", "dictated", "ours above theirs (95 %)", "pairs", "agrees"
)  # fmt: skip
STALL_COLUMNS = ("tool", "loop", "its p99", "p99 by the schedule", "error")


def markdown(found: CrossCheck) -> Iterator[str]:
    """The lines to print: machine, tables, and what is missing."""
    facts = found.environment
    versions = ", ".join(f"{name} {version or '(no version)'}" for name, version in found.versions.items())
    yield (
        f"{facts['started_at'][:10]}, {facts['cpu_model']}, {facts['cpu_count']} cores, "
        f"load {facts['load_1m']}, Python {facts['python']}{f'; {versions}' if versions else ''}."
    )
    if found.rows:
        yield ""
        yield from _table(PAIR_COLUMNS, [_pair_cells(row) for row in found.rows])
    if found.stall:
        yield ""
        yield from _table(STALL_COLUMNS, [_stall_cells(row) for row in found.stall])
    if found.left_out:
        yield ""
        yield from found.left_out


def as_dict(found: CrossCheck) -> dict[str, Any]:
    """Everything, with the values of each pair."""
    return {
        "kind": "cross_check",
        "schema_version": SCHEMA_VERSION,
        "environment": found.environment,
        "tool_versions": found.versions,
        "pairs": found.pairs,
        "tolerance_percent": TOLERANCE_PERCENT,
        "rows": [
            {
                "tool": row.tool,
                "scenario": row.scenario,
                "figure": row.figure,
                "theirs": row.theirs,
                "ours": row.ours,
                "dictated": row.dictated,
                "difference_percent": row.difference_percent,
                "interval_percent": row.interval_percent,
                "tolerance_percent": row.tolerance_percent,
                "agrees": row.agrees,
            }
            for row in found.rows
        ],
        "stall": [
            {
                "tool": row.tool,
                "loop": row.loop,
                "p99_ms": row.p99_ms,
                "dictated_p99_ms": row.dictated_ms,
                "error_percent": row.error_percent,
                "stopped_s": STOP_S,
            }
            for row in found.stall
        ],
        "left_out": list(found.left_out),
    }


def _pair_cells(row: Row) -> list[str]:
    name, unit = FIGURES[row.figure]
    values = [
        f"{statistics.median(each):.2f} {unit}" if each else ""
        for each in (row.theirs, row.ours, row.dictated)
    ]
    interval = row.interval_percent
    spread = f" ({interval[0]:+.2f} to {interval[1]:+.2f})" if interval else ""
    rounding = f" (it rounds to {row.resolution:g} ms)" if row.tolerance_percent > TOLERANCE_PERCENT else ""
    difference = f"{row.difference_percent:+.2f} %{spread}"
    return [row.tool, row.scenario, name, *values, difference, str(len(row.ours)), row.agrees + rounding]


def _stall_cells(row: StallRow) -> list[str]:
    p99s = [f"{value:.1f} ms" for value in (row.p99_ms, row.dictated_ms)]
    return [row.tool, row.loop, *p99s, f"{row.error_percent:+.1f} %"]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for cells in (columns, ["-" * width for width in widths], *rows):
        yield f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"
