"""`python -m serving`: the embedded model server with `tensorflow_model_server`'s flags.

The order matters: pin to the cores before anything starts a thread, take the ports and find
the models before the slow loading of a runtime, answer before the models are loaded.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import resource
import signal
import sys
from collections.abc import Sequence

from common import traces
from common.installed import as_typed
from serving.config import flags
from serving.config.flags import Flags
from serving.errors import LoadFailed, ServingError, StartRefused
from serving.machine import devices, isa, process

PROTOCOL = "2.19"
SIGNAL_CHECK_S = 0.5

log = logging.getLogger("serving")


class Stop:
    """What SIGTERM, SIGINT and the end of the parent do: finish the requests, or exit at once."""

    def __init__(self) -> None:
        self.is_serving = False  # before that no request is computed, so none can be lost
        self._requested: queue.SimpleQueue[None] = queue.SimpleQueue()  # a signal handler may put into it

    def __call__(self, *_: object) -> None:
        if not self.is_serving:
            os._exit(0)
        self._requested.put(None)

    def wait(self) -> None:
        """Block until a stop is requested. Wakes up regularly: a signal that one of CUDA's threads got
        would not wake this one."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._requested.get(timeout=SIGNAL_CHECK_S)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 after a stop, 2 when the server can't start (one line on stderr says why)."""
    stop = Stop()
    parent_pid = os.getppid()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asked = flags.parse(arguments)
        _limit_gpu_and_logs(asked.device)
        if asked.version:
            print(f"Pixelcost model server, protocol and flags of TensorFlow Serving {PROTOCOL}")
            return 0
        if asked.list_devices:
            print(json.dumps(devices.look(asked.runtime)))
            return 0
        # Each connection takes a descriptor; many systems allow 1024 unless a process asks for more.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        pinning = process.pin(asked.cpus, asked.cores)
        if asked.exit_with_parent:
            process.when_orphaned(parent_pid, stop)
        _serve(asked, pinning, stop)
    except StartRefused as problem:
        print(as_typed(f"python -m serving: {problem}"), file=sys.stderr)
        return problem.exit_code
    return 0


def _serve(asked: Flags, pinning: process.Pinning, stop: Stop) -> None:
    if asked.isa:
        # Before any runtime is loaded: that is when they look at the processor.
        isa.apply(asked.runtime, asked.isa)
    from serving import assembly, ports  # the slow imports come after what can be refused without them
    from serving.models.loading import settle

    settings = assembly.read_files(asked)
    traces.start(os.environ, "pixelcost-serving")
    taken = ports.take(asked, settings.ssl)
    configs = assembly.model_configs(asked)
    if asked.device == "gpu" and not devices.may_have_gpu():
        raise StartRefused("--device gpu: no NVIDIA device on this machine. Use --device cpu.")
    log.info("Loading %s on %s", ", ".join(config.name for config in configs), pinning)

    server, manager = assembly.build(asked, settings, pinning, taken)
    server.start()
    try:
        manager.start(configs)
    except (LoadFailed, ServingError) as problem:
        raise StartRefused(str(problem)) from problem
    settle()
    server.report_ready()
    manager.watch(*assembly.watching(asked, manager))
    stop.is_serving = True
    models = ", ".join(
        f"{name} version {' and '.join(str(version.number) for version in model.available())}"
        for name, model in manager.models.items()
    )
    print(f"serving {models} on {taken}, {pinning}", flush=True)
    stop.wait()
    log.info("Stopping")
    server.stop()
    traces.stop()


def _limit_gpu_and_logs(device: str) -> None:
    """Hide the GPU from the runtimes unless it is wanted. Without this TensorFlow complains about CUDA."""
    wants_gpu = device != "cpu" and devices.may_have_gpu()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if wants_gpu else "3")
    if not wants_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    # Not sys.exit: it would wait for every thread, and one may compute for longer than the grace period.
    os._exit(exit_code)
