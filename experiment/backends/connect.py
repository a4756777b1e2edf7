"""From what is known of a backend to the object that sends it requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager

from experiment.backends.base import Backend, FakeBackend, NullBackend
from experiment.records import BackendInfo


def connect(info: BackendInfo) -> Backend:
    """Open a backend. Call it in the process that will use it: gRPC does not survive a fork."""
    return _CONNECTORS[info.protocol](info)


@contextmanager
def connected(infos: Iterable[BackendInfo]) -> Iterator[list[Backend]]:
    """Open backends for the length of the block, in their order."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(connect(info))) for info in infos]


def _grpc(info: BackendInfo) -> Backend:
    from experiment.backends.grpc import GrpcBackend  # noqa: PLC0415  importing gRPC takes time and memory

    return GrpcBackend(info)


def _rest(info: BackendInfo) -> Backend:
    from experiment.backends.rest import RestBackend  # noqa: PLC0415  only who uses it loads it

    return RestBackend(info)


_CONNECTORS: dict[str, Callable[[BackendInfo], Backend]] = {
    "grpc": _grpc,
    "rest": _rest,
    "null": NullBackend,
    "fake": lambda info: FakeBackend(info=info),
}
