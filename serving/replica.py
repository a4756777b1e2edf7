"""One of several processes that answer together: how it is started, asked, and how it is."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from grpc_health.v1 import health_pb2

from serving import frames
from serving.api.grpc import HEALTH_CHECK, RELOAD
from serving.errors import Unavailable
from serving.link import Exchange, Gone, Link
from serving.metrics import OK

ASK_TIMEOUT_S = 2.0
RELOAD_TIMEOUT_S = 600.0  # it loads models
SILENT_CHECKS = 3  # without an answer, then it is killed
DOWN, STARTING, LOADING, READY = "down", "starting", "loading", "ready"
LOST = "lost"  # a connection to it broke: it has ended, and if it has not, the next check finds it again
ENDED = "The replica that had this request has ended and is being restarted. Send the request again."

log = logging.getLogger(__name__)


class Replica:
    """One place, and the process that fills it."""

    def __init__(self, number: int, arguments: Sequence[str], requests_at_once: int):
        self.number = number
        self.state = DOWN
        self.in_flight = 0
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._arguments = arguments
        self._requests_at_once = requests_at_once
        self._link: Link | None = None
        self._silent_checks = 0
        self.configuration = b""  # a reload that came after the start; empty: none

    def start(self) -> subprocess.Popen[bytes]:
        """A new process that does not answer yet."""
        ours, theirs = frames.pair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving", *self._arguments],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,  # its "serving ..." would look like ours; its log goes to stderr
            )
        self._link = Link(ours, self._requests_at_once)
        self.starts += 1
        self._silent_checks = 0
        self.state = STARTING
        return self.process

    @contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """For one request. Raises Unavailable when the process ends before its answer."""
        link = self._link
        try:
            if link is None:
                raise Gone
            with link.exchange() as exchange:
                yield exchange
        except Gone as problem:
            if link is self._link and self.state == READY:
                self.state = LOST  # at once: that the process has ended shows some milliseconds later
            raise Unavailable(ENDED) from problem

    def look(self) -> str:
        """Ask how it is: its state."""
        head = {"method": HEALTH_CHECK, "left_s": ASK_TIMEOUT_S}
        try:
            if self._link is None:
                return DOWN
            with self._link.extra_exchange() as exchange:
                exchange.send(head, b"")
                if not exchange.has_answer(ASK_TIMEOUT_S):
                    return STARTING
                _, answer = exchange.receive()
        except Gone:
            return STARTING
        status = health_pb2.HealthCheckResponse.FromString(answer).status
        return READY if status == health_pb2.HealthCheckResponse.SERVING else LOADING

    def catch_up(self) -> None:
        """Tell a process that was started anew the configuration that the others were told meanwhile."""
        if not self.configuration or self._link is None:
            return
        try:
            with self._link.extra_exchange() as exchange:
                head, _ = exchange.ask({"method": RELOAD, "left_s": RELOAD_TIMEOUT_S}, self.configuration)
        except Gone:
            return  # it has ended again; the next one is told
        if head["code"] != OK:
            log.error("Replica %d can't take the latest configuration: %s", self.number, head["details"])

    def check(self) -> None:
        """Kill a process that was ready and hangs. Its end is then noticed as any other."""
        if self.state not in {READY, LOST}:
            return
        state = self.look()
        if state == READY:
            self.state = READY
        self._silent_checks = self._silent_checks + 1 if state == STARTING else 0
        if self._silent_checks >= SILENT_CHECKS and self.process:
            log.warning("Replica %d does not answer; it is killed", self.number)
            self.process.kill()

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def close(self) -> None:
        """Its process has ended."""
        self.state = DOWN
        if self._link:
            self._link.close()
