"""python -m bench.queue kill --jobs 20000"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.queue import kill
from bench.queue.work import Plan


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.queue", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    killing = commands.add_parser("kill", help="kill workers and Redis, and check the history")
    killing.add_argument("--jobs", type=int, default=20_000)
    killing.add_argument("--workers", type=int, default=4)
    killing.add_argument("--service-ms", type=float, default=40.0)
    killing.add_argument("--rules", choices=sorted(kill.RULES), default="ours")
    options = parser.parse_args()
    plan = Plan("", Path(), jobs=options.jobs, service_ms=options.service_ms)
    found = kill.run(plan, kill.Nemesis(), options.rules, options.workers)
    for line in kill.lines(found):
        print(line)
    return 1 if found.verdict.faults and options.rules == "ours" else 0


if __name__ == "__main__":
    sys.exit(main())
