"""Each container with a network of its own; then a host dies in the middle of a run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy.deployments import read_swarm
from tests.support.deploy.dockerfile import ROOT
from tests.support.deploy.image_builder import why_not
from tests.support.deploy.networks import Host, Network, network
from tests.support.deploy.rehearsal import Rehearsal, rehearsed

CAN_NOT = why_not()
REPEATS = 30
PLAN = json.dumps({"sizes_px": [64], "formats": ["jpeg"], "repeats": REPEATS, "warmups": 1, "timeout_s": 2})
DIE_AFTER = 30  # of 124 requests

pytestmark = pytest.mark.skipif(bool(CAN_NOT), reason=f"No hosts of their own: {CAN_NOT}")


@dataclass
class Stage:
    """Two hosts with model servers: the one that dies has a second replica, and all there is of another."""

    network: Network
    rehearsal: Rehearsal
    client: Host
    doomed: list[Host]

    def die(self, how: str) -> None:
        """Its power is gone, or only its processes."""
        for each in self.rehearsal.started:
            if each.place in self.doomed:
                if how == "cut off":
                    self.network.cut_off(each.place)
                each.process.kill()

    def sweep(self, how: str) -> dict[str, Any]:
        """The report of a run through the node's port, during which the host dies."""
        url = f"http://{self.rehearsal.node.address}:30501"
        command = self.client.wrapped([sys.executable, "-m", "tests.support.deploy.sweep", url, PLAN])
        line = ""
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sweep:
            for line in sweep.stdout or ():
                if line == f"measured {DIE_AFTER}\n":
                    self.die(how)
        assert sweep.returncode == 0
        report: dict[str, Any] = json.loads(line)
        return report


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with network(tmp_path) as made:
        node, client, web, living, *doomed = (made.add() for _ in range(6))
        places = {
            "image-resizer": [web],
            "tf-serving-1cpu": [living, doomed[0]],
            "tf-serving-8cpu": [doomed[1]],
        }
        made.name(places)
        with rehearsed(read_swarm(), tmp_path, places, node) as rehearsal:
            yield Stage(made, rehearsal, client, doomed)


@pytest.mark.parametrize("how", ["killed", "cut off"])
def test_a_run_ends_when_a_host_dies_and_loses_only_its_answers(stage: Stage, how: str) -> None:
    report = stage.sweep(how)
    assert report["state"] == "done"
    assert report["requests"]["done"] == report["requests"]["planned"]
    failures = {"1 CPU": 0, "8 CPU": 0}
    for cell in report["cells"]:
        assert cell["count"] + cell["failures"] + cell.get("not_sent", 0) == REPEATS
        failures[cell["backend_name"]] += cell["failures"]
    assert failures["1 CPU"] <= 3
    assert 0 < failures["8 CPU"] < 2 * REPEATS
