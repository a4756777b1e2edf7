"""What many tests share: the exported default model, and one running app."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests.support.processes.app_process import running_app
from tests.support.processes.browser import browser, visit  # noqa: F401  # fixtures
from tests.support.queue.redis_server import no_pauses, queue, redis_client, redis_url  # noqa: F401

# Hundreds of processes that tests start read the same modules: each is compiled once, even where the
# environment asks Python to keep nothing.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No test may depend on how fast a shared machine happens to be.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def default_model():
    """Base path of the exported default model."""
    from tests.support.processes.serving_process import default_model_dir

    return default_model_dir()


@pytest.fixture(scope="session")
def app(tmp_path_factory, default_model):
    """The app with embedded backends, shared by all tests that leave it as it was."""
    with running_app(tmp_path_factory.mktemp("app"), MODEL_BASE_PATH=str(default_model)) as app:
        yield app


@pytest.fixture(scope="session")
def default_server():
    """A ready `python -m serving` with the default model, shared by all tests that leave it as it was."""
    from tests.support.processes.serving_process import start_server

    with start_server() as server:
        yield server
