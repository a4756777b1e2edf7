"""Several processes that answer as one server: started, watched, restarted, chosen for each request."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from serving.errors import Unavailable
from serving.limits import STOP_GRACE_S
from serving.replica import LOADING, READY, Replica

LOOK_EVERY_S = 0.05  # while a replica is not ready
HANG_CHECK_S = 10.0  # how often a ready replica is asked whether it still answers
PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0  # before a restart; doubled as long as it does not get ready
NONE_YET = "No replica answers yet: they are starting. Try again in a moment."

log = logging.getLogger(__name__)


def share_cores(pool: Sequence[int], cpus: int | None, count: int) -> list[tuple[int, ...]]:
    """The cores of each replica: `cpus` of the pool, or an equal share; apart if there are enough."""
    each = min(cpus or max(1, len(pool) // count), len(pool))
    return [tuple(sorted(pool[(at * each + i) % len(pool)] for i in range(each))) for at in range(count)]


class Replicas:
    """All of them. `on_change` hears how many are ready whenever that changes."""

    def __init__(
        self, commands: Sequence[Sequence[str]], requests_at_once: int, on_change: Callable[[int], None]
    ):
        self.all = [Replica(number, command, requests_at_once) for number, command in enumerate(commands)]
        self.refused = threading.Event()  # one ended before it was ever ready: so would the next
        self.exit_code = 0  # its exit code
        self._on_change = on_change
        self._counting = threading.Lock()
        self._stopping = threading.Event()

    def start(self) -> None:
        for replica in self.all:
            name = f"replica-{replica.number}"
            threading.Thread(target=self._keep, args=(replica,), name=name, daemon=True).start()
        threading.Thread(target=self._check, name="replicas-check", daemon=True).start()

    def wait_ready(self) -> bool:
        """Whether all became ready; False when one refused to start."""
        while not self.refused.is_set():
            if all(replica.state == READY for replica in self.all):
                return True
            self.refused.wait(LOOK_EVERY_S)
        return False

    @contextmanager
    def least_busy(self) -> Iterator[Replica]:
        """The one with the fewest requests in flight, for one request. Raises Unavailable if there is none.

        While none is ready, one that loads is asked: it tells that, and the state of its versions.
        """
        with self._counting:
            replica = self._choose()
            replica.in_flight += 1
        try:
            yield replica
        finally:
            with self._counting:
                replica.in_flight -= 1

    def ready(self) -> list[Replica]:
        return [replica for replica in self.all if replica.state == READY]

    def everyone(self) -> list[Replica]:
        """Those that can be told something now. Raises Unavailable if there is none."""
        if not (ready := self.ready()):
            raise Unavailable(NONE_YET)
        return ready

    def remember(self, configuration: bytes) -> None:
        """What a replica that starts from now on has to be told."""
        for replica in self.all:
            replica.configuration = configuration

    def stop(self) -> None:
        """End all processes; those that take too long are killed."""
        self._stopping.set()
        processes = [replica.process for replica in self.all if replica.process]
        for process in processes:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_GRACE_S + 1
        for process in processes:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _choose(self) -> Replica:
        usable = self.ready() or [replica for replica in self.all if replica.state == LOADING]
        if not usable:
            raise Unavailable(NONE_YET)
        return min(usable, key=lambda replica: replica.in_flight)

    def _keep(self, replica: Replica) -> None:
        """Start the replica, follow it, start it again."""
        pause_s = PAUSE_S
        while not self._stopping.is_set():
            process = replica.start()
            was_ready = self._follow(replica)
            exit_code = process.wait()
            replica.close()
            self._on_change(len(self.ready()))
            if self._stopping.is_set():
                return
            if exit_code > 0 and not was_ready and replica.starts == 1:
                self.exit_code = exit_code
                self.refused.set()
                return
            log.warning("Replica %d ended (exit code %d); it is restarted", replica.number, exit_code)
            pause_s = PAUSE_S if was_ready else min(2 * pause_s, LONGEST_PAUSE_S)
            self._stopping.wait(pause_s)

    def _check(self) -> None:
        while not self._stopping.wait(HANG_CHECK_S):
            for replica in self.all:
                replica.check()

    def _follow(self, replica: Replica) -> bool:
        """Return when the replica is ready, True, or has ended, False."""
        while not replica.has_ended():
            state = replica.look()
            if state == READY:
                replica.catch_up()
            replica.state = state
            if state == READY:
                self._on_change(len(self.ready()))
                log.info("Replica %d is ready%s", replica.number, " again" if replica.starts > 1 else "")
                return True
            time.sleep(LOOK_EVERY_S)
        return False
