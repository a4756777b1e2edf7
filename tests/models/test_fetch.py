"""`python -m models list` and `fetch`, run as a user runs them, against a web server on this machine."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.catalogue.table import BASE_URL, CATALOGUE, DEFAULT, row
from tests.support.processes.serving_process import ROOT
from tests.support.stores_of_models.weights_server import WeightsServer, stalled_after

LARGE = "inception-v3"
NAME = "mobilenet-v2"  # no checksum of it is published, so any bytes will do
DATA = random.Random(2).randbytes(400_000)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "models", *map(str, arguments)]


def environment(cache: Path, mirror: str = "") -> dict[str, str]:
    return {**os.environ, "XDG_CACHE_HOME": str(cache), "PIXELCOST_WEIGHTS_URL": mirror}


@pytest.fixture
def models(tmp_path):
    """Runs a command with a cache of its own."""

    def run(*arguments: object, mirror: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=ROOT,
            env=environment(tmp_path, mirror),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def server(*script) -> WeightsServer:
    return WeightsServer({row.weights: DATA for row in CATALOGUE}, *script)


def target(cache: Path, name: str = NAME) -> Path:
    return cache / "pixelcost" / row(name).file_name


def test_the_list_names_every_model_and_what_is_downloaded(models, tmp_path):
    target(tmp_path).parent.mkdir()
    target(tmp_path).write_bytes(b"x")
    target(tmp_path, LARGE).with_name(row(LARGE).file_name + ".part").write_bytes(b"x" * 2_000_000)
    lines = models("list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [row.name for row in CATALOGUE]
    ends = {line.split()[0]: line.rstrip() for line in lines}
    assert ends[NAME].endswith(" yes")
    assert ends[LARGE].endswith(" 2 of 96 MB")
    assert ends["resnet-50"].endswith(" no")
    assert ends[DEFAULT].endswith(" installed")


def test_a_model_is_downloaded_into_the_cache_once(models, tmp_path):
    with server() as web:
        first = models("fetch", NAME, mirror=web.url)
        assert models("fetch", NAME, mirror=web.url).returncode == 0
        assert len(web.ranges) == 1
    assert (first.returncode, target(tmp_path).read_bytes()) == (0, DATA)
    assert f"MobileNet v2: {target(tmp_path)}" in first.stdout
    assert "MobileNet v2: 0 of 0 MB" in first.stdout, "how far it is, line by line where there is no terminal"


def test_the_cache_can_be_named(models, tmp_path):
    with server() as web:
        assert models("fetch", NAME, "--cache", tmp_path / "mine", "--mirror", web.url).returncode == 0
    assert (tmp_path / "mine" / row(NAME).file_name).read_bytes() == DATA


def test_without_a_network_it_says_how_to_go_on(models, tmp_path):
    with server() as web:
        pass
    done = models("fetch", LARGE, mirror=web.url)
    said = done.stderr.splitlines()
    assert done.returncode == 3
    assert said[0] == f"python -m models: {web.host} can't be reached: Connection refused."
    assert f"  from  {BASE_URL}{row(LARGE).weights}" in said
    assert f"  to    {target(tmp_path, LARGE)}" in said
    assert f"  with  md5 {row(LARGE).checksum}" in said
    assert "EfficientNet-Lite0 needs no download: leave MODEL out" in said[-1]
    assert "Traceback" not in done.stderr


def test_what_is_not_the_published_file_is_removed(models, tmp_path):
    with server() as web:
        done = models("fetch", LARGE, mirror=web.url)
    assert done.returncode == 3
    assert "is damaged and was removed: its checksum is md5 " in done.stderr
    assert not [path for path in target(tmp_path).parent.iterdir() if not path.name.endswith(".lock")]


# Any bytes with a published checksum: `python -m models` with such a row.
PUBLISHED = f"""
import sys
from dataclasses import replace
from models.catalogue import table
from models.__main__ import main
own = replace(table.row({NAME!r}), checksum={hashlib.sha256(DATA).hexdigest()!r})
table.CATALOGUE = (own,)
sys.exit(main(sys.argv[1:]))
"""
HEARING_CTRL_C = ("env", "--default-signal=INT")  # `make test &` and its children are deaf to it


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_download_that_was_ended_half_way_goes_on_later(tmp_path, number, code):
    part = target(tmp_path).with_name(target(tmp_path).name + ".part")
    fetch = [sys.executable, "-c", PUBLISHED, "fetch", NAME]
    with server(stalled_after(200_000)) as web:
        env = environment(tmp_path, web.url)
        process = subprocess.Popen([*HEARING_CTRL_C, *fetch], cwd=ROOT, env=env)
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size < 150_000:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(30) == code
        assert not target(tmp_path).exists()
        have = part.stat().st_size
        assert subprocess.run(fetch, cwd=ROOT, env=env, timeout=60, check=False).returncode == 0
        assert web.ranges == [None, f"bytes={have}-"]
    assert target(tmp_path).read_bytes() == DATA


def test_a_name_that_is_not_in_the_catalogue_is_answered_with_those_that_are(models):
    done = models("fetch", "inceptionv3")
    assert done.returncode == 2
    assert "There is no model 'inceptionv3' (did you mean inception-v3?)." in done.stderr
    assert models("fetch").stdout == "EfficientNet-Lite0 needs no download.\n"


def test_a_time_limit_that_is_no_number_of_seconds_is_refused(models):
    done = models("fetch", NAME, "--stall-timeout", "soon")
    assert done.returncode == 2
    assert "'soon' is not a number of seconds above 0" in done.stderr
