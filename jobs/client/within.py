"""A call with a limit on its time, whatever it waits for: Redis, a network, a name server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within(timeout_s: float, call: Callable[[], Result]) -> Result:
    """What `call` returns or raises; TimeoutError if it takes longer. It then goes on in its thread, which
    does not keep the program from ending."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="within", daemon=True)
    thread.start()
    thread.join(max(0.0, timeout_s))
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
