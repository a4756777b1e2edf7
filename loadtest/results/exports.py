"""The files for other tools that a load's folder holds."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.records import Load


def exports_of(load: Load) -> dict[str, Callable[[], bytes]]:
    """File name -> what makes its content."""
    return {}
