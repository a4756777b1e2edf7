"""One live gateway for all files; each test names jobs of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from experiment.queue.records import QueueSettings
from tests.support.processes.gateway_process import GatewayProcess, running_gateway
from tests.support.queue.redis_server import new_queue

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def gateway_queue(redis_url: str) -> QueueSettings:
    """The queue of the shared gateway."""
    return new_queue(redis_url)


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, gateway_queue: QueueSettings
) -> Iterator[GatewayProcess]:
    """A gateway that tests leave as it was."""
    with running_gateway(tmp_path_factory.mktemp("gateway"), gateway_queue) as started:
        yield started


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Ids that no other test uses."""
    return lambda: f"job-{next(_numbers)}"
