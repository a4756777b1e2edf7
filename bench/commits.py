"""This source tree beside another commit's: start, memory and the wall time of a sweep.

    AGAINST=9a2ae43 python -m bench commits

The other commit (AGAINST, else HEAD) is checked out into a folder of its own. Both trees run with the same
Python and packages, by turns, against the same stub server.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.sweep import stub_server
from bench.web import CAT, ROOT, web, worker_memory_mb
from experiment.report.statistics import median_interval

BLOCKS = 9
SWEEP = ("--sizes", "512,256,128", "--warmups", "1", "--repeats", "10")
SERVICE_MS = 5.0
# Writes its own peak when it ends: getrusage() would count the memory of the process that started it.
WITH_PEAK = """
import atexit, re, runpy, sys
peak, module = sys.argv[1:3]
sys.argv = [module, *sys.argv[3:]]
status = lambda: open("/proc/self/status").read()
atexit.register(lambda: open(peak, "w").write(re.search(r"VmHWM:\\s+(\\d+)", status())[1]))
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
Trees = Mapping[str, Path]


def bench() -> Iterator[str]:
    """The lines to print."""
    revision = os.environ.get("AGAINST", "HEAD")
    with (
        _checked_out(revision) as other,
        stub_server(SERVICE_MS) as port,
        tempfile.TemporaryDirectory() as out,
    ):
        trees = {"this tree": ROOT, revision: other}

        def started(tree: Path) -> tuple[float, float]:
            return _web_start(tree, port)

        def swept(tree: Path) -> tuple[float, float]:
            command = ("experiment", str(CAT), *SWEEP, "--json", f"{out}/report.json")
            return _run(tree, command, {"TF_SERVERS": f"stub:127.0.0.1:{port}"})

        yield from _lines("timing process, start to end without a job", trees, _worker_start)
        yield from _lines("web process, start to first answer", trees, started)
        yield from _lines("a sweep on the command line", trees, swept)


@contextmanager
def _checked_out(revision: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def _lines(what: str, trees: Trees, measured: Callable[[Path], tuple[float, float]]) -> Iterator[str]:
    """Seconds and megabytes of both trees, measured by turns, and their ratios."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in trees}
    order, shuffle = list(trees), random.Random(0).shuffle
    for block in range(BLOCKS + 1):
        shuffle(order)
        for name in order:
            sample = measured(trees[name])
            if block:  # the first one also writes bytecode and fills the disk's cache
                samples[name].append(sample)
    for column, unit in enumerate(("s", "MB")):
        ours, theirs = ([sample[column] for sample in samples[name]] for name in trees)
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        low, high = median_interval(ratios) or (min(ratios), max(ratios))
        medians = ", ".join(
            f"{name} {statistics.median(sample[column] for sample in samples[name]):.2f} {unit}"
            for name in trees
        )
        yield f"{what}: {medians}; ratio {statistics.median(ratios):.3f} (95 %: {low:.3f} to {high:.3f})"


def _worker_start(tree: Path) -> tuple[float, float]:
    return _run(tree, ("webapp.worker",), {})


def _run(tree: Path, arguments: tuple[str, ...], environ: Mapping[str, str]) -> tuple[float, float]:
    """Seconds that `python -m` took, and its peak memory in megabytes."""
    with tempfile.NamedTemporaryFile() as peak:
        command = [sys.executable, "-c", WITH_PEAK, peak.name, *arguments]
        started_s = time.perf_counter()
        done = subprocess.run(
            command,
            check=False,
            cwd=tree,
            env=os.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        seconds = time.perf_counter() - started_s
        if done.returncode not in {0, 1}:  # 1: a stub's answers recommend nothing
            raise RuntimeError(done.stderr.decode())
        return seconds, int(peak.read()) / 1024


def _web_start(tree: Path, port: int) -> tuple[float, float]:
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, web(folder, port, tree) as (_, process):
        return time.perf_counter() - started_s, worker_memory_mb(process.pid)
