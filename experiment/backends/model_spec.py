"""What a model takes, from the metadata that every TensorFlow Serving answers, over gRPC and over REST."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from experiment.backends.answers import bad_answer, parsed_json
from experiment.backends.base import CONNECT_S, RequestFailed, short_cause
from experiment.backends.grpc import FAILURES, names_of, open_channel, unary, wait_for_connection
from experiment.backends.http_connection import HttpConnection, NotUnderstood
from experiment.backends.rest import FAILURES as HTTP_FAILURES
from experiment.backends.rest import error_text, model_path
from experiment.protocol import GET_MODEL_METADATA, get_model_metadata_pb2, type_name
from experiment.records import BackendInfo
from experiment.wording import one_line

METADATA_LIMIT_BYTES = 4 * 1024 * 1024
DEFAULT_SIGNATURE = "serving_default"
STRING = "DT_STRING"
# Methods whose input is serialised tf.Examples: not for Predict.
OF_EXAMPLES = ("tensorflow/serving/classify", "tensorflow/serving/regress")

Signatures = Mapping[str, Any]  # name -> SignatureDef


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of one signature, as the model's metadata names it.

    >>> InputSpec("predict_images", "images", "DT_FLOAT", (None, 784)).words
    '784 numbers (float)'
    """

    signature: str
    name: str  # key of the input
    dtype: str  # TensorFlow's name: "DT_FLOAT", "DT_STRING"
    shape: tuple[int | None, ...] | None  # None as a size: any; as a whole: unknown, any shape

    @property
    def takes_numbers(self) -> bool:
        """Whether it takes numbers. Encoded images are strings."""
        return self.dtype != STRING

    @property
    def example_shape(self) -> tuple[int | None, ...]:
        """The shape of one example: without the first dimension if that is the batch, so any size or 1."""
        shape = self.shape or ()
        return shape[1:] if shape and shape[0] in {None, 1} else shape

    @property
    def words(self) -> str:
        """One example in words: "784 numbers (float)", "28 x 28 x 1 numbers (uint8)"."""
        kind = self.dtype[3:].lower() if self.dtype.startswith("DT_") else "of no known type"
        if self.shape is None:
            return f"numbers ({kind})"
        if set(self.example_shape) <= {1}:
            return f"one number ({kind})"
        sides = " x ".join("n" if side is None else str(side) for side in self.example_shape)
        return f"{sides} numbers ({kind})"


def numbers_sentence(spec: InputSpec) -> str:
    """What is to be said of a model of numbers, instead of sending it pictures."""
    are_pixels = len(spec.example_shape) == 3 and bool({1, 3} & set(spec.example_shape))
    convert = "`python -m models convert` makes a model that takes JPEG and PNG. " if are_pixels else ""
    return (
        f"This model takes {spec.words}, not pictures, so no photo is sent to it. {convert}"
        "`python -m loadtest rate --numbers` measures it under load."
    )


def input_spec(info: BackendInfo, timeout_s: float) -> InputSpec:
    """The input that a request to the backend has to fill, asked now. Raises RequestFailed.

    It is the configured input of the configured signature, if the model has it; else that of the signature
    `serving_default`, else of the first one that Predict can use, if it has only one input. Connecting may
    take CONNECT_S, the answer `timeout_s`.
    """
    ask = _asked_over_rest if info.protocol == "rest" else asked_over_grpc
    return the_input(info, ask(info, timeout_s))


def the_input(info: BackendInfo, signatures: Signatures) -> InputSpec:
    """input_spec() of signatures that are known. Raises RequestFailed."""
    wanted = by_preference(info, signatures)
    if not wanted:
        raise RequestFailed("not_found", f"The model of {info.name} has no signature for Predict.")
    signature = wanted[0]
    inputs = signatures[signature].inputs
    if info.input_key in inputs:
        return _spec(signature, info.input_key, inputs[info.input_key])
    if len(inputs) != 1:
        names = names_of(inputs) or "none"
        raise RequestFailed(
            "bad_request",
            f"The signature {signature} has several inputs or none: {names}. Set MODEL_INPUT_KEY.",
        )
    ((name, tensor),) = inputs.items()
    return _spec(signature, name, tensor)


def by_preference(info: BackendInfo, signatures: Signatures) -> list[str]:
    """The signatures that Predict can use: the configured one, `serving_default`, then the others by name."""
    usable = sorted(name for name, found in signatures.items() if found.method_name not in OF_EXAMPLES)
    return [name for name in dict.fromkeys((info.signature, DEFAULT_SIGNATURE, *usable)) if name in usable]


def all_inputs(signatures: Signatures, signature: str) -> dict[str, InputSpec]:
    """Every input of a signature by its name."""
    inputs = signatures[signature].inputs
    return {name: _spec(signature, name, inputs[name]) for name in sorted(inputs)}


def signatures_over_grpc(info: BackendInfo, channel: grpc.Channel, timeout_s: float) -> Signatures:
    """The model's signatures. Raises grpc.RpcError, or DecodeError if they can't be read."""
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = info.model
    request.metadata_field.append("signature_def")
    answer_class = get_model_metadata_pb2.GetModelMetadataResponse
    response = unary(channel, GET_MODEL_METADATA, type(request), answer_class)(request, timeout=timeout_s)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    found: Signatures = signatures.signature_def
    return found


def signatures_over_rest(info: BackendInfo, connection: HttpConnection, timeout_s: float) -> Signatures:
    """The model's signatures. Raises OSError, NotUnderstood, RequestFailed for another status than 200."""
    headers = {"Host": info.place}
    path = f"{model_path(info)}/metadata"
    answer = connection.exchange("GET", path, headers, timeout_s, METADATA_LIMIT_BYTES)
    if answer.status != 200:
        code = HTTP_FAILURES.get(answer.status, "server_error")
        words = f"{info.name} answered HTTP {answer.status}: {error_text(answer.body)}"
        raise RequestFailed(code, words)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    try:
        sent = parsed_json(answer.body)["metadata"]["signature_def"]
        json_format.ParseDict(sent, signatures, ignore_unknown_fields=True)
    except (ValueError, LookupError, TypeError, AttributeError, json_format.ParseError):
        raise NotUnderstood("metadata that can't be read") from None
    found: Signatures = signatures.signature_def
    return found


def asked_over_grpc(info: BackendInfo, timeout_s: float) -> Signatures:
    """The model's signatures. Raises RequestFailed."""
    with open_channel(info.address, METADATA_LIMIT_BYTES) as channel:
        wait_for_connection(channel, CONNECT_S)
        try:
            return signatures_over_grpc(info, channel, timeout_s)
        except grpc.RpcError as error:
            details = one_line(error.details() or "")
            code = FAILURES.get(error.code(), "server_error")
            if code in {"unreachable", "deadline"}:
                raise _no_answer(info, code, details) from None
            todo = " Set MODEL_NAME, or `?model=` in TF_SERVERS." if code == "not_found" else ""
            raise RequestFailed(code, f"{info.name} refused to describe its model: {details}{todo}") from None
        except DecodeError:
            raise bad_answer(info, "a list of signatures that can't be read.") from None


def _asked_over_rest(info: BackendInfo, timeout_s: float) -> Signatures:
    first = BackendInfo(info.name, "rest", info.address.partition(",")[0], info.model)  # of its replicas
    try:
        with contextlib.closing(HttpConnection(first.address)) as connection:
            connection.open(CONNECT_S)
            return signatures_over_rest(first, connection, timeout_s)
    except TimeoutError as error:
        raise _no_answer(info, "deadline", str(error)) from None
    except OSError as error:
        raise _no_answer(info, "unreachable", str(error)) from None
    except NotUnderstood as error:
        raise bad_answer(info, f"{error}.") from None


def _no_answer(info: BackendInfo, code: str, details: str) -> RequestFailed:
    return RequestFailed(code, f"No answer from {info.name} at {info.address} ({short_cause(details)}).")


def _spec(signature: str, name: str, tensor: Any) -> InputSpec:
    return InputSpec(signature, name, type_name(tensor.dtype), _shape(tensor.tensor_shape))


def _shape(sent: Any) -> tuple[int | None, ...] | None:
    if sent.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else int(dim.size) for dim in sent.dim)
