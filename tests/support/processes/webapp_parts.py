"""What the web tests share: settings in a scratch folder, a photo, an app with a scripted worker."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from webapp import create_app
from webapp.config import Settings
from webapp.services import Services

SCRIPTED = (sys.executable, "-m", "tests.support.scripted_worker")
NOWHERE = "127.0.0.1:9"  # the discard port: nothing listens there
SMALL = {"sizes_px": [32], "repeats": 2, "warmups": 1}


def photo_bytes(width_px: int = 64, height_px: int = 48, kind: str = "PNG") -> bytes:
    """A small real photo."""
    out = io.BytesIO()
    Image.new("RGB", (width_px, height_px), (200, 120, 40)).save(out, kind)
    return out.getvalue()


def settings(folder: Path, **changes: Any) -> Settings:
    """Settings for a test: runs kept in `folder`, one backend that nobody answers for."""
    chosen: dict[str, Any] = {"data_dir": str(folder), "tf_servers": f"1 CPU:{NOWHERE}", **changes}
    return Settings(**chosen)


@contextmanager
def serving(folder: Path, worker_command: tuple[str, ...] = SCRIPTED, **changes: Any) -> Iterator[Flask]:
    """An app that is ready to serve, closed afterwards."""
    app = create_app(settings(folder, **changes), worker_command)
    app.testing = False  # errors become answers, as in life
    try:
        yield app
    finally:
        services_of(app).close()


def services_of(app: Flask) -> Services:
    found: Services = app.extensions["pixelcost"]
    return found


def eventually(holds: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The first true answer of `holds`; fails when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answer := holds():
            return answer
        time.sleep(0.01)
    raise AssertionError(f"did not come true within {timeout_s} s: {holds}")


def post(
    client: FlaskClient, name: str = "cat.png", plan: Any = None, data: bytes = b"", **fields: Any
) -> Any:
    body = {"file": (io.BytesIO(data or photo_bytes()), name), **fields}
    if plan is not None:
        body["plan"] = json.dumps(plan)
    return client.post("/api/runs", data=body)


def finished(client: FlaskClient, **arguments: Any) -> str:
    run_id: str = post(client, **{"plan": SMALL, **arguments}).json["id"]
    eventually(lambda: client.get(f"/api/runs/{run_id}").json["state"] not in {"queued", "running"})  # type: ignore[index]
    return run_id


def refused(answer: Any) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json"
    problem = json.loads(answer.data)
    return answer.status_code, problem["code"]
