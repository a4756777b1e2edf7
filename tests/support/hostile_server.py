"""A model server that answers in many bad ways: the model's name in the request says in which.

So one server stands for as many backends as there are ways, and no test has to change a mode.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import grpc

from experiment.protocol import (
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    PREDICT,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    types_pb2,
)
from tests.support.scripted_server import good_answer, serving

LABELS = ("tabby", "tiger cat", "lynx")
SCORES = (0.6, 0.3, 0.1)
STALL_S = 60.0  # longer than any test's time limit; all ends when the caller hangs up or the test does

BAD = "bad_answer"
FINE = "fine"  # the answer can be used; what makes no sense of it counts as not told

Response = predict_pb2.PredictResponse
Status = get_model_status_pb2.GetModelStatusResponse
Signatures = get_model_metadata_pb2.SignatureDefMap


class Way(NamedTuple):
    """One way to answer, and the cause that it has to get."""

    cause: str
    do: Callable


def good_response() -> Response:
    response = Response.FromString(good_answer(LABELS, SCORES))
    for name in ("classes", "scores"):
        for size in (1, len(LABELS)):
            response.outputs[name].tensor_shape.dim.add().size = size
    return response


def changed(change: Callable[[Response], object]) -> Callable[[grpc.ServicerContext], bytes]:
    """A good answer but for one thing."""

    def answer(context: grpc.ServicerContext) -> bytes:
        response = good_response()
        change(response)
        return response.SerializeToString()

    return answer


def tensor(name: str, *shape: int, **fields: object) -> Callable[[grpc.ServicerContext], bytes]:
    """A good answer but for one tensor, of that shape (none: not told)."""

    def change(response: Response) -> None:
        found = response.outputs[name]
        if name == "probabilities":
            found.dtype = types_pb2.DT_FLOAT
        del found.tensor_shape.dim[:]
        for size in shape:
            found.tensor_shape.dim.add().size = size
        for field, value in fields.items():
            if isinstance(value, list):
                del getattr(found, field)[:]
                getattr(found, field).extend(value)
            else:
                setattr(found, field, value)

    return changed(change)


def metadata(*pairs: tuple[str, str | bytes]) -> Callable[[grpc.ServicerContext], bytes]:
    """A good answer with trailing metadata."""

    def answer(context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata(pairs)
        return good_response().SerializeToString()

    return answer


def raw(data: bytes) -> Callable[[grpc.ServicerContext], bytes]:
    return lambda context: data


def abort(code: grpc.StatusCode, details: str = "no") -> Callable[[grpc.ServicerContext], None]:
    return lambda context: context.abort(code, details)


def stall(context: grpc.ServicerContext) -> bytes:
    deadline = time.monotonic() + STALL_S
    while context.is_active() and time.monotonic() < deadline:
        time.sleep(0.02)
    return b""


def more_output(size_bytes: int) -> Callable[[Response], None]:
    def change(response: Response) -> None:
        response.outputs["more"].dtype = types_pb2.DT_STRING
        response.outputs["more"].string_val.append(bytes(size_bytes))

    return change


def without(name: str) -> Callable[[Response], None]:
    return lambda response: response.outputs.pop(name)


Code = grpc.StatusCode
GRPC_ANSWERS: dict[str, Way] = {
    "scores-of-5-bytes": Way(BAD, tensor("scores", float_val=[], tensor_content=b"12345")),
    "scores-of-no-bytes": Way(BAD, tensor("scores", float_val=[])),
    "scores-nan": Way(BAD, tensor("scores", float_val=[float("nan"), 0.3, 0.1])),
    "scores-inf": Way(BAD, tensor("scores", float_val=[float("inf"), 0.3, 0.1])),
    "scores-negative": Way(BAD, tensor("scores", float_val=[-1.0, 0.3, 0.1])),
    "scores-logits": Way(BAD, tensor("scores", float_val=[17.0, 3.0, 0.1])),
    "scores-double": Way(
        BAD, tensor("scores", float_val=[], double_val=list(SCORES), dtype=types_pb2.DT_DOUBLE)
    ),
    "scores-of-no-known-type": Way(BAD, tensor("scores", dtype=9999)),
    "scores-one-too-many": Way(BAD, tensor("scores", float_val=[*SCORES, 0.0])),
    "shape-of-two-rows": Way(
        BAD,
        changed(
            lambda response: [
                setattr(response.outputs[name].tensor_shape.dim[0], "size", 3)
                or setattr(response.outputs[name].tensor_shape.dim[1], "size", 1)
                for name in ("classes", "scores")
            ]
        ),
    ),
    "shape-that-does-not-fit": Way(BAD, tensor("scores", 1, 7)),
    "shape-negative": Way(BAD, tensor("scores", -1, -3)),
    "shape-of-many-dimensions": Way(BAD, tensor("scores", *([2**62] * 100_000))),
    "classes-numbers": Way(
        BAD, tensor("classes", string_val=[], int_val=[1, 2, 3], dtype=types_pb2.DT_INT32)
    ),
    "classes-missing": Way(BAD, changed(without("classes"))),
    "scores-missing": Way(BAD, changed(without("scores"))),
    "label-of-5-mb": Way(BAD, tensor("classes", string_val=[b"a" * 5_000_000, b"b", b"c"])),
    "label-of-201-characters": Way(BAD, tensor("classes", string_val=[b"a" * 201, b"b", b"c"])),
    "label-with-controls": Way(FINE, tensor("classes", string_val=[b"a\0b\r\n\x1b[31m\xff\xfe", b"b", b"c"])),
    "label-script": Way(FINE, tensor("classes", string_val=[b"</script><img src=x>", b"=1+1", b"c"])),
    "probabilities-of-5-bytes": Way(BAD, tensor("probabilities", tensor_content=b"12345")),
    "probabilities-text": Way(BAD, tensor("probabilities", dtype=types_pb2.DT_STRING, string_val=[b"a"])),
    "probabilities-nan": Way(FINE, tensor("probabilities", 1, 2, float_val=[float("nan")] * 2)),
    "probabilities-of-two-rows": Way(BAD, tensor("probabilities", 2, 1, float_val=[0.5, 0.5])),
    "stage-text": Way(FINE, metadata(("pixelcost-queue-ms", "soon"))),
    "stage-nan": Way(FINE, metadata(("pixelcost-queue-ms", "nan"))),
    "stage-inf": Way(FINE, metadata(("pixelcost-queue-ms", "inf"))),
    "stage-negative": Way(FINE, metadata(("pixelcost-queue-ms", "-1"))),
    "stage-of-an-hour": Way(FINE, metadata(("pixelcost-queue-ms", "3600000"))),
    "stage-with-a-long-name": Way(FINE, metadata((f"pixelcost-{'x' * 3000}-ms", "0"))),
    "stage-binary": Way(FINE, metadata(("pixelcost-queue-ms-bin", b"\xff"))),
    "stages-100": Way(FINE, metadata(*((f"pixelcost-s{number}-ms", "0") for number in range(100)))),
    "stages-2000": Way(BAD, metadata(*((f"pixelcost-s{number}-ms", "0") for number in range(2000)))),
    "version-negative": Way(
        FINE, changed(lambda response: setattr(response.model_spec.version, "value", -5))
    ),
    "empty": Way(BAD, raw(b"")),
    "garbage": Way(BAD, raw(b"\xff" * 1000)),
    "half-a-message": Way(BAD, raw(good_response().SerializeToString()[:-20])),
    "answer-of-70-mb": Way(BAD, changed(more_output(70_000_000))),
    "internal-long": Way("server_error", abort(Code.INTERNAL, "x" * 3000 + "\n\x1b[31m<script>")),
    "unknown": Way("server_error", abort(Code.UNKNOWN)),
    "unauthenticated": Way("server_error", abort(Code.UNAUTHENTICATED)),
    "exhausted": Way("overloaded", abort(Code.RESOURCE_EXHAUSTED, "busy")),
    "request-too-large": Way(
        "too_large", abort(Code.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (9 vs. 8)")
    ),
    "invalid": Way("bad_request", abort(Code.INVALID_ARGUMENT)),
    "no-such-model": Way("not_found", abort(Code.NOT_FOUND)),
    "unimplemented": Way("not_found", abort(Code.UNIMPLEMENTED)),
    "unavailable": Way("unreachable", abort(Code.UNAVAILABLE, "later")),
    "stalls": Way("deadline", stall),
}

ROW = {"classes": list(LABELS), "scores": list(SCORES)}


def rows(*changed_rows: object) -> bytes:
    return json.dumps({"predictions": list(changed_rows)}).encode()


class Http(NamedTuple):
    """An answer over HTTP/1.1. The declared length is that of the body where nothing else is said."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    then: Callable[[BaseHTTPRequestHandler], object] | None = None  # before it hangs up


def row(**changes: object) -> Http:
    return Http(rows({**ROW, **changes}))


def timing(text: str) -> Http:
    return Http(rows(ROW), headers=(("Server-Timing", text),))


def silent(handler: BaseHTTPRequestHandler) -> None:
    """Send nothing more, until the caller hangs up."""
    handler.connection.settimeout(STALL_S)
    try:
        handler.connection.recv(1)
    except OSError:
        return


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte at a time, each in time for a limit that counts from the last one."""
    deadline = time.monotonic() + STALL_S
    while time.monotonic() < deadline:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler: BaseHTTPRequestHandler) -> None:
    while True:
        handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")


def drip_of_the_head(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    dripping(handler)


def written(data: bytes) -> Callable[[BaseHTTPRequestHandler], object]:
    return lambda handler: handler.wfile.write(data)


CHUNKED = (("Transfer-Encoding", "chunked"),)
GZIP = (("Content-Encoding", "gzip"),)
LONG = (("Content-Length", "1000"),)
NOTHING = Http(b"", 0)  # only what `then` writes
REST_ANSWERS: dict[str, Way] = {
    name: Way(cause, lambda answer=answer: answer)
    for name, cause, answer in (
        ("body-cut", "unreachable", Http(rows(ROW)[:10], headers=LONG)),
        ("stall-after-the-head", "deadline", Http(b"{", headers=LONG, then=silent)),
        ("stall-at-once", "deadline", NOTHING._replace(then=silent)),
        ("drip-of-the-body", "deadline", Http(b"{", headers=LONG, then=dripping)),
        ("drip-of-the-head", "deadline", NOTHING._replace(then=drip_of_the_head)),
        ("hang-up", "unreachable", NOTHING),
        ("no-http", BAD, NOTHING._replace(then=written(b"\0\1\2garbage\r\n\r\n"))),
        ("http-with-200-headers", BAD, NOTHING._replace(then=written(
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: y\r\n" % number for number in range(200)) + b"\r\n"
        ))),
        ("head-of-a-long-line", BAD, NOTHING._replace(then=written(
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"
        ))),
        ("bad-chunk", "unreachable", Http(b"zz\r\nabc\r\n", headers=CHUNKED)),
        ("bad-gzip", BAD, Http(b"abc" * 10, headers=GZIP)),
        ("gzip-bomb", BAD, Http(gzip.compress(bytes(100_000_000), 1), headers=GZIP)),
        ("endless", BAD, Http(b"", headers=CHUNKED, then=endless)),
        ("redirect", BAD, Http(b"", 307, (("Location", "/v1/models/ok:predict"),))),
        ("redirect-for-ever", BAD, Http(b"", 302, (("Location", "/v1/models/redirect-for-ever:predict"),))),
        ("no-content", BAD, Http(b"", 204)),
        ("created", BAD, Http(rows(ROW), 201)),
        ("no-json", BAD, Http(b"not json")),
        ("no-utf-8", BAD, Http(b'{"predictions": "\xff\xfe"}')),
        ("deep", BAD, Http(b'{"predictions":' + b"[" * 200_000)),
        ("number-of-5000-digits", BAD, Http(b'{"predictions": ' + b"9" * 5000 + b"}")),
        ("predictions-null", BAD, Http(b'{"predictions": null}')),
        ("predictions-none", BAD, Http(rows())),
        ("predictions-of-two", BAD, Http(rows(ROW, ROW))),
        ("predictions-an-object", BAD, Http(b'{"predictions": {"classes": ["a"], "scores": [1]}}')),
        ("predictions-bare", BAD, Http(rows([0.1, 0.9]))),
        ("top-level-list", BAD, Http(b"[1]")),
        ("classes-missing", BAD, Http(rows({"scores": [1.0]}))),
        ("classes-numbers", BAD, row(classes=[1, 2, 3])),
        ("classes-objects", BAD, row(classes=[{"a": 1}, None, []])),
        ("label-of-201-characters", BAD, row(classes=["a" * 201, "b", "c"])),
        ("label-half-a-surrogate", FINE, Http(rows(ROW).replace(b"tabby", b"\\ud800"))),
        ("label-bidi", FINE, row(classes=["\u202egpj.exe", "b\u2028c", "d"])),
        ("scores-text", BAD, row(scores=["0.6", "0.3", "0.1"])),
        ("scores-true", BAD, row(scores=[True, 0.3, 0.1])),
        ("scores-null", BAD, row(scores=[None, 0.3, 0.1])),
        ("scores-nested", BAD, row(scores=[[0.6], [0.3], [0.1]])),
        ("scores-nan", BAD, row(scores=[float("nan"), 0.3, 0.1])),
        ("scores-infinity", BAD, row(scores=[float("inf"), 0.3, 0.1])),
        ("score-of-400-digits", BAD, Http(rows(ROW).replace(b"0.6", b"9" * 400))),
        ("scores-one-too-few", BAD, row(scores=[0.6, 0.3])),
        ("scores-none", BAD, row(classes=[], scores=[])),
        ("probabilities-a-number", BAD, row(probabilities=5)),
        ("probabilities-texts", BAD, row(probabilities=["a"])),
        ("probabilities-an-object", BAD, row(probabilities={"a": 1.0})),
        ("probabilities-null", FINE, row(probabilities=None)),
        ("probability-of-400-digits", FINE, Http(
            rows({**ROW, "probabilities": [7]}).replace(b"[7]", b"[" + b"9" * 400 + b"]")
        )),
        ("timing-nan", FINE, timing("queue;dur=nan, decode;dur=0")),
        ("timing-inf", FINE, timing("queue;dur=inf")),
        ("timing-text", FINE, timing("queue;dur=soon, ;dur=1, =, ;;;,")),
        ("timing-of-2000-stages", FINE, timing(", ".join(f"s{number};dur=0" for number in range(2000)))),
        ("error-deep", "bad_request", Http(b"[" * 200_000, 400)),
        ("error-5-mb", "server_error", Http(b"x" * 5_000_000, 500)),
        ("error-half-a-surrogate", "bad_request", Http(b'{"error": "\\ud800\\n\\u001b[31m"}', 400)),
        ("error-an-object", "server_error", Http(b'{"error": {"a": ["b"]}}', 500)),
        ("status-599", "server_error", Http(b"", 599)),
        ("status-404", "not_found", Http(b"", 404)),
        ("status-413", "too_large", Http(b"", 413)),
        ("status-429", "overloaded", Http(b"", 429)),
        ("status-503", "unreachable", Http(b"", 503)),
        ("status-504", "deadline", Http(b"", 504)),
    )
}  # fmt: skip


def status_of(**version: int) -> Status:
    response = Status()
    response.model_version_status.add(**{"version": 1, "state": 30, **version})
    return response


def about(text: str, *more: tuple[str, bytes]) -> Callable[[grpc.ServicerContext], bytes]:
    def answer(context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("pixelcost-about", text), *more))
        return status_of().SerializeToString()

    return answer


def signatures(
    dtype: int = types_pb2.DT_STRING, more: int = 0
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    found = Signatures()
    found.signature_def["predict_images"].inputs["images"].dtype = dtype
    for number in range(more):
        found.signature_def[f"signature {number}"].method_name = "x" * 1000
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(found)
    return response


def odd_signatures(**fields: object) -> Callable[[grpc.ServicerContext], bytes]:
    response = signatures()
    for name, value in fields.items():
        setattr(response.metadata["signature_def"], name, value)
    return raw(response.SerializeToString())


# The states that a probe has to find, of backends whose status or metadata is odd.
GRPC_STATUSES: dict[str, Way] = {
    "status-garbage": Way("down", raw(b"\xff" * 100)),
    "status-empty": Way("loading", raw(b"")),
    "status-version-negative": Way("loading", raw(status_of(version=-(2**63)).SerializeToString())),
    "status-of-no-known-state": Way("loading", raw(status_of(state=77).SerializeToString())),
    "status-about-deep": Way("ready", about("[" * 3000)),
    "status-about-infinite": Way(
        "ready", about('{"replicas": 1e400, "device": ["x"]}', ("pixelcost-about-bin", b"\xff"))
    ),
    "status-about-odd": Way(
        "ready", about('{"device": {}, "runtime": {"a": 1}, "replicas": 1e400, "isa": null}')
    ),
    "status-stalls": Way("down", stall),
    "status-internal": Way("down", abort(Code.INTERNAL, "x" * 3000 + "\x1b")),
    "status-unimplemented": Way("down", abort(Code.UNIMPLEMENTED)),
}
GRPC_METADATA: dict[str, Way] = {
    "metadata-type-9999": Way("wrong_signature", raw(signatures(9999).SerializeToString())),
    "metadata-garbage": Way("down", odd_signatures(value=b"\xff" * 50)),
    "metadata-of-another-kind": Way("wrong_signature", odd_signatures(type_url="type.googleapis.com/x.Y")),
    "metadata-of-20-mb": Way("down", raw(signatures(more=20_000).SerializeToString())),
    "metadata-empty": Way("wrong_signature", raw(b"")),
    "metadata-refused": Way("down", abort(Code.INTERNAL)),
}


def versions(*found: object) -> Http:
    return Http(json.dumps({"model_version_status": list(found)}).encode())


REST_STATUSES: dict[str, Way] = {
    name: Way(state, lambda answer=answer: answer)
    for name, state, answer in (
        ("rest-status-numbers", "down", versions(1)),
        ("rest-status-null", "down", Http(b'{"model_version_status": null}')),
        ("rest-status-without-a-version", "down", versions({"state": "AVAILABLE"})),
        ("rest-status-version-text", "down", versions({"version": "x", "state": "AVAILABLE"})),
        ("rest-status-version-list", "down", versions({"version": [1], "state": "AVAILABLE"})),
        ("rest-status-version-negative", "down", versions({"version": "-1", "state": "AVAILABLE"})),
        ("rest-status-5000-digits", "down", versions({"version": "9" * 5000, "state": "AVAILABLE"})),
        ("rest-status-400-digits", "down", versions({"version": "9" * 400, "state": "AVAILABLE"})),
        ("rest-status-infinite", "down", versions({"version": float("inf"), "state": "AVAILABLE"})),
        ("rest-status-deep", "down", Http(b"[" * 200_000)),
        ("rest-status-list", "down", Http(b"[]")),
        ("rest-status-object", "down", Http(b'{"model_version_status": {"a": 1}}')),
        ("rest-status-no-json", "down", Http(b"<html>")),
        ("rest-status-redirect", "down", Http(b"", 302, (("Location", "/v1/models/ok"),))),
        ("rest-status-cut", "down", Http(b"{", headers=LONG)),
        ("rest-status-drips", "down", Http(b"{", headers=LONG, then=dripping)),
        ("rest-status-endless", "down", Http(b"", headers=CHUNKED, then=endless)),
        ("rest-status-no-http", "down", NOTHING._replace(then=written(b"\0\1\r\n\r\n"))),
        ("rest-status-500", "down", Http(b"x" * 5_000_000, 500)),
        ("rest-status-none-available", "loading", versions({"version": "1", "state": "LOADING"})),
    )
}


def described(found: object) -> Http:
    return Http(json.dumps({"metadata": {"signature_def": {"signature_def": found}}}).encode())


# Of a server whose status is fine. Metadata that can't be read is no reason not to measure it.
REST_METADATA: dict[str, Way] = {
    name: Way(state, lambda answer=answer: answer)
    for name, state, answer in (
        ("rest-metadata-404", "ready", Http(b"", 404)),
        ("rest-metadata-502", "ready", Http(b"<html>", 502)),
        ("rest-metadata-no-json", "ready", Http(b"<html>")),
        ("rest-metadata-deep", "ready", Http(b"[" * 200_000)),
        ("rest-metadata-list", "ready", Http(b"[]")),
        ("rest-metadata-nothing", "ready", described({})),
        ("rest-metadata-of-no-type", "ready", described({"predict_images": {"inputs": {"images": [1]}}})),
        ("rest-metadata-cut", "ready", Http(b"{", headers=LONG)),
        ("rest-metadata-drips", "ready", Http(b"{", headers=LONG, then=dripping)),
        ("rest-metadata-endless", "ready", Http(b"", headers=CHUNKED, then=endless)),
        ("rest-metadata-no-http", "ready", NOTHING._replace(then=written(b"\0\1\r\n\r\n"))),
        (
            "rest-metadata-of-a-control-character",
            "wrong_signature",
            described({"a\x1b\u2028": {"inputs": {"b\x00": {"dtype": "DT_STRING"}}}}),
        ),
        (
            "rest-metadata-of-numbers",
            "wrong_signature",
            described({"predict_images": {"inputs": {"images": {"dtype": "DT_FLOAT"}}}}),
        ),
    )
}


@contextmanager
def hostile_grpc_server() -> Iterator[tuple[str, Counter[str]]]:
    """The address, and how often each way was asked to predict."""
    asked: Counter[str] = Counter()

    def predict(request: bytes, context: grpc.ServicerContext) -> bytes:
        way = predict_pb2.PredictRequest.FromString(request).model_spec.name
        asked[way] += 1
        return GRPC_ANSWERS.get(way, Way(FINE, changed(lambda response: None))).do(context)

    def status(request: bytes, context: grpc.ServicerContext) -> bytes:
        way = get_model_status_pb2.GetModelStatusRequest.FromString(request).model_spec.name
        return GRPC_STATUSES.get(way, Way("ready", raw(status_of().SerializeToString()))).do(context)

    def signature(request: bytes, context: grpc.ServicerContext) -> bytes:
        way = get_model_metadata_pb2.GetModelMetadataRequest.FromString(request).model_spec.name
        return GRPC_METADATA.get(way, Way("ready", raw(signatures().SerializeToString()))).do(context)

    handlers = {PREDICT: predict, GET_MODEL_STATUS: status, GET_MODEL_METADATA: signature}
    with serving(handlers, answer_limit_bytes=-1) as address:
        yield address, asked


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        way = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        self.server.asked[way] += 1
        self._answer(REST_ANSWERS.get(way, Way(FINE, lambda: Http(rows(ROW)))).do())

    def do_GET(self) -> None:
        ready = versions({"version": "1", "state": "AVAILABLE"})
        way, _, of_metadata = self.path.removeprefix("/v1/models/").partition("/")
        ways = REST_METADATA if of_metadata else REST_STATUSES
        self._answer(ways.get(way, Way("ready", lambda: ready)).do())

    def _answer(self, answer: Http) -> None:
        if answer.status:
            self.send_response(answer.status)
            declared = {name for name, _ in answer.headers}
            length = (
                ()
                if declared & {"Content-Length", "Transfer-Encoding"}
                else (("Content-Length", str(len(answer.body))),)
            )
            for header in (*answer.headers, *length):
                self.send_header(*header)
            self.end_headers()
        try:
            self.wfile.write(answer.body)
            if answer.then is not None:
                answer.then(self)
        except OSError:
            pass  # the caller has hung up
        if answer.then is not None or answer.headers in (LONG, CHUNKED) or not answer.status:
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *arguments: object) -> None:
        """Callers hang up in the middle of what they don't want."""


@contextmanager
def hostile_rest_server() -> Iterator[tuple[str, Counter[str]]]:
    """The address, and how often each way was asked to predict."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.asked = Counter()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
