"""A load test as a short table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress

from rich.console import Console
from rich.text import Text

from experiment.backends.addresses import REST_SUFFIX
from experiment.cli.table import COLOURS, titled
from experiment.records import BackendInfo
from experiment.wording import count, listed, number, size
from loadtest.answers.answer import Answer
from loadtest.answers.page import words
from loadtest.cli.measured import Measured
from loadtest.records import Load, Payload, Summary

# Heading -> its alignment. Two lines, so that the table fits into 80 columns.
COLUMNS = {
    **{
        "load": "left",
        "sent": "right",
        "failed": "right",
        "answers\nper s": "right",
        "right\nper s": "right",
    },
    **{"p50\nms": "right", "p90\nms": "right", "p99\nms": "right", "max\nms": "right"},
    **{"late p99\nms": "right", "validity": "left"},
}
UNKNOWN = "-"
MOST_ROWS = 20  # of an answer's table; a longer one is in its file only


def show(parts: Sequence[Measured], sentence: str, console: Console) -> None:
    """A row for each part, then the sentence, then the reasons of the verdicts, each once."""
    if not parts:
        console.print("Nothing was sent.")
        return
    rows = [
        (
            *map(Text, _row(part.title, part.load, part.summary)),
            Text(part.summary.validity, style=COLOURS[part.summary.validity]),
        )
        for part in parts
    ]
    show_table(title_of(parts[0].load.target, parts[0].load.payload), COLUMNS, rows, console)
    if sentence:
        console.print(sentence, style="bold", soft_wrap=True)
    for reason in reasons_of(parts):
        console.print(reason, soft_wrap=True)


def reasons_of(parts: Sequence[Measured]) -> list[str]:
    """The reasons of all verdicts, each once; one that is not about all parts says which it is about."""
    titles: dict[str, dict[str, None]] = {}
    for part in parts:
        for reason in part.summary.reasons:
            titles.setdefault(reason, {})[part.title] = None
    everything = len({part.title for part in parts})
    return [
        reason if len(of) == everything else f"{listed(list(of))}: {reason}" for reason, of in titles.items()
    ]


def show_answer(answer: Answer, console: Console) -> None:
    """An answer: the measured rows of its table unless there are many, its sentence, and its notes."""
    rows = [row for row in answer.rows if row.count(None) < len(row) / 2]
    known = [at for at in range(len(answer.columns)) if any(row[at] not in {None, ""} for row in rows)]
    if 0 < len(rows) <= MOST_ROWS:
        sides = {answer.columns[at]: "right" if at else "left" for at in known}
        table = titled(answer.question, sides, tight=True)
        for row in rows:
            table.add_row(*(Text(words(row[at])) for at in known))
        console.print(table)
    else:
        console.print(f"\n{answer.question}", style="italic", soft_wrap=True)
    console.print(answer.sentence, style="bold", soft_wrap=True)
    for note in answer.notes:
        console.print(f"  {note}", soft_wrap=True)


def show_table(
    title: str, columns: Mapping[str, str], rows: Sequence[Sequence[Text]], console: Console
) -> None:
    """The table without the columns in which nothing is known: a narrow terminal has no room for them."""
    known = [any(row[column].plain not in {UNKNOWN, ""} for row in rows) for column in range(len(columns))]
    table = titled("", dict(compress(columns.items(), known)), no_wrap=True, tight=True)
    table.title = None  # it would be wrapped to the table's width
    for row in rows:
        table.add_row(*compress(row, known))
    console.print(title, style="italic", soft_wrap=True)
    console.print(table)


def title_of(target: BackendInfo, payload: Payload) -> str:
    """What was sent where."""
    protocol = {"grpc": "gRPC", "rest": "REST"}.get(target.protocol, target.protocol)
    place = target.name if target.name.endswith(REST_SUFFIX) else f"{target.name} over {protocol}"
    distinct = len(payload.sizes_bytes)
    bodies = "the same body" if distinct == 1 else f"{distinct:,} different bodies in turn"
    what = count(payload.batch, "image" if payload.kind == "image" else "row")
    return f"{place}, {what} in a request of {size(payload.median_bytes)}, {bodies}"


def _row(title: str, load: Load, summary: Summary) -> tuple[str, ...]:
    figures = (summary.p50_ms, summary.p90_ms, summary.p99_ms, summary.max_ms)
    return (
        title,
        f"{summary.count:,}",
        f"{summary.failures:,}",
        *map(figure, (summary.achieved_per_s, summary.goodput_per_s)),
        *map(figure, figures),
        figure(load.taken.generator.late_p99_ms),
    )


def figure(value: float | None) -> str:
    """A number of a table; one that is not known is "-"."""
    return UNKNOWN if value is None else number(value)
