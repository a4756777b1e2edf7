"""A load test as a short table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from experiment.cli.table import COLOURS, titled
from experiment.wording import count, number, size
from loadtest.cli.measured import Measured
from loadtest.records import Load, Summary

COLUMNS = {
    **{"load": "left", "requests": "right", "failed": "right", "answered/s": "right", "right/s": "right"},
    **{"p50 ms": "right", "p90 ms": "right", "p99 ms": "right", "slowest": "right", "late p99": "right"},
    **{"CPU %": "right", "validity": "left"},
}
UNKNOWN = "-"


def show(parts: Sequence[Measured], sentence: str, console: Console) -> None:
    """A row for each part, then the sentence, then the reasons of the verdicts, each once."""
    if not parts:
        console.print("Nothing was sent.")
        return
    table = titled(_title(parts[0].load), COLUMNS, no_wrap=True)
    for part in parts:
        verdict = Text(part.summary.validity, style=COLOURS[part.summary.validity])
        table.add_row(*map(Text, _row(part.title, part.load, part.summary)), verdict)
    console.print(table)
    if sentence:
        console.print(sentence, style="bold", soft_wrap=True)
    for reason in dict.fromkeys(reason for part in parts for reason in part.summary.reasons):
        console.print(reason, soft_wrap=True)


def _title(load: Load) -> str:
    target, payload = load.target, load.payload
    protocol = {"grpc": "gRPC", "rest": "REST"}.get(target.protocol, target.protocol)
    distinct = len(payload.sizes_bytes)
    bodies = "the same body" if distinct == 1 else f"{distinct:,} different bodies in turn"
    what = count(payload.batch, "image" if payload.kind == "image" else "row")
    return f"{target.name} over {protocol}, {what} in a request of {size(payload.median_bytes)}, {bodies}"


def _row(title: str, load: Load, summary: Summary) -> tuple[str, ...]:
    generator = load.taken.generator
    figures = (summary.p50_ms, summary.p90_ms, summary.p99_ms, summary.max_ms)
    return (
        title,
        f"{summary.count:,}",
        f"{summary.failures:,}",
        *map(_shown, (summary.achieved_per_s, summary.goodput_per_s)),
        *map(_shown, figures),
        _shown(generator.late_p99_ms),
        f"{generator.cpu_percent:.0f}",
    )


def _shown(value: float | None) -> str:
    return UNKNOWN if value is None else number(value)
