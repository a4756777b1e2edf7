"""What a task found or raised, in a form that another process can read."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from experiment.engines.base import EngineFailed
from experiment.wording import one_line


def answer_of(task: Callable[[Any], Any], item: Any) -> tuple[bool, Any]:
    """True and what the task found, or False and what it raised."""
    try:
        return (True, task(item))
    except Exception as error:
        return (False, sendable(error))


def sendable(error: Exception) -> Exception:
    """The error itself if it survives being pickled, else its words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    except Exception:
        return EngineFailed(words(error))
    return error


def words(error: BaseException) -> str:
    """Kind and text of a bug, on one line."""
    return f"{type(error).__name__}: {one_line(str(error), 200)}"
