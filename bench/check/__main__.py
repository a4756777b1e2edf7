"""python -m bench.check: false alarms of `python -m experiment check`, and what it finds."""

from __future__ import annotations

import argparse
import sys

from bench.check import real, simulated
from bench.support.errors import CannotRun
from experiment.measure.environment import environment


def main() -> int:
    """Run one or both; 2 if it can't run here."""
    parser = argparse.ArgumentParser(prog="python -m bench.check", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=[[], "simulated", "real"], help="both, unless one is named"
    )
    parser.add_argument("--tries", type=int, default=1000, help="simulated pairs of runs for each line")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation")
    parser.add_argument("--seconds", type=float, default=240, help="for pairs of runs on real servers")
    parser.add_argument("--repeats", type=int, default=120, help="of each of those runs")
    options = parser.parse_args()
    facts = environment()
    print(
        f"{facts['cpu_model']}, {facts['cpu_count']} cores, load {facts['load_1m']}, Python {facts['python']}"
    )
    parts = {
        "simulated": lambda: simulated.bench(options.tries, options.seed),
        "real": lambda: real.bench(options.seconds, options.repeats),
    }
    try:
        for name in options.parts or parts:
            print(f"\n{name}", flush=True)
            for line in parts[name]():
                print(f"  {line}", flush=True)
    except CannotRun as reason:
        print(reason, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
