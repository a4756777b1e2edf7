"""TensorFlow Serving's REST API as a WSGI app. Translates to the service and back, decides nothing.

Protocol: https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.client import responses
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from serving.errors import InvalidArgument, ServingError, TooLarge
from serving.inference_apis import classify_json, regress_json
from serving.limits import BODY_LIMIT_BYTES
from serving.model import ModelSpec
from serving.monitoring import CONTENT_TYPE, OK, REST
from serving.rest_json import Body, answer_text
from serving.service import Caller, Question, Service
from serving.text_messages import Monitoring

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The paths of tensorflow/serving, model_servers/http_rest_api_handler.cc.
PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,18})|/labels/(?P<label>[^/:]+))?"
    r"(?P<action>:predict|:classify|:regress|/metadata)?",
    re.IGNORECASE,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Response:
    """What goes back: JSON text with its status."""

    text: str
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str = "application/json"


Handler = Callable[[ModelSpec, "WSGIEnvironment"], Response]


@dataclass(frozen=True)
class Action:
    """One row of the API: what gRPC calls it, and what answers it."""

    name: str
    answer: Handler


class RestApi:
    """The WSGI app."""

    def __init__(self, service: Service, timeout_s: float, monitoring: Monitoring):
        self._service = service
        self._timeout_s = timeout_s
        self._monitoring = monitoring
        self._actions = {
            ("POST", ":predict"): Action("Predict", self._predict),
            ("POST", ":classify"): Action("Classify", self._of_examples(classify_json)),
            ("POST", ":regress"): Action("Regress", self._of_examples(regress_json)),
            ("GET", ""): Action("GetModelStatus", self._status),
            ("GET", "/metadata"): Action("GetModelMetadata", self._metadata),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = self._answer(environ)
        data = response.text.encode()
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(data))),
            *response.headers,
        ]
        start_response(f"{response.status} {responses.get(response.status, 'Error')}", headers)
        return [data]

    def _answer(self, environ: WSGIEnvironment) -> Response:
        """The one place where errors become HTTP statuses."""
        started = time.perf_counter()
        name = action = ""
        status = OK
        try:
            method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
            if method == "GET" and self._monitoring.is_enabled and path == self._monitoring.path:
                return Response(self._service.metrics.page(), content_type=CONTENT_TYPE)
            row, spec = self._route(method, path)
            name, action = spec.name, row.name
            return row.answer(spec, environ)
        except ServingError as problem:
            status = problem.code
            return _refusal(problem)
        except Exception as bug:
            log.exception("Bug while answering %s", environ.get("PATH_INFO"))
            status = "INTERNAL"
            return Response(json.dumps({"error": f"A bug in the server: {bug!r}"}), 500)
        finally:
            if name:
                model = name if self._service.is_served(name) else ""
                self._service.metrics.answered(model, action, REST, status, time.perf_counter() - started)

    def _route(self, method: str, path: str) -> tuple[Action, ModelSpec]:
        match = PATH.fullmatch(path)
        row = match and self._actions.get((method, (match["action"] or "").lower()))
        if not match or not row:
            raise InvalidArgument(f"Malformed request: {method} {path}")
        version = int(match["version"]) if match["version"] else None
        return row, ModelSpec(match["name"], version, match["label"] or "")

    def _predict(self, spec: ModelSpec, environ: WSGIEnvironment) -> Response:
        body = Body.parse(_read(environ))
        signature = self._service.signature(spec, body.signature_name)
        question = Question(spec, signature.name, body.arrays(signature))
        answer = self._service.predict(question, self._caller(environ))
        return Response(answer_text(answer.outputs, body.is_rows), headers=_timing(answer.stage_ms))

    def _of_examples(self, compute: Callable[..., tuple[str, Mapping[str, float]]]) -> Handler:
        def answer(spec: ModelSpec, environ: WSGIEnvironment) -> Response:
            text, stage_ms = compute(self._service, spec, _read(environ), self._caller(environ))
            return Response(text, headers=_timing(stage_ms))

        return answer

    def _caller(self, environ: WSGIEnvironment) -> Caller:
        return Caller(time.perf_counter() + self._timeout_s, _is_connected(environ))

    def _status(self, spec: ModelSpec, environ: WSGIEnvironment) -> Response:
        versions = [
            {
                "version": str(status.version),
                "state": status.state,
                "status": {
                    "error_code": "UNKNOWN" if status.error_message else "OK",
                    "error_message": status.error_message,
                },
            }
            for status in self._service.statuses(spec)
        ]
        return Response(json.dumps({"model_version_status": versions}, indent=1))

    def _metadata(self, spec: ModelSpec, environ: WSGIEnvironment) -> Response:
        answered, definitions = self._service.definitions(spec)
        signatures = MessageToDict(
            SignatureDefMap(signature_def=definitions),
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        model = {"name": answered.name, "signature_name": "", "version": str(answered.version)}
        metadata = {"signature_def": signatures}
        return Response(json.dumps({"model_spec": model, "metadata": metadata}, indent=1))


def _timing(stage_ms: Mapping[str, float]) -> list[tuple[str, str]]:
    return [("Server-Timing", ", ".join(f"{stage};dur={ms:.3f}" for stage, ms in stage_ms.items()))]


def _refusal(problem: ServingError) -> Response:
    retry_after_s = getattr(problem, "retry_after_s", None)
    hint = [] if retry_after_s is None else [("Retry-After", str(math.ceil(retry_after_s)))]
    return Response(json.dumps({"error": problem.message}), problem.http_status, hint)


def _read(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > BODY_LIMIT_BYTES:
        raise TooLarge(f"The body has {length} bytes; the limit is {BODY_LIMIT_BYTES}. Send a smaller image.")
    body = bytes(environ["wsgi.input"].read(length))
    return _unpacked(body) if environ.get("HTTP_CONTENT_ENCODING", "").lower() == "gzip" else body


def _unpacked(body: bytes) -> bytes:
    """TensorFlow Serving takes compressed bodies too (util/net_http). A small one may hide a huge one."""
    unpacking = zlib.decompressobj(wbits=31)  # gzip only
    try:
        text = unpacking.decompress(body, BODY_LIMIT_BYTES)
    except zlib.error as problem:
        raise InvalidArgument(f"The body is not the gzip that its header says: {problem}.") from problem
    if unpacking.unconsumed_tail:
        raise TooLarge(f"The unpacked body has over {BODY_LIMIT_BYTES} bytes. Send a smaller image.")
    return text


def _is_connected(environ: WSGIEnvironment) -> Callable[[], bool]:
    """Whether the client still waits, as far as waitress can tell."""
    is_gone: Callable[[], Any] = environ.get("waitress.client_disconnected", lambda: False)
    return lambda: not is_gone()
