"""python -m bench.queue: tests of the queue that take minutes. kill --jobs 20000 is the whole kill test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.queue import cost, keda, kill, overload
from bench.queue.work import Plan
from bench.support.errors import CannotRun


def main() -> int:
    """Run one; 1 if the queue broke a promise, 2 if it can't run here."""
    options = _parser().parse_args()
    try:
        return int(options.run(options))
    except CannotRun as reason:
        print(reason, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    killing = commands.add_parser("kill", help="kill workers and Redis, and check the history")
    killing.set_defaults(run=_kill)
    add = killing.add_argument
    add("--jobs", type=int, default=20_000)
    add("--workers", type=int, default=4)
    add("--service-ms", type=float, default=40.0, help="of a batch of four")
    add("--rules", choices=sorted(kill.RULES), default="ours", help="old: those of Cluster Serving")
    add("--seed", type=int, default=1, help="of who is killed")
    loading = commands.add_parser("overload", help="offer more than the workers can do")
    loading.set_defaults(run=_overload)
    loading.add_argument("--seconds", type=float, default=60.0)
    loading.add_argument("--times", type=float, default=3.0, help="capacity")
    costing = commands.add_parser("cost", help="what acknowledging costs")
    costing.set_defaults(run=lambda options: _print(cost.bench(options.jobs, options.blocks)))
    costing.add_argument("--jobs", type=int, default=300)
    costing.add_argument("--blocks", type=int, default=40)
    scaling = commands.add_parser("keda", help="replay KEDA's rule over random histories")
    scaling.set_defaults(run=lambda options: _print(keda.bench(options.histories)))
    scaling.add_argument("--histories", type=int, default=1000)
    return parser


def _kill(options: argparse.Namespace) -> int:
    plan = Plan("", Path(), jobs=options.jobs, service_ms=options.service_ms)
    found = kill.run(plan, kill.Nemesis(seed=options.seed), options.rules, options.workers)
    _print(kill.lines(found))
    return 1 if found.verdict.faults and options.rules == "ours" else 0


def _overload(options: argparse.Namespace) -> int:
    found = overload.run(overload.Load(seconds=options.seconds, times=options.times))
    _print(overload.lines(found))
    return 1 if found.unreported else 0


def _print(lines: Iterable[str]) -> int:
    for line in lines:
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
