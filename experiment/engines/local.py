"""This machine: each worker is a process of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from typing import Any, Final, cast

from experiment.engines.base import GRACE_S, Found, Item
from experiment.engines.local_process import Hand, Kept
from experiment.engines.poison import MOST_DEATHS, poisoned

OPTIONS: Final[tuple[str, ...]] = ()
LOOK_S: Final = 0.1


class Local:
    """Runs work in processes of this machine."""

    name = "local"

    def keep_running(
        self,
        work: Callable[[str, Any], None],
        names: Sequence[str],
        settings: Any,
        stop: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        """See Engine. Their processes end with the thread that calls this."""
        kept = [Kept(work, name, settings, say) for name in names]
        try:
            for each in kept:
                each.start()
            while not stop.wait(LOOK_S):
                for each in kept:
                    each.look()
            for each in kept:
                each.ask_to_end()
            until_s = time.monotonic() + GRACE_S
            for each in kept:
                each.wait_for_end(until_s)
        finally:
            for each in kept:
                each.kill()

    def spread(
        self, task: Callable[[Item], Found], items: Iterable[Item], workers: int, stop: threading.Event
    ) -> Iterator[Found]:
        """See Engine. Once `stop` is set no item is begun; those under way are yielded."""
        source = iter(items)
        again: deque[Hand] = deque()  # whose process died with its item
        hands: list[Hand] = []
        free: deque[Hand] = deque()
        poison: list[Item] = []
        try:
            while True:
                _begin(task, iter(()) if poison else source, workers, again, hands, free, stop)
                busy = {hand.answers: hand for hand in hands if hand.is_busy}
                if not busy and poison:
                    raise poisoned(poison)
                if not busy:
                    return
                for ready in wait(list(busy)):
                    hand = busy[cast(Any, ready)]
                    answer = hand.answer()
                    if answer is None and hand.deaths < MOST_DEATHS:
                        again.append(hand)
                        continue
                    if answer is None:
                        poison.append(hand.item)
                        hands.remove(hand)
                        continue
                    free.append(hand)
                    is_found, value = answer
                    if not is_found:
                        raise value
                    yield value
        finally:
            for hand in hands:
                hand.end()


def make(options: Mapping[str, str]) -> Local:
    """The engine; it has no options."""
    return Local()


def _begin(
    task: Callable[[Any], Any],
    source: Iterator[Any],
    workers: int,
    again: deque[Hand],
    hands: list[Hand],
    free: deque[Hand],
    stop: threading.Event,
) -> None:
    """Give items to processes until all are busy, or there are no more."""
    while again:
        again.popleft().start_again()
    nothing = object()
    while not stop.is_set() and (free or len(hands) < workers):
        item = next(source, nothing)
        if item is nothing:
            return
        if free:
            free.popleft().give(item)
        else:
            hands.append(Hand(task))
            hands[-1].give(item)
