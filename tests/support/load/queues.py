"""Queues whose latencies are known exactly, as targets of a load: no network, no clock."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from loadtest.arrivals.schedules import poisson
from loadtest.records import Generator, Sample, Taken

ServiceTime = Callable[[random.Random], float]  # -> seconds


def latencies_s(due_s: Sequence[float], service_s: Sequence[float], servers: int = 1) -> list[float]:
    """Of each request, in a queue that is served first come, first served.

    With one server it is Lindley's recursion: a request waits for the end of the one before.
    """
    free_s, found = [0.0] * servers, []
    for due, service in zip(due_s, service_s, strict=True):
        first = min(range(servers), key=free_s.__getitem__)
        free_s[first] = max(due, free_s[first]) + service
        found.append(free_s[first] - due)
    return found


def latencies_with_a_stop_s(
    due_s: Sequence[float], service_s: float, stop_s: float, go_on_s: float
) -> list[float]:
    """Of each request, if all are worked on at once, and the server stands still for a while."""

    def after_the_stop(time_s: float) -> float:
        return go_on_s if stop_s <= time_s < go_on_s else time_s

    return [after_the_stop(after_the_stop(due) + service_s) - due for due in due_s]


class SimulatedTarget:
    """offer() without a network; `spent_s` is its own clock, and a trial costs what it would really take."""

    def __init__(self, service: ServiceTime, servers: int = 1, fails_above: int | None = None):
        """With `fails_above`, a request that finds so many waiting is refused."""
        self._service = service
        self._servers = servers
        self._fails_above = fails_above
        self.spent_s = 0.0

    def offer(self, rate_per_s: float, seconds: float, seed: int) -> Taken:
        due_s = poisson(rate_per_s, seconds, seed)
        generator = random.Random(f"service {seed}")  # not the numbers of the schedule
        ends_s: list[float] = []
        samples = []
        free_s = [0.0] * self._servers
        for due in due_s:
            ends_s = [end for end in ends_s if end > due]
            if self._fails_above is not None and len(ends_s) >= self._fails_above:
                samples.append(Sample(due, due, 1.0, False, "overloaded"))
                continue
            first = min(range(self._servers), key=free_s.__getitem__)
            free_s[first] = max(due, free_s[first]) + self._service(generator)
            ends_s.append(free_s[first])
            samples.append(Sample(due, due, (free_s[first] - due) * 1e3, True, in_flight=len(ends_s)))
        lasted_s = max([seconds, *free_s])
        self.spent_s += lasted_s
        return Taken(samples, 0.0, lasted_s, Generator(None, 0.0, 0.0, 0))


def exponential(mean_s: float) -> ServiceTime:
    return lambda generator: generator.expovariate(1 / mean_s)


def always(service_s: float) -> ServiceTime:
    return lambda generator: service_s


def capacity_of_mm1(mean_s: float, limit_s: float, share: float) -> float:
    """The rate at which `share` of the requests is over the limit: e^-(1/mean - rate) limit = share."""
    return 1 / mean_s + math.log(share) / limit_s


def capacity_of_md1(service_s: float, limit_s: float, share: float) -> float:
    """The same for constant service times, by bisection of Erlang's distribution of the wait (1909)."""
    low, high = 0.0, 1 / service_s
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _late_in_md1(middle, service_s, limit_s) < share else (low, middle)
    return low


def _late_in_md1(rate_per_s: float, service_s: float, limit_s: float) -> float:
    wait_s, total = limit_s - service_s, 0.0
    for number in range(math.floor(wait_s / service_s + 1e-9) + 1):
        part = rate_per_s * (number * service_s - wait_s)
        total += math.exp(-part) * part**number / math.factorial(number)
    return 1 - (1 - rate_per_s * service_s) * total
