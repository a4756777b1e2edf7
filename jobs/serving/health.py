"""Health of a `serve` for orchestrators, over HTTP: it has no other port that they could ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from experiment.errors import PixelcostError

SLOW_S: Final = 5.0  # for a client to send its request


@contextmanager
def answering_health(port: int | None) -> Iterator[threading.Event]:
    """Answer /healthz with 200, and /readyz with 503 until the event is set, until the end of the block.

    Without a port nothing listens. Raises PixelcostError if the port is taken.
    """
    ready = threading.Event()
    if port is None:
        yield ready
        return

    class Health(BaseHTTPRequestHandler):
        timeout = SLOW_S

        def do_GET(self) -> None:
            found = {"/healthz": 200, "/readyz": 200 if ready.is_set() else 503}.get(self.path, 404)
            body = {200: b"ok\n", 503: b"the workers are starting\n", 404: b"not here\n"}[found]
            self.send_response(found)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass  # probes come every few seconds

    try:
        server = ThreadingHTTPServer(("", port), Health)
    except OSError as error:
        raise PixelcostError(f"--health-port {port} can't be used: {error.strerror}.") from None
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield ready
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
