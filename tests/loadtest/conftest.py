"""A server that tests of several folders share."""

from __future__ import annotations

import pytest

from tests.support.models.servables import servable
from tests.support.processes.model_server import model_server


@pytest.fixture(scope="session")
def digits():
    """A ready server with the model of numbers `digits`, input [n, 784]."""
    with model_server("--model_name=digits", f"--model_base_path={servable('digits')}") as server:
        yield server
