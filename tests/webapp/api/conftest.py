"""An app with a scripted worker, and a client of it; a test file may bring its own in their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.processes.webapp_parts import serving


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Flask]:
    with serving(tmp_path) as app:
        yield app


@pytest.fixture
def client(web: Flask) -> FlaskClient:
    return web.test_client()
