"""Why a part of the benchmarks measured nothing."""

from __future__ import annotations


class CannotRun(Exception):
    """A part can't run here. The message says why and what to do, in a sentence; the other parts go on."""
