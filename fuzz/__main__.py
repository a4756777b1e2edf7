"""python -m fuzz: thousands of damaged inputs for each reader of input from outside.

    python -m fuzz                          6,000 mutations of each target, always the same ones
    python -m fuzz photo rest --seed 7      others, of two targets
    python -m fuzz photo --guided 600       ten minutes guided by coverage, where atheris is installed
    python -m fuzz photo --again FILE       one input again, with its traceback

Exit codes: 0 nothing was found; 1 inputs that break a target lie in var/fuzz; 2 bad arguments.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fuzz.runner import Findings, load, run
from fuzz.targets import NAMES

KEPT = Path("var/fuzz")


def main(arguments: Sequence[str] | None = None) -> int:
    """Feed the targets one after another. Returns the exit code."""
    options = _options(arguments)
    if options.again:
        print(load(options.targets[0]).feed(options.again.read_bytes()))
        return 0
    if options.guided:
        return max(_guided(name, options.guided) for name in options.targets)
    was_broken = False
    for name in options.targets:
        found = run(name, options.mutations, options.seed, KEPT, options.seconds)
        print(_line(found), flush=True)
        was_broken |= bool(found.causes)
    return 1 if was_broken else 0


def _line(found: Findings) -> str:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found.outcomes.items()))
    lines = [
        f"{found.target}: {found.outcomes.total():,} inputs: {outcomes}; slowest {found.slowest_s:.2f} s"
    ]
    lines += [f"  {count} x {cause}" for cause, count in found.causes.most_common()]
    if found.kept:
        lines.append(f"  for example {found.kept[0]}; again: python -m fuzz {found.target} --again FILE")
    return "\n".join(lines)


def _guided(name: str, seconds: int) -> int:
    """libFuzzer, by atheris: the seeds are its first corpus, and what it adds is kept for the next time."""
    if importlib.util.find_spec("atheris") is None:
        sys.exit("atheris is not installed: .venv/bin/python -m pip install atheris. Or leave out --guided.")
    corpus = KEPT / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(load(name).seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", f"-artifact_prefix={KEPT}/"]
    command = [sys.executable, "-m", "fuzz.guided", name, *limits, str(corpus)]
    return 1 if subprocess.run(command, env=os.environ, check=False).returncode else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("targets", nargs="*", metavar="TARGET", help=f"{', '.join(NAMES)}; default: all")
    add("--mutations", type=int, default=6_000, metavar="N", help="of each target (6000)")
    add("--seed", type=int, default=1, metavar="N", help="another number gives other inputs (1)")
    add("--seconds", type=float, default=3600, metavar="S", help="at most for each target (3600)")
    add("--guided", type=int, metavar="S", help="instead, so many seconds guided by coverage (needs atheris)")
    add("--again", type=Path, metavar="FILE", help="instead, feed this file to the one target named")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in NAMES]
    if unknown:
        parser.error(f"unknown target {unknown[0]}; the targets are {', '.join(NAMES)}")
    if options.again and len(options.targets) != 1:
        parser.error("--again takes exactly one target")
    options.targets = options.targets or list(NAMES)
    return options


if __name__ == "__main__":
    sys.exit(main())
