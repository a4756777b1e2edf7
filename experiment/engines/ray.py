"""Ray: an actor for each worker, a task for each item, on this machine or on a cluster.

Ray starts a lost actor again and retries a lost task; what is here asks it to, and says in words what it
could not mend. The truth is in Redis and in journals, so a lost Ray loses nothing.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from experiment.engines.answers import words
from experiment.engines.base import GRACE_S, EngineFailed, Found, Item
from experiment.engines.faq import failed
from experiment.engines.poison import MOST_DEATHS, poisoned
from experiment.engines.restarts import Restarts, and_again
from experiment.errors import PixelcostError
from experiment.wording import one_line

OPTIONS: Final = ("ray.address", "ray.cpus_per_worker", "ray.working_dir")
LOOK_S: Final = 0.2
SEAT_S: Final = 1.0  # between two tries to get a place for a worker
ANSWER_S: Final = 5.0
NO_CPU_S: Final = 10.0  # a worker that Ray has not placed after this long waits for a free CPU
OWN: Final = "local"  # not "auto": that may be another command's own, and would end with it
STORE_BYTES: Final = 256 * 2**20  # for the objects of a Ray of our own; its default is 30 % of the memory
HEAD_GONE_S: Final = 45.0  # a head with a Redis of its own may be back before
# Ray ends this whole process, without a word, when the head is gone for longer: more than HEAD_GONE_S.
RECONNECT_S: Final = 120
_ENVIRON: Final = {
    "RAY_worker_niceness": "0",  # 15 would let everything else on the machine go first, the model server too
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray would report what it runs to its makers
    "RAY_gcs_rpc_server_reconnect_timeout_s": str(RECONNECT_S),
    "RAY_task_oom_retries": str(MOST_DEATHS - 1),  # its default is for ever
}


@dataclass(frozen=True)
class RayEngine:
    """Runs work on a Ray cluster, or on a Ray of its own."""

    address: str = ""  # "host:6379"; "": RAY_ADDRESS, else a Ray of our own
    cpus_per_worker: float = 1.0  # that Ray keeps for each; it does not hold a worker to them
    working_dir: str = ""  # this folder is sent to the other machines; "": the code is there already
    name: ClassVar[str] = "ray"

    def keep_running(
        self,
        work: Callable[[str, Any], None],
        names: Sequence[str],
        settings: Any,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        """See Engine. Actors end with this process."""
        with self._connected(len(names)) as ray:
            head = _Head(ray)
            kept = [_Kept(ray, self.cpus_per_worker, (work, name, settings), say) for name in names]
            try:
                while not stop.is_set():
                    _look(ray, kept, LOOK_S)
                    head.check()
                for each in kept:
                    each.ask_to_end()
                until_s = time.monotonic() + GRACE_S
                while any(each.is_at_work for each in kept) and time.monotonic() < until_s:
                    _look(ray, kept, LOOK_S)
                    head.check()
            finally:
                for each in kept:
                    each.kill()

    def spread(
        self, task: Callable[[Item], Found], items: Iterable[Item], workers: int, stop: threading.Event
    ) -> Iterator[Found]:
        """See Engine. Once `stop` is set no item is begun; those under way are yielded."""
        with self._connected(workers) as ray:
            head = _Head(ray)
            begin = ray.remote(num_cpus=self.cpus_per_worker, max_retries=MOST_DEATHS - 1)(
                lambda item: task(item)  # noqa: PLW0108  Ray takes functions only, not what is callable
            )
            source, nothing = iter(items), object()
            poison: list[Item] = []
            under_way: dict[Any, Item] = {}
            try:
                while True:
                    while not stop.is_set() and not poison and len(under_way) < workers:
                        item: Any = next(source, nothing)
                        if item is nothing:
                            break
                        under_way[begin.remote(item)] = item
                    if not under_way:
                        break
                    ended, _ = ray.wait(list(under_way), timeout=1.0)
                    head.check()
                    for ref in ended:
                        item = under_way.pop(ref)
                        try:
                            found: Found = _found(ray, ref)
                        except _Died:
                            poison.append(item)
                        else:
                            yield found
            finally:
                for ref in under_way:
                    ray.cancel(ref, force=True)
        if poison:
            raise poisoned(poison)

    @contextlib.contextmanager
    def _connected(self, workers: int) -> Iterator[Any]:
        """The module, connected. What was connected before is used, and stays so."""
        ray = _ray()
        if ray.is_initialized():
            yield ray
            return
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": True}
        if self.working_dir:
            options["runtime_env"] = {"working_dir": self.working_dir}
        place = self.address or os.environ.get("RAY_ADDRESS") or OWN
        if place == OWN:
            options["include_dashboard"] = False
            options["object_store_memory"] = STORE_BYTES
            options["num_cpus"] = max(os.cpu_count() or 1, math.ceil(workers * self.cpus_per_worker))
        _check_answers(place)
        try:
            with _own_sigterm():
                ray.init(address=place, **options)
        except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            raise failed(f"Ray ({place}) can't be used.", error) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def make(options: Mapping[str, str]) -> RayEngine:
    """The engine. Raises EngineFailed, ModuleNotFoundError."""
    _ray()
    text = str(options.get("ray.cpus_per_worker") or 1)
    try:
        cpus = float(text)
    except ValueError:
        cpus = math.nan
    if not 0 <= cpus < math.inf:
        raise EngineFailed(f"ray.cpus_per_worker must be a number of CPUs such as 1 or 0.5, not {text}.")
    return RayEngine(options.get("ray.address") or "", cpus, options.get("ray.working_dir") or "")


def _ray() -> Any:
    """The module. Raises ModuleNotFoundError."""
    for name, value in _ENVIRON.items():
        os.environ.setdefault(name, value)  # it reads them when it is imported
    import ray  # noqa: PLC0415  takes half a second

    return ray


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray would make SIGTERM end this process at once; what it did before is put back after the block."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_answers(place: str) -> None:
    """Raises EngineFailed at once if nothing is at "host:port"; Ray itself tries for more than a minute."""
    host, _, port = place.rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
        except OSError as error:
            raise failed(f"Ray at {place} does not answer.", ConnectionError("ConnectionError")) from error


class _Seat:
    """The actor: a process of Ray's in which one worker runs. Methods have its main thread, one at a time."""

    def place(self) -> tuple[str, int]:
        """The node, and the process there."""
        import ray  # noqa: PLC0415

        return ray.get_runtime_context().get_node_id(), os.getpid()

    def run(self, work: Callable[[str, Any], None], name: str, settings: Any) -> None:
        """Until it ends. SIGTERM is the worker's to handle."""
        work(name, settings)


def _end(pid: int) -> None:
    """A task, on the same node: an actor that is busy can't be called, but it sees a signal."""
    os.kill(pid, signal.SIGTERM)


class _Died(Exception):
    """The process of a task or of an actor died."""


def _found(ray: Any, ref: Any) -> Any:
    """What a task returned. Raises what it raised, _Died, or EngineFailed."""
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as raised:
        raise raised.cause from None
    except (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.RayActorError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
        ray.exceptions.ObjectLostError,
    ) as died:
        raise _Died(one_line(str(died), 300)) from died
    except ray.exceptions.RayError as error:
        raise failed("Ray gave up.", error) from error


def _look(ray: Any, kept: Sequence[_Kept], wait_s: float) -> None:
    """Wait for a worker that ends, at most so long, and let each see to itself."""
    refs = [each.under_way for each in kept if each.under_way is not None]
    if refs:
        ray.wait(refs, timeout=wait_s)
    else:
        time.sleep(wait_s)
    for each in kept:
        each.look()


class _Kept:
    """One worker. It first asks its actor where it is, and then has it run."""

    def __init__(
        self,
        ray: Any,
        cpus: float,
        arguments: tuple[Callable[[str, Any], None], str, Any],
        say: Callable[[str], None],
    ):
        self._ray = ray
        self._arguments = arguments
        self._what = f"Worker {arguments[1]}"
        self._say = say
        self._restarts = Restarts()
        self._seat = ray.remote(num_cpus=cpus, max_restarts=-1, max_task_retries=0)(_Seat)
        self._actor: Any = None
        self._place: tuple[str, int] | None = None
        self._since_s = self._start_at_s = 0.0
        self._asked_s: float | None = None  # for a place; None: it has one
        self._is_ending = self._has_waited = False
        self.under_way: Any = None  # the actor's answer, when there is one

    @property
    def is_at_work(self) -> bool:
        """Whether it has begun and not ended."""
        return self._place is not None

    def look(self) -> None:
        """Start it, or start it again. Raises EngineFailed."""
        if self.under_way is None:
            if not self._is_ending and time.monotonic() >= self._start_at_s:
                self._start()
            return
        if not self._ray.wait([self.under_way], timeout=0)[0]:
            self._say_if_it_waits()
            return
        try:
            found = _found(self._ray, self.under_way)
        except _Died as died:
            if self._place is None:  # Ray has not started it again yet: its node is lost, say
                self.under_way, self._start_at_s = None, time.monotonic() + SEAT_S
            else:
                self._ended(f"{self._what} was killed.", was_killed=True)
            if not isinstance(died.__cause__, self._ray.exceptions.ActorUnavailableError):
                self._actor = None  # Ray will not start this one again
        except PixelcostError as error:
            raise error if isinstance(error, EngineFailed) else EngineFailed(error.message) from error
        except Exception as bug:
            self._check_code(bug)
            self._ended(f"{self._what} failed: {words(bug)}", was_killed=False)
        else:
            if self._place is None:
                self._run(found)
            else:
                self._ended(f"{self._what} ended.", was_killed=False)

    def ask_to_end(self) -> None:
        """Let it finish what it is at."""
        self._is_ending = True
        if self._place is None:
            return
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

        node, pid = self._place
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        self._ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(_end).remote(pid)

    def kill(self) -> None:
        """At once, if it still runs."""
        if self._actor is not None:
            with contextlib.suppress(Exception):
                self._ray.kill(self._actor)

    def _start(self) -> None:
        if self._actor is None:
            self._actor = self._seat.remote()
        if self._asked_s is None:
            self._asked_s = time.monotonic()
        self.under_way = self._actor.place.remote()

    def _run(self, place: tuple[str, int]) -> None:
        self._place, self._since_s = place, time.monotonic()
        self._asked_s, self._has_waited = None, False
        self.under_way = self._actor.run.remote(*self._arguments)

    def _ended(self, what: str, was_killed: bool) -> None:
        self.under_way = self._place = None
        if not self._is_ending:
            pause_s = self._restarts.pause_s(what, time.monotonic() - self._since_s, was_killed)
            self._start_at_s = time.monotonic() + pause_s
            self._say(and_again(what, pause_s))

    def _say_if_it_waits(self) -> None:
        if self._asked_s and not self._has_waited and time.monotonic() > self._asked_s + NO_CPU_S:
            self._has_waited = True
            self._say(f"{self._what} waits: Ray has no free CPU for it.")

    def _check_code(self, bug: Exception) -> None:
        if isinstance(bug, ModuleNotFoundError):
            raise failed(f"{self._what} can't start.", bug) from bug


class _Head:
    """Watches the cluster's head: Ray itself waits for a lost one, and then ends the process."""

    def __init__(self, ray: Any):
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        self._place = (host.strip("[]"), int(port))
        self._seen_s = self._looked_s = time.monotonic()

    def check(self) -> None:
        """Raises EngineFailed if it has not answered for HEAD_GONE_S."""
        now_s = time.monotonic()
        if now_s < self._looked_s + 1.0:
            return
        try:
            socket.create_connection(self._place, timeout=2.0).close()
        except OSError:
            gone_s = time.monotonic() - self._seen_s
            if gone_s >= HEAD_GONE_S:
                raise EngineFailed(
                    f"The head of Ray at {self._place[0]}:{self._place[1]} has not answered for "
                    f"{gone_s:.0f} s. "
                    "Start it again (ray start --head), then this command: jobs wait in Redis, and what "
                    "a photo set has measured is in its journal."
                ) from None
        else:
            self._seen_s = now_s
        self._looked_s = time.monotonic()
