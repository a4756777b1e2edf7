"""The commands of an installed Pixelcost. Each is what `python -m <package>` is in a checkout."""

from __future__ import annotations

import os
import runpy

from pixelcost import APP


def web() -> None:
    """`pixelcost`: page and model servers, on the port that `make run` has."""
    os.environ.setdefault("PORT", "30501")
    _run("webapp")


def experiment() -> None:
    """`pixelcost-experiment`."""
    _run("experiment")


def serving() -> None:
    """`pixelcost-serving`."""
    _run("serving")


def models() -> None:
    """`pixelcost-models`."""
    _run("models")


def loadtest() -> None:
    """`pixelcost-loadtest`."""
    _run("loadtest")


def jobs() -> None:
    """`pixelcost-jobs`."""
    _run("jobs")


def gateway() -> None:
    """`pixelcost-gateway`."""
    _run("gateway")


def _run(package: str) -> None:
    inherited = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, (str(APP), inherited))
    )  # for the processes it starts
    runpy.run_module(package, run_name="__main__", alter_sys=True)
