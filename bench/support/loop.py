"""A model called in the same process, one request after another: the floor for any server.

Started by bench.support.processes.loop with a JSON object. Reads a count a line, answers with the
milliseconds of each request, as JSON.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARMUPS = 5


def warm(facts: dict[str, Any]) -> Callable[[], Any]:
    """A function that calls the model once and returns its Result, already warmed up."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    import numpy as np  # noqa: PLC0415  # the caller pins first: these start threads

    from serving.models.loading import load  # noqa: PLC0415
    from serving.models.servable import Servable  # noqa: PLC0415
    from serving.runtimes.base import Setting  # noqa: PLC0415

    setting = Setting(threads=1, inter_op_threads=1, precision=facts.get("precision", "f32"))
    servable = Servable(load(Path(facts["model"]), facts.get("runtime", "auto"), setting))
    images = np.array([Path(facts["photo"]).read_bytes()], object)
    ask = functools.partial(servable.infer, "predict_images", {"images": images})
    for _ in range(WARMUPS):
        ask()
    return ask


def main(facts: dict[str, Any]) -> None:
    """Serve counts until the end of input."""
    os.sched_setaffinity(0, {facts["core"]})
    ask, stage = warm(facts), facts.get("stage")

    def once() -> float:
        started = time.perf_counter()
        result = ask()
        return float(result.stage_ms[stage]) if stage else (time.perf_counter() - started) * 1e3

    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([once() for _ in range(int(line))]), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
