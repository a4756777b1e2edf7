"""TensorFlow Serving's REST API as a WSGI app: translates requests for the service, and its answers back.

Protocol: https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.client import responses
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from google.protobuf.json_format import MessageToDict
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from serving.api.inference_apis import classify_json, regress_json
from serving.api.rest_body import read
from serving.api.rest_json import Body, answer_text
from serving.config.text_messages import Monitoring
from serving.errors import InvalidArgument, ServingError, UnknownEncoding
from serving.metrics import CONTENT_TYPE, OK, REST
from serving.models.model_dir import HIGHEST
from serving.models.served_model import ModelSpec
from serving.service import Caller, Question, Service

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The paths of tensorflow/serving, model_servers/http_rest_api_handler.cc.
PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<action>:predict|:classify|:regress|/metadata)?",
    re.IGNORECASE | re.ASCII,
)
DIGITS_SHOWN = 40  # of a version in a message

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Response:
    """Text, by default JSON, and its HTTP status and headers."""

    text: str
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str = "application/json"


Handler = Callable[[ModelSpec, "WSGIEnvironment"], Response]


class RestApi:
    """The WSGI app: every action of the API, and the Prometheus page."""

    def __init__(self, service: Service, timeout_s: float, monitoring: Monitoring):
        self._service = service
        self._timeout_s = timeout_s
        self._monitoring = monitoring
        # By method and end of the path: the name of the method in the gRPC API, and what answers it.
        self._actions: dict[tuple[str, str], tuple[str, Handler]] = {
            ("POST", ":predict"): ("Predict", self._predict),
            ("POST", ":classify"): ("Classify", self._of_examples(classify_json)),
            ("POST", ":regress"): ("Regress", self._of_examples(regress_json)),
            ("GET", ""): ("GetModelStatus", self._status),
            ("GET", "/metadata"): ("GetModelMetadata", self._metadata),
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
        """Answer a request, and turn errors into HTTP statuses."""
        started = time.perf_counter()
        name = action = ""
        status = OK
        try:
            method, path = environ["REQUEST_METHOD"], _text(environ.get("PATH_INFO", ""))
            if method == "GET" and self._monitoring.is_enabled and path == self._monitoring.path:
                return Response(self._service.metrics.page(), content_type=CONTENT_TYPE)
            action, handler, spec = self._route(method, path, _raw_path(environ))
            name = spec.name
            return handler(spec, environ)
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

    def _route(self, method: str, path: str, raw_path: str) -> tuple[str, Handler, ModelSpec]:
        """The action, and the model that it is for. Raises InvalidArgument.

        In the raw path a model's name may have %2F and %3A. The decoded path is for clients that send
        %3Apredict in place of :predict.
        """
        for candidate in (raw_path, path):
            match = PATH.fullmatch(candidate)
            row = match and self._actions.get((method, (match["action"] or "").lower()))
            if match and row:
                decoded = unquote if candidate is raw_path else str
                version = _version(match["version"]) if match["version"] else None
                return *row, ModelSpec(decoded(match["name"]), version, decoded(match["label"] or ""))
        raise InvalidArgument(f"Malformed request: {method} {path}")

    def _predict(self, spec: ModelSpec, environ: WSGIEnvironment) -> Response:
        body = Body.parse(read(environ))
        signature = self._service.signature(spec, body.signature_name)
        question = Question(spec, signature.name, body.arrays(signature))
        answer = self._service.predict(question, self._caller(environ))
        return Response(answer_text(answer.outputs, body.is_rows), headers=_timing(answer.stage_ms))

    def _of_examples(self, compute: Callable[..., tuple[str, Mapping[str, float]]]) -> Handler:
        def answer(spec: ModelSpec, environ: WSGIEnvironment) -> Response:
            text, stage_ms = compute(self._service, spec, read(environ), self._caller(environ))
            return Response(text, headers=_timing(stage_ms))

        return answer

    def _caller(self, environ: WSGIEnvironment) -> Caller:
        """The deadline of a request, and whether its client is connected, as far as waitress can know."""
        is_gone: Callable[[], Any] = environ.get("waitress.client_disconnected", lambda: False)
        return Caller(time.perf_counter() + self._timeout_s, lambda: not is_gone())

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


def _version(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    if len(digits) > len(str(HIGHEST)) or int(digits) > HIGHEST:
        raise InvalidArgument(
            f"Version {digits[:DIGITS_SHOWN]} does not exist: the highest possible one is {HIGHEST}."
        )
    return int(digits)


def _raw_path(environ: WSGIEnvironment) -> str:
    """The path as it was sent, with %2F undecoded; also of an absolute URI (RFC 9112, 3.2.2)."""
    uri = _text(environ.get("REQUEST_URI", ""))
    if not uri.startswith("/"):
        uri = "/" + uri.partition("://")[2].partition("/")[2]
    return "/" + re.split("[?#]", uri, maxsplit=1)[0].lstrip("/")


def _text(value: str) -> str:
    """UTF-8 text of a WSGI string, which holds its bytes as Latin-1 (PEP 3333)."""
    return value.encode("latin-1").decode("utf-8", "replace")


def _timing(stage_ms: Mapping[str, float]) -> list[tuple[str, str]]:
    return [("Server-Timing", ", ".join(f"{stage};dur={ms:.3f}" for stage, ms in stage_ms.items()))]


def _refusal(problem: ServingError) -> Response:
    hints = []
    retry_after_s = getattr(problem, "retry_after_s", None)
    if retry_after_s is not None:
        hints.append(("Retry-After", str(math.ceil(retry_after_s))))
    if isinstance(problem, UnknownEncoding):
        hints.append(("Accept-Encoding", "gzip"))  # RFC 9110, 15.5.16
    return Response(json.dumps({"error": problem.message}), problem.http_status, hints)
