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
from typing import Any

from serving.config import flags
from serving.config.flags import Flags
from serving.errors import LoadFailed, ServingError, StartRefused
from serving.machine import affinity, isa
from serving.machine.parent import when_orphaned
from serving.runtimes import devices

PROTOCOL = "2.19"
LOOK_UP_S = 0.5

log = logging.getLogger("serving")


class Stop:
    """What SIGTERM, SIGINT and the parent's end do: finish what was asked, or end at once."""

    def __init__(self) -> None:
        self.is_serving = False  # before that no request is computed, so none can be lost
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()  # may be put to within a signal handler

    def __call__(self, *_: object) -> None:
        if not self.is_serving:
            os._exit(0)
        self._asked.put(None)

    def wait(self) -> None:
        """Looks up now and then: a signal that a thread of CUDA's got would not wake this one."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._asked.get(timeout=LOOK_UP_S)


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 after a stop, 2 when it can't start (the reason is on stderr, one line)."""
    stop = Stop()
    parent_pid = os.getppid()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asked = flags.parse(arguments)
        _quiet_tensorflow(asked.device)
        if asked.version:
            print(f"Pixelcost model server, protocol and flags of TensorFlow Serving {PROTOCOL}")
            return 0
        if asked.list_devices:
            print(json.dumps(devices.look(asked.runtime)))
            return 0
        _allow_many_connections()
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        pinning = affinity.pin(asked.cpus, asked.cores)
        if asked.exit_with_parent:
            when_orphaned(parent_pid, stop)
        _serve(asked, pinning, stop)
    except StartRefused as problem:
        print(f"python -m serving: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


def _allow_many_connections() -> None:
    """Each takes a descriptor; many systems allow only 1024 unless a process asks for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _serve(asked: Flags, pinning: affinity.Pinning, stop: Stop) -> None:
    if asked.isa:
        # Before any runtime is loaded: they look at the processor then.
        isa.apply(asked.runtime, asked.isa)
    from serving import assembly, ports  # the slow imports come after what can be refused without them
    from serving.models.loading import settle

    settings = assembly.read_files(asked)
    taken = ports.take(assembly.wanted_ports(asked, settings))
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
    server.is_ready()
    manager.watch(*assembly.watching(asked, manager))
    stop.is_serving = True
    print(f"serving {_listed(manager)} on {taken}, {pinning}", flush=True)
    stop.wait()
    log.info("Stopping")
    server.stop()


def _listed(manager: Any) -> str:
    return ", ".join(
        f"{name} version {' and '.join(str(version.number) for version in model.available())}"
        for name, model in manager.models.items()
    )


def _quiet_tensorflow(device: str) -> None:
    """Without this every start complains about CUDA, also where there is no GPU or nobody wants it."""
    wants_gpu = device != "cpu" and devices.may_have_gpu()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if wants_gpu else "3")
    if not wants_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    # Not sys.exit: it would wait for every thread, and one may compute for longer than the grace.
    os._exit(exit_code)
