"""A client of the web app, in one process: nothing is measured, and its backend is down."""

from __future__ import annotations

import tempfile
from functools import cache

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from webapp import create_app
from webapp.config import Settings

BOUNDARY = "pixelcost-fuzz"


@cache
def client() -> FlaskClient:
    """Plans may ask for one request only, so that every run is refused once its upload has been read."""
    folder = tempfile.mkdtemp(prefix="pixelcost-fuzz-")
    app = create_app(Settings(data_dir=folder, tf_servers="Nobody:127.0.0.1:9", max_requests=1, keep_runs=5))
    app.testing = False  # errors become answers, as in life
    return app.test_client()


def checked(answer: TestResponse) -> TestResponse:
    """The answer. Raises AssertionError where it is the app's fault."""
    if answer.status_code >= 500:
        raise AssertionError(f"{answer.request.path}: {answer.status_code}: {answer.data[:300]!r}")
    return answer


def part(name: str, content: bytes, file_name: str = "") -> bytes:
    """One part of a multipart form."""
    file = f'; filename="{file_name}"' if file_name else ""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        + content
        + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    """A whole multipart form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
