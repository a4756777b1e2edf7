"""Which model a start serves: the default one, which needs no download, or the one that was asked for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from experiment.embedded import model as servable
from experiment.embedded.model import ModelChoice, prepare_model
from experiment.embedded.models_cli import ModelUnavailable, StartStopped
from models.catalogue.table import DEFAULT, row
from tests.support.processes.app_process import App, free_port
from tests.support.stores_of_models.weights_server import WeightsServer, silent, stalled_after

NAME = "mobilenet-v2"  # no checksum of it is published, so weights that the test makes can be served
LARGE = "inception-v3"
WRITE_WEIGHTS = """
import sys, h5py, keras
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
with h5py.File(sys.argv[1], "w") as file:
    save_weights_to_hdf5_group(file, keras.applications.MobileNetV2(weights=None))
"""


@pytest.fixture
def data_dir(tmp_path, monkeypatch) -> Path:
    """An empty one, and an empty cache beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> bytes:
    """A file of the kind that Keras publishes, with random weights."""
    path = tmp_path_factory.mktemp("weights") / "weights.h5"
    subprocess.run([sys.executable, "-c", WRITE_WEIGHTS, str(path)], check=True, capture_output=True)
    return path.read_bytes()


def nobody() -> str:
    """An address at which nothing listens."""
    return f"http://127.0.0.1:{free_port()}/"


def test_the_default_of_a_start_is_that_of_the_catalogue():
    assert servable.DEFAULT == DEFAULT


def test_without_a_network_the_default_model_is_served(data_dir):
    choice = ModelChoice(weights_url=nobody())
    model = prepare_model(data_dir, choice)
    assert (model["name"], model["title"]) == (DEFAULT, "EfficientNet-Lite0")
    assert not Path(os.environ["XDG_CACHE_HOME"]).exists(), "nothing was fetched"


def test_a_model_that_was_asked_for_has_no_stand_in_and_its_message_says_how_to_go_on(data_dir):
    with pytest.raises(ModelUnavailable, match="Connection refused") as failed:
        prepare_model(data_dir, ModelChoice(name=LARGE, weights_url=nobody()))
    assert "EfficientNet-Lite0 needs no download: leave MODEL out" in failed.value.message
    assert f"  with  md5 {row(LARGE).checksum}" in failed.value.message.splitlines()
    with pytest.raises(ModelUnavailable, match=r"There is no model 'resnet' \(did you mean resnet-50\?\)"):
        prepare_model(data_dir, ModelChoice(name="resnet"))


def test_a_server_that_hangs_costs_a_start_no_more_than_its_limit(data_dir, monkeypatch):
    monkeypatch.setattr(servable, "FIRST_BYTE_S", 0.3)
    with (
        WeightsServer({row(LARGE).weights: b"x"}, silent) as web,
        pytest.raises(ModelUnavailable, match=r"did not answer within 0\.3 s"),
    ):
        prepare_model(data_dir, ModelChoice(name=LARGE, weights_url=web.url))


def test_a_model_is_downloaded_once_and_later_starts_work_offline(data_dir, weights):
    with WeightsServer({row(NAME).weights: weights}) as web:
        choice = ModelChoice(name=NAME, weights_url=web.url)
        first = prepare_model(data_dir, choice)
        assert len(web.ranges) == 1
    assert (first["title"], first["classes"]) == ("MobileNet v2", 1000)
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    assert prepare_model(data_dir, ModelChoice(name=NAME, weights_url=nobody())) == first


def test_a_download_ends_when_the_start_is_ended(data_dir):
    stop = threading.Event()
    with WeightsServer({row(LARGE).weights: b"x" * 100_000}, stalled_after(50_000)) as web:
        ended = threading.Timer(0.01, lambda: (_wait_for(lambda: web.ranges), stop.set()))
        ended.start()
        with pytest.raises(StartStopped):
            prepare_model(data_dir, ModelChoice(name=LARGE, weights_url=web.url), stop)


def test_a_signal_during_the_download_ends_the_app(tmp_path):
    with WeightsServer({row(LARGE).weights: b"x" * 100_000}, stalled_after(50_000)) as web:
        app = App(
            tmp_path, MODEL=LARGE, PIXELCOST_WEIGHTS_URL=web.url, XDG_CACHE_HOME=str(tmp_path / "cache")
        )
        _wait_for(lambda: web.ranges)
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(30) == 0
    _wait_for(lambda: "Pixelcost has ended.\n" in app.output)
    downloading = f"Downloading {row(LARGE).title}, about {row(LARGE).download_mb} MB: {web.url}"
    assert any(line.startswith(downloading) for line in app.output)


def test_a_name_that_does_not_exist_is_no_download(tmp_path):
    app = App(tmp_path, MODEL="nosuch")
    assert app.process.wait(60) == 2
    _wait_for(lambda: len(app.output) > 1)
    assert [line.partition(" The catalogue has ")[0].strip() for line in app.output] == [
        "Preparing the model (the first time takes a while).",
        "Pixelcost can't start. There is no model 'nosuch'.",
    ]


def _wait_for(is_so) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
