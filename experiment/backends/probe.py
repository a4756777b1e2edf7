"""Is a backend there, does it have the model, and does the model read encoded images?"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from experiment.backends.answers import parsed_json
from experiment.backends.base import CONNECT_S, short_cause
from experiment.backends.capabilities import with_about
from experiment.backends.decoding import with_decoding
from experiment.backends.formats_read import FormatsRead
from experiment.backends.grpc import names_of, open_channel, wait_for_connection
from experiment.backends.http_connection import HttpConnection, NotUnderstood
from experiment.backends.replicas import Resolver, addresses_of, as_one, look_up
from experiment.backends.rest import model_path
from experiment.protocol import (
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    get_model_metadata_pb2,
    get_model_status_pb2,
    type_name,
    types_pb2,
)
from experiment.records import BackendInfo
from experiment.wording import told

AVAILABLE = 30  # get_model_status.proto, ModelVersionStatus.State
MOST_VERSION = 2**63 - 1
STATUS_LIMIT_BYTES = 4 * 1024 * 1024  # of a status, or of the signatures of a model
OF_PROXIES = (502, 503, 504)  # what a proxy answers where the server behind it does not
LONGEST_DETAIL = 600  # characters

log = logging.getLogger(__name__)


_formats_read = FormatsRead()  # of this process: asked once per backend and version, not at each probe


def probe(info: BackendInfo, timeout_s: float = 2.0, resolve: Resolver = look_up) -> BackendInfo:
    """`info` with state, version and one sentence about it. Never raises, whatever the backend sends.

    Connecting may take CONNECT_S, each answer `timeout_s`.
    """
    if not info.is_present:
        return info
    if "," in info.address:
        replicas = [replace(info, address=each) for each in addresses_of(info.address)]
        with ThreadPoolExecutor(len(replicas), "probe") as pool:
            return as_one(list(pool.map(lambda replica: probe(replica, timeout_s), replicas)))
    try:
        seen = _probe_rest(info, timeout_s) if info.protocol == "rest" else _probe_grpc(info, timeout_s)
        if seen.state == "ready":
            seen = _counted(seen, resolve)
        seen = replace(seen, reads=_formats_read.by(seen, timeout_s))
    except Exception as bug:  # of ours: it must not hide the other backends
        log.exception("how %s is could not be read", info.name)
        seen = _odd(info, f"its answer can't be read: {type(bug).__name__}")
    return replace(seen, detail=told(seen.detail, LONGEST_DETAIL))


def _counted(info: BackendInfo, resolve: Resolver) -> BackendInfo:
    """With how many replicas there are, where the name has several addresses."""
    addresses = len(addresses_of(info.address, resolve))
    return replace(info, replicas=addresses) if addresses > 1 else info


def _probe_grpc(info: BackendInfo, timeout_s: float) -> BackendInfo:
    with open_channel(info.address, STATUS_LIMIT_BYTES) as channel:
        wait_for_connection(channel, CONNECT_S)
        try:
            return _asked_over_grpc(info, channel, timeout_s)
        except grpc.RpcError as error:
            return _not_ready(info, error.code(), error.details() or "")


def _asked_over_grpc(info: BackendInfo, channel: grpc.Channel, timeout_s: float) -> BackendInfo:
    status = channel.unary_unary(
        GET_MODEL_STATUS,
        request_serializer=get_model_status_pb2.GetModelStatusRequest.SerializeToString,
        response_deserializer=get_model_status_pb2.GetModelStatusResponse.FromString,
    )
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = info.model
    answer, call = status.with_call(request, timeout=timeout_s)
    versions = answer.model_version_status
    info = with_about(info, call.trailing_metadata())
    available = [each.version for each in versions if each.state == AVAILABLE and each.version >= 0]
    if not available:
        return _loading(info)
    try:
        signatures = _signatures(info, channel, timeout_s)
    except DecodeError:
        return _odd(info, "its list of signatures can't be read")
    info = with_decoding(info, signatures)
    problem = _mismatch(info, signatures)
    if problem:
        return replace(info, state="wrong_signature", detail=problem, version=max(available))
    started = time.perf_counter()  # the second question: the first one opened the connection
    status(request, timeout=timeout_s)
    return _ready(info, (time.perf_counter() - started) * 1e3, max(available))


def _signatures(info: BackendInfo, channel: grpc.Channel, timeout_s: float) -> Any:
    """What the model can be asked, by name: a map of SignatureDef."""
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = info.model
    request.metadata_field.append("signature_def")
    response = channel.unary_unary(
        GET_MODEL_METADATA,
        request_serializer=get_model_metadata_pb2.GetModelMetadataRequest.SerializeToString,
        response_deserializer=get_model_metadata_pb2.GetModelMetadataResponse.FromString,
    )(request, timeout=timeout_s)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return signatures.signature_def


def _mismatch(info: BackendInfo, signatures: Any) -> str:
    """One sentence when the model can't be asked as configured; empty when it can."""
    if info.signature not in signatures:
        return (
            f"The model has no signature {info.signature}. Set MODEL_SIGNATURE_NAME to one it has: "
            f"{names_of(signatures) or 'none'}."
        )
    inputs = signatures[info.signature].inputs
    if info.input_key not in inputs:
        return (
            f"The signature {info.signature} has no input {info.input_key}. "
            f"It has: {names_of(inputs) or 'none'}. Set MODEL_INPUT_KEY."
        )
    if inputs[info.input_key].dtype != types_pb2.DT_STRING:
        return (
            f"The model expects {type_name(inputs[info.input_key].dtype)} values, not JPEG or PNG bytes. "
            "Export it with a signature that takes encoded images."
        )
    return ""


def _probe_rest(info: BackendInfo, timeout_s: float) -> BackendInfo:
    try:
        with contextlib.closing(HttpConnection(info.address)) as connection:
            connection.open(CONNECT_S)
            started = time.perf_counter()
            answer = connection.exchange(
                "GET", model_path(info), {"Host": info.address}, timeout_s, STATUS_LIMIT_BYTES
            )
            round_trip_ms = (time.perf_counter() - started) * 1e3
    except OSError as error:
        return replace(info, state="down", detail=_no_answer(info.address, str(error)))
    except NotUnderstood as error:
        return _odd(info, f"it answers {error}")
    if answer.status != 200:
        return _without_status(info, answer.status)
    try:
        versions = _available(parsed_json(answer.body)["model_version_status"])
    except (ValueError, LookupError, TypeError):
        return _odd(info, "its status can't be read")
    return _ready(info, round_trip_ms, max(versions)) if versions else _loading(info)


def _without_status(info: BackendInfo, http_status: int) -> BackendInfo:
    if http_status == 404:
        return replace(info, state="wrong_model", detail=_no_such_model(info))
    if http_status not in OF_PROXIES:
        return _odd(info, f"it answers HTTP {http_status}")
    detail = (
        f"{info.address} answers HTTP {http_status}, as a proxy does when the server behind it gives no "
        "answer. Is that one running?"
    )
    return replace(info, state="down", detail=detail)


def _available(rows: Iterable[dict[str, Any]]) -> list[int]:
    """The versions that are ready. Raises ValueError, LookupError or TypeError for what is no status."""
    versions = [int(str(each["version"])) for each in rows if each["state"] == "AVAILABLE"]
    if not all(0 <= each <= MOST_VERSION for each in versions):
        raise ValueError("no version of TensorFlow Serving's")
    return versions


def _not_ready(info: BackendInfo, status: grpc.StatusCode, details: str) -> BackendInfo:
    if status == grpc.StatusCode.NOT_FOUND:
        return replace(info, state="wrong_model", detail=_no_such_model(info))
    if status == grpc.StatusCode.DEADLINE_EXCEEDED:
        details = "it took too long"
    if status == grpc.StatusCode.RESOURCE_EXHAUSTED or "deserializ" in details:
        return _odd(info, f"its status can't be read: {details}")
    return replace(info, state="down", detail=_no_answer(info.address, details))


def _ready(info: BackendInfo, round_trip_ms: float, version: int) -> BackendInfo:
    return replace(info, state="ready", version=version, detail=f"Ready. Round trip {round_trip_ms:.1f} ms.")


def _loading(info: BackendInfo) -> BackendInfo:
    return replace(info, state="loading", detail="Loading the model. It joins the next run when it is ready.")


def _no_such_model(info: BackendInfo) -> str:
    return f"This server has no model named {info.model}. Set MODEL_NAME, or `?model=` in TF_SERVERS."


def _odd(info: BackendInfo, what: str) -> BackendInfo:
    """Somebody is there, but answers as no model server does."""
    words = f"Something at {info.address} answers, but not as TensorFlow Serving does: {told(what, 200)}. "
    return replace(info, state="down", detail=f"{words}Is it the right port?")


def _no_answer(address: str, details: str) -> str:
    return f"No answer at {address} ({short_cause(details)}). {_where_to_look(address)}"


def _where_to_look(address: str) -> str:
    """In a cluster the label `app` is the Service's name, as in k8s/."""
    host = address.rpartition(":")[0]
    if "KUBERNETES_SERVICE_HOST" in os.environ:  # every pod has it
        return f"Is the pod running? kubectl get pods -l app={host.partition('.')[0]}"
    return "Is the server running?"
