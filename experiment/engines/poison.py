"""Items whose processes die again and again: they are named, and cost only themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from experiment.engines.base import EngineFailed

MOST_DEATHS: Final = 3  # of processes that had the same item; then it is the item's fault


def poisoned(items: Sequence[Any]) -> EngineFailed:
    """What spread() raises once all other items that were begun have been yielded."""
    named = ", ".join(repr(str(item)[:200]) for item in items)
    which = "this item" if len(items) == 1 else "each of these items"
    failed = EngineFailed(
        f"{MOST_DEATHS} processes died, one after the other, while they had {which}: {named}. "
        "It may need more memory than there is for a process."
    )
    failed.items = tuple(items)
    return failed
