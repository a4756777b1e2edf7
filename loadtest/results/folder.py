"""LoadFolder: one new folder for each load test. Nothing in it is ever overwritten.

While the load runs, every sample goes to samples.csv, so a crash or a full disk costs seconds at most.
load.json and the files for other tools are written at the end, each beside its place first and then moved, so
that a file with its final name is complete.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import re
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from loadtest.errors import LoadRefused
from loadtest.records import Load, Sample, Summary
from loadtest.results.exports import exports_of
from loadtest.results.load_json import TIME_DIGITS_S, load_dict, load_json
from loadtest.results.summary import SAMPLE_DIGITS_MS

SAMPLES = "samples.csv"
COLUMNS = (*Sample._fields[:7], "in_flight", "peer", "answer_bytes", "stages_ms")
FLUSH_S = 0.5
AT_ONCE = 100  # samples; formatting many in one go would make the generator late
MOST_NUMBERED = 10_000
MOST_NAME = 60  # characters


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a load's files."""

    files: tuple[Path, ...]
    problems: tuple[str, ...]  # a sentence for each file that could not be written


class LoadFolder:
    """A folder that was made for one load test. Use it in a `with` block, around the load."""

    def __init__(self, path: Path, samples: TextIO):
        self.path = path
        self._samples = samples
        self._waiting: deque[Sample] = deque()
        self._ended = threading.Event()
        self._problem: str | None = None
        self._writer = threading.Thread(target=self._write_samples, name="samples", daemon=True)

    def __enter__(self) -> LoadFolder:
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_samples()

    def keep(self, sample: Sample) -> None:
        """For Watch.on_sample: the sample is on disk within a second. From any thread; never waits."""
        self._waiting.append(sample)

    def write(self, load: Load, summary: Summary, **extra: Any) -> Written:
        """Write load.json and the files for other tools. `extra` are further keys of load.json.

        A file that can't be written is a problem, never an exception. If load.json can't be written here it
        goes to the machine's folder for temporary files.
        """
        self._end_samples()
        problems = [self._problem] if self._problem else []
        files = [self.path / SAMPLES]
        made = load_dict(load, summary, **extra)
        wanted: list[tuple[str, Callable[[], bytes]]] = [("load.json", lambda: load_json(made).encode())]
        wanted += exports_of(load).items()
        for name, make in wanted:
            try:
                files.append(_written(self.path / name, make()))
            except (OSError, ValueError) as error:
                problems.append(_sentence(self.path / name, error))
                if name == "load.json":
                    problems += self._elsewhere(name, make)
        return Written(tuple(files), tuple(problems))

    def _elsewhere(self, name: str, make: Callable[[], bytes]) -> list[str]:
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{self.path.name}-"))
            return [f"It is in {_written(folder / name, make())} instead: move it to a disk with room."]
        except (OSError, ValueError):
            return []

    def _write_samples(self) -> None:
        """In a thread, until the end."""
        try:
            writer = csv.writer(self._samples, lineterminator="\n")
            writer.writerow(COLUMNS)
            while not self._ended.wait(FLUSH_S):
                self._drain(writer)
            self._drain(writer)
        except OSError as error:
            self._problem = f"{_sentence(self.path / SAMPLES, error)} load.json holds all requests."
        finally:
            with contextlib.suppress(OSError):
                self._samples.close()

    def _drain(self, writer: Any) -> None:
        while self._waiting:
            writer.writerows(
                map(_row, [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))])
            )
            time.sleep(0)  # lets the generator run
        self._samples.flush()

    def _end_samples(self) -> None:
        self._ended.set()
        self._writer.join()


def new_folder(out: Path | None, kind: str, target: str, root: Path, now: float | None = None) -> LoadFolder:
    """A folder that nobody else has: `out` if it is new or empty, else a numbered one in it.

    Without `out` it is made in `root`, under a name with date, kind and target. Raises LoadRefused.
    """
    return LoadFolder(*new_file(out, f"{kind}-{_file_name(target)}", root, SAMPLES, now))


def new_file(
    out: Path | None, name: str, root: Path, file: str, now: float | None = None
) -> tuple[Path, TextIO]:
    """Such a folder and the first file in it, open. Raises LoadRefused."""
    named = root / f"{time.strftime('%Y-%m-%d-%H%M%S', time.gmtime(now))}-{name}"
    for path in _candidates(out, named):
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not any(path.iterdir()):
                # "x": of two that came at the same time, one has it.
                return path, (path / file).open("x", encoding="utf-8", newline="")
        except FileExistsError:
            if path == out and not path.is_dir():
                raise LoadRefused(f"{path} is a file. Name a folder for the results with --out.") from None
        except OSError as error:
            raise LoadRefused(f"No results can be written to {path}: {error.strerror}.") from None
    raise LoadRefused(f"{out or root} has {MOST_NUMBERED:,} results. Name another folder with --out.")


def _candidates(out: Path | None, named: Path) -> Iterator[Path]:
    yield out or named
    for number in range(2, MOST_NUMBERED):
        yield (out / str(number)) if out else named.with_name(f"{named.name}-{number}")


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:MOST_NAME] or "target"


def _row(sample: Sample) -> Sequence[Any]:
    stages_ms = json.dumps(dict(sample.stages_ms)) if sample.stages_ms else None
    return (
        round(sample.due_s, TIME_DIGITS_S),
        round(sample.sent_s, TIME_DIGITS_S),
        round(sample.latency_ms, SAMPLE_DIGITS_MS),
        "true" if sample.ok else "false",
        *sample[4:7],
        sample.in_flight,
        sample.peer,
        sample.answer_bytes,
        stages_ms,
    )


def _written(path: Path, content: bytes) -> Path:
    """Write a new file; it has its name when it is complete and on the disk. Raises OSError."""
    partial = path.with_name(path.name + ".partial")
    if path.exists():
        raise FileExistsError(errno.EEXIST, "there is a file of that name already")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _sentence(path: Path, error: OSError | ValueError) -> str:
    return f"{path} could not be written: {getattr(error, 'strerror', None) or error}."
