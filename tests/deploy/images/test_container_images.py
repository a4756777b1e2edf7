"""Every stage of the Dockerfile is built with its own instructions, and every image is run, without Docker.

The packages of TensorFlow (stage `environment`, minutes and gigabytes) and of Locust are those of this test's
own environment, which holds the same locked versions; PIXELCOST_TEST_IMAGES=full installs them anew too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.deploy.dockerfile import all_stages
from tests.support.deploy.image_builder import Builder, why_not
from tests.support.models.onnx_bytes import classifier
from tests.support.models.stores import SAVED_MODEL, packed
from tests.support.processes.webapp_parts import eventually

CAN_NOT = why_not()
IS_FULL = os.environ.get("PIXELCOST_TEST_IMAGES") == "full"
FETCH_MB = 40  # of packages; 16 are cryptography, which tokens for Google need
WEB_MB = 175  # what the web image adds to its base: 12 are aiohttp, which load tests need, 8 pi-heif
HEALTHY_TIMEOUT_S = 120
PAGE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:5051/').read().decode())"
MODELS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:4343/models').read().decode())"
READY = """
import urllib.error, urllib.request
try:
    urllib.request.urlopen("http://127.0.0.1:4343/readyz")
except urllib.error.HTTPError as refused:
    print(refused.code, refused.read().decode())
"""
STATUS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8501/v1/models/inception').read().decode())"

pytestmark = [
    pytest.mark.skipif(bool(CAN_NOT), reason=f"The images are not run: {CAN_NOT}"),
    pytest.mark.timeout(1800 if IS_FULL else 300),
]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    environments = () if IS_FULL else ("environment", "load-packages")
    given = dict.fromkeys(environments, Path(sys.prefix).resolve())
    return Builder(tmp_path_factory.mktemp("images"), all_stages(), given)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A folder that the image's user may write, as its volume would be."""
    os.chown(tmp_path, 10001, 10001)
    return tmp_path


class Container:
    """A started one. `log_path` holds what it printed."""

    def __init__(self, builder: Builder, name: str, process: subprocess.Popen[bytes], log_path: Path):
        self.builder, self.name, self.process, self.log_path = builder, name, process, log_path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `docker exec` does."""
        line = self.builder.inside(self.name, self._first_process(), command)
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    def _first_process(self) -> int:
        found: list[str] = eventually(lambda: self.process.poll() is not None or _children(self.process))
        assert self.process.returncode is None, f"{self.name} ended:\n{self.log_path.read_text()}"
        return int(found[0])

    def wait_healthy(self) -> None:
        """Return when the image's own HEALTHCHECK passes; fail with what it printed when it ends instead."""
        check = self.builder.stages[self.name].command("HEALTHCHECK")
        deadline = time.monotonic() + HEALTHY_TIMEOUT_S
        while (done := self.run(*check)).returncode != 0:
            assert time.monotonic() < deadline, f"{done.stderr}\n{self.log_path.read_text()}"
            time.sleep(0.2)


def _children(process: subprocess.Popen[bytes]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


@contextmanager
def started(builder: Builder, name: str, *flags: str, **writable: Path) -> Iterator[Container]:
    """A container of the image `name` with its own command; ended at the end, with all its processes."""
    stage = builder.stages[name]
    command = [*stage.command("ENTRYPOINT"), *(flags or stage.command("CMD"))]
    line = builder.container(name, command, {f"/{path}": folder for path, folder in writable.items()})
    log_path = builder.folder / f"{name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield Container(builder, name, process, log_path)
    finally:
        for first in _children(process):  # the first process of the container: all of it ends with it
            os.kill(int(first), signal.SIGKILL)
        process.wait(30)


def test_the_web_image_serves_the_page_as_its_user_on_a_read_only_root(
    builder: Builder, volume: Path
) -> None:
    with started(builder, "web", data=volume) as web:
        web.wait_healthy()
        assert "<title>Pixelcost</title>" in web.run("python", "-c", PAGE).stdout
        assert web.run("id", "-u").stdout == "10001\n"
        assert "Read-only file system" in web.run("touch", "/app/file").stderr
    assert (volume / "pixelcost.db").exists()


def test_the_web_image_holds_no_tensorflow_and_stays_small(builder: Builder) -> None:
    root = builder.build("web")
    own = [root / each for each in ("venv", "messages", "app")]
    assert not list((root / "venv").rglob("tensorflow*"))
    size_mb = sum(path.stat().st_size for each in own for path in each.rglob("*") if path.is_file()) / 1e6
    print(f"\nthe web image adds {size_mb:.0f} MB to its base")
    assert size_mb < WEB_MB


def test_the_serving_image_serves_its_model_with_the_flags_of_tensorflow_serving(builder: Builder) -> None:
    with started(builder, "serving", "--tensorflow_intra_op_parallelism=1") as serving:
        serving.wait_healthy()
        assert '"AVAILABLE"' in serving.run("python", "-c", STATUS).stdout
        assert serving.run("id", "-u").stdout == "10001\n"


def test_the_model_image_fills_a_volume_once(builder: Builder, volume: Path) -> None:
    line = builder.container("model", builder.stages["model"].command("CMD"), {"/models/inception": volume})
    said = [subprocess.run(line, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert said == ["model: /models/inception/1\n", "model: /models/inception/1 (was there already)\n"]
    assert (volume / "1" / "saved_model.pb").stat().st_uid == 10001


def test_the_fetch_image_fetches_a_model_as_its_user_on_a_read_only_root(
    builder: Builder, volume: Path
) -> None:
    (volume / "files").mkdir()
    (volume / "files" / "m.tar.gz").write_bytes(packed(SAVED_MODEL))
    entry = " ".join(builder.stages["fetch"].command("ENTRYPOINT"))
    script = (
        "python -m http.server --bind 127.0.0.1 --directory /models/inception/files 8000 2>/tmp/log & "
        f"{entry} http://127.0.0.1:8000/m.tar.gz --into /models/inception --version 7; kill $!"
    )
    line = builder.container("fetch", ("sh", "-c", script), {"/models/inception": volume})
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("model: /models/inception/7\n"), done.stderr
    assert (volume / "7" / "saved_model.pb").stat().st_uid == 10001
    root = builder.build("fetch")
    size_mb = sum(path.stat().st_size for path in (root / "venv").rglob("*") if path.is_file()) / 1e6
    print(f"\nthe fetch image adds {size_mb:.0f} MB to its base")
    assert size_mb < FETCH_MB
    imports = "import models.remote.s3 as s3; s3.Bucket('s3://models/x', is_anonymous=True)"
    checked = builder.container("fetch", ("python", "-c", imports), {})
    assert subprocess.run(checked, check=False).returncode == 0, "S3's own description is left in the image"


def test_the_api_image_converts_and_serves_a_folder_that_it_only_reads(
    builder: Builder, volume: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    models = tmp_path_factory.mktemp("models")
    models.chmod(0o755)
    (models / "colours").mkdir(mode=0o755)
    (models / "colours" / "model.onnx").write_bytes(classifier())
    with started(builder, "api", models=models, cache=volume) as api:
        api.wait_healthy()
        listed = json.loads(api.run("python", "-c", MODELS).stdout)["data"]["details"]
        assert [(row["name"], row["state"]) for row in listed] == [("colours", "served")]
        assert api.run("id", "-u").stdout == "10001\n"
    assert [path.name for path in models.rglob("*")] == ["colours", "model.onnx"]


def test_the_load_image_sends_load_as_its_user_and_keeps_the_results_in_its_volume(
    builder: Builder, volume: Path
) -> None:
    stage = builder.stages["load"]
    options = ["--users", "2", "--run-time", "1s", "--kinds", "grpc_single"]
    command = [*stage.command("ENTRYPOINT"), *stage.command("CMD"), *options]
    line = builder.container("load", command, {"/data": volume}, SERVER="127.0.0.1:1", BATCHSIZE="2")
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr  # there is no server in its network
    assert "nothing answers at 127.0.0.1:1 (connection refused)" in done.stderr
    results = sorted(path.parent.name[18:] for path in (volume / "loads").glob("*/load.json"))
    assert results == ["users-grpc_single-127.0.0.1-1"]
    (stats,) = (volume / "loads").glob("*/grpc_single_stats.csv")
    assert stats.stat().st_uid == 10001


def test_the_jobs_image_starts_a_worker_and_its_own_redis_where_there_is_none(builder: Builder) -> None:
    options = ["serve", "--health-port=8080", "--servers=1 CPU:127.0.0.1:1", "--shared-name=worker"]
    with started(builder, "jobs", *options) as jobs:
        jobs.wait_healthy()
        ready = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/readyz').status)"
        eventually(lambda: jobs.run("python", "-c", ready).stdout == "200\n", timeout_s=60)
        assert jobs.run("id", "-u").stdout == "10001\n"
        assert "worker-1" in jobs.run("python", "-m", "jobs", "list").stdout


def test_the_gateway_image_answers_as_its_user_and_says_that_its_queue_is_away(builder: Builder) -> None:
    with started(builder, "gateway") as gateway:
        gateway.wait_healthy()
        said = gateway.run("python", "-c", READY).stdout
        assert said.startswith("503") and "Redis at localhost:6379 can't be reached" in said
        assert gateway.run("id", "-u").stdout == "10001\n"
