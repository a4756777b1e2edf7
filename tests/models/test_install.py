"""The model image's command: whole, once, and never under a running server's feet."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.install import SCRATCH, install
from tests.support.processes.serving_process import ROOT


def servable(base: Path, weights: str, version: int = 1) -> Path:
    """A folder that looks like an exported model."""
    directory = base / str(version)
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_text("graph")
    (directory / "variables" / "variables.index").write_text(weights)
    return base


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir() if path.name != ".lock")


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [
        sys.executable,
        "-S",
        "-m",
        "models.install",
        *map(str, arguments),
    ]  # -S: no packages, as in the image
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_first_model_becomes_version_1_whatever_it_was_before(tmp_path):
    offered = servable(tmp_path / "model", "a", version=7)
    assert install(offered, tmp_path / "volume").directory == tmp_path / "volume" / "1"
    assert (tmp_path / "volume" / "1" / "variables" / "variables.index").read_text() == "a"


def test_the_same_model_is_not_copied_again(tmp_path):
    offered = servable(tmp_path / "model", "a")
    install(offered, tmp_path / "volume")
    assert not install(offered, tmp_path / "volume").is_new
    assert names(tmp_path / "volume") == ["1"]


def test_another_model_becomes_the_next_version_and_the_one_before_stays(tmp_path):
    for number, weights in enumerate("abc", 1):
        installed = install(servable(tmp_path / weights, weights), tmp_path / "volume")
        assert installed.directory.name == str(number)
    assert names(tmp_path / "volume") == ["2", "3"]


def test_what_a_killed_one_left_is_no_version_and_is_cleared_away(tmp_path):
    half = tmp_path / "volume" / f"{SCRATCH}x"
    half.mkdir(parents=True)
    assert install(servable(tmp_path / "model", "a"), tmp_path / "volume").directory.name == "1"
    assert names(tmp_path / "volume") == ["1"]


def test_several_at_once_install_one_model(tmp_path):
    offered = servable(tmp_path / "model", "a")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: command(offered, tmp_path / "volume"), range(4)))
    assert [process.returncode for process in done] == [0] * 4
    assert sorted("already" in process.stdout for process in done) == [False, True, True, True]


@pytest.mark.parametrize("trouble", ["no version", "no such folder", "a file in the way"])
def test_what_can_not_be_done_is_said_in_one_line(tmp_path, trouble):
    offered, volume = tmp_path / "model", tmp_path / "volume"
    if trouble == "no version":
        offered.mkdir()
    if trouble == "a file in the way":
        servable(offered, "a")
        volume.write_text("")
    done = command(offered, volume)
    assert done.returncode == 2
    assert str(volume) in done.stderr and done.stderr.count("\n") == 1
