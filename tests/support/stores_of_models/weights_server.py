"""A web server for weights on this machine, which misbehaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["_Handler", bytes], None]


class WeightsServer:
    """`script` holds the answers to the next requests; after those it behaves well."""

    def __init__(self, files: Mapping[str, bytes], *script: Answer):
        self.files = dict(files)
        self.script = list(script)
        self.ranges: list[str | None] = []  # what each request asked for
        self.headers: dict[str, str] = {}  # sent with every file
        self.released = threading.Event()  # set at the end: lets go of those who are kept waiting
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.owner = self  # type: ignore[attr-defined]
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}/"

    def __enter__(self) -> WeightsServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        owner = self.server.owner
        owner.ranges.append(self.headers.get("Range"))
        data = owner.files.get(self.path.lstrip("/"))
        if data is None:
            self.send_error(404)
            return
        answer = owner.script.pop(0) if owner.script else well
        answer(self, data)

    def start(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in {**self.server.owner.headers, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Not into the tests' output."""


def well(handler: _Handler, data: bytes) -> None:
    """As a good server does, with ranges."""
    asked, offset = handler.headers.get("Range"), _offset(handler)
    if asked and offset >= len(data):
        handler.start(416, 0, **{"Content-Range": f"bytes */{len(data)}"})
        return
    told = {"Content-Range": f"bytes {offset}-{len(data) - 1}/{len(data)}"} if asked else {}
    handler.start(206 if asked else 200, len(data) - offset, **told)
    handler.wfile.write(data[offset:])


def without_ranges(handler: _Handler, data: bytes) -> None:
    """All of it, whatever was asked for."""
    handler.start(200, len(data))
    handler.wfile.write(data)


def cut_after(count: int) -> Answer:
    """The connection ends after that many bytes."""

    def answer(handler: _Handler, data: bytes) -> None:
        offset = _offset(handler)
        told = {"Content-Range": f"bytes {offset}-{len(data) - 1}/{len(data)}"} if offset else {}
        handler.start(206 if offset else 200, len(data) - offset, **told)
        handler.wfile.write(data[offset : offset + count])
        handler.close_connection = True

    return answer


def stalled_after(count: int) -> Answer:
    """Nothing more comes after that many bytes, but the connection stays."""

    def answer(handler: _Handler, data: bytes) -> None:
        handler.start(200, len(data))
        handler.wfile.write(data[:count])
        handler.server.owner.released.wait()

    return answer


def silent(handler: _Handler, data: bytes) -> None:
    """Takes the request and never answers."""
    handler.server.owner.released.wait()


def instead(other: bytes) -> Answer:
    """Other bytes of any length."""
    return lambda handler, data: well(handler, other)


def with_status(status: int) -> Answer:
    return lambda handler, data: handler.send_error(status)


def redirected(handler: _Handler, data: bytes) -> None:
    """To the same file under another name."""
    handler.server.owner.files["elsewhere"] = data
    handler.start(302, 0, Location="/elsewhere")


def of_unknown_length(handler: _Handler, data: bytes) -> None:
    """Until the connection ends."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(data)
    handler.close_connection = True


def _offset(handler: _Handler) -> int:
    asked = handler.headers.get("Range")
    return int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
