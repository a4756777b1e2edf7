"""`python -m serving`: the embedded model server with `tensorflow_model_server`'s flags.

The order matters: pin to the cores before anything starts a thread, take the ports and find
the model before the slow import of TensorFlow, answer before the model is loaded.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
from collections.abc import Sequence

from serving import affinity, devices, flags, model_dir, ports
from serving.errors import StartRefused
from serving.flags import Flags
from serving.parent import when_orphaned

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
        self._asked.get()


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 after a stop, 2 when it can't start (the reason is on stderr, one line)."""
    stop = Stop()
    parent_pid = os.getppid()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asked = flags.parse(arguments)
        _quiet_tensorflow(asked.device)
        if asked.list_devices:
            print(json.dumps(devices.look()))
            return 0
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        if asked.exit_with_parent:
            when_orphaned(parent_pid, stop)
        _serve(asked, stop)
    except StartRefused as problem:
        print(f"python -m serving: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


def _serve(asked: Flags, stop: Stop) -> None:
    pinning = affinity.pin(asked.cpus, asked.cores)
    taken = ports.take(asked.host, asked.port, asked.rest_api_port)
    version = model_dir.latest_version(asked.model_base_path)
    if asked.device == "gpu":
        devices.require_gpu()
    log.info("Loading %s on %s", version.path, pinning)

    from serving.servable import Runtime, Servable
    from serving.server import Server
    from serving.service import Service

    threads = len(pinning.cores) if asked.is_pinned else 0
    runtime = Runtime(
        intra_op_threads=asked.tensorflow_intra_op_parallelism or threads,
        inter_op_threads=asked.tensorflow_inter_op_parallelism or threads,
        use_gpu=asked.device != "cpu",
    )
    server = Server(Service(asked.model_name, version.number), taken)
    server.start()
    server.load(lambda: Servable.load(version.path, runtime))
    stop.is_serving = True
    print(f"serving {asked.model_name} version {version.number} on {taken}, {pinning}", flush=True)
    stop.wait()
    log.info("Stopping")
    server.stop()


def _quiet_tensorflow(device: str) -> None:
    """Without this every start complains about CUDA, also where there is no GPU or nobody wants it."""
    wants_gpu = device != "cpu" and devices.may_have_gpu()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if wants_gpu else "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not wants_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stdout.flush()
    # Not sys.exit: it would wait for every thread, and one may compute for longer than the grace.
    os._exit(exit_code)
