"""One live gateway for all files; each test names jobs of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from experiment.queue.records import QueueSettings
from tests.support.processes.gateway_process import GatewayProcess, running_gateway
from tests.support.processes.webapp_parts import NOWHERE
from tests.support.queue.redis_server import new_queue
from tests.support.scripted_server import always, good_answer, grpc_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def gateway_queue(redis_url: str) -> QueueSettings:
    """The queue of the shared gateway."""
    return new_queue(redis_url)


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, gateway_queue: QueueSettings
) -> Iterator[GatewayProcess]:
    """A gateway that tests leave as it was, with a model server that knows only cats."""
    folder = tmp_path_factory.mktemp("gateway")
    with (
        grpc_server(always(good_answer())) as address,
        running_gateway(folder, gateway_queue, "--tf_servers", f"1 CPU:{address};gone:{NOWHERE}") as started,
    ):
        yield started


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Ids that no other test uses."""
    return lambda: f"job-{next(_numbers)}"
