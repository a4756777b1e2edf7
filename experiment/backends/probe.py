"""probe(): whether a backend answers, has the model, and reads encoded images."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from experiment.backends.answers import parsed_json
from experiment.backends.base import CONNECT_S, RequestFailed, short_cause
from experiment.backends.capabilities import with_about, with_decoding
from experiment.backends.formats_read import FormatsRead
from experiment.backends.grpc import names_of, open_channel, unary, wait_for_connection
from experiment.backends.http_connection import HttpConnection, NotUnderstood
from experiment.backends.model_spec import (
    OF_EXAMPLES,
    Signatures,
    numbers_sentence,
    signatures_over_grpc,
    signatures_over_rest,
    the_input,
)
from experiment.backends.replicas import Resolver, addresses_of, as_one, look_up
from experiment.backends.rest import model_path
from experiment.protocol import GET_MODEL_STATUS, get_model_status_pb2, types_pb2
from experiment.records import BackendInfo
from experiment.wording import one_line

AVAILABLE = 30  # get_model_status.proto, ModelVersionStatus.State
MOST_VERSION = 2**63 - 1
STATUS_LIMIT_BYTES = 4 * 1024 * 1024  # of a status, or of the signatures of a model
OF_PROXIES = (502, 503, 504)  # statuses of a proxy whose server does not answer
LONGEST_DETAIL = 600  # characters

log = logging.getLogger(__name__)

_formats_read = FormatsRead()  # shared by all probes: asked once per backend and version


def probe(info: BackendInfo, timeout_s: float = 2.0, resolve: Resolver = look_up) -> BackendInfo:
    """`info` with the backend's state now: state, detail, version and what it can do.

    Never raises, whatever the backend sends. Connecting may take CONNECT_S, each answer `timeout_s`.

    >>> probe(BackendInfo("GPU", address="tf-gpu:8500")).state
    'ready'
    """
    if not info.is_present:
        return info
    if "," in info.address and info.protocol != "queue":
        replicas = [replace(info, address=address) for address in addresses_of(info.address)]
        with ThreadPoolExecutor(len(replicas), "probe") as pool:
            return as_one(list(pool.map(lambda replica: probe(replica, timeout_s), replicas)))
    try:
        seen = _PROBES.get(info.protocol, _probe_grpc)(info, timeout_s)
        if seen.state == "ready" and seen.protocol != "queue":
            addresses = len(addresses_of(seen.address, resolve))
            seen = replace(seen, replicas=addresses) if addresses > 1 else seen
        seen = replace(seen, reads=_formats_read.by(seen, timeout_s))
    except Exception as bug:  # of ours: it must not hide the other backends
        log.exception("the state of %s could not be read", info.name)
        seen = _odd(info, f"its answer can't be read: {type(bug).__name__}")
    return replace(seen, detail=one_line(seen.detail, LONGEST_DETAIL))


def _probe_grpc(info: BackendInfo, timeout_s: float) -> BackendInfo:
    with open_channel(info.address, STATUS_LIMIT_BYTES) as channel:
        wait_for_connection(channel, CONNECT_S)
        try:
            return _asked_over_grpc(info, channel, timeout_s)
        except grpc.RpcError as error:
            return _not_ready(info, error.code(), error.details() or "")


def _asked_over_grpc(info: BackendInfo, channel: grpc.Channel, timeout_s: float) -> BackendInfo:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = info.model
    status = unary(channel, GET_MODEL_STATUS, type(request), get_model_status_pb2.GetModelStatusResponse)
    answer, call = status.with_call(request, timeout=timeout_s)
    info = with_about(info, call.trailing_metadata())
    versions = [status for status in answer.model_version_status if status.state == AVAILABLE]
    available = [status.version for status in versions if status.version >= 0]
    if not available:
        return _loading(info)
    try:
        signatures = signatures_over_grpc(info, channel, timeout_s)
    except DecodeError:
        return _odd(info, "its list of signatures can't be read")
    info = with_decoding(info, signatures)
    problem = _mismatch(info, signatures)
    if problem:
        return replace(info, state="wrong_signature", detail=problem, version=max(available))
    started = time.perf_counter()  # of another request: the first one opened the connection
    status(request, timeout=timeout_s)
    return _ready(info, (time.perf_counter() - started) * 1e3, max(available))


def _mismatch(info: BackendInfo, signatures: Signatures) -> str:
    """A sentence on why the configured signature can't be used; empty if it can."""
    found = signatures.get(info.signature)
    if found is not None and info.input_key in found.inputs:
        if found.inputs[info.input_key].dtype == types_pb2.DT_STRING:
            return ""
    elif not signatures or _takes_strings(signatures):
        return _not_named(info, signatures)
    try:
        spec = the_input(info, signatures)
    except RequestFailed:  # it has several inputs, none of them the configured one
        return _not_named(info, signatures)
    return numbers_sentence(spec)


def _takes_strings(signatures: Signatures) -> bool:
    """Whether a signature for Predict has an input that may take encoded images."""
    return any(
        tensor.dtype == types_pb2.DT_STRING
        for found in signatures.values()
        if found.method_name not in OF_EXAMPLES
        for tensor in found.inputs.values()
    )


def _not_named(info: BackendInfo, signatures: Signatures) -> str:
    if info.signature not in signatures:
        change = "Change the signature" if info.added_as else "Set MODEL_SIGNATURE_NAME"
        return (
            f"The model has no signature {info.signature}. {change} to one it has: "
            f"{names_of(signatures) or 'none'}."
        )
    inputs = signatures[info.signature].inputs
    change = "Change the input's name" if info.added_as else "Set MODEL_INPUT_KEY"
    return (
        f"The signature {info.signature} has no input {info.input_key}. "
        f"It has: {names_of(inputs) or 'none'}. {change}."
    )


def _probe_rest(info: BackendInfo, timeout_s: float) -> BackendInfo:
    try:
        with contextlib.closing(HttpConnection(info.address)) as connection:
            connection.open(CONNECT_S)
            started = time.perf_counter()
            answer = connection.exchange(
                "GET", model_path(info), {"Host": info.place}, timeout_s, STATUS_LIMIT_BYTES
            )
            round_trip_ms = (time.perf_counter() - started) * 1e3
            if answer.status != 200:
                return _without_status(info, answer.status)
            versions = _available(parsed_json(answer.body)["model_version_status"])
            problem = _mismatch_over_rest(info, connection, timeout_s) if versions else ""
    except OSError as error:
        return replace(info, state="down", detail=_no_answer(info.place, str(error)))
    except NotUnderstood as error:
        return _odd(info, f"it answers {error}")
    except (ValueError, LookupError, TypeError):
        return _odd(info, "its status can't be read")
    if problem:
        return replace(info, state="wrong_signature", detail=problem, version=max(versions))
    return _ready(info, round_trip_ms, max(versions)) if versions else _loading(info)


def _probe_queue(info: BackendInfo, timeout_s: float) -> BackendInfo:
    from experiment.backends.queue import probe_queue  # noqa: PLC0415  redis-py is loaded only if it is used

    return probe_queue(info, timeout_s)


_PROBES: dict[str, Callable[[BackendInfo, float], BackendInfo]] = {"rest": _probe_rest, "queue": _probe_queue}


def _mismatch_over_rest(info: BackendInfo, connection: HttpConnection, timeout_s: float) -> str:
    """The same as _mismatch(); empty also if a proxy does not pass on the metadata."""
    try:
        signatures = signatures_over_rest(info, connection, timeout_s)
    except (OSError, NotUnderstood, RequestFailed):
        return ""
    return _mismatch(info, signatures) if signatures else ""


def _without_status(info: BackendInfo, http_status: int) -> BackendInfo:
    if http_status == 404:
        return replace(info, state="wrong_model", detail=_no_such_model(info))
    if http_status not in OF_PROXIES:
        return _odd(info, f"it answers HTTP {http_status}")
    detail = (
        f"{info.place} answers HTTP {http_status}, as a proxy does when the server behind it does not "
        "answer. Is that server running?"
    )
    return replace(info, state="down", detail=detail)


def _available(rows: Iterable[dict[str, Any]]) -> list[int]:
    """The versions that are ready. Raises ValueError, LookupError or TypeError if `rows` are not a status."""
    versions = [int(str(row["version"])) for row in rows if row["state"] == "AVAILABLE"]
    if not all(0 <= version <= MOST_VERSION for version in versions):
        raise ValueError("not a version of TensorFlow Serving")
    return versions


def _not_ready(info: BackendInfo, status: grpc.StatusCode, details: str) -> BackendInfo:
    if status == grpc.StatusCode.NOT_FOUND:
        return replace(info, state="wrong_model", detail=_no_such_model(info))
    if status == grpc.StatusCode.DEADLINE_EXCEEDED:
        details = "it took too long"
    if status == grpc.StatusCode.RESOURCE_EXHAUSTED or "deserializ" in details:
        return _odd(info, f"its status can't be read: {details}")
    return replace(info, state="down", detail=_no_answer(info.place, details))


def _ready(info: BackendInfo, round_trip_ms: float, version: int) -> BackendInfo:
    return replace(info, state="ready", version=version, detail=f"Ready. Round trip {round_trip_ms:.1f} ms.")


def _loading(info: BackendInfo) -> BackendInfo:
    return replace(info, state="loading", detail="Loading the model. It joins the next run when it is ready.")


def _no_such_model(info: BackendInfo) -> str:
    advice = "Change the model's name." if info.added_as else "Set MODEL_NAME, or `?model=` in TF_SERVERS."
    return f"This server has no model named {info.model}. {advice}"


def _odd(info: BackendInfo, what: str) -> BackendInfo:
    """The state of an address where something other than a model server answers."""
    words = f"Something at {info.place} answers, but not as TensorFlow Serving does: {one_line(what, 200)}. "
    return replace(info, state="down", detail=f"{words}Is it the right port?")


def _no_answer(address: str, details: str) -> str:
    advice = "Is the server running?"
    if "KUBERNETES_SERVICE_HOST" in os.environ:  # in a pod; the label `app` is the Service's name, as in k8s/
        service = address.rpartition(":")[0].partition(".")[0]
        advice = f"Is the pod running? kubectl get pods -l app={service}"
    return f"No answer at {address} ({short_cause(details)}). {advice}"
