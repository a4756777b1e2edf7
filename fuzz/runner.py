"""Feeds mutated input to a target in a process of its own, and keeps what breaks it."""

from __future__ import annotations

import hashlib
import importlib
import math
import multiprocessing
import random
import resource
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz.mutate import mutated
from fuzz.target import Target

HANG_S = 20.0  # for one input; the machine may be busy
MEMORY_BYTES = 8 * 1024**3  # address space of the process: libraries map much of it that they never use
_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Findings:
    """The outcome of a run over one target."""

    target: str
    outcomes: Counter[str] = field(default_factory=Counter)
    kept: list[Path] = field(default_factory=list)  # inputs that broke it, each with a .txt that says how
    causes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0


class Fed:
    """A process that feeds one target; started again after it was broken."""

    def __init__(self, target: str, hang_s: float):
        self._target = target
        self._hang_s = hang_s
        self._start()

    def _start(self) -> None:
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_feed, args=(self._target, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._connection.recv()  # imports must not count as the first input's time

    def feed(self, data: bytes) -> tuple[str, str]:
        """The outcome, and "" or what went wrong."""
        try:
            self._connection.send_bytes(data)
            if self._connection.poll(self._hang_s):
                outcome, cause = self._connection.recv()
                return outcome, cause
            cause = f"hang: no outcome within {self._hang_s:g} s"
        except (EOFError, OSError):
            self._process.join(5)
            cause = f"crash: the process ended with exit code {self._process.exitcode}"
        self.close()
        self._start()
        return "broken", cause

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()


def load(name: str) -> Target:
    """The target of that name in fuzz/targets, or of a module's dotted name. Raises ModuleNotFoundError."""
    found: Target = importlib.import_module(name if "." in name else f"fuzz.targets.{name}").TARGET
    return found


def run(
    name: str,
    mutations: int,
    seed: int,
    folder: Path | None,
    seconds: float = math.inf,
    hang_s: float = HANG_S,
) -> Findings:
    """Feed the seeds as they are, then `mutations` of them; the same `seed` gives the same inputs.

    What breaks the target is kept in `folder`. Ends early after `seconds`; an input may take `hang_s`.
    """
    target = load(name)
    seeds = list(target.seeds())
    found = Findings(target.name)
    deadline = time.monotonic() + seconds
    fed = Fed(name, hang_s)
    try:
        for number in range(-len(seeds), mutations):
            if time.monotonic() > deadline:
                break
            rng = random.Random(f"{name} {seed} {number}")
            data = seeds[number] if number < 0 else _input(target, seeds, rng)
            _note(found, fed, data, folder)
    finally:
        fed.close()
    return found


def _input(target: Target, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    if target.mutate is not None and rng.random() < 0.75:
        return target.mutate(rng.choice(seeds), rng)
    return mutated(seeds, target.tokens, rng)


def _note(found: Findings, fed: Fed, data: bytes, folder: Path | None) -> None:
    started = time.monotonic()
    outcome, cause = fed.feed(data)
    found.slowest_s = max(found.slowest_s, time.monotonic() - started)
    found.outcomes[outcome] += 1
    if not cause:
        return
    found.causes[cause.strip().splitlines()[-1][:200]] += 1
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{found.target}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(cause, "utf-8")
        found.kept.append(path)


def _feed(name: str, connection: Connection) -> None:
    """The child: one outcome for each input, until the parent has gone."""
    target = load(name)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    connection.send("ready")
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        try:
            connection.send((target.feed(data), ""))
        except BaseException:
            connection.send(("broken", traceback.format_exc()))
