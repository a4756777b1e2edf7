"""Our server around a model that takes a + b * batch ms: python -m bench.support.stub_model JSON

Everything but the model is the real thing: service, queue, batching, gRPC. Like an accelerator the model
leaves the CPU free while it works. Prints its port; then a line with a count is answered with the seconds
of so many runs of the largest batch without the server, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.support.processes import MODEL, free_port
from serving import ports
from serving.api.grpc import GrpcApi
from serving.api.rest import RestApi
from serving.config import flags
from serving.config.text_messages import Batching, Monitoring
from serving.models.config import ModelConfig
from serving.models.loading import settle
from serving.models.manager import Manager
from serving.models.servable import Servable
from serving.runtimes.base import About
from serving.server import Server
from serving.service import Service
from serving.values.signatures import Signature, TensorSpec

from tensorflow.core.framework import types_pb2  # isort: skip  # after serving, which puts it in place

SPIN_S = 0.0003  # before the end of a wait; sleeping alone ends too late
IMAGES = {"images": TensorSpec(types_pb2.DT_STRING, (None,))}
LENGTHS = {"length": TensorSpec(types_pb2.DT_INT32, (None,))}


@dataclass
class Stub:
    """Takes exactly as long as it says."""

    fixed_ms: float
    each_ms: float

    about = About("stub", "none", "CPU")
    signatures: Mapping[str, Signature] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.signatures = {"predict_images": Signature("predict_images", IMAGES, LENGTHS)}

    def infer(self, signature_name: str, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        images = inputs["images"]
        end = time.perf_counter() + (self.fixed_ms + self.each_ms * len(images)) / 1e3
        time.sleep(max(0.0, end - time.perf_counter() - SPIN_S))
        while time.perf_counter() < end:
            time.sleep(0)  # lets other threads run
        return {"length": np.array([len(image) for image in images], np.int32)}

    def close(self) -> None:
        """Nothing to give back."""


def main(facts: dict[str, Any]) -> None:
    """Serve until the end of input."""
    os.sched_setaffinity(0, {facts["core"]})
    stub = Servable(Stub(facts["fixed_ms"], facts["each_ms"]))
    manager = Manager(lambda path: (stub, {}))
    with tempfile.TemporaryDirectory() as base:
        (Path(base) / "1").mkdir()
        manager.start([ModelConfig(MODEL, Path(base))])
    batch = Batching(max_batch_size=facts["largest"]) if facts["largest"] > 1 else None
    service = Service(manager, workers=1, batch=batch)
    port = free_port()
    api = GrpcApi(service, lambda spec: "{}")
    rest_api = RestApi(service, 30, Monitoring())
    asked = flags.parse([f"--port={port}", "--host=127.0.0.1", f"--model_base_path={base}"])
    server = Server(service, api, rest_api, ports.take(asked), 1)
    server.start()
    settle()
    print(port, flush=True)
    images = np.array([b"x"] * facts["largest"], object)
    for line in sys.stdin:
        print(json.dumps([_seconds(stub, images) for _ in range(int(line))]), flush=True)


def _seconds(stub: Servable, images: np.ndarray) -> float:
    started = time.perf_counter()
    stub.infer("predict_images", {"images": images})
    return time.perf_counter() - started


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
