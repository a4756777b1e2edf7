"""This source tree beside another commit's: start, memory and the wall time of a sweep.

    AGAINST=9a2ae43 python -m bench commits

The files of the other commit (AGAINST, or HEAD) are put into a temporary folder. Both trees run with the same
Python and packages, in random order, against the same stub server.
"""

from __future__ import annotations

import functools
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.support.errors import CannotRun
from bench.support.figures import figure, ratios
from bench.support.side_by_side import by_turns
from bench.sweep import stub_server
from bench.web import CAT, ROOT, web, worker_memory_mb

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
Cost = tuple[float, float]  # seconds, megabytes


def bench() -> Iterator[str]:
    """The lines to print. Raises CannotRun where the other commit can't be had or started."""
    revision = os.environ.get("AGAINST") or "HEAD"
    with tempfile.TemporaryDirectory() as folder, stub_server(SERVICE_MS) as port:
        other = Path(folder, "tree")
        check_out(revision, other)
        trees = {"this tree": ROOT, revision: other}
        yield f"this tree / {revision}, in this order"
        yield from compared("timing process without a job", trees, _worker)
        yield from compared("web process up to its first answer", trees, functools.partial(_web, port))
        yield from compared("a sweep on the command line", trees, functools.partial(_sweep, port))


def check_out(revision: str, tree: Path, repository: Path = ROOT) -> None:
    """Write the files of a commit into a new folder. Raises CannotRun."""
    commit = _git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not commit:
        raise CannotRun(
            f"{revision} is not a commit of this clone. Name another one with AGAINST, "
            "or get the older ones with git fetch --unshallow."
        )
    tree.mkdir()
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        _git(repository, "archive", "--format=tar", f"--output={file.name}", commit)
        with tarfile.open(file.name) as archive:
            archive.extractall(tree, filter="data")


def _git(repository: Path, *arguments: str) -> str:
    """What git prints; "" where it refuses a revision."""
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise CannotRun("git is not installed, so there is no other commit to compare with.") from None
    if done.returncode and done.stderr:
        raise CannotRun(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def compared(
    what: str, trees: Mapping[str, Path], cost: Callable[[Path], Cost], blocks: int = BLOCKS
) -> Iterator[str]:
    """Time and memory of both trees, and their ratios block by block."""
    # The first block also writes bytecode and fills the disk's cache.
    samples = by_turns({name: functools.partial(cost, tree) for name, tree in trees.items()}, blocks)
    for column, unit in enumerate(("s", "MB")):
        ours, theirs = ([sample[column] for sample in samples[name]] for name in trees)
        medians = f"{statistics.median(ours):.2f} / {statistics.median(theirs):.2f} {unit}"
        yield figure(f"{what}: {medians}", ratios(ours, theirs))


def _worker(tree: Path) -> Cost:
    return _run(tree, ("webapp.worker",), {}, {0})


def _web(port: int, tree: Path) -> Cost:
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, web(folder, port, tree) as (_, process):
        return time.perf_counter() - started_s, worker_memory_mb(process.pid)


def _sweep(port: int, tree: Path) -> Cost:
    with tempfile.TemporaryDirectory() as out:
        report = Path(out, "report.json")
        command = ("experiment", str(CAT), *SWEEP, "--json", str(report))
        # 1: the answers of a stub recommend nothing
        cost = _run(tree, command, {"TF_SERVERS": f"stub:127.0.0.1:{port}"}, {0, 1})
        if not report.exists():
            raise CannotRun("python -m experiment wrote no report.")
        return cost


def _run(tree: Path, arguments: tuple[str, ...], environ: Mapping[str, str], codes: set[int]) -> Cost:
    """Seconds that `python -m` took, and its peak memory. Raises CannotRun for another exit code."""
    with tempfile.NamedTemporaryFile() as peak:
        command = [sys.executable, "-c", WITH_PEAK, peak.name, *arguments]
        environ = os.environ | environ
        started_s = time.perf_counter()
        done = subprocess.run(
            command, check=False, cwd=tree, env=environ, stdin=subprocess.DEVNULL, capture_output=True
        )
        seconds = time.perf_counter() - started_s
        if done.returncode not in codes:
            reason = done.stderr.decode(errors="replace").strip()[-400:]
            raise CannotRun(f"python -m {arguments[0]} ended with exit code {done.returncode}: {reason}")
        return seconds, int(peak.read()) / 1024
