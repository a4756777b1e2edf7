"""Our client: the methods of Cluster Serving's, without their faults."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from experiment.errors import ImageRefused, PixelcostError
from experiment.images.read import read_image
from experiment.queue.connection import QueueUnavailable, connection
from experiment.queue.records import NewJob
from experiment.queue.results import Results
from experiment.queue.submit import JobConflict, QueueFull, Submitter
from jobs.client import InputQueue, OutputQueue, RedisQueue
from jobs.client.front_end import result_of
from jobs.client.place import queue_at
from jobs.client.values import BadInput, as_image, as_input
from jobs.records import Answered, Outcome, Refused, Request
from tests.support.processes.app_process import free_port
from tests.support.processes.serving_process import picture
from tests.support.queue.parts import Echo, running_worker
from tests.support.queue.redis_server import start_redis


class Sizes:
    """Answers with the size of an image in bytes, or the sum of an array; refuses what begins with b"no"."""

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Outcome:
        if request.image is not None and request.image == picture("GIF"):
            return Answered({"top": []})  # as of a model without probabilities
        if request.image is not None:
            return Answered({"top": []}, np.array([float(len(request.image))], np.float32))
        (array,) = request.tensors.values()
        if array.dtype == object or array.size == 13:
            return Refused("bad_input", "The model does not take that.")
        if array.size == 2:
            return Answered({}, (array, array * 2))
        return Answered({}, np.array([array.sum()]))


@pytest.fixture
def place(queue) -> dict[str, str]:
    return {"host": queue.url, "name": queue.stream}


@pytest.fixture
def working(redis_client, queue) -> Iterator[None]:
    with running_worker(redis_client, queue, Sizes()):
        yield


def until(look: Callable[[], bool]) -> None:
    for _ in range(1000):
        if look():
            return
        time.sleep(0.01)
    raise AssertionError("it never came so")


def test_a_photo_goes_as_its_own_bytes_and_comes_back_as_an_array(place, queue, redis_client, tmp_path):
    photo = picture("JPEG")
    (tmp_path / "cat.jpg").write_bytes(photo)
    source, output = InputQueue(**place), OutputQueue(**place)
    source.enqueue("a:b", img={"path": str(tmp_path / "cat.jpg")})
    source.enqueue("again", img={"b64": base64.b64encode(photo).decode()})
    source.enqueue_image("third", str(tmp_path / "cat.jpg"))
    stored = redis_client.keys(f"pixelcost:{{{queue.stream}}}:photo:*")
    assert len(stored) == 1 and redis_client.hget(stored[0], "data") == photo, "stored once, as it is"
    assert output.query("a:b") == "[]"
    with running_worker(redis_client, queue, Sizes()):
        until(lambda: all(output.query(uri) != "[]" for uri in ("a:b", "again", "third")))
    assert output.query("a:b").tolist() == [len(photo)]
    found = output.dequeue()
    assert sorted(found) == ["a:b", "again", "third"]
    assert all(array.tolist() == [len(photo)] for array in found.values())
    assert output.dequeue() == {} and output.query("a:b") == "[]"


def test_query_and_delete_gives_a_result_once_and_the_same_job_can_be_sent_again(place, working):
    source, output = InputQueue(**place), OutputQueue(**place)
    for _ in range(2):
        source.enqueue("one", t=np.arange(4))
        until(lambda: output.query("one") != "[]")
        assert output.query_and_delete("one").tolist() == [6]
        assert output.query_and_delete("one") == "[]"


def test_several_outputs_are_a_list_and_a_failed_job_is_nan_with_a_reason(place, working):
    source, output = InputQueue(**place), OutputQueue(**place)
    source.enqueue("two", t=np.array([1, 2]))
    source.enqueue("texts", t=["a", "b|c"])
    until(lambda: output.query("two") != "[]" and output.query("texts") != "[]")
    assert [array.tolist() for array in output.query("two")] == [[1, 2], [2, 4]]
    assert output.query("texts") == "NaN"
    assert output.why("texts") == "The model does not take that." and output.why("two") is None
    source.enqueue_image("labels only", picture("GIF"))
    until(lambda: output.query("labels only") == "NaN")
    assert "needs the output `probabilities`" in output.why("labels only")


def test_each_result_goes_to_exactly_one_of_many_readers(place, queue, redis_client):
    source = InputQueue(**place)
    uris = [f"job {number}" for number in range(300)]
    for uri in uris:
        source.enqueue(uri, t=np.ones(3))
    with running_worker(redis_client, queue, Sizes()):
        until(lambda: not redis_client.xlen(queue.stream))
    taken: list[str] = []
    start = threading.Barrier(4)

    def read() -> None:
        output = OutputQueue(**place)
        start.wait()
        taken.extend(output.dequeue())

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert sorted(taken) == sorted(uris)


def test_dequeue_leaves_the_results_of_others(place, queue, redis_client, working):
    Submitter(redis_client, queue).submit(NewJob("over HTTP", picture()))
    results = Results(redis_client, queue)
    assert results.wait("over HTTP", 20).state == "done"
    assert OutputQueue(**place).dequeue() == {}
    assert results.job("over HTTP") is not None


def test_a_full_queue_refuses_and_a_uri_in_use_is_a_conflict(place, queue, redis_client, monkeypatch):
    source = InputQueue(**place)
    source.enqueue("one", t=np.ones(3))
    source.enqueue("one", t=np.ones(3))
    assert redis_client.xlen(queue.stream) == 1, "the same again is the same job"
    with pytest.raises(JobConflict, match="one"):
        source.enqueue("one", t=np.ones(4))
    source._sending._submitter._settings = replace(queue, most_jobs=1)
    with pytest.raises(QueueFull, match="The queue is full: 1 jobs wait"):
        source.enqueue("two", t=np.ones(3))


def test_a_job_that_failed_runs_again_when_it_is_sent_again(place, working):
    source, output = InputQueue(**place), OutputQueue(**place)
    source.enqueue("bad", t=np.ones(13))
    until(lambda: output.query("bad") == "NaN")
    first = output._results.job("bad")
    source.enqueue("bad", t=np.ones(13))
    until(lambda: output.query("bad") == "NaN" and output._results.job("bad").ended_ms > first.ended_ms)


def test_predict_takes_json_arrays_and_images(place, working, tmp_path):
    (tmp_path / "cat.png").write_bytes(picture())
    source = InputQueue(**place)
    assert source.predict(json.dumps({"instances": [{"t": [1, 2, 3]}]}), timeout=20).tolist() == [6]
    assert source.predict(np.ones(5), timeout=20).tolist() == [5]
    assert source.predict({"t": np.ones((3, 3))}, timeout=20).tolist() == [9]
    size = (tmp_path / "cat.png").stat().st_size
    assert source.predict({"img": {"path": str(tmp_path / "cat.png")}}, timeout=20).tolist() == [size]
    assert source.predict(str(tmp_path / "cat.png"), timeout=20).tolist() == [size]
    as_json = {"instances": [{"img": base64.b64encode(picture()).decode()}]}
    assert source.predict(json.dumps(as_json), timeout=20).tolist() == [size], "as the front end takes it"
    assert source.predict('{"instances": [{"t": "/etc/hostname"}]}', timeout=20) == "NaN", "a text, no path"
    assert source.predict(np.ones(13), timeout=20) == "NaN"
    assert OutputQueue(**place).dequeue() == {}, "predict takes its own results"
    with pytest.raises(BadInput, match="one instance"):
        source.predict('{"instances": [{"t": [1]}, {"t": [2]}]}')


def waits_at_most(timeout_s: float, predict: Callable[[], object]) -> None:
    """Their predict(timeout=5) may wait for three hours. Ours returns, and not before the time."""
    started_s = time.monotonic()
    assert predict() == "[]"
    took_s = time.monotonic() - started_s
    assert timeout_s - 0.01 <= took_s < timeout_s + 5, "of which this machine may have taken some"


def test_predict_returns_in_time_without_a_worker_and_nobody_begins_its_job_later(place, queue, redis_client):
    source = InputQueue(**place)
    source.enqueue("warm up", t=np.ones(3))
    redis_client.xtrim(queue.stream, maxlen=0)
    waits_at_most(1, lambda: source.predict(np.ones(3), timeout=1))
    until(lambda: redis_client.xlen(queue.stream) == 1)
    time.sleep(1.1)  # its deadline was at most 1 s after it was sent
    echo = Echo()
    with running_worker(redis_client, queue, echo):
        until(lambda: not redis_client.xlen(queue.stream))
    assert echo.batches == []


def test_predict_returns_in_time_when_redis_hangs(tmp_path):
    server = start_redis(tmp_path)
    try:
        source = InputQueue(f"unix://{tmp_path}/redis.sock")
        os.kill(server.pid, signal.SIGSTOP)
        waits_at_most(0.5, lambda: source.predict(np.ones(3), timeout=0.5))
    finally:
        server.kill()
        server.wait()


@contextmanager
def front_end(
    status: int, body: bytes, wait_s: float = 0, **headers: str
) -> Iterator[tuple[str, list[bytes]]]:
    """A front end that always answers this; its URL, and what it was asked."""
    asked: list[bytes] = []
    let_go = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path.encode() + b" " + self.rfile.read(int(self.headers["Content-Length"])))
            let_go.wait(wait_s)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()


WRAPPED = json.dumps({"value": json.dumps({"data": [1, 2, 3, 4], "shape": [2, 2]})})


def test_predict_asks_the_front_end_if_there_is_one():
    with front_end(200, json.dumps({"predictions": [WRAPPED]}).encode()) as (url, asked):
        assert InputQueue(frontend_url=url).predict({"t": np.ones(2)}, 20).tolist() == [[1, 2], [3, 4]]
        assert InputQueue(url).predict('{"instances": [{"t": [7]}]}', 20).tolist() == [[1, 2], [3, 4]]
        InputQueue(url + "/").predict({"img": {"b64": base64.b64encode(picture()).decode()}}, 20)
    assert asked[0] == b'/predict {"instances": [{"t": [1.0, 1.0]}]}'
    assert asked[1] == b'/predict {"instances": [{"t": [7]}]}'
    image = json.loads(asked[2].split(b" ", 1)[1])["instances"][0]["img"]
    assert base64.b64decode(image) == picture()


def test_a_front_end_that_is_late_full_or_away_is_said_in_words():
    with front_end(200, b"{}", wait_s=20) as (url, _):
        waits_at_most(0.3, lambda: InputQueue(frontend_url=url).predict(np.ones(2), timeout=0.3))
    with (
        front_end(429, b'{"detail": "Too many requests."}', Retry_After="7") as (url, _),
        pytest.raises(QueueFull, match=r"Too many requests\.") as full,
    ):
        InputQueue(frontend_url=url).predict(np.ones(2), timeout=20)
    assert full.value.retry_after_s == 7
    with front_end(400, b"no") as (url, _), pytest.raises(PixelcostError, match="answered HTTP 400"):
        InputQueue(frontend_url=url).predict(np.ones(2), timeout=20)
    with front_end(200, b"<html>") as (url, _), pytest.raises(PixelcostError, match="can't be read: <html>"):
        InputQueue(frontend_url=url).predict(np.ones(2), timeout=20)
    with pytest.raises(QueueUnavailable, match="Is it running"):
        InputQueue(frontend_url=f"http://127.0.0.1:{free_port()}").predict(np.ones(2), timeout=20)
    with pytest.raises(BadInput, match="begins with http"):
        InputQueue(frontend_url="localhost:10020")


@pytest.mark.parametrize(
    "prediction",
    [
        WRAPPED,
        "{value=" + json.dumps({"data": [1, 2, 3, 4], "shape": [2, 2]}) + "}",
        {"data": [1, 2, 3, 4], "shape": [2, 2]},
        [[1, 2], [3, 4]],
    ],
)
def test_every_wrapping_of_a_front_ends_result_is_read(prediction):
    assert result_of(json.dumps({"predictions": [prediction]}).encode()).tolist() == [[1, 2], [3, 4]]
    assert result_of(b'{"predictions": ["{value=NaN}"]}') == "NaN"
    failed = json.dumps({"value": "NaN", "code": "too_late", "reason": "Its deadline passed."})
    assert result_of(json.dumps({"predictions": [failed]}).encode()) == "NaN"


def test_the_first_client_reads_classes_as_json(queue, redis_client, tmp_path, monkeypatch):
    config = tmp_path / "config.yaml"
    config.write_text(f"data:\n  src: {queue.url}\n")
    redis_queue = RedisQueue(config, name=queue.stream)
    pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(picture(), np.uint8), 1), cv2.COLOR_BGR2RGB)
    redis_queue.enqueue_image("fish", pixels)
    assert redis_queue.get_result("fish") == "{}" and redis_queue.get_results() == {}
    with running_worker(redis_client, queue, Sizes()):
        until(lambda: redis_queue.get_result("fish") != "{}")
    ((number, share),) = json.loads(redis_queue.get_result("fish")).items()
    assert number == "0" and float(share) > 100
    assert redis_queue.get_results() == redis_queue.get_results() == {"fish": redis_queue.get_result("fish")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: [", "not valid YAML"),
        ("redisUrl: 'redis://:secret@x:y'", "There can't be a Redis at redis://x:y"),
        (None, "no such file"),
    ],
)
def test_a_configuration_without_an_address_that_can_be_used_is_a_sentence(tmp_path, text, said):
    config = tmp_path / "config.yaml"
    if text is not None:
        config.write_text(text)
    with pytest.raises(PixelcostError, match=said):
        RedisQueue(config)


def test_an_array_of_pixels_is_blue_first_as_opencv_has_it():
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[:, :, 0] = 255
    image = read_image(as_image(pixels), "x").pixels
    assert image.size == (6, 4) and image.getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.usefixtures("no_pauses")
def test_what_can_not_be_sent_is_refused_at_once_in_a_sentence(place, tmp_path):
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "scan.tiff").write_bytes(picture("TIFF"))
    source = InputQueue(**place)
    missing = tmp_path / "missing.jpg"
    with pytest.raises(BadInput, match=r"missing\.jpg can't be read: No such file or directory\."):
        source.enqueue("cat", img=str(missing))
    with pytest.raises(ImageRefused, match=r"text\.txt"):
        source.enqueue("cat", img={"path": str(tmp_path / "text.txt")})
    with pytest.raises(ImageRefused, match="TIFF"):
        source.enqueue_image("cat", tmp_path / "scan.tiff")
    for value in ({}, [], None, np.array([1j]), np.empty(0), [[1], [1, 2]], {"a": 1}):
        with pytest.raises(BadInput, match=r"The input t can't be sent: it is an? "):
            source.enqueue("cat", t=value)
    with pytest.raises(BadInput, match="no input"):
        source.enqueue("cat")
    with pytest.raises(BadInput, match="needs their names"):
        source.enqueue_tensor("cat", [np.ones(1), np.ones(1)])
    with pytest.raises(BadInput, match="3: places, values, shape"):
        source.enqueue("cat", t=[np.ones(1), np.ones(1)])
    for uri in ("", 7, None, b"cat"):
        with pytest.raises(PixelcostError, match="id of a job"):
            source.enqueue(uri, t=np.ones(1))
    with pytest.raises(QueueUnavailable, match="can't be reached"):
        OutputQueue("127.0.0.1", free_port()).query("cat")


def test_a_sparse_tensor_is_sent_as_the_array_that_it_stands_for():
    sparse = as_input("t", [np.array([[0, 1], [1, 2]]), np.array([7.0, 9.0]), np.array([2, 3])])
    assert sparse.tolist() == [[0, 7, 0], [0, 0, 9]]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "redis://localhost:6379/0"),
        ({"host": "cache", "port": "7000"}, "redis://cache:7000/0"),
        ({"host": "::1"}, "redis://[::1]:6379/0"),
        ({"password": "a/b"}, "redis://:a%2Fb@localhost:6379/0"),
        ({"ssl": "True", "ssl_ca_certs": "/ca.crt"}, "rediss://localhost:6379/0?ssl_ca_certs=%2Fca.crt"),
    ],
)
def test_host_port_and_certificates_name_a_redis(given, url):
    arguments = {"host": None, "port": None, "name": "serving_stream"} | given
    assert queue_at(**arguments).url == url


def test_certificates_reach_the_connection():
    pool = connection(queue_at(None, None, "s", True, ssl_ca_certs="/ca.crt").url).connection_pool
    assert pool.connection_kwargs["ssl_ca_certs"] == "/ca.crt"


@pytest.mark.parametrize("given", [{"port": 70000}, {"port": "x"}, {"name": "a b"}, {"host": "ftp://x"}])
def test_a_place_that_can_not_be_is_refused_in_words(given):
    with pytest.raises(PixelcostError, match=r"There can't be a Redis|name of the queue"):
        queue_at(**({"host": None, "port": None, "name": "s"} | given))
