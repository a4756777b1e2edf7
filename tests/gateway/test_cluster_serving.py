"""Cluster Serving's HTTP front end, asked as its published clients ask it."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import numpy as np
import pytest
import requests

from experiment.errors import ConfigRefused
from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from experiment.queue.results import Results
from gateway.cluster_serving.options import NAMES, NO_MEANING, translated
from gateway.cluster_serving.servables import servables
from jobs.records import Answered, Answerer, Outcome, Refused, Request
from jobs.worker.worker import Worker
from tests.support.processes.gateway_process import GatewayProcess, running_gateway
from tests.support.queue.parts import running_worker
from tests.support.queue.photos import png
from tests.support.queue.redis_server import new_queue

SCORES = np.array([[0.5, 0.25], [0.125, 0.125]], np.float32)
CLIENTS = ("bigdl.serving.client", "zoo.serving.client")


class Scores:
    """Answers a photo with scores, and arrays with their sum."""

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Outcome:
        if request.image is not None:
            return Answered({"top": [{"label": "cat", "score": 0.5}]}, SCORES, {"service": 7.0})
        texts = {name: array.tolist() for name, array in request.tensors.items() if array.dtype == object}
        numbers = [array for array in request.tensors.values() if array.dtype != object]
        if any((array < 0).any() for array in numbers):
            return Refused("bad_input", "The model takes no negative numbers.")
        total = np.array(sum(float(array.sum()) for array in numbers), np.float32)
        return Answered({"outputs": {"sum": float(total), **texts}}, total.reshape(1), {"service": 7.0})


class OnlyLabels:
    """A model that does not return the scores of all classes."""

    def answer(self, requests: Sequence[Request]) -> list[Outcome]:
        return [Answered({"top": [{"label": "cat", "score": 0.5}]}) for _ in requests]


SERVABLES = """\
---
modelMetaDataList:
- !<ClusterServingMetaData>
   modelName: "cats"
   modelVersion: "1.0"
   redisInputQueue: "{0}"
   redisOutputQueue: "cluster-serving_{0}:"
- !<ClusterServingMetaData>
   modelName: "cats"
   modelVersion: "2/b"
   redisInputQueue: "{1}"
"""


@pytest.fixture(scope="module")
def front_queue(redis_url: str) -> QueueSettings:
    return new_queue(redis_url)


@pytest.fixture(scope="module")
def other_queue(redis_url: str) -> QueueSettings:
    return new_queue(redis_url)


@pytest.fixture(scope="module")
def front(
    tmp_path_factory, front_queue: QueueSettings, other_queue: QueueSettings
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("front")
    file = folder / "servables-conf.yaml"
    file.write_text(SERVABLES.format(front_queue.stream, other_queue.stream))
    with running_gateway(folder, front_queue, "--servableManagerConfPath", str(file)) as started:
        yield started


def working(queue: QueueSettings, answerer: Answerer | None = None) -> AbstractContextManager[Worker]:
    return running_worker(connection(queue.url), queue, answerer or Scores())


def predict(front: GatewayProcess, *instances: dict, path: str = "/predict") -> requests.Response:
    return requests.post(front.frontend_url + path, json={"instances": instances}, timeout=60)


def array_of(prediction: str) -> np.ndarray:
    value = json.loads(json.loads(prediction)["value"])
    return np.array(value["data"]).reshape(value["shape"])


def image() -> dict:
    return {"image": base64.b64encode(png()).decode()}


def test_it_says_that_it_is_there_as_its_clients_expect(front):
    answer = requests.get(front.frontend_url, timeout=60)
    assert (answer.status_code, answer.text) == (200, "welcome to analytics zoo web serving frontend")


def test_the_gateways_own_routes_are_on_the_other_port_only(front):
    assert requests.get(f"{front.frontend_url}/queue", timeout=60).status_code == 404
    assert requests.post(f"{front.url}/predict", json={}, timeout=60).status_code == 404


@pytest.mark.parametrize("module", CLIENTS)
def test_what_it_answers_is_read_by_the_published_client(front, front_queue, module):
    client = pytest.importorskip(module)
    with working(front_queue):
        answer = httpx.post(f"{front.frontend_url}/predict", json={"instances": [image()]}, timeout=60)
    assert client.http_response_to_ndarray(answer) == pytest.approx(SCORES)
    assert client.http_json_to_ndarray(answer.text) == pytest.approx(SCORES)


@pytest.mark.parametrize("module", CLIENTS)
def test_predict_of_the_published_client_gives_the_prediction_as_text(
    front, front_queue, module, monkeypatch
):
    client = pytest.importorskip(module)
    # Its constructor wants Redis as well, and a class that httpx removed in 2020: the rest is as published.
    monkeypatch.setattr(httpx, "PoolLimits", lambda **limits: None, raising=False)
    monkeypatch.setattr(client.redis, "StrictRedis", lambda **place: connection(front_queue.url))
    queue = client.InputQueue(frontend_url=front.frontend_url, name=front_queue.stream)
    with working(front_queue):
        said = queue.predict(json.dumps({"instances": [{"x": [1.0, 2.0], "y": 3}]}))
    assert array_of("{" + said + "}").tolist() == [6.0]


def test_instances_are_jobs_of_one_queue_and_come_back_in_their_order(front, front_queue):
    with working(front_queue):
        answer = predict(front, {"x": 1}, {"x": [1, 2, 3]}, {"x": [[1.5], [2.5]]}, image())
    found = [array_of(each) for each in answer.json()["predictions"]]
    assert [each.tolist() for each in found[:3]] == [[1.0], [6.0], [4.0]]
    assert found[3] == pytest.approx(SCORES)


def test_a_body_that_curl_calls_a_form_is_json(front, front_queue):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = json.dumps({"instances": [{"x": [1.0] * 5_000}]})
    with working(front_queue):
        answer = requests.post(f"{front.frontend_url}/predict", data=body, headers=headers, timeout=60)
    assert array_of(answer.json()["predictions"][0]).tolist() == [5000.0]


def test_a_sparse_tensor_and_texts_reach_the_model_as_they_are(front, front_queue):
    sparse = {"shape": [2, 3], "data": [1.5, 2.5], "indices": [[0, 0], [1, 2]]}
    with working(front_queue):
        answer = predict(front, {"x": sparse, "words": ["come", "on"], "word": "hello"})
    assert array_of(answer.json()["predictions"][0]).tolist() == [4.0]


def test_a_model_without_the_scores_of_all_classes_gives_labels_and_not_numbers_in_their_place(
    front, front_queue
):
    with working(front_queue, OnlyLabels()):
        answer = predict(front, image())
    assert array_of(answer.json()["predictions"][0]).tolist() == [["cat", "0.5"]]


def test_a_failed_instance_is_nan_with_its_reason_and_a_request_that_failed_wholly_is_refused(
    front, front_queue
):
    with working(front_queue):
        some = predict(front, {"x": -1}, {"x": 1})
        none = predict(front, {"x": -1})
    failed = json.loads(some.json()["predictions"][0])
    assert (some.status_code, failed["value"]) == (200, "NaN")
    assert failed["reason"] == "The model takes no negative numbers."
    assert array_of(some.json()["predictions"][1]).tolist() == [1.0]
    assert (none.status_code, none.json()["code"]) == (422, "job_failed")
    assert none.json()["detail"] == "The model takes no negative numbers."


def test_results_that_were_answered_are_forgotten_and_no_dequeue_takes_them(front, front_queue):
    client = connection(front_queue.url)
    with working(front_queue):
        assert predict(front, {"x": 1}, image()).status_code == 200
    assert not client.keys(f"pixelcost:{{{front_queue.stream}}}:job:*")
    assert not client.zcard(front_queue.keys.unread)


def test_jobs_that_take_too_long_are_named_and_not_lost(front, front_queue):
    answer = predict(front, {"x": 1}, {"x": 2}, path="/predict?wait=0.2")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (504, "late_job")
    ids = problem["detail"].split("Ids: ")[1].rstrip(".").split(", ")
    assert len(ids) == 2
    with working(front_queue):
        job = requests.get(f"{front.url}/jobs/{ids[1]}?wait=30", timeout=60).json()
    assert (job["state"], job["result"]["outputs"]["sum"]) == ("done", 2.0)
    for job_id in ids:
        Results(connection(front_queue.url), front_queue).forget(job_id)


ODD = (
    *(True, [True, False], 2**63, [2**63], -1.5e300, math.inf, math.nan, [math.nan]),
    *("", "a|b", [""], [["a"], ["b"]], [[[[[[[[[[1]]]]]]]]]]),
)


@pytest.mark.parametrize("value", ODD, ids=str)
def test_an_odd_input_is_answered_or_refused_and_never_a_crash(front, front_queue, value):
    body = json.dumps({"instances": [{"x": value}]})
    with working(front_queue):
        answer = requests.post(f"{front.frontend_url}/predict", data=body, timeout=60)
    assert answer.status_code in {200, 400, 422}, answer.text


BAD = {
    "no JSON": (b"{", 400, "not JSON"),
    "no instances": (b"{}", 400, "no list `instances`"),
    "a list": (b"[1]", 400, "no list `instances`"),
    "empty": (b'{"instances": []}', 400, "no list `instances`"),
    "no inputs": (b'{"instances": [{}]}', 400, "Instance 1 has no inputs"),
    "no names": (b'{"instances": [[1, 2]]}', 400, "Instance 1 has no inputs"),
    "rows of different lengths": (b'{"instances": [{"x": [[1], [1, 2]]}]}', 400, "different lengths"),
    "nothing": (b'{"instances": [{"x": null}]}', 400, "is a number, a text"),
    "an empty list": (b'{"instances": [{"x": []}]}', 400, "is a number, a text"),
    "numbers and texts": (b'{"instances": [{"x": [1, "a"]}]}', 400, "is a number, a text"),
    "huge number": (b'{"instances": [{"x": 123456789012345678901234567890}]}', 400, "is a number, a text"),
    "sparse without places": (b'{"instances": [{"x": {"shape": [2], "data": [1]}}]}', 400, "sparse tensor"),
    "place outside": (
        b'{"instances": [{"x": {"shape": [2], "data": [1], "indices": [[2]]}}]}',
        400,
        "outside its shape [2]",
    ),
    "enormous sparse tensor": (
        b'{"instances": [{"x": {"shape": [100000, 100000], "data": [1], "indices": [[0, 0]]}}]}',
        400,
        "has the shape [100000, 100000], which is too large",
    ),
    "too many": (b'{"instances": [' + b'{"x": 1},' * 512 + b'{"x": 1}]}', 400, "the limit is 512"),
    "deeply nested": (b'{"instances":' + b"[" * 100_000, 400, "not JSON"),
    "too many lists": (b'{"instances": [{"x": [' + b"[]," * 270_000 + b"[]]}]}", 413, "lists"),
    "too many values": (b'{"instances": [{"x": [' + b"0," * 4_200_000 + b"0]}]}", 413, "4,194,304 values"),
    "damaged image": (
        json.dumps({"instances": [{"image": base64.b64encode(png()[:20]).decode()}]}).encode(),
        422,
        "",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_instances_that_can_not_be_read_are_refused_before_any_becomes_a_job(front, front_queue, name):
    body, status, words = BAD[name]
    answer = requests.post(f"{front.frontend_url}/predict", data=body, timeout=60)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]
    assert not connection(front_queue.url).xlen(front_queue.stream)


def test_metrics_are_its_timers_and_for_prometheus_the_gateways(front, front_queue):
    with working(front_queue):
        assert predict(front, {"x": 1}).status_code == 200
    timers = {row["name"]: row for row in requests.get(f"{front.frontend_url}/metrics", timeout=60).json()}
    assert {f"zoo.serving.{name}" for name in ("request.predict", "redis.put", "redis.wait")} <= set(timers)
    inference = timers["zoo.serving.backend.inference"]
    assert inference["count"] >= 1 and inference["median"] == inference["_999thPercentile"] == 7.0
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    text = requests.get(f"{front.frontend_url}/metrics", headers=accept, timeout=60).text
    assert "pixelcost_gateway_http_requests_total" in text


def test_encrypted_models_are_not_offered(front):
    answer = requests.post(f"{front.frontend_url}/model-secure", data="secret=a&salt=b", timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (501, "not_offered")


def test_each_model_of_a_servables_file_has_a_queue_of_its_own(front, front_queue, other_queue):
    base = f"{front.frontend_url}/models"
    listed = requests.get(base, timeout=60).json()
    versions = [(each["modelName"], each["modelVersion"]) for each in listed]
    assert versions == [("cats", "1.0"), ("cats", "2/b")]
    assert listed[0]["redisOutputQueue"] == f"cluster-serving_{front_queue.stream}:"
    assert requests.get(f"{base}/cats", timeout=60).json() == listed
    assert requests.get(f"{base}/cats/versions/2%2Fb", timeout=60).json() == listed[1]
    for missing in ("/dogs", "/cats/versions/3"):
        answer = requests.get(base + missing, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_model")
        assert "cats 1.0, cats 2/b" in answer.json()["detail"]
    with working(front_queue, OnlyLabels()), working(other_queue):
        first = predict(front, image(), path="/models/cats/versions/1.0/predict")
        second = predict(front, image(), path="/models/cats/versions/2%2Fb/predict")
    assert array_of(first.json()["predictions"][0]).tolist() == [["cat", "0.5"]]
    assert array_of(second.json()["predictions"][0]) == pytest.approx(SCORES)


BAD_SERVABLES = {
    "nothing": ("", "no list `modelMetaDataList`"),
    "no YAML": ("a: [", "is not YAML"),
    "no models": ("modelMetaDataList: []", "no list"),
    "a text": ("modelMetaDataList:\n- cats", "model 1 is not a list of names"),
    "Python": ("modelMetaDataList:\n- !!python/object/apply:os.system ['true']", "is not YAML"),
    "no version": ("modelMetaDataList:\n- !<ClusterServingMetaData>\n  modelName: a", "needs modelName"),
    "in the front end itself": (
        "modelMetaDataList:\n- !<InferenceModelMetaData>\n  modelName: a\n  modelVersion: '1'",
        "python -m jobs serve",
    ),
    "bad port": (
        "modelMetaDataList:\n- !<ClusterServingMetaData>\n  modelName: a\n  modelVersion: '1'\n"
        "  redisHost: localhost\n  redisPort: many",
        "",
    ),
    "bad stream": (
        "modelMetaDataList:\n- !<ClusterServingMetaData>\n  modelName: a\n  modelVersion: '1'\n"
        "  redisInputQueue: a b",
        "without spaces",
    ),
    "twice": (
        "modelMetaDataList:\n" + "- !<ClusterServingMetaData>\n  modelName: a\n  modelVersion: '1'\n" * 2,
        "a has version 1 more than once",
    ),
}


@pytest.mark.parametrize("name", BAD_SERVABLES)
def test_a_servables_file_that_can_not_be_used_is_a_sentence(tmp_path, name):
    text, words = BAD_SERVABLES[name]
    file = tmp_path / "servables-conf.yaml"
    file.write_text(text)
    with pytest.raises(ConfigRefused) as refused:
        servables(str(file), QueueSettings())
    assert words in refused.value.message
    assert str(file) in refused.value.message


def test_a_servables_file_that_is_not_there_is_a_sentence(tmp_path: Path):
    with pytest.raises(ConfigRefused, match="can't be read: No such file"):
        servables(str(tmp_path / "none.yaml"), QueueSettings())


def test_the_old_options_become_the_gateways_or_are_named():
    given = {
        "interface": "0.0.0.0",
        "redisHost": "redis.example",
        "redisPort": "6380",
        "redisInputQueue": "cats",
        "parallelism": "1000",
        "tokenBucketEnabled": "true",
        "tokensPerSecond": "30",
        "tokenAcquireTimeout": "250",
        "redisSecureEnabled": "true",
        "timeWindow": "0",
        "httpsEnabled": "true",
    }
    options, notes = translated(given)
    assert options == {
        "host": "0.0.0.0",
        "redis_url": "rediss://redis.example:6380",
        "stream": "cats",
        "max_waiting": "1000",
        "threads": "1016",
        "tokens_per_second": "30",
        "token_wait_s": "0.25",
        "frontend_port": "10020",
    }
    assert [note.split()[0] for note in notes] == ["--timeWindow", "--httpsEnabled"]
    assert translated({}) == ({}, [])
    assert translated({"tokensPerSecond": "30"})[0] == {"frontend_port": "10020"}, "the bucket is off"
    assert set(NO_MEANING) < set(NAMES)


def test_all_bad_old_options_are_named_at_once():
    with pytest.raises(ConfigRefused) as refused:
        translated({"redisPort": "many", "tokenBucketEnabled": "maybe"})
    assert "--redisPort 'many'" in refused.value.message
    assert "--tokenBucketEnabled 'maybe' is not one of true, false" in refused.value.message
