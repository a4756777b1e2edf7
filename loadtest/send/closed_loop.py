"""Closed loop: n requests in flight; the next one goes when an answer has come."""

from __future__ import annotations

import asyncio
import itertools

from loadtest.records import Payload, Taken
from loadtest.send.recording import Recording, Watch, exchange
from loadtest.send.sender import Sender


async def closed_loop(
    sender: Sender,
    payload: Payload,
    in_flight: int,
    seconds: float,
    timeout_s: float,
    watch: Watch,
    requests: int | None = None,
) -> Taken:
    """Keep `in_flight` requests in flight for `seconds` or until `requests` were sent; await the last."""
    recording, numbers = Recording(watch), itertools.count()

    async def user() -> None:
        while recording.now_s() < seconds and not recording.is_over():
            number = next(numbers)
            if requests is not None and number >= requests:
                return
            sent_s = recording.now_s()
            recording.add(
                await exchange(sender, payload, number, sent_s, sent_s, in_flight, timeout_s, recording)
            )

    recording.start(0.0)
    await asyncio.gather(*(user() for _ in range(in_flight)))
    return recording.taken(is_scheduled=False)
