"""Servers that the questions are asked about: with our extras, with a Prometheus page, and with neither."""

from __future__ import annotations

import pytest

from experiment.records import BackendInfo
from loadtest.questions.material import material_of
from loadtest.questions.target import Target
from tests.support.processes.serving_process import picture, start_server
from tests.support.scripted_server import like_a_stock_server

PICTURE = picture("JPEG")
MONITORING = "prometheus_config { enable: true }"


def rest_of(server) -> BackendInfo:
    return BackendInfo("server over REST", "rest", server.rest_url.split("/")[2])


@pytest.fixture(scope="session")
def embedded(default_server):
    """The embedded server: it reports its stages, and has no page for Prometheus."""
    return Target(BackendInfo("server", address=default_server.grpc_address), rest_of(default_server))


@pytest.fixture(scope="session")
def counting(tmp_path_factory):
    """A server that reports no stages over gRPC, as TensorFlow Serving, but has its page for Prometheus."""
    config = tmp_path_factory.mktemp("monitoring") / "monitoring.config"
    config.write_text(MONITORING)
    with (
        start_server("--monitoring_config_file", str(config)) as server,
        like_a_stock_server(server.grpc_address) as address,
    ):
        yield Target(BackendInfo("counting", address=address), rest_of(server))


@pytest.fixture(scope="session")
def plain(default_server):
    """A server without any of our extras."""
    with like_a_stock_server(default_server.grpc_address) as address:
        yield Target(BackendInfo("plain", address=address))


@pytest.fixture(scope="session")
def picture_for():
    """A target with a small picture."""
    return lambda target: material_of(target, PICTURE)
