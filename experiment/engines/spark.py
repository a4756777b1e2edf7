"""Spark: a job for each worker and for each item, each with one task, on this machine or on a cluster.

A job of its own costs some 10 ms, and a poison item then fails its job only. Spark retries a task whose
process died; a job that it gives up is begun again here if it was a worker's.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from experiment.engines.answers import answer_of, words
from experiment.engines.base import GRACE_S, EngineFailed, Found, Item
from experiment.engines.faq import failed
from experiment.engines.java import check_java
from experiment.engines.leash import Leash, held
from experiment.engines.poison import MOST_DEATHS, poisoned
from experiment.engines.restarts import Restarts, and_again
from experiment.errors import PixelcostError

LOOK_S: Final = 0.2
NO_CORE_S: Final = 30.0  # a worker that Spark has not placed after this long waits for a free core
_ROOT: Final = Path(__file__).resolve().parents[2]
_DEATH: Final = re.compile(
    r"Python worker exited unexpectedly|ExecutorLostFailure|Python worker failed to connect"
)
_LOCAL: Final = re.compile(r"local(?:\[(\*|\d+)(?:,\d+)?\])?")
# Key of Cluster Serving's config.yaml -> Spark's own name.
SETTINGS: Final = {
    "spark.driver_memory": "spark.driver.memory",
    "spark.executor_memory": "spark.executor.memory",
    "spark.num_executors": "spark.executor.instances",
    "spark.executor_cores": "spark.executor.cores",
    "spark.total_executor_cores": "spark.cores.max",
}
OPTIONS: Final = ("spark.master", *SETTINGS)


@dataclass(frozen=True)
class SparkEngine:
    """Runs work on Spark."""

    master: str = "local[*]"  # also spark://host:7077, yarn, k8s://https://host:6443
    settings: tuple[tuple[str, str], ...] = ()  # by Spark's own names
    name: ClassVar[str] = "spark"

    def keep_running(
        self,
        work: Callable[[str, Any], None],
        names: Sequence[str],
        settings: Any,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        """See Engine. At the end each worker sees SIGTERM, which its process sends to itself (leash.py)."""
        ending = threading.Event()
        group = _new_group()
        with self._context(len(names)) as context, _leash(context, say) as leash:
            keep = functools.partial(_keep, context, group, leash, work, settings, ending, say)
            with ThreadPoolExecutor(len(names)) as threads:
                kept = [threads.submit(keep, name) for name in names]
                started_s, has_waited = time.monotonic(), False
                while not stop.wait(LOOK_S) and not any(each.done() for each in kept):
                    missing = [name for name in names if name not in leash.begun]
                    if missing and not has_waited and time.monotonic() > started_s + NO_CORE_S:
                        has_waited = True
                        say(f"{', '.join(missing)}: Spark has no free core for them yet; they wait.")
                ending.set()
                leash.let_go()
                wait(kept, GRACE_S)
                context.cancelJobGroup(group)
            for each in kept:
                each.result()

    def spread(
        self, task: Callable[[Item], Found], items: Iterable[Item], workers: int, stop: threading.Event
    ) -> Iterator[Found]:
        """See Engine. Once `stop` is set no item is begun; those under way are yielded."""
        source, nothing = iter(items), object()
        poison: list[Item] = []
        under_way: dict[Future[tuple[bool, Any]], Item] = {}
        group = _new_group()
        with self._context(workers) as context:
            begin = functools.partial(_run, context, group, functools.partial(answer_of, task))
            with ThreadPoolExecutor(workers) as threads, _cancelled_if_left(context, group):
                while True:
                    while not stop.is_set() and not poison and len(under_way) < workers:
                        item: Any = next(source, nothing)
                        if item is nothing:
                            break
                        under_way[threads.submit(begin, item)] = item
                    if not under_way:
                        break
                    for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                        item = under_way.pop(ended)
                        try:
                            is_found, value = ended.result()
                        except _Died:
                            poison.append(item)
                        else:
                            if not is_found:
                                raise value
                            yield value
        if poison:
            raise poisoned(poison)

    @contextlib.contextmanager
    def _context(self, workers: int) -> Iterator[Any]:
        """Spark's context; one that this process has is used, and stays."""
        from pyspark import SparkConf, SparkContext  # noqa: PLC0415  only there if asked for

        if SparkContext._active_spark_context is not None:
            yield SparkContext._active_spark_context
            return
        check_java()
        conf = SparkConf().setAppName("pixelcost")
        for key, value in self._conf(workers):
            conf.set(key, value)
        try:
            context = SparkContext(conf=conf)
        except Exception as error:
            raise failed(f"Spark ({self.master}) did not start.", error) from error
        try:
            yield context
        finally:
            context.stop()

    def _conf(self, workers: int) -> Iterator[tuple[str, str]]:
        yield "spark.ui.enabled", "false"
        yield "spark.ui.showConsoleProgress", "false"
        yield "spark.task.maxFailures", str(MOST_DEATHS)
        yield "spark.executorEnv.PYTHONPATH", str(_ROOT)  # there too, if the program is at the same place
        local = _LOCAL.fullmatch(self.master)
        if local is None:
            yield "spark.master", self.master
        else:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            threads = local[1] or "1"
            # Workers mostly wait for the model server, so more of them than cores is no mistake.
            count = max(os.cpu_count() or 1, workers) if threads == "*" else threads
            yield "spark.master", f"local[{count},{MOST_DEATHS}]"  # it does not heed spark.task.maxFailures
            yield "spark.driver.host", "127.0.0.1"
            yield "spark.driver.bindAddress", "127.0.0.1"
            yield "spark.log.level", "FATAL"  # a killed worker is one sentence, not three stack traces
        yield from self.settings


def make(options: Mapping[str, str]) -> SparkEngine:
    """The engine. Options: the six keys of Cluster Serving's config.yaml. Raises ModuleNotFoundError."""
    import pyspark  # noqa: F401, PLC0415  whether it is installed

    settings = tuple((spark, str(options[key])) for key, spark in SETTINGS.items() if options.get(key))
    return SparkEngine(str(options.get("spark.master") or "local[*]"), settings)


class _Died(Exception):
    """The processes of a task died, as often as Spark tries."""


def _new_group() -> str:
    """A name for jobs, under which they can be cancelled."""
    return f"pixelcost-{os.getpid()}-{time.monotonic_ns()}"


@contextlib.contextmanager
def _cancelled_if_left(context: Any, group: str) -> Iterator[None]:
    try:
        yield
    except BaseException:  # also GeneratorExit: nobody wants the rest
        context.cancelJobGroup(group)
        raise


@contextlib.contextmanager
def _leash(context: Any, say: Callable[[str], None]) -> Iterator[Leash]:
    host = context.getConf().get("spark.driver.host")
    with Leash(host, say) as leash:
        yield leash


def _run(context: Any, group: str, body: Callable[[Any], Any], item: Any) -> Any:
    """What `body(item)` returns, run as a job with one task. Raises _Died or EngineFailed."""
    context.setJobGroup(group, "pixelcost", interruptOnCancel=True)  # of this thread
    try:
        (found,) = context.parallelize([item], 1).map(body).collect()
    except Exception as error:
        text = str(error)
        if _DEATH.search(text):
            raise _Died(text) from error
        raise failed("Spark gave up.", error) from error
    return found


def _keep(
    context: Any,
    group: str,
    leash: Leash,
    work: Callable[[str, Any], None],
    settings: Any,
    ending: threading.Event,
    say: Callable[[str], None],
    name: str,
) -> None:
    """Run one worker again and again. Raises EngineFailed."""
    what, restarts = f"Worker {name}", Restarts()
    body = functools.partial(_seat, work, settings, leash.address, leash.token)
    while not ending.is_set():
        started_s = time.monotonic()
        try:
            is_found, raised = _run(context, group, body, name)
        except _Died:
            happened, was_killed = f"{what} was killed.", True
        except EngineFailed:
            if ending.is_set():
                return
            raise
        else:
            if isinstance(raised, PixelcostError):
                raise raised if isinstance(raised, EngineFailed) else EngineFailed(raised.message)
            happened = f"{what} ended." if is_found else f"{what} failed: {words(raised)}"
            was_killed = False
        if ending.is_set():
            return
        pause_s = restarts.pause_s(happened, time.monotonic() - started_s, was_killed)
        say(and_again(happened, pause_s))
        ending.wait(pause_s)


def _seat(
    work: Callable[[str, Any], None], settings: Any, address: tuple[str, int], token: str, name: str
) -> tuple[bool, Any]:
    """What runs in a task's process: the worker, until it ends."""
    from pyspark import TaskContext  # noqa: PLC0415

    attempt = TaskContext.get().attemptNumber()
    with held(address, token, name, attempt) as is_held:
        if not is_held:
            return (
                False,
                EngineFailed(
                    f"The machine of worker {name} can't reach this command at {address[0]}:{address[1]}. "
                    "Set spark.driver.host to an address of this machine that Spark's executors reach "
                    "($SPARK_CONF_DIR/spark-defaults.conf)."
                ),
            )
        return answer_of(functools.partial(work, name), settings)
