"""Open loop: requests at the times of a schedule, however long the answers take.

Latency counts from when a request was due, so a stalled server is charged for every request that the
schedule had in its stall. A sender that waits for answers before it sends the next request would skip them
("coordinated omission").
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

from loadtest.records import Payload, Taken
from loadtest.send.recording import Recording, Watch, exchange
from loadtest.send.sender import Sender

# From the pacing thread's timer to the sending task: two wake-ups. What is left of it when the task runs is
# waited out there, so that no request is early; without it all are late by so much.
HANDOVER_S = 0.0002
LEAD_S = 0.05  # between the last preparation and the first request
LOOK_S = 0.1  # how often a wait between two requests looks whether the load has to end
MOST_IN_FLIGHT = 20_000  # then the server has stopped answering, and memory would run out
FULL = "{:,} requests were in flight without an answer, the most that are held. The load was stopped."


async def open_loop(
    sender: Sender, payload: Payload, due_s: Sequence[float], timeout_s: float, watch: Watch
) -> Taken:
    """Send one request at every time of `due_s`; returns when all are answered or have failed.

    `due_s` ascends. Ends early if `watch` says so, or with MOST_IN_FLIGHT requests in flight; those in
    flight are awaited.
    """
    loop, recording, in_flight = asyncio.get_running_loop(), Recording(watch), set[asyncio.Task[None]]()
    all_sent = asyncio.Event()

    async def request(number: int) -> None:
        due = due_s[number]
        while recording.now_s() < due:
            pass
        sent_s, ahead = recording.now_s(), len(in_flight)
        recording.add(await exchange(sender, payload, number, due, sent_s, ahead, timeout_s, recording))

    def fire(number: int) -> None:
        if recording.stopped is None and len(in_flight) >= MOST_IN_FLIGHT:
            recording.stopped = FULL.format(MOST_IN_FLIGHT)
        if recording.stopped is None:
            task = loop.create_task(request(number))
            in_flight.add(task)
            task.add_done_callback(in_flight.discard)

    def pace() -> None:
        """In a thread: the event loop's own timers are whole milliseconds."""
        for number, due in enumerate(due_s):
            while (left_s := due - HANDOVER_S - recording.now_s()) > 0 and not recording.is_over():
                time.sleep(min(left_s, LOOK_S))
            if recording.is_over():
                break
            loop.call_soon_threadsafe(fire, number)
        loop.call_soon_threadsafe(all_sent.set)

    recording.start(LEAD_S)
    threading.Thread(target=pace, name="pace", daemon=True).start()
    await all_sent.wait()
    while in_flight:
        await asyncio.wait(in_flight)
    return recording.taken(is_scheduled=True)
