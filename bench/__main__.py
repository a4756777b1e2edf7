"""python -m bench: every benchmark, one after another, on a machine left alone.

Ratios compare things measured side by side in the same run; absolute times are only
printed where a target names one. Name parts to run only those: python -m bench sweep web
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

from bench import (
    batching,
    commits,
    engines,
    large_requests,
    load,
    photo_sets,
    pinning,
    runtimes,
    serving_overhead,
    sweep,
    switching,
    variants,
    web,
)
from bench.page import first_look, traces
from bench.queue import short as queue
from bench.support.errors import CannotRun
from experiment.measure.environment import environment

PARTS: dict[str, Callable[[], Iterable[str]]] = {
    "variants": variants.bench,
    "sweep": sweep.bench,
    "web": web.bench,
    "first_look": first_look.bench,
    "commits": commits.bench,
    "overhead": serving_overhead.bench,
    "large": large_requests.bench,
    "batching": batching.bench,
    "pinning": pinning.bench,
    "runtimes": runtimes.bench,
    "switching": switching.bench,
    "load": load.bench,
    "engines": engines.bench,
    "queue": queue.bench,
    "photo_sets": photo_sets.bench,
    "traces": traces.bench,
}


def main() -> int:
    """Run the parts that are named, or all. Returns 2 if one that was named can't run here."""
    names = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        print(f"Unknown part: {', '.join(unknown)}. The parts are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # that a server has ended is no news here
    facts = environment()
    print(
        f"{facts['cpu_model']}, {facts['cpu_count']} cores, load {facts['load_1m']}, Python {facts['python']}"
    )
    has_skipped = False
    for name in names:
        print(f"\n{name}", flush=True)
        try:
            for line in PARTS[name]():
                print(f"  {line}", flush=True)
        except CannotRun as reason:
            has_skipped = True
            print(f"  skipped: {reason}", flush=True)
    return 2 if has_skipped and sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
