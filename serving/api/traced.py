"""Spans around the server's answers, if traces are on. Without, neither API has any of this around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import grpc

from common import traces

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = {"GetModelStatus", "GetModelMetadata"}  # asked all the time; told only as a part of something
Answering = Callable[[bytes, grpc.ServicerContext], bytes]


def traced_method(path: str, answer: Answering) -> Answering:
    """A gRPC method in a span of its own, as a child of the caller's."""
    name = path.lstrip("/")
    service, _, method = name.partition("/")
    about = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}

    def with_span(message: bytes, context: grpc.ServicerContext) -> bytes:
        header = dict(context.invocation_metadata()).get(traces.HEADER)
        if header is None and method in PROBES:
            return answer(message, context)
        with traces.Work(name, header) as work:
            work.attributes |= about
            try:
                return answer(message, context)
            except Exception:  # how gRPC ends a call with a status
                work.failure = f"{context.code()} {context.details()}"
                raise

    return with_span


def traced_app(app: WSGIApplication) -> WSGIApplication:
    """A WSGI app in a span for each POST: for what asks a model, not for what looks whether it is there."""

    def with_span(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            return app(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            work.attributes["http.response.status_code"] = int(status[:3])
            work.failure = status if status[0] == "5" else None
            return start_response(status, headers, *more)

        with traces.Work("POST /v1/models", environ.get("HTTP_TRACEPARENT")) as work:
            work.attributes |= {"http.request.method": "POST", "url.path": environ.get("PATH_INFO", "")}
            return app(environ, start)

    return with_span
