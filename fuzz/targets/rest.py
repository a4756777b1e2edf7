"""Bodies of REST requests to the model server, over WSGI: TensorFlow Serving's JSON."""

from __future__ import annotations

import base64
import functools
import gzip
import io
import json
from collections.abc import Iterator

from fuzz import numbers_model
from fuzz.target import Target
from serving.api.rest import RestApi
from serving.config.text_messages import Monitoring

ACTIONS = (":predict", ":classify", ":regress")


@functools.cache
def _api() -> RestApi:
    return RestApi(numbers_model.serving(), timeout_s=10.0, monitoring=Monitoring())


def _feed(data: bytes) -> str:
    """The first byte chooses method and encoding, so that mutations reach all of them."""
    choice, body = data[0] if data else 0, data[1:]
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/v1/models/{numbers_model.NAME}{ACTIONS[choice % 3]}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "waitress.client_disconnected": lambda: False,
    }
    if choice >= 0x80:
        environ["HTTP_CONTENT_ENCODING"] = "gzip"
    status: list[int] = []
    answer = b"".join(_api()(environ, lambda text, headers: status.append(int(text[:3]))))
    if status[0] >= 500:
        raise AssertionError(f"{status[0]}: {answer[:300]!r}")
    json.loads(answer)
    return f"answered {status[0]}"


def _seeds() -> Iterator[bytes]:
    bodies = [
        {"instances": [1.0, 2, -3e-5]},
        {"signature_name": "square", "instances": [[[1, 2], [3, 4]]]},
        {"signature_name": "uint64", "inputs": [2**64 - 1, 1]},
        {"signature_name": "int64", "inputs": {"x": [-5, 2**62]}},
        {"signature_name": "bool", "inputs": [True, False]},
        {"signature_name": "string", "instances": ["text", {"b64": base64.b64encode(b"bytes").decode()}]},
        {"signature_name": "int8", "instances": [{"x": 1}, {"x": -128}]},
        {"signature_name": "half", "inputs": [0.5]},
        {"signature_name": "serving_default", "inputs": [], "output_filter": ["y"]},
    ]
    yield from (b"\0" + json.dumps(body).encode() for body in bodies)
    examples = {"examples": [{"x": 1.0, "name": "a", "list": [1, 2]}], "context": {"c": {"b64": "YQ=="}}}
    yield from (bytes([action]) + json.dumps(examples).encode() for action in (1, 2))
    yield b"\x80" + _gzip(b'{"instances": [1]}') + _gzip(b"\n")


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


TOKENS = [
    *(b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e-400", b"-0", b"18446744073709551616", b"9" * 5000),
    *(
        b"[" * 50,
        b"{" * 50,
        b"[[[]]]",
        b"null",
        b"true",
        b'""',
        b'"\\ud800"',
        b'"\\u0000"',
        b'{"b64":"',
        b"\xff\xfe",
    ),
    *(
        b'"signature_name":',
        b'"inputs":',
        b'"instances":',
        b'"examples":',
        b'"context":',
        b",",
        b":",
        b"//",
        b"/*",
    ),
]
TARGET = Target("rest", lambda: list(_seeds()), _feed, TOKENS)
