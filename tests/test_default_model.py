"""Which model a start serves: the default one, the demo model in its place, or the one that was asked for."""

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
import requests

from experiment import servable
from experiment.models_command import DownloadFailed, ModelUnavailable, StartStopped
from experiment.servable import ModelChoice, prepare_model
from models.catalogue import DEFAULT, DEMO, row
from tests.app_process import App, free_port, running_app
from tests.browser import visiting
from tests.serving_process import demo_model_dir
from tests.weights_server import WeightsServer, silent, stalled_after

NAME = "mobilenet-v2"  # no checksum of it is published, so weights that the test makes can be served
WRITE_WEIGHTS = """
import sys, h5py, keras
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
with h5py.File(sys.argv[1], "w") as file:
    save_weights_to_hdf5_group(file, keras.applications.MobileNetV2(weights=None))
"""


@pytest.fixture
def data_dir(tmp_path, monkeypatch) -> Path:
    """With the demo model in it, so that no test waits for its export, and an empty cache beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(demo_model_dir(), tmp_path / "data" / "models" / "demo")
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


def test_the_names_that_a_start_knows_are_those_of_the_catalogue():
    assert (servable.DEFAULT, servable.DEMO) == (DEFAULT, DEMO)
    assert row(DEFAULT).title == servable.DEFAULT_TITLE


def test_without_a_network_the_demo_model_is_served_and_says_why(data_dir):
    model = prepare_model(data_dir, ModelChoice(weights_url=nobody()))
    assert model["name"] == "demo"
    assert model["notice"].startswith("The default model, Inception v3, could not be downloaded (127.0.0.1:")
    assert model["notice"].endswith(
        "can't be reached: Connection refused). "
        "This is the demo model, which knows pets and ten everyday things."
    )


def test_a_server_that_hangs_costs_a_start_no_more_than_its_limit(data_dir, monkeypatch):
    monkeypatch.setattr(servable, "FIRST_BYTE_S", 0.3)
    with WeightsServer({row(DEFAULT).weights: b"x"}, silent) as web:
        model = prepare_model(data_dir, ModelChoice(weights_url=web.url))
    assert f"could not be downloaded ({web.host} did not answer within 0.3 s)" in model["notice"]


def test_the_demo_model_that_was_asked_for_needs_no_notice(data_dir):
    assert "notice" not in prepare_model(data_dir, ModelChoice(name="demo"))


def test_a_model_that_was_asked_for_has_no_stand_in(data_dir):
    with pytest.raises(DownloadFailed, match="Connection refused"):
        prepare_model(data_dir, ModelChoice(name=NAME, weights_url=nobody()))
    with pytest.raises(ModelUnavailable, match=r"There is no model 'resnet' \(do you mean resnet-50\?\)"):
        prepare_model(data_dir, ModelChoice(name="resnet"))


def test_the_default_model_is_downloaded_once_and_later_starts_work_offline(data_dir, weights, monkeypatch):
    monkeypatch.setattr(servable, "DEFAULT", NAME)
    with WeightsServer({row(NAME).weights: weights}) as web:
        choice = ModelChoice(weights_url=web.url)
        assert not servable.is_downloaded(data_dir, choice)
        first = prepare_model(data_dir, choice)
        assert len(web.ranges) == 1
    assert (first["title"], first["classes"]) == ("MobileNet v2", 1000)
    assert "notice" not in first
    assert servable.is_downloaded(data_dir, choice)
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    assert prepare_model(data_dir, ModelChoice(weights_url=nobody())) == first


def test_a_download_ends_when_the_start_is_ended(data_dir):
    stop = threading.Event()
    with WeightsServer({row(DEFAULT).weights: b"x" * 100_000}, stalled_after(50_000)) as web:
        ended = threading.Timer(0.01, lambda: (_wait_for(lambda: web.ranges), stop.set()))
        ended.start()
        with pytest.raises(StartStopped):
            prepare_model(data_dir, ModelChoice(weights_url=web.url), stop)


def test_a_signal_during_the_download_ends_the_app(tmp_path):
    with WeightsServer({row(DEFAULT).weights: b"x" * 100_000}, stalled_after(50_000)) as web:
        app = App(tmp_path, MODEL="", PIXELCOST_WEIGHTS_URL=web.url, XDG_CACHE_HOME=str(tmp_path / "cache"))
        _wait_for(lambda: web.ranges)
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(30) == 0
    _wait_for(lambda: "Pixelcost has ended.\n" in app.output)


@pytest.mark.browser
def test_the_page_says_that_it_is_not_the_default_model(data_dir, browser):
    environ = {"MODEL": "", "PIXELCOST_WEIGHTS_URL": nobody()}
    with running_app(data_dir, **environ) as app, visiting(browser, app.url) as visit:
        told = requests.get(f"{app.url}/api/backends", timeout=30).json()["model"]
        assert told["name"] == "demo"
        assert any(line == told["notice"] + "\n" for line in app.output)
        notice = visit.open().locator("#model-notice")
        assert notice.is_visible()
        assert notice.inner_text() == told["notice"]


def _wait_for(is_so) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
