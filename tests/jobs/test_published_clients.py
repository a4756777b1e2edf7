"""The published clients of Cluster Serving, unmodified: every public method, against a real worker and model.

Only host and port differ from their defaults. Where a test shows a fault of theirs, its name says so.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import redis

from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from experiment.records import BackendInfo
from jobs.client import OutputQueue
from jobs.infer.answerer import model_answerer
from tests.support.models.servables import servable
from tests.support.processes.serving_process import picture, start_server
from tests.support.queue.parts import running_worker
from tests.support.queue.tcp_redis import redis_on_a_port

CLIENTS = ("bigdl.serving.client", "zoo.serving.client")
DIGIT = np.zeros(784, np.float32)
DIGIT[3 * 78 : 4 * 78] = 1


def client_of(name: str) -> ModuleType:
    return pytest.importorskip(name, reason=f"{name} is not installed: make lock installs published.in")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with redis_on_a_port() as port:
        yield port


@pytest.fixture(scope="module")
def digits_server() -> Iterator[str]:
    with start_server(model_dir=servable("digits")) as server:
        yield server.grpc_address


@dataclass
class Service:
    """A queue with its worker, and a published client's module."""

    client: ModuleType
    place: dict[str, str]
    queue: QueueSettings
    redis: redis.Redis

    def await_end(self, uri: str) -> None:
        await_result(self.redis, self.queue, uri)


def await_result(own: redis.Redis, queue: QueueSettings, uri: str) -> bytes:
    """A result where they read it."""
    for _ in range(3000):
        if value := own.hget(queue.keys.old_result(uri), "value"):
            return value
        time.sleep(0.02)
    raise AssertionError(f"{uri} never ended")


@pytest.fixture(params=CLIENTS)
def of_numbers(request, port, digits_server) -> Iterator[Service]:
    yield from service(request.param, port, digits_server)


@pytest.fixture(params=CLIENTS)
def of_photos(request, port, default_server) -> Iterator[Service]:
    yield from service(request.param, port, default_server.grpc_address)


def service(name: str, port: int, address: str) -> Iterator[Service]:
    client = client_of(name)
    queue = QueueSettings(f"redis://127.0.0.1:{port}/0")
    own = connection(queue.url)
    own.flushall()
    with running_worker(own, queue, model_answerer(BackendInfo("CPU", address=address), 30)):
        yield Service(client, {"host": "127.0.0.1", "port": str(port)}, queue, own)


def test_enqueue_and_query_of_an_array(of_numbers):
    of_numbers.client.InputQueue(**of_numbers.place).enqueue("one", t=DIGIT)
    of_numbers.await_end("one")
    output = of_numbers.client.OutputQueue(**of_numbers.place)
    classes, scores = output.query("one")
    assert classes == 3 and scores.shape == (10,) and scores.argmax() == 3
    assert output.query("one")[0] == 3, "query leaves it there"
    assert output.query_and_delete("one")[0] == 3
    assert output.query("one") == "[]"


def test_enqueue_tensor_and_dequeue(of_numbers):
    source = of_numbers.client.InputQueue(**of_numbers.place)
    source.enqueue_tensor("one", DIGIT)
    source.enqueue_tensor("two", [np.roll(DIGIT, 78)])
    for uri in ("one", "two"):
        of_numbers.await_end(uri)
    output = of_numbers.client.OutputQueue(**of_numbers.place)
    assert {uri: int(classes) for uri, (classes, _) in output.dequeue().items()} == {"one": 3, "two": 4}
    assert output.dequeue() == {}


def test_predict_of_json_an_array_and_inputs_by_name(of_numbers):
    source = of_numbers.client.InputQueue(**of_numbers.place)
    as_json = json.dumps({"instances": [{"images": DIGIT.tolist()}]})
    for data in (as_json, DIGIT, {"images": DIGIT}):
        assert source.predict(data, timeout=60)[0] == 3


def test_what_does_not_fit_the_model_is_nan(of_numbers):
    source = of_numbers.client.InputQueue(**of_numbers.place)
    source.enqueue("texts", t=["one", "two"])
    source.enqueue("shape", t=np.zeros((3, 4)))
    source.enqueue("two tensors", a=DIGIT, b=DIGIT)
    source.enqueue_tensor("list", [DIGIT, DIGIT])
    indices, values = np.array([[0, 1]]), np.array([1.0, 2.0])
    source.enqueue("sparse", t=[indices, values, np.array([10])])
    output = of_numbers.client.OutputQueue(**of_numbers.place)
    for uri in ("texts", "shape", "two tensors", "list", "sparse"):
        of_numbers.await_end(uri)
        assert output.query(uri) == "NaN"
        assert OutputQueue("127.0.0.1", of_numbers.place["port"]).why(uri).endswith(".")


def test_a_sparse_tensor_reaches_the_model(of_numbers):
    source = of_numbers.client.InputQueue(**of_numbers.place)
    source.enqueue("sparse", t=[np.arange(234, 312).reshape(1, -1), np.ones(78), np.array([784])])
    of_numbers.await_end("sparse")
    assert of_numbers.client.OutputQueue(**of_numbers.place).query("sparse")[0] == 3


def test_images_as_path_and_base64_get_the_scores_of_all_classes(of_photos, tmp_path):
    photo = picture("PNG", (300, 200))
    (tmp_path / "photo.png").write_bytes(photo)
    source = of_photos.client.InputQueue(**of_photos.place)
    source.enqueue("path", img={"path": str(tmp_path / "photo.png")})
    source.enqueue("text", img=str(tmp_path / "photo.png"))
    source.enqueue("b64", img={"b64": base64.b64encode(photo).decode()})
    output = of_photos.client.OutputQueue(**of_photos.place)
    found = {}
    for uri in ("path", "text", "b64"):
        of_photos.await_end(uri)
        found[uri] = output.query(uri)
        assert found[uri].shape == (1000,) and found[uri].sum() == pytest.approx(1, abs=0.01)
    assert np.allclose(found["path"], found["text"], atol=1e-4)
    assert found["path"].argmax() == found["b64"].argmax()
    source.enqueue("damaged", img={"b64": base64.b64encode(photo[:200]).decode()})
    of_photos.await_end("damaged")
    assert output.query("damaged") == "NaN"


def test_our_client_reads_what_theirs_sent(of_numbers):
    of_numbers.client.InputQueue(**of_numbers.place).enqueue("a:b", t=DIGIT)
    of_numbers.await_end("a:b")
    ours = OutputQueue(of_numbers.place["host"], of_numbers.place["port"])
    assert ours.query("a:b")[0] == 3
    assert list(ours.dequeue()) == ["a:b"]
    assert of_numbers.client.OutputQueue(**of_numbers.place).query("a:b") == "[]", "it is gone there too"


def test_a_uri_with_a_colon_is_cut_by_their_dequeue(of_numbers):
    of_numbers.client.InputQueue(**of_numbers.place).enqueue("a:b", t=DIGIT)
    of_numbers.await_end("a:b")
    assert list(of_numbers.client.OutputQueue(**of_numbers.place).dequeue()) == ["a"]


@pytest.mark.parametrize("name", CLIENTS)
def test_what_they_sent_before_the_first_worker_is_not_lost(name, port, digits_server):
    """Their constructors create the group behind the last entry."""
    client, place = client_of(name), {"host": "127.0.0.1", "port": str(port)}
    queue = QueueSettings(f"redis://127.0.0.1:{port}/0")
    own = connection(queue.url)
    own.flushall()
    client.InputQueue(**place).enqueue("early", t=DIGIT)
    output = client.OutputQueue(**place)
    answerer = model_answerer(BackendInfo("CPU", address=digits_server), 30)
    with running_worker(own, queue, answerer):
        Service(client, place, queue, own).await_end("early")
    assert output.query("early")[0] == 3


def test_entries_of_the_first_clients_get_classes_as_json(port, default_server):
    """That client is on no registry any more; its two commands are written out here."""
    queue = QueueSettings(f"redis://127.0.0.1:{port}/0", "image_stream")
    own = connection(queue.url)
    own.flushall()
    image = base64.b64encode(cv2.imencode(".jpg", np.full((224, 224, 3), 90, np.uint8))[1]).decode()
    answerer = model_answerer(BackendInfo("CPU", address=default_server.grpc_address), 30, top_n=2)
    own.xadd("image_stream", {"uri": "fish", "image": image})
    with running_worker(own, queue, answerer):
        classes = json.loads(await_result(own, queue, "fish"))
    assert own.exists("result:fish")
    assert len(classes) == 2 and all(
        name.isdigit() and 0 < float(share) < 1 for name, share in classes.items()
    )


def test_every_public_method_of_theirs_is_named_here():
    text = Path(__file__).read_text("utf-8")
    for name in CLIENTS:
        client = client_of(name)
        for kind in (client.InputQueue, client.OutputQueue):
            public = {method for method in vars(kind) if not method.startswith("_")}
            helpers = {
                "data_to_b64",
                "base64_encode_image",
                "get_ndarray_from_b64",
                "get_ndarray_from_record_batch",
            }
            assert all(f".{method}(" in text for method in public - helpers), public
