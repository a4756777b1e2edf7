"""What every engine can do: keep workers running, and spread tasks over items.

Functions and arguments must be picklable, and the code must be importable where they run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

from experiment.errors import PixelcostError

GRACE_S: Final = 30.0  # for what workers are at when they are asked to end; later they are killed

Item = TypeVar("Item")
Found = TypeVar("Found")


class EngineFailed(PixelcostError):
    """An engine is not installed, can't be reached or gave up. The message says what to do."""

    code = "engine_failed"
    http_status = 500
    items: tuple[Any, ...] = ()  # of spread(): those whose processes died again and again


class Engine(Protocol):
    """Where work runs."""

    name: str  # "local", "ray", "spark"

    def keep_running(
        self,
        work: Callable[[str, Any], None],
        names: Sequence[str],
        settings: Any,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        """Run `work(name, settings)` once for each name, each in a process of its own, until `stop` is set.

        One that ends or dies is started again under the same name, unless it raised a PixelcostError: that
        needs a person. At the end each gets the chance to finish what it is at: locally and on Ray it sees
        SIGTERM. Raises EngineFailed.
        """

    def spread(
        self, task: Callable[[Item], Found], items: Iterable[Item], workers: int, stop: threading.Event
    ) -> Iterator[Found]:
        """Yield `task(item)` for every item, as they end, in no order.

        At most a few items for each worker are under way, so memory does not grow with their number. Once
        `stop` is set no item is begun; those under way are yielded. A task whose worker died is run again
        elsewhere. One whose workers die again and again ends this: the others under way are yielded, then
        EngineFailed names it in `items`; call spread() again with the rest of the same iterator. Raises
        EngineFailed, and what a task raised.
        """
