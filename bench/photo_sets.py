"""A large photo set through `python -m experiment --photos --workers`, with a stub backend, killed at random.

    python -m bench.photo_sets --photos 50000 --workers 2 --kills 20

Makes small photos, measures them with real processes, and kills (-9) the command or one of its workers at
random times. Then it checks the journal: every photo once. What was done twice shows in the requests that the
stub got. Memory is the highest resident set of the command, and of the largest worker.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from bench.support.errors import CannotRun
from bench.support.servables import ROOT

PHOTOS_IN_A_FOLDER = 1000
SIDE_PX, SIZE_PX = 64, 32  # of the photos, and of the one variant beside the original
VARIANTS = 2
LOOK_S = 0.02
LEAST_BETWEEN_KILLS = 10  # photos
MOST_STARTS = 100
PID = re.compile(rb'"pid":(\d+)')
JOURNAL_LINE = re.compile(rb'\{"index":(\d+),')


@dataclass
class Study:
    """What one run over a set took."""

    photos: int
    workers: int  # 0: one process, without an engine
    wall_s: float = 0.0
    command_kb: int = 0  # highest resident set
    worker_kb: int = 0  # of the largest worker
    journal_bytes: int = 0
    lines: Counter[int] = field(default_factory=Counter)  # in the journal, by photo
    command_kills: int = 0
    worker_kills: int = 0
    requests: int = 0
    measured: int = 0  # photos, by the report

    @property
    def kills(self) -> int:
        """Of either kind."""
        return self.command_kills + self.worker_kills

    @property
    def requests_twice(self) -> int:
        """Requests for photos that were under way at a kill."""
        return self.requests - VARIANTS * self.photos

    @property
    def may_be_twice(self) -> int:
        """The most of them: a killed command costs the photo of each worker, a killed worker its own."""
        return VARIANTS * (self.command_kills * max(1, self.workers) + self.worker_kills)

    def problems(self) -> Iterator[str]:
        """What must not be."""
        if set(self.lines) != set(range(self.photos)) or set(self.lines.values()) != {1}:
            yield f"the journal does not hold every photo once: {self.lines.most_common(1)}"
        if self.measured != self.photos:
            yield f"the report has {self.measured:,} photos"
        if not 0 <= self.requests_twice <= self.may_be_twice:
            yield f"{self.requests_twice:,} requests too many, at most {self.may_be_twice:,} could be"


def make_set(root: Path, photos: int) -> Path:
    """So many small JPEGs, each of its own pixels, in folders that name a label."""
    draw = np.random.default_rng(1)
    for number in range(photos):
        folder = root / f"class {number // PHOTOS_IN_A_FOLDER}"
        if number % PHOTOS_IN_A_FOLDER == 0:
            folder.mkdir(parents=True)
        pixels = draw.integers(0, 256, (6, 8, 3), np.uint8)
        image = Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX * 3 // 4))
        image.save(folder / f"{number:06}.jpg", quality=80)
    return root


def study(
    photos: Path, count: int, workers: int, kills: int, seed: int, folder: Path, service_ms: float = 0.0
) -> Study:
    """Measures the set from nothing to the report, with so many kills on the way. Raises CannotRun.

    `service_ms`: how long the stub takes for each request.
    """
    found = Study(count, workers)
    journal, report = folder / "journal.jsonl", folder / "report.json"
    stub = [sys.executable, "-m", "bench.support.stub_server", str(service_ms / 1e3)]
    pipe = subprocess.PIPE
    with subprocess.Popen(stub, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdin and server.stdout
        address = f"stub:127.0.0.1:{server.stdout.readline().strip()}"
        options = ["--servers", address, "--journal", str(journal), "--json", str(report)]
        options += ["--sizes", str(SIZE_PX), "--formats", "jpeg", "--warmups", "0", "--seed", "1"]
        if workers:
            options += ["--engine", "local", "--workers", str(workers)]
        command = [sys.executable, "-m", "experiment", "--photos", str(photos), *options]
        started = time.monotonic()
        _run(command, journal, found, kills, random.Random(seed))
        found.wall_s = time.monotonic() - started
        server.stdin.close()
        found.requests = int(server.stdout.readline())
    found.journal_bytes = journal.stat().st_size
    with journal.open("rb") as lines:
        next(lines)
        found.lines.update(int(each[1]) for line in lines if (each := JOURNAL_LINE.match(line)))
    found.measured = json.loads(report.read_bytes())["photo_set"]["measured"]
    return found


def _run(command: Sequence[str], journal: Path, found: Study, kills: int, draw: random.Random) -> None:
    """The command until it ends by itself; started again whenever it was killed."""
    # Not near the end, where there might be no photo left before the last of them.
    places = sorted(draw.sample(range(1, round(0.8 * found.photos / LEAST_BETWEEN_KILLS)), kills))
    kill_at = [LEAST_BETWEEN_KILLS * place for place in places]  # lines in the journal
    next_kill = 0
    with tempfile.TemporaryFile() as errors:
        for _ in range(MOST_STARTS):
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
            try:
                lines = _Lines(journal)
                while process.poll() is None:
                    time.sleep(LOOK_S)
                    _look(process.pid, found)
                    if kill_at and lines.count() >= max(kill_at[0], next_kill):
                        kill_at.pop(0)
                        time.sleep(draw.uniform(0, LOOK_S))
                        _kill(process, lines.pids, found, draw)
                        next_kill = lines.count() + LEAST_BETWEEN_KILLS
            finally:
                process.kill()  # if this is stopped
            if process.returncode in (0, 1):  # 1: nothing to recommend
                return
            if process.returncode != -signal.SIGKILL:
                errors.seek(0)
                raise CannotRun(errors.read().decode()[-2000:])
    raise CannotRun(f"The command did not end in {MOST_STARTS} starts.")


class _Lines:
    """Reads a journal while it grows."""

    def __init__(self, path: Path):
        self.pids: set[int] = set()  # of workers that have done a photo
        self._path = path
        self._at = self._count = 0

    def count(self) -> int:
        """Those that are there now, but for the header."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
            self._at += len(data)
            self._count += data.count(b"\n")
            self.pids.update(map(int, PID.findall(data)))
        return self._count - 1


def _kill(process: subprocess.Popen[bytes], pids: set[int], found: Study, draw: random.Random) -> None:
    """The command or a worker, but none that has only begun: its photo would be taken for the cause."""
    workers = [pid for pid in _workers_of(process.pid) if pid in pids]
    if workers and draw.random() < 0.5:
        found.worker_kills += 1
        os.kill(draw.choice(workers), signal.SIGKILL)
    else:
        found.command_kills += 1
        process.kill()
        process.wait()


def _workers_of(pid: int) -> list[int]:
    """The processes of the engine `local`: the command's children, but for multiprocessing's tracker."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    except OSError:
        return []
    return [child for child, line in lines.items() if b"spawn_main" in line]


def _look(pid: int, found: Study) -> None:
    found.command_kb = max(found.command_kb, _peak_kb(pid))
    found.worker_kb = max([found.worker_kb, *map(_peak_kb, _workers_of(pid))])


def _peak_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0
    peak = re.search(r"VmHWM:\s+(\d+)", status)
    return int(peak[1]) if peak else 0


def lines_of(found: Study) -> Iterator[str]:
    """What a run took, and what was wrong with it."""
    who = f"{found.workers} worker{'s' * (found.workers > 1)}" if found.workers else "one process"
    yield (
        f"{found.photos:,} photos, {who}: {found.wall_s:.1f} s, {found.photos / found.wall_s:.0f} photos/s, "
        f"{found.command_kb / 1e3:.0f} MB, largest worker {found.worker_kb / 1e3:.0f} MB, "
        f"journal {found.journal_bytes / 1e6:.1f} MB"
    )
    if found.kills:
        twice = found.requests_twice // VARIANTS
        yield (
            f"  the command was killed {found.command_kills} times and workers {found.worker_kills} times; "
            f"measured twice: {twice} photos, of at most {found.may_be_twice // VARIANTS}"
        )
    for problem in found.problems():
        yield f"  WRONG: {problem}"


def bench() -> Iterator[str]:
    """The lines to print: a small set in one process, by workers, and with kills."""
    yield from _studies(1000, ((0, 0), (1, 0), (2, 0), (2, 6)), seed=1, service_ms=20)


def _studies(count: int, runs: Sequence[tuple[int, int]], seed: int, service_ms: float) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        photos = make_set(Path(folder) / "set", count)
        for number, (workers, kills) in enumerate(runs):
            own = Path(folder) / str(number)
            own.mkdir()
            yield from lines_of(study(photos, count, workers, kills, seed, own, service_ms))


def main() -> None:
    """One study as the options say."""
    parser = argparse.ArgumentParser(prog="python -m bench.photo_sets")
    parser.add_argument("--photos", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=2, help="0: one process, without an engine")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--service-ms", type=float, default=0.0, help="that the stub takes for a request")
    options = parser.parse_args()
    runs = ((options.workers, options.kills),)
    for line in _studies(options.photos, runs, options.seed, options.service_ms):
        print(line, flush=True)


if __name__ == "__main__":
    main()
