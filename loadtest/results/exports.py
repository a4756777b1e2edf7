"""The files for other tools that a load's folder holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from loadtest.records import Load
from loadtest.results.hdr import hgrm, hlog
from loadtest.results.locust_csv import locust_files


def exports_of(load: Load) -> dict[str, Callable[[], bytes]]:
    """File name -> what makes its content."""
    return {
        **(locust_files(load) if load.kind != "users" else {}),  # real Locust has written its own
        "latency.hlog": partial(hlog, load),
        "latency.hgrm": partial(hgrm, load),
    }
