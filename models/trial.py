"""Loads a model in the model server, a process of its own, to see its signatures and its answers.

`models` imports nothing of `serving`. The server reads every kind of model already: what it says about a
file's inputs can't disagree with what it will serve, as a second reader in `models` could.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from common.addresses import free_port
from common.installed import as_typed
from common.words import first_line
from models.formats.kinds import Found
from models.problems import ModelProblem
from models.tensors import Signature, Tensor

ROOT = Path(__file__).resolve().parent.parent
NAME = "trial"
READY = f"serving {NAME} version"
SAVED_MODEL_RUNTIMES = {"tensorflow": "tensorflow", "openvino": "openvino"}
START_TIMEOUT_S, ANSWER_TIMEOUT_S = 300, 120
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy: it is this machine


class NotServed(ModelProblem):
    """The model server refuses the model or a request. The message is the server's own."""


def runtimes_for(found: Found) -> list[str]:
    """The installed runtimes that read the model, the default first. Raises ModelProblem if none is."""
    runtimes = found.kind.runtimes or SAVED_MODEL_RUNTIMES
    installed = [name for name, package in runtimes.items() if find_spec(package)]
    if not installed:
        get = "pip install torch" if "pytorch" in runtimes else "make runtimes"
        raise ModelProblem(f"{found.path} needs {' or '.join(runtimes)}, which is not installed: `{get}`.")
    return installed


class Server:
    """A ready model server with one model, at `url` without an action: `http://.../v1/models/trial`."""

    def __init__(self, url: str):
        self._url = url

    def signatures(self) -> list[Signature]:
        """The model's signatures, from the server's metadata."""
        metadata = self._ask("/metadata")["metadata"]["signature_def"]["signature_def"]
        return [
            Signature(name, _tensors(signature["inputs"]), _tensors(signature["outputs"]))
            for name, signature in sorted(metadata.items())
            if not name.startswith("__")
        ]

    def numbers(self, signature: Signature, array: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays that a signature with one input returns, by output. Raises NotServed."""
        inputs = {signature.inputs[0].name: array.tolist()}
        answer = self._ask(":predict", {"signature_name": signature.name, "inputs": inputs})["outputs"]
        names = [tensor.name for tensor in signature.outputs]
        return {name: np.array(answer if len(names) == 1 else answer[name]) for name in names}

    def classify(self, image: bytes) -> tuple[list[str], list[float]]:
        """The top classes of an encoded image, and their scores. Raises NotServed."""
        inputs = {"images": [{"b64": b64encode(image).decode()}]}
        answer = self._ask(":predict", {"signature_name": "predict_images", "inputs": inputs})["outputs"]
        return answer["classes"][0], answer["scores"][0]

    def _ask(self, action: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            with DIRECTLY.open(f"{self._url}{action}", data, ANSWER_TIMEOUT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            try:
                message = str(json.load(problem)["error"])
            except (ValueError, KeyError):
                message = str(problem)
            raise NotServed(message) from problem
        except TimeoutError as problem:
            raise NotServed(f"The model server did not answer within {ANSWER_TIMEOUT_S} s.") from problem
        except (OSError, http.client.HTTPException) as problem:  # for instance killed for its memory
            raise NotServed(
                "The model server ended while it computed. The model may be damaged, or need more memory "
                "than this machine has."
            ) from problem


@contextmanager
def served(base: Path, runtime: str) -> Iterator[Server]:
    """A server with the model in `base/1`, until the block ends. Raises NotServed if it can't load it."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "serving", "--host", "127.0.0.1", "--port", "0", "--device", "cpu"),
        *("--rest_api_port", str(port), "--model_name", NAME, "--model_base_path", str(base.resolve())),
        *("--runtime", runtime, "--enable_model_warmup=false", "--exit_with_parent"),
        *("--file_system_poll_wait_seconds", "0"),
    ]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            written = Path(f"/proc/self/fd/{log.fileno()}")
            end = time.monotonic() + START_TIMEOUT_S
            while READY not in written.read_text("utf-8", "replace"):
                if process.poll() is not None or time.monotonic() > end:
                    raise NotServed(_why_not_started(written.read_text("utf-8", "replace")))
                time.sleep(0.05)
            yield Server(f"http://127.0.0.1:{port}/v1/models/{NAME}")
        finally:
            process.kill()
            process.wait()


def _why_not_started(log: str) -> str:
    said: list[str] = re.findall(rf"^{as_typed('python -m serving')}: (.*)", log, re.MULTILINE)
    if said:
        return said[-1]
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["it was killed"]
    return f"The model server did not start: {first_line(lines[-1], '')} The model may be damaged."


def _tensors(infos: Mapping[str, Any]) -> list[Tensor]:
    tensors = []
    for name, info in sorted(infos.items()):
        sizes = [int(axis["size"]) for axis in info["tensor_shape"].get("dim", [])]
        shape = tuple(None if size < 0 else size for size in sizes)
        is_known = not info["tensor_shape"].get("unknown_rank")
        tensors.append(Tensor(name, info["dtype"], shape if is_known else None))
    return tensors
