"""connect(): opens the backend that a BackendInfo describes. A new protocol is a new row of _CONNECTORS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

from experiment.backends.base import Backend
from experiment.records import BackendInfo


def connect(info: BackendInfo) -> Backend:
    """The backend. Call it in the process that uses it: gRPC does not survive a fork."""
    return _CONNECTORS[info.protocol](info)


@contextmanager
def connected(infos: Iterable[BackendInfo]) -> Iterator[list[Backend]]:
    """The backends in the order of `infos`, closed at the end of the `with` block."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(connect(info))) for info in infos]


def _grpc(info: BackendInfo) -> Backend:
    from experiment.backends.grpc import GrpcBackend  # noqa: PLC0415  importing gRPC takes time and memory

    return GrpcBackend(info)


def _rest(info: BackendInfo) -> Backend:
    from experiment.backends.rest import RestBackend  # noqa: PLC0415  loaded only if it is used

    return RestBackend(info)


def _queue(info: BackendInfo) -> Backend:
    from experiment.backends.queue import QueueBackend  # noqa: PLC0415  as above

    return QueueBackend(info)


_CONNECTORS: dict[str, Callable[[BackendInfo], Backend]] = {"grpc": _grpc, "rest": _rest, "queue": _queue}
