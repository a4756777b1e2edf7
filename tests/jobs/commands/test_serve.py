"""`python -m jobs` as people type it: serve, list, quick_start and stop, with a scripted model server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from experiment.errors import PixelcostError
from experiment.protocol import predict_pb2, types_pb2
from experiment.queue.connection import connection
from experiment.queue.records import NewJob, QueueSettings
from experiment.queue.submit import Submitter
from experiment.settings import SharedSettings
from jobs.client import OutputQueue
from jobs.commands.main import main
from jobs.config import ServeConfig
from jobs.serving import model_server as own
from jobs.serving.running import all_running, folder_of
from tests.support.processes.app_process import free_port
from tests.support.scripted_server import grpc_server

ROOT = Path(__file__).resolve().parents[3]


def tabby(request: bytes, context: grpc.ServicerContext) -> bytes:
    """The same two classes for each image, and the scores of four."""
    asked = predict_pb2.PredictRequest.FromString(request)
    (images,) = asked.inputs.values()
    count = len(images.string_val)
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 1
    rows = {"classes": [b"tabby", b"lynx"], "scores": [0.7, 0.2], "probabilities": [0.05, 0.2, 0.7, 0.05]}
    for name, row in rows.items():
        tensor = response.outputs[name]
        tensor.dtype = types_pb2.DT_STRING if name == "classes" else types_pb2.DT_FLOAT
        for size in (count, len(row)):
            tensor.tensor_shape.dim.add().size = size
        (tensor.string_val if name == "classes" else tensor.float_val).extend(row * count)
    return response.SerializeToString()


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`serve`, once it is ready for input."""
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobs", "serve", *arguments],
            cwd=ROOT,
            env=os.environ | {"PIXELCOST_DATA_DIR": str(folder), "TF_SERVERS": ""},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("connected to redis localhost:"), (folder / "serve.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def here(tmp_path, monkeypatch) -> Iterator[Callable[..., int]]:
    """The command line in this process, on a data folder of its own."""
    monkeypatch.setenv("PIXELCOST_DATA_DIR", str(tmp_path))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda *arguments: main(arguments)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_whole_quick_start_works_and_ends_in_order(tmp_path, here, capsys, redis_url):
    url = f"localhost:{free_port()}"
    queue = QueueSettings(f"redis://{url}")
    with grpc_server(tabby) as address:
        servers = ("--servers", f"CPU:{address}")
        with serving(tmp_path, "--redis", url, "--workers", "2", *servers) as process:
            assert here("quick_start") == 0
            lines = capsys.readouterr().out.splitlines()
            assert [line.split(",")[0] for line in lines] == ["image: cat1", "image: cat2", "image: cat3"]
            assert lines[0].endswith("classification-result: class: 2's prob: 0.7 (tabby)")
            assert OutputQueue(queue.url).dequeue() == {}, "its results are not for other clients"
            assert here("list") == 0
            listed = capsys.readouterr().out
            assert f"serving_stream at {url}, served by process {process.pid}" in listed
            assert here("list", "--redis", redis_url, "--stream", "serving_stream") == 0
            assert "served by" not in capsys.readouterr().out, "a queue of the same name elsewhere"
            assert "2 workers" in listed and "3 accepted, 3 done" in listed and "noeviction" in listed
            assert here("serve", "--redis", url, *servers) == 2
            assert f"Process {process.pid} serves serving_stream from" in capsys.readouterr().err
            assert here("stop", "serving_stream") == 0
            assert capsys.readouterr().out == f"serving_stream: process {process.pid} has ended.\n"
            assert process.wait(60) == 0
        assert not all_running(tmp_path)
        with serving(tmp_path, "--redis", url, *servers) as process:
            assert here("list") == 0
            assert "3 accepted, 3 done" in capsys.readouterr().out, "its data is loaded at the next start"
            Submitter(connection(queue.url), queue).submit(NewJob("cat", b"photo"))
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
    log = (tmp_path / "serve.log").read_text()
    assert "Serving has ended. Jobs that wait stay in the queue." in log and "Traceback" not in log


def test_nothing_to_stop_is_said_and_an_unknown_queue_is_refused(here, capsys):
    assert here("stop") == 0
    assert "Nothing is served from" in capsys.readouterr().err
    assert here("stop", "cats") == 2
    assert "The queue cats is not served from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "-c", "nowhere.yaml"), "nowhere.yaml: There is no such file."),
        (("serve", "--redis", "redis.invalid:6379"), "can't be reached. Is it running there?"),
        (("quick_start", "--redis", "localhost:1"), "can't be reached. Is it running there?"),
        (("quick_start", "--redis", "localhost:1", "no.jpg"), "no.jpg can't be read"),
        (("quick_start", "--redis", "localhost:1", os.devnull), "/dev/null is empty."),
        (("list", "--redis", "localhost:1"), "can't be reached. Is it running there?"),
    ],
)
@pytest.mark.usefixtures("no_pauses")
def test_what_can_not_work_is_one_sentence_and_exit_code_2(here, capsys, arguments, said):
    assert here(*arguments) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1


def test_streams_with_similar_names_have_folders_of_their_own(tmp_path):
    names = ["a-b", "a:b", "A-B", "a b", "é" * 100]
    folders = {folder_of(tmp_path, name) for name in names}
    assert len(folders) == len(names)
    assert all(len(os.fsencode(folder.name)) < 200 for folder in folders)


def test_a_model_is_converted_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    asked: list[list[str]] = []

    def convert(arguments, stop):
        asked.append(arguments)
        Path(arguments[3], "1").mkdir(parents=True)

    monkeypatch.setattr(own, "run_models", convert)
    file, model = tmp_path / "config.yaml", tmp_path / "net.onnx"
    file.write_text("modelPath: net.onnx\n")
    model.write_text("one")
    places = [own._converted(file, model, tmp_path, print, None) for _ in range(2)]
    assert places[0] == places[1] and len(asked) == 1
    assert asked[0][:3] == ["convert", str(file), "--out"]
    model.write_text("another")
    assert own._converted(file, model, tmp_path, print, None) != places[0]
    monkeypatch.chdir(tmp_path)  # conversions run in the project's folder
    own._converted(Path("config.yaml"), model, tmp_path / "new", print, None)
    assert asked[-1][:2] == ["convert", str(file)]


def test_servers_that_workers_can_not_ask_are_refused_in_a_sentence(tmp_path):
    settings, stop = SharedSettings(tf_servers="Queued:queue://localhost:6379/cats"), threading.Event()
    serving_model = own.model_server(ServeConfig(), settings, None, tmp_path, print, stop)
    with pytest.raises(PixelcostError, match="names no model server over gRPC"), serving_model:
        pass


def test_the_model_server_gets_the_cores_of_the_file():
    assert own._own_profile(ServeConfig(cores=6)).cpus == 6
    assert own._own_profile(ServeConfig()).cpus == len(os.sched_getaffinity(0))
