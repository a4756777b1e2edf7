"""Each deployment started on this machine from its own files, and a run through the node's port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.deploy.deployments import READERS, Container
from tests.support.deploy.dockerfile import ROOT
from tests.support.deploy.rehearsal import rehearsed

NODE_PORT = 30501
PLAN = json.dumps({"sizes_px": [128, 64], "formats": ["jpeg"], "repeats": 6, "warmups": 1, "timeout_s": 20})
NETWORK = f"127.{20 + os.getpid() % 200}"  # so that two test runs on one machine don't meet


@dataclass(frozen=True)
class Loopback:
    """An address of the loopback network in the place of a container's own network."""

    address: str
    names: dict[str, str]  # service -> address

    def wrapped(self, command: Sequence[str]) -> list[str]:
        """As it is."""
        return list(command)

    def localised(self, text: str) -> str:
        """Names become addresses; all addresses, and the container's own, become this one."""
        for name, address in self.names.items():
            text = text.replace(f":{name}:", f":{address}:")
        return text.replace("0.0.0.0", self.address).replace("127.0.0.1", self.address)


def on_loopback(containers: Sequence[Container]) -> dict[str, list[Loopback]]:
    """One address for each service."""
    services = dict.fromkeys(each.service for each in containers)
    names = {name: f"{NETWORK}.1.{number}" for number, name in enumerate(services, 1)}
    return {name: [Loopback(address, names)] for name, address in names.items()}


@pytest.mark.parametrize("way", READERS)
def test_what_is_deployed_answers_a_run_through_the_nodes_port(way: str, tmp_path: Path) -> None:
    containers = READERS[way]()
    node = Loopback(f"{NETWORK}.0.1", {})
    with rehearsed(containers, tmp_path, on_loopback(containers), node):
        command = [
            sys.executable,
            "-m",
            "tests.support.deploy.sweep",
            f"http://{node.address}:{NODE_PORT}",
            PLAN,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout.splitlines()[-1])
    assert report["state"] == "done"
    cells: dict[str, list[tuple[int, int]]] = {}
    for cell in report["cells"]:
        cells.setdefault(cell["backend_name"], []).append(
            (cell["count"], cell["failures"] + cell["not_sent"])
        )
    assert cells == {name: [answer] * 3 for name, answer in expected(containers).items()}
    models = {(each["model"], each["state"]) for each in report["backends"] if each["name"] != "GPU"}
    assert models == {("inception", "ready")}


def expected(containers: Sequence[Container]) -> dict[str, tuple[int, int]]:
    """(answered, unanswered) of each cell: a GPU that is not there is left out, and asked nothing."""
    gpu = {"GPU": (0, 0)} if any(each.needs_gpu for each in containers) else {}
    return gpu | {"1 CPU": (6, 0), "8 CPU": (6, 0)}
