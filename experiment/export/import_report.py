"""An exported report read back from a file that anybody may have changed: checked as a whole, or refused.

Nothing in it is trusted: not its depth or numbers, not that its names are names. What is returned can be
shown and exported again like a report of our own, and says nothing that its own samples contradict.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from common.words import decoded
from experiment.decide.other_goals import judged
from experiment.decide.sections import sections
from experiment.errors import PixelcostError
from experiment.export.pictures import ID, picture_problems, without_pictures
from experiment.export.report_json import SCHEMA
from experiment.export.schema_check import problems
from experiment.figures import figures, variant_figures
from experiment.file_names import plain_name
from experiment.records import MAX_BACKENDS, MAX_VARIANTS, SEED_LIMIT
from experiment.report.statistics import cell_percentiles

REPORT_NAME = "report.json"  # in the ZIP file of a run
MOST_BYTES = 500_000_000  # of that; a file on this machine may have any size
MOST_DEPTH = 16  # a report has 6 levels
MOST_NUMBER = SEED_LIMIT  # the largest that a report holds
MOST_TEXT = 20_000  # characters of one text
MOST_KEYS = 100  # of one object; a cell has 34
MOST_ENVIRONMENT = 20_000  # characters of it as JSON: the history is not the place for more
MOST_CELLS = MAX_VARIANTS * MAX_BACKENDS
MOST_SAMPLES = 100_000  # of one cell; of a set there is one for each photo
MOST_SAMPLES_IN_ALL = 1_000_000
MOST_UNDER_LOAD = 4_000_000  # the fastest generator, for as long as a run may take
MOST_VALUES = 3_000_000  # that a file may seem to hold before it is parsed
MOST_PROBLEMS = 3  # named in one sentence
TOLERANCE_MS = 2e-6  # derived numbers have six digits

_HOW = 'Choose a file that was saved with the button "JSON" below a run.'
_AGAIN = "Export it again, or download it again from its source."


class ReportRefused(PixelcostError):
    """The file can't be shown as a run; the message says why and what to do."""

    code = "report_refused"
    http_status = 422


def load_report(path: str | Path) -> dict[str, Any]:
    """The report in a file on this machine: the JSON, or the ZIP file of a run. Raises PixelcostError when
    it is not a readable report."""
    path = Path(path)
    try:
        data = _in_zip(path) if has_report(path) else path.read_bytes()
    except OSError as error:
        raise PixelcostError(f"{path} can't be read: {error.strerror}.") from None
    return read_report(data, path.name)


def has_report(path: Path) -> bool:
    """Whether it is a ZIP file with a report in it, as a run is downloaded; not one of photos alone."""
    try:
        with ZipFile(path) as archive:
            return REPORT_NAME in archive.namelist()
    except (OSError, BadZipFile):
        return False


def _in_zip(path: Path) -> bytes:
    try:
        with ZipFile(path) as archive:
            if archive.getinfo(REPORT_NAME).file_size > MOST_BYTES:
                raise ReportRefused(f"The report in {path.name} is too large: at most {MOST_BYTES:,} bytes.")
            return archive.read(REPORT_NAME)
    except (BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise ReportRefused(f"{path.name} is damaged: {error}. {_AGAIN}") from None


def read_report(data: bytes, name: str) -> dict[str, Any]:
    """The report in a file of that name. Raises ReportRefused.

    A legal report of 5,000 cells takes seconds, one that is made to be heavy more time and memory: what comes
    from anybody belongs into a process with limits.
    """
    shown = plain_name(name)
    found = _parsed(data, shown)
    if not isinstance(found, dict) or "schema_version" not in found or "cells" not in found:
        raise ReportRefused(f"{shown} is JSON, but not a Pixelcost report. {_HOW}")
    _check_version(found["schema_version"], shown)
    wrong = (
        _first(_insane(without_pictures(found), "", 0))
        or _first(problems(found, SCHEMA))
        or _first(picture_problems(found))
        or _first(_too_much(found))
        or _first(_contradictions(found))
    )
    if wrong:
        raise ReportRefused(
            f"{shown} is damaged or was changed: {'; '.join(wrong[:MOST_PROBLEMS])}. {_AGAIN}"
        )
    _check_drawable(found, shown)
    return found


def _parsed(data: bytes, shown: str) -> Any:
    text = report_text(data, shown)
    if not text.lstrip().startswith("{"):
        raise ReportRefused(f"{shown} is not a report: it does not start like one. {_HOW}")
    if text.count(",") + text.count("[") + text.count("{") > MOST_VALUES:
        raise ReportRefused(f"{shown} is not a report: it holds far more values than one. {_HOW}")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ReportRefused(f"{shown} is not a report: it is nested too deeply. {_HOW}") from None
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated")
        where = "it ends too early" if at_end else f"it can't be read from line {error.lineno} on"
        raise ReportRefused(f"{shown} is damaged: {where}. {_AGAIN}") from None
    except _NoNumber as error:
        raise ReportRefused(
            f"{shown} is damaged: it holds {error} where a number belongs. {_AGAIN}"
        ) from None
    except ValueError:  # Python reads no more than so many digits
        raise ReportRefused(f"{shown} is damaged: a number in it is too large. {_AGAIN}") from None


def report_text(data: bytes, shown: str) -> str:
    """The text of a file, in UTF-8 or, as editors on Windows save it, in UTF-16. Raises ReportRefused."""
    try:
        return decoded(data)
    except UnicodeDecodeError:
        if data.lstrip().startswith(b"{"):
            raise ReportRefused(
                f"{shown} is text, but not in UTF-8: another program has saved it. Save it there as UTF-8. "
                f"{_AGAIN}"
            ) from None
        raise ReportRefused(f"{shown} is not a report: it is not text. {_HOW}") from None


class _NoNumber(ValueError):
    """NaN or Infinity, which JSON does not know."""


def _no_constant(name: str) -> float:
    raise _NoNumber(name)


def _check_version(version: Any, shown: str) -> None:
    found = re.fullmatch(r"([0-9]{1,4})\.[0-9]{1,4}", version) if isinstance(version, str) else None
    if found is None:
        raise ReportRefused(f"{shown} does not say which version of the report it is. {_HOW}")
    if found[1] != "1":
        raise ReportRefused(
            f"{shown} was written by another Pixelcost (report version {version}); this one reads 1.x. "
            "Open it there and save it as HTML, which opens anywhere, or update this one."
        )


def _first(found: Iterator[str]) -> list[str]:
    return list(islice(found, MOST_PROBLEMS))


def _insane(value: Any, place: str, depth: int) -> Iterator[str]:
    """What JSON allows and no report holds."""
    if depth > MOST_DEPTH:
        yield f"{place[:60]} is nested too deeply"
    elif isinstance(value, dict):
        if len(value) > MOST_KEYS:
            yield f"{place[:60] or 'it'} has more than {MOST_KEYS} keys"
            return
        for key, item in value.items():
            yield from _insane_text(key, f"a key of {place or 'it'}")
            yield from _insane(item, f"{place}.{key}" if place else key, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _insane(item, f"{place}[{index}]", depth + 1)
    elif isinstance(value, str):
        yield from _insane_text(value, place)
    elif isinstance(value, int | float) and not abs(value) < MOST_NUMBER:
        yield f"{place} is too large a number"


def _insane_text(text: str, place: str) -> Iterator[str]:
    if len(text) > MOST_TEXT:
        yield f"{place[:60]} is too long"
    elif not all(char.isprintable() or char in "\n\t\u00a0\u200b\u200c\u200d" for char in text):
        yield f"{place[:60]} holds characters that can't be shown"


def _too_much(report: Mapping[str, Any]) -> Iterator[str]:
    """More than any plan makes."""
    lists = {"variants": MAX_VARIANTS + 1, "backends": MAX_VARIANTS, "cells": MOST_CELLS}
    for key, most in lists.items():
        if len(report[key]) > most:
            yield f"it has {len(report[key]):,} {key}, and no run has more than {most:,}"
    if len(json.dumps(report["environment"])) > MOST_ENVIRONMENT:
        yield "environment is too long"
    counts = [len(cell.get(key, ())) for cell in report["cells"] for key in _SAMPLES]
    under_load = sum(len(point["samples_ms"]) + len(point["uncounted_ms"]) for _, point in _points(report))
    is_too_much = max(counts, default=0) > MOST_SAMPLES or sum(counts) > MOST_SAMPLES_IN_ALL
    if is_too_much or under_load > MOST_UNDER_LOAD:
        yield "it has more samples than any run takes"


_SAMPLES: Final = (
    *("samples_ms", "disturbed_samples_ms", "warmup_samples_ms", "decode_request_samples_ms"),
    *("peers", "batches"),
)


def _contradictions(report: Mapping[str, Any]) -> Iterator[str]:
    """Names that lead nowhere, and numbers that don't follow from the samples beside them."""
    variants = [variant["id"] for variant in report["variants"]]
    backends = [backend["name"] for backend in report["backends"]]
    cells = [(cell["variant_id"], cell["backend_name"]) for cell in report["cells"]]
    yield from (f"{variant[:60]} is not a valid id" for variant in variants if not ID.fullmatch(variant))
    for what, names in (("variant", variants), ("backend", backends), ("cell", cells)):
        if len(set(names)) < len(names):
            yield f"it has the same {what} twice"
    if not ({cell[0] for cell in cells} <= set(variants) and {cell[1] for cell in cells} <= set(backends)):
        yield "a cell names a variant or backend that the report does not have"
    chosen = report["recommendation"]
    if chosen["variant_id"] is not None and (chosen["variant_id"], chosen["backend_name"]) not in cells:
        yield "it recommends a variant that it does not have"
    pairs = (report.get("resizers") or {"pairs": ()})["pairs"]
    if not {pair[key] for pair in pairs for key in ("browser_id", "server_id")} <= set(variants):
        yield "it compares a variant that the report does not have"
    yield from _other_load(report, set(cells))
    yield from _other_counts(report)
    for index, cell in enumerate(report["cells"]):
        yield from _other_numbers(cell, f"cells[{index}]")


def _other_counts(report: Mapping[str, Any]) -> Iterator[str]:
    """Every sample and every failure of a cell was a request, and what was not sent is none."""
    requests, cells = report["requests"], report["cells"]
    for index, cell in enumerate(cells):
        samples = len(cell["samples_ms"]) + len(cell.get("disturbed_samples_ms", ()))
        if cell["count"] != samples:
            yield f"cells[{index}].count is {cell['count']}, but there are {samples} samples"
        if cell["failures"] + cell.get("not_sent", 0) and not cell["failure_reasons"]:
            yield f"cells[{index}] has failures, but no reason for them"
    counted, failed = (sum(cell[key] for cell in cells) for key in ("count", "failures"))
    left_out = sum(cell.get("not_sent", 0) for cell in cells)
    is_short = requests["done"] < counted + failed + left_out or requests.get("not_sent", 0) < left_out
    if is_short or not failed <= requests["failed"] <= requests["done"]:
        yield "its numbers of requests don't fit its cells"


def _points(report: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every rate that was offered under load, with its place."""
    for index, curve in enumerate(report.get("load", ())):
        for number, point in enumerate(curve["points"]):
            yield f"load[{index}].points[{number}]", point


def _other_load(report: Mapping[str, Any], cells: set[tuple[str, str]]) -> Iterator[str]:
    """Curves of cells that are not there, and capacities beside their own interval."""
    keys = [(curve["variant_id"], curve["backend_name"]) for curve in report.get("load", ())]
    if len(set(keys)) < len(keys) or not set(keys) <= cells:
        yield "it puts a cell under load that it does not have, or the same one twice"
    for index, curve in enumerate(report.get("load", ())):
        ends = curve["low_per_s"], curve["per_s"], curve["high_per_s"]
        known = [end for end in ends if end is not None]
        has_one = curve["outcome"] in {"found", "at_least"}
        if known != sorted(known) or has_one != (curve["per_s"] is not None):
            yield f"load[{index}] has a capacity that does not fit its interval or outcome"
        for number, loop in enumerate(curve.get("closed_loops", ())):
            yield from _other_requests(loop, f"load[{index}].closed_loops[{number}]")
    for place, point in _points(report):
        yield from _other_requests(point, place)
        yield from _other_numbers(point, place, ("p50_ms", "p90_ms", "p99_ms", "max_ms"))


def _other_requests(sent: Mapping[str, Any], place: str) -> Iterator[str]:
    """Every request under load was answered or failed for a cause."""
    if sent["count"] != len(sent["samples_ms"]) + sent["failures"]:
        yield f"{place}.count does not fit its samples and failures"
    if sum(sent["causes"].values()) != sent["failures"]:
        yield f"{place}.causes don't fit its failures"


def _other_numbers(
    cell: Mapping[str, Any],
    place: str,
    keys: Sequence[str] = ("p50_ms", "p90_ms", "p99_ms", "min_ms", "max_ms"),
) -> Iterator[str]:
    expected: Mapping[str, Any] = cell_percentiles(cell["samples_ms"], cell.get("disturbed_samples_ms", ()))
    for key in keys:
        value = expected[key]
        if not _alike(cell[key], value):
            yield f"{place}.{key} is {cell[key]}, but its own samples give {value}"


def _alike(stated: float | None, value: float | None) -> bool:
    if stated is None or value is None:
        return stated is value
    return abs(stated - value) <= TOLERANCE_MS


def _check_drawable(report: Mapping[str, Any], shown: str) -> None:
    """The last look: everything that is computed from a report is computed once."""
    made = dict(report)
    try:
        figures(made, latency="slowest", over="bytes")
        for variant in report["variants"][:1]:
            variant_figures(made, variant["id"])
        sections(made)
        judged(made)
    except MemoryError:
        raise
    except Exception as error:
        raise ReportRefused(
            f"{shown} is damaged or was changed: its parts don't fit together ({type(error).__name__}). "
            f"{_AGAIN}"
        ) from error
