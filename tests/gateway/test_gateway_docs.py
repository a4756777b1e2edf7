"""docs/gateway.md: every command of it is run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from tests.support.processes.gateway_process import GatewayProcess
from tests.support.queue.parts import Measure, running_worker
from tests.support.queue.photos import png

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]

CURL = "curl --silent --show-error --fail --max-time 60"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_every_command_of_the_page_is_answered(
    gateway: GatewayProcess, gateway_queue: QueueSettings, tmp_path: Path
) -> None:
    assert len(COMMANDS) > 20
    (tmp_path / "cat.jpg").write_bytes(png(16))
    (tmp_path / "dog.jpg").write_bytes(png(17))
    with running_worker(connection(gateway_queue.url), gateway_queue, Measure()):
        for command in COMMANDS:
            here = command
            for written, meant in (
                ("localhost:4343", gateway.url),
                ("localhost:10020", gateway.frontend_url),
                ("serving_stream", gateway_queue.stream),
            ):
                here = here.replace(written, meant)
            here = re.sub(r"\bcurl\b", CURL, here, count=1)
            done = subprocess.run(
                ["bash", "-c", here], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
