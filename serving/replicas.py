"""Several processes that answer as one server: started, watched, restarted, chosen for each request."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.errors import Unavailable
from serving.limits import STOP_GRACE_S
from serving.ports import GRPC_OPTIONS

LOOK_EVERY_S = 0.05  # while a replica is not ready
ASK_TIMEOUT_S = 1.0
PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0  # before a restart; doubled as long as it does not get ready
DOWN, STARTING, LOADING, READY = "down", "starting", "loading", "ready"

CHANNEL_OPTIONS = (
    *GRPC_OPTIONS,
    ("grpc.enable_retries", 0),  # a request that failed is told, not repeated: this is for measuring
)

log = logging.getLogger(__name__)


def share_cores(pool: Sequence[int], cpus: int | None, count: int) -> list[tuple[int, ...]]:
    """The cores of each replica: `cpus` of the pool, or an equal share; apart if there are enough."""
    each = min(cpus or max(1, len(pool) // count), len(pool))
    return [tuple(sorted(pool[(at * each + i) % len(pool)] for i in range(each))) for at in range(count)]


class Replica:
    """One place, and the process that fills it. Each process has sockets of its own."""

    def __init__(self, number: int, arguments: Sequence[str], folder: Path):
        self.number = number
        self.state = DOWN
        self.in_flight = 0
        self.starts = 0
        self.rest_path = ""
        self.channel: grpc.Channel | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._arguments = arguments
        self._folder = folder

    def start(self) -> subprocess.Popen[bytes]:
        """A new process that does not answer yet."""
        self.starts += 1
        grpc_path = str(self._folder / f"{self.number}-{self.starts}.grpc")
        self.rest_path = str(self._folder / f"{self.number}-{self.starts}.rest")
        sockets = ["--grpc_socket_path", grpc_path, "--rest_api_socket_path", self.rest_path]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serving", *self._arguments, *sockets],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # its "serving ..." would look like ours; its log goes to stderr
        )
        self.channel = grpc.insecure_channel(f"unix:{grpc_path}", options=CHANNEL_OPTIONS)
        self.state = STARTING
        return self.process

    def look(self) -> str:
        """Ask how it is, as any client would: its state."""
        if self.channel is None:
            return DOWN
        try:
            ask = health_pb2_grpc.HealthStub(self.channel).Check
            status = ask(health_pb2.HealthCheckRequest(), timeout=ASK_TIMEOUT_S).status
        except grpc.RpcError:
            return STARTING
        return READY if status == health_pb2.HealthCheckResponse.SERVING else LOADING

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def close(self) -> None:
        """Its process has ended: what still waits for it fails."""
        self.state = DOWN
        if self.channel:
            self.channel.close()


class Replicas:
    """All of them. `on_change` hears how many are ready whenever that changes."""

    def __init__(self, commands: Sequence[Sequence[str]], folder: Path, on_change: Callable[[int], None]):
        self.all = [Replica(number, command, folder) for number, command in enumerate(commands)]
        self.refused = threading.Event()  # one ended before it was ever ready: so would the next
        self.exit_code = 0  # its exit code
        self._on_change = on_change
        self._counting = threading.Lock()
        self._stopping = threading.Event()

    def start(self) -> None:
        for replica in self.all:
            name = f"replica-{replica.number}"
            threading.Thread(target=self._keep, args=(replica,), name=name, daemon=True).start()

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
            raise Unavailable("No replica answers yet: they are starting. Try again in a moment.")
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

    def _follow(self, replica: Replica) -> bool:
        """Return when the replica is ready, True, or has ended, False."""
        while not replica.has_ended():
            replica.state = replica.look()
            if replica.state == READY:
                self._on_change(len(self.ready()))
                log.info("Replica %d is ready%s", replica.number, " again" if replica.starts > 1 else "")
                return True
            time.sleep(LOOK_EVERY_S)
        return False
