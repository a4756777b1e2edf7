"""Is a backend there, does it have the model, and does the model read encoded images?"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

import grpc
import requests

from experiment.about import with_about
from experiment.backends import short_cause
from experiment.decoding import with_decoding
from experiment.grpc_backend import open_channel
from experiment.protocol import (
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    get_model_metadata_pb2,
    get_model_status_pb2,
    types_pb2,
)
from experiment.reads import FormatsRead
from experiment.records import BackendInfo
from experiment.replicas import Resolver, addresses_of, look_up

AVAILABLE = 30  # get_model_status.proto, ModelVersionStatus.State


_formats_read = FormatsRead()  # of this process: asked once per backend and version, not at each probe


def probe(info: BackendInfo, timeout_s: float = 2.0, resolve: Resolver = look_up) -> BackendInfo:
    """`info` with state, version and one sentence about it. Never raises for a bad backend."""
    if info.state == "absent":
        return info
    seen = _probe_rest(info, timeout_s) if info.protocol == "rest" else _probe_grpc(info, timeout_s)
    if seen.state == "ready":
        seen = _counted(seen, resolve)
    return replace(seen, reads=_formats_read.by(seen, timeout_s))


def _counted(info: BackendInfo, resolve: Resolver) -> BackendInfo:
    """With how many replicas there are, where the name has several addresses."""
    addresses = len(addresses_of(info.address, resolve))
    return replace(info, replicas=addresses) if addresses > 1 else info


def _probe_grpc(info: BackendInfo, timeout_s: float) -> BackendInfo:
    with open_channel(info.address) as channel:
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
    available = [each.version for each in versions if each.state == AVAILABLE]
    if not available:
        return _loading(info)
    signatures = _signatures(info, channel, timeout_s)
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
            f"{', '.join(sorted(signatures)) or 'none'}."
        )
    inputs = signatures[info.signature].inputs
    if info.input_key not in inputs:
        return (
            f"The signature {info.signature} has no input {info.input_key}. "
            f"It has: {', '.join(sorted(inputs)) or 'none'}. Set MODEL_INPUT_KEY."
        )
    if inputs[info.input_key].dtype != types_pb2.DT_STRING:
        kind = types_pb2.DataType.Name(inputs[info.input_key].dtype)
        return (
            f"The model expects {kind} values, not JPEG or PNG bytes. "
            "Export it with a signature that takes encoded images."
        )
    return ""


def _probe_rest(info: BackendInfo, timeout_s: float) -> BackendInfo:
    url = f"http://{info.address}/v1/models/{info.model}"
    started = time.perf_counter()
    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.get(url, timeout=timeout_s)
            versions = response.json().get("model_version_status", [])
    except (requests.RequestException, ValueError, AttributeError) as error:
        return replace(info, state="down", detail=_no_answer(info.address, str(error)))
    if response.status_code == 404:
        return replace(info, state="wrong_model", detail=_no_such_model(info))
    available = [int(each["version"]) for each in versions if each.get("state") == "AVAILABLE"]
    if not available:
        return _loading(info)
    return _ready(info, (time.perf_counter() - started) * 1e3, max(available))


def _not_ready(info: BackendInfo, status: grpc.StatusCode, details: str) -> BackendInfo:
    if status == grpc.StatusCode.NOT_FOUND:
        return replace(info, state="wrong_model", detail=_no_such_model(info))
    if status == grpc.StatusCode.DEADLINE_EXCEEDED:
        details = "it took too long"
    return replace(info, state="down", detail=_no_answer(info.address, details))


def _ready(info: BackendInfo, round_trip_ms: float, version: int) -> BackendInfo:
    return replace(info, state="ready", version=version, detail=f"Ready. Round trip {round_trip_ms:.1f} ms.")


def _loading(info: BackendInfo) -> BackendInfo:
    return replace(info, state="loading", detail="Loading the model. It joins the next run when it is ready.")


def _no_such_model(info: BackendInfo) -> str:
    return f"This server has no model named {info.model}. Set MODEL_NAME, or `?model=` in TF_SERVERS."


def _no_answer(address: str, details: str) -> str:
    return f"No answer at {address} ({short_cause(details)}). {_where_to_look(address)}"


def _where_to_look(address: str) -> str:
    """In a cluster the label `app` is the Service's name, as in k8s/."""
    host = address.rpartition(":")[0]
    if "KUBERNETES_SERVICE_HOST" in os.environ:  # every pod has it
        return f"Is the pod running? kubectl get pods -l app={host.partition('.')[0]}"
    return "Is the server running?"
