"""Schedules from files: intervals, and recorded loads to replay.

intervals         NVIDIA perf_analyzer's --request-intervals: microseconds between two requests, one number
                  in each line
a recorded load   perf_analyzer's --profile-export-file, or a load.json of ours
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.words import decoded
from loadtest.arrivals.limits import MOST_REQUESTS, MOST_SECONDS, check_schedule
from loadtest.arrivals.schedules import Schedule
from loadtest.errors import LoadRefused

MOST_FILE_BYTES = 512 * 1024 * 1024
MOST_INTERVAL_US = MOST_SECONDS * 1e6
MOST_TIME = 2**64  # nanoseconds of the epoch as they are stored; seconds have no reason to be more
SHOWN = 40  # characters of a bad line


def read_intervals(path: Path) -> list[float]:
    """Intervals in microseconds. Raises LoadRefused with the number of the first line that is not one."""
    lines = _text(path).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise LoadRefused(f"{path} is empty. Write one interval in microseconds in each line.")
    return [_interval(line, f"line {number} of {path}") for number, line in enumerate(lines, start=1)]


def from_intervals(intervals_us: Sequence[float], seconds: float | None = None) -> Schedule:
    """The first request at 0, each other one an interval after the one before.

    With `seconds` the intervals are used again from the first on until then; else each is used once. Raises
    LoadRefused if that is more than may be sent.
    """
    if seconds is not None and sum(intervals_us) <= 0:
        raise LoadRefused("All intervals are 0, so they never fill a time. Use `burst` to send all at once.")
    turns = intervals_us if seconds is None else itertools.cycle(intervals_us)
    schedule, due_us, end_us = [0.0], 0.0, math.inf if seconds is None else seconds * 1e6
    for interval_us in turns:
        due_us += interval_us
        if due_us >= end_us or len(schedule) > MOST_REQUESTS:
            break
        schedule.append(due_us / 1e6)
    check_schedule(schedule, "The intervals")
    return schedule


def read_recorded(path: Path) -> Schedule:
    """When each request of a recorded load was due or sent, from its first one on. Raises LoadRefused.

    The requests may stand in any order: perf_analyzer writes those of one connection after those of another.
    Of several experiments in the file, the first is taken.
    """
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        place = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise LoadRefused(f"{path} is not JSON, or it ends too early{place}. {_WHICH}") from None
    times_s = _times_s(found, path)
    if not times_s:
        raise LoadRefused(f"{path} has no requests. {_WHICH}")
    schedule = sorted(times_s)
    schedule = [due_s - schedule[0] for due_s in schedule]
    check_schedule(schedule, str(path))
    return schedule


_WHICH = (
    "Name a file that perf_analyzer wrote with --profile-export-file, a load.json, or a file of intervals "
    "with one number of microseconds in each line."
)


def is_json(path: Path) -> bool:
    """Whether the file begins as a recorded load does. Raises LoadRefused if it can't be read."""
    return _text(path).lstrip()[:1] in {"{", "["}


def _times_s(found: Any, path: Path) -> list[float]:
    """The times of the requests in seconds, from any start. Raises LoadRefused."""
    if not isinstance(found, dict):
        raise LoadRefused(f"{path} is JSON, but not a recorded load. {_WHICH}")
    key, per_s = ("timestamp", 1e9) if "experiments" in found else ("due_s", 1)
    try:
        requests = found["experiments"][0]["requests"] if "experiments" in found else found["requests"]
        times = [request[key] for request in requests]
    except (LookupError, TypeError):
        raise LoadRefused(f"{path} is JSON, but has no requests with their {key}. {_WHICH}") from None
    for number, time in enumerate(times, start=1):
        is_number = isinstance(time, int | float) and not isinstance(time, bool)
        if not is_number or not 0 <= time < MOST_TIME:
            shown = str(time)[:SHOWN]
            raise LoadRefused(f"Request {number:,} of {path} has the {key} `{shown}`, which is not a time.")
    first = min(times, default=0)  # nanoseconds of the epoch have more digits than a float
    return [(time - first) / per_s for time in times]


def _interval(line: str, place: str) -> float:
    try:
        interval_us = float(line)
    except ValueError:
        shown = line.strip()[:SHOWN]
        wrong = f"`{shown}` in {place} is not a number." if shown else f"There is nothing in {place}."
        raise LoadRefused(f"{wrong} Write one interval in microseconds in each line.") from None
    if not 0 <= interval_us <= MOST_INTERVAL_US:
        raise LoadRefused(
            f"`{line.strip()[:SHOWN]}` in {place} can't be an interval: it must be from 0 to "
            f"{MOST_INTERVAL_US:,.0f} microseconds (a day)."
        )
    return interval_us


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise LoadRefused(f"{path} has more than {MOST_FILE_BYTES // 2**20} MiB: it is no schedule.")
        return decoded(path.read_bytes())
    except OSError as error:
        raise LoadRefused(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise LoadRefused(f"{path} is not text. {_WHICH}") from None
