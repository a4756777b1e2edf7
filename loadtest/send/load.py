"""offer(): one load from the outside: opens, warms up, sends, closes. The event loop stays in here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from experiment.backends.replicas import addresses_of
from experiment.records import BackendInfo
from loadtest.records import Payload, Taken
from loadtest.send.closed_loop import closed_loop
from loadtest.send.open_loop import open_loop
from loadtest.send.recording import Watch
from loadtest.send.sender import Sender, SendFailed

WARMUPS = 3
SWITCH_INTERVAL_S = 0.0005  # between the pacing thread and the event loop; Python's own 5 ms would be seen


def offer(
    info: BackendInfo,
    payload: Payload,
    due_s: Sequence[float],
    timeout_s: float,
    watch: Watch | None = None,
    warmups: int = WARMUPS,
) -> Taken:
    """Open loop: one request at every time of `due_s`, in seconds from the start, ascending.

    >>> offer(BackendInfo("GPU", address="tf-gpu:8500"), payload, even(100, 10), 60).generator.late_p99_ms
    0.2
    """

    async def go(sender: Sender) -> Taken:
        return await open_loop(sender, payload, due_s, timeout_s, watch or Watch())

    return _run(info, payload, timeout_s, warmups, go)


def keep_in_flight(
    info: BackendInfo,
    payload: Payload,
    in_flight: int,
    seconds: float,
    timeout_s: float,
    watch: Watch | None = None,
    requests: int | None = None,
    warmups: int = WARMUPS,
) -> Taken:
    """Closed loop: `in_flight` requests at any time for `seconds`, or until `requests` were sent."""

    async def go(sender: Sender) -> Taken:
        return await closed_loop(sender, payload, in_flight, seconds, timeout_s, watch or Watch(), requests)

    return _run(info, payload, timeout_s, warmups, go)


def _run(
    info: BackendInfo,
    payload: Payload,
    timeout_s: float,
    warmups: int,
    go: Callable[[Sender], Awaitable[Taken]],
) -> Taken:
    async def whole() -> Taken:
        sender = _sender_for(info)
        await sender.open()
        try:
            with suppress(SendFailed):  # then no further one: each may take the whole time limit
                for number in range(warmups):
                    await sender.send(payload.bodies[number % len(payload.bodies)], timeout_s)
            return await go(sender)
        finally:
            await sender.close()

    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        return _awaited(whole)
    finally:
        sys.setswitchinterval(before)


def _awaited(whole: Callable[[], Coroutine[Any, Any, Taken]]) -> Taken:
    """asyncio.run(), also for a caller in an event loop, as a notebook: then in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    with ThreadPoolExecutor(1, "load") as pool:
        return pool.submit(lambda: asyncio.run(whole())).result()


def _sender_for(info: BackendInfo) -> Sender:
    """The sender of a backend's protocol, with connections to all of its replicas."""
    addresses = addresses_of(info.address) or (info.address,)
    if info.protocol == "rest":
        from loadtest.send.rest import RestSender  # noqa: PLC0415  loaded only if it is used

        return RestSender(info, addresses)
    from loadtest.send.grpc import GrpcSender  # noqa: PLC0415  loaded only if it is used

    return GrpcSender(info, addresses)
