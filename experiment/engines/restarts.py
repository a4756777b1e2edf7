"""When a worker that ended or died is started again: at once, after a pause, or no more."""

from __future__ import annotations

from typing import Final

from experiment.engines.base import EngineFailed

EARLY_S: Final = 10.0  # one that fails sooner than this has not worked
PAUSES_S: Final = (0.0, 1, 2, 5, 10)  # before a restart, by how often it failed early; then it is given up
KILLED_EARLY_S: Final = 1.0  # killed sooner: the same pause before the restart, in case it is out of memory


class Restarts:
    """Counts one worker's failures."""

    def __init__(self) -> None:
        self._early_failures = 0

    def pause_s(self, what: str, lived_s: float, was_killed: bool) -> float:
        """Before it is started again. `what` is a sentence. Raises EngineFailed if it was too often."""
        if was_killed:
            return 0.0 if lived_s >= KILLED_EARLY_S else KILLED_EARLY_S
        self._early_failures = self._early_failures + 1 if lived_s < EARLY_S else 0
        if self._early_failures > len(PAUSES_S):
            times = self._early_failures
            raise EngineFailed(f"{what.rstrip('.')}, {times} times in a row, each right after its start.")
        return PAUSES_S[max(self._early_failures - 1, 0)]


def and_again(what: str, pause_s: float) -> str:
    """What happened, and that it is started again."""
    return f"{what.rstrip('.')}. It is started again {f'in {pause_s:g} s' if pause_s else 'now'}."
