"""Warm-up: the first requests to a version, which are slow, and which show whether its answers make sense.

Recorded requests from `assets.extra/tf_serving_warmup_requests` if the model has them
(https://www.tensorflow.org/tfx/serving/saved_model_warmup), else made-up ones. The file is a TFRecord file
(https://www.tensorflow.org/tutorials/load_data/tfrecord) of PredictionLog messages.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from PIL import Image
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import InvalidArgument, LoadFailed, NotFound, ServingError, Unimplemented
from serving.models.servable import Servable
from serving.runtimes.base import Arrays
from serving.values.examples import from_input
from serving.values.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec
from serving.values.tensors import numpy_dtype, to_array

PLACE = Path("assets.extra") / "tf_serving_warmup_requests"
RECORD_LIMIT = 1000  # TensorFlow Serving's own
FORMATS = ("JPEG", "PNG", "GIF", "BMP")  # that every model of images reads
SIDE_PX = 64
ASK_OR_LEAVE = (
    "If that is right, record warm-up requests in assets.extra, or start with --enable_model_warmup=false."
)

Shapes = dict[tuple[str, str], tuple[object, ...]]  # (signature, output): type and shape without the batch


@dataclass(frozen=True)
class Request:
    """A warm-up request: a signature and its inputs."""

    signature_name: str
    inputs: Arrays
    is_recorded: bool = True


@dataclass(frozen=True)
class Warmed:
    """The result of a warm-up."""

    shapes: Shapes
    cold: tuple[str, ...] = ()  # one line for every signature that could not be warmed up


def warm(servable: Servable, directory: Path, repeats: int = 1) -> Warmed:
    """Send a request to every signature. Raises LoadFailed on NaN, a recorded request that fails, or if
    no signature works.

    A signature that fails on a made-up request only stays cold: serialised examples or flattened sparse
    tensors can't be made up. If it worked in the version before, `difference` finds it missing.
    """
    recorded = read_recorded(directory)
    shapes: Shapes = {}
    cold: list[str] = []
    broken = ""  # why a signature failed, other than by refusing its input
    for request in recorded:
        for _ in range(repeats):
            _ask(servable, request, shapes)
    for signature in servable.signatures.values():
        if signature.name in {request.signature_name for request in recorded}:
            continue
        try:
            for inputs in sample_inputs(signature):
                _ask(servable, Request(signature.name, inputs, is_recorded=False), shapes)
        except ServingError as problem:
            cold.append(f"{signature.name}: {problem.message}")
            broken = broken or ("" if isinstance(problem, InvalidArgument | Unimplemented) else cold[-1])
    if broken and not shapes:
        raise LoadFailed(f"No signature answers a made-up request. {broken} {ASK_OR_LEAVE}")
    return Warmed(shapes, tuple(cold))


def difference(before: Shapes, now: Shapes) -> str:
    """A clause that says why this version would break clients of the one before; empty if it would not."""
    for (signature, output), shape in before.items():
        if (signature, output) not in now:
            return f"signature {signature!r} has no output {output!r} any more"
        if now[signature, output] != shape:
            return f"output {output!r} of {signature!r} is {now[signature, output]}, not {shape}"
    return ""


def _ask(servable: Servable, request: Request, shapes: Shapes) -> None:
    name = request.signature_name
    try:
        if name not in servable.signatures:
            raise NotFound(f"the model has no signature {name!r}")
        servable.signatures[name].check_inputs(request.inputs)
        outputs = servable.infer(name, request.inputs).outputs
    except ServingError as problem:
        if request.is_recorded:
            raise LoadFailed(f"A recorded request to {name} fails: {problem.message}") from None
        raise
    for alias, array in outputs.items():
        if array.dtype.kind in "fc" and np.isnan(array).any():
            raise LoadFailed(
                f"Signature {name} answers NaN in {alias!r} to a "
                f"{'recorded' if request.is_recorded else 'made-up'} request. {ASK_OR_LEAVE}"
            )
        shapes[name, alias] = (array.dtype.name, *array.shape[1:])


def sample_inputs(signature: Signature) -> Iterator[dict[str, np.ndarray]]:
    """Inputs that fit the signature: one request for every image format if it takes strings, else one."""
    if any(spec.dtype == types_pb2.DT_STRING for spec in signature.inputs.values()):
        for image_format in FORMATS:
            buffer = io.BytesIO()
            image = Image.linear_gradient("L").resize((SIDE_PX, SIDE_PX)).convert("RGB")
            image.save(buffer, image_format)
            yield {alias: _filled(spec, buffer.getvalue()) for alias, spec in signature.inputs.items()}
    else:
        yield {alias: _filled(spec, b"") for alias, spec in signature.inputs.items()}


def _filled(spec: TensorSpec, image: bytes) -> np.ndarray:
    """An input of this shape, open sizes taken as 1. Reals rise from 0 to 1: were they all the same, a model
    that divides by the spread of its input would answer NaN."""
    shape = [1 if size is None else size for size in (spec.shape if spec.shape is not None else (1,))]
    dtype = numpy_dtype(spec.dtype)
    if spec.dtype == types_pb2.DT_STRING:
        return np.full(shape, image, dtype)
    if dtype.kind in "fcV":
        return np.linspace(0, 1, int(np.prod(shape))).reshape(shape).astype(dtype)
    return np.zeros(shape, dtype)


def read_recorded(directory: Path) -> list[Request]:
    """The requests of a version, if it has any. Raises LoadFailed if the file is damaged or too long."""
    path = directory / PLACE
    if not path.is_file():
        return []
    try:
        logs = [prediction_log_pb2.PredictionLog.FromString(text) for text in _records(path.read_bytes())]
        requests = [request for log in logs for request in _requests(log)]
    except (DecodeError, struct.error, InvalidArgument, ValueError) as problem:
        raise LoadFailed(
            f"{path} can't be read as warm-up requests: {problem}. Record them again."
        ) from problem
    if len(logs) > RECORD_LIMIT:
        raise LoadFailed(f"{path} holds {len(logs)} records; at most {RECORD_LIMIT} are allowed.")
    return requests


def _records(text: bytes) -> Iterator[bytes]:
    """The data of the records. A record is a length, its checksum, the data, their checksum."""
    at = 0
    while at < len(text):
        (length,) = struct.unpack_from("<Q", text, at)
        start = at + 12
        at = start + length + 4
        if at > len(text):
            raise ValueError("it ends within a record")
        yield text[start : start + length]


def _requests(log: prediction_log_pb2.PredictionLog) -> Iterator[Request]:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {alias: to_array(alias, proto) for alias, proto in request.inputs.items()}
        yield Request(request.model_spec.signature_name or DEFAULT_SIGNATURE, inputs)
    elif kind in {"classify_log", "regress_log"}:
        request = getattr(log, kind).request
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        yield Request(name, {"inputs": from_input(request.input)})
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        for task in request.tasks:
            name = task.model_spec.signature_name or DEFAULT_SIGNATURE
            yield Request(name, {"inputs": from_input(request.input)})
    else:
        raise ValueError(f"a record holds {kind or 'nothing'}, which is not a request to this server")
