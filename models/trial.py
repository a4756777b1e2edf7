"""Tries a model in the model server, as a process of its own: what it is asked, and what it answers.

`models` imports nothing of `serving`. The server reads every kind of model already, so asking it what a
file's inputs are, instead of reading the file a second time, can't disagree with what it will serve.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
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

from models.formats.kinds import Found
from models.problems import LONGEST, ModelProblem
from models.tensors import Signature, Tensor

ROOT = Path(__file__).resolve().parent.parent
NAME = "trial"
READY = f"serving {NAME} version"
SAVED_MODEL_RUNTIMES = {"tensorflow": "tensorflow", "openvino": "openvino"}
START_TIMEOUT_S, ANSWER_TIMEOUT_S = 300, 120
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine asks itself


class NotServed(ModelProblem):
    """The model server does not take the model. The message is the server's own."""


def runtimes_for(found: Found) -> list[str]:
    """The installed ones that read the model, the usual first. Raises ModelProblem where there is none."""
    runtimes = found.kind.runtimes or SAVED_MODEL_RUNTIMES
    installed = [name for name, package in runtimes.items() if find_spec(package)]
    if not installed:
        get = "pip install torch" if "pytorch" in runtimes else "make runtimes"
        raise ModelProblem(f"{found.path} needs {' or '.join(runtimes)}, which is not installed: `{get}`.")
    return installed


class Server:
    """A ready server with one model."""

    def __init__(self, url: str):
        self._url = url

    def signatures(self) -> list[Signature]:
        """As GetModelMetadata tells them."""
        metadata = self._ask("/metadata")["metadata"]["signature_def"]["signature_def"]
        return [
            Signature(name, _tensors(each["inputs"]), _tensors(each["outputs"]))
            for name, each in sorted(metadata.items())
            if not name.startswith("__")
        ]

    def numbers(self, signature: Signature, array: np.ndarray) -> dict[str, np.ndarray]:
        """What a signature with one input answers to an array, by output. Raises NotServed."""
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
            raise NotServed(_message(problem)) from problem
        except TimeoutError as problem:
            raise NotServed(f"The model server did not answer within {ANSWER_TIMEOUT_S} s.") from problem
        except (OSError, http.client.HTTPException) as problem:  # for instance killed for its memory
            raise NotServed(
                "The model server ended while it computed. The model may be damaged, or needs more memory "
                "than there is."
            ) from problem


@contextmanager
def served(base: Path, runtime: str) -> Iterator[Server]:
    """`base/1` in a server that ends with the block. Raises NotServed when it can't be loaded."""
    port = _free_port()
    command = [
        *(sys.executable, "-m", "serving", "--host", "127.0.0.1", "--port", "0", "--device", "cpu"),
        *("--rest_api_port", str(port), "--model_name", NAME, "--model_base_path", str(base.resolve())),
        *("--runtime", runtime, "--enable_model_warmup=false", "--exit_with_parent"),
        *("--file_system_poll_wait_seconds", "0"),
    ]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait_until_ready(process, Path(f"/proc/self/fd/{log.fileno()}"))
            yield Server(f"http://127.0.0.1:{port}/v1/models/{NAME}")
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while READY not in log.read_text("utf-8", "replace"):
        if process.poll() is not None or time.monotonic() > end:
            raise NotServed(_reason(log.read_text("utf-8", "replace")))
        time.sleep(0.05)


def _reason(log: str) -> str:
    said: list[str] = re.findall(r"^python -m serving: (.*)", log, re.MULTILINE)
    if said:
        return said[-1]
    lines = [line.strip() for line in log.splitlines() if line.strip()] or ["it was killed"]
    return f"The model server did not start: {lines[-1][:LONGEST]}. The model may be damaged."


def _message(problem: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(problem)["error"])
    except (ValueError, KeyError):
        return str(problem)


def _tensors(infos: Mapping[str, Any]) -> list[Tensor]:
    return [Tensor(name, info["dtype"], _shape(info["tensor_shape"])) for name, info in sorted(infos.items())]


def _shape(shape: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    if shape.get("unknown_rank"):
        return None
    sizes = [int(each["size"]) for each in shape.get("dim", [])]
    return tuple(None if size < 0 else size for size in sizes)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
