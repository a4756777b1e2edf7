"""Photos become jobs over HTTP: through real gunicorn, a real Redis and a real worker."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from urllib.parse import quote

import pytest
import requests

from experiment.queue.connection import connection
from experiment.queue.records import QueueSettings
from jobs.records import Answerer
from jobs.worker.worker import Worker
from tests.support.processes.gateway_process import GatewayProcess, running_gateway
from tests.support.queue.parts import Holding, Measure, Refusing, running_worker
from tests.support.queue.photos import png
from tests.support.queue.redis_server import new_queue, start_redis

NewId = Callable[[], str]


def submit(gateway: GatewayProcess, data: bytes, **options: str) -> requests.Response:
    return requests.post(f"{gateway.url}/jobs", data=data, params=options, timeout=60)


def look(gateway: GatewayProcess, location: str, query: str = "") -> requests.Response:
    return requests.get(f"{gateway.url}{location}{query}", timeout=90)


def working(queue: QueueSettings, answerer: Answerer) -> AbstractContextManager[Worker]:
    return running_worker(connection(queue.url), queue, answerer)


def forget_all(queue: QueueSettings) -> None:
    """What a test leaves waiting; the next one begins with an empty stream."""
    connection(queue.url).delete(queue.stream)


def test_a_photo_becomes_a_job_and_a_waiting_client_gets_its_result(gateway, gateway_queue, new_id):
    answer = submit(gateway, png(), id=new_id())
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"
    assert answer.json()["location"] == answer.headers["Location"]
    with working(gateway_queue, Measure()):
        job = look(gateway, answer.headers["Location"], "?wait=30").json()
    assert job["state"] == "done"
    assert job["result"] == {"size_bytes": len(png())}
    assert job["submitted_ms"] <= job["started_ms"] <= job["ended_ms"]
    assert (job["tries"], job["worker"], job["batch"]) == (1, "w-0", 1)
    assert set(job["stages_ms"]) == {"queue_wait", "batch_wait", "service"}
    assert (job["code"], job["reason"]) == (None, None)


def test_a_failed_job_says_why(gateway, gateway_queue, new_id):
    place = submit(gateway, png(), id=new_id()).headers["Location"]
    with working(gateway_queue, Refusing()):
        job = look(gateway, place, "?wait=30").json()
    assert (job["state"], job["code"]) == ("failed", "image_refused")
    assert job["reason"] == "The photo is damaged."
    assert job["result"] is None


def test_the_same_request_again_is_the_same_job_and_another_photo_is_a_conflict(
    gateway, gateway_queue, new_id
):
    job_id = new_id()
    first, again = (submit(gateway, png(), id=job_id) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    assert connection(gateway_queue.url).xlen(gateway_queue.stream) == 1
    other = submit(gateway, png(colour=1), id=job_id)
    assert (other.status_code, other.json()["code"]) == (409, "job_conflict")
    forget_all(gateway_queue)


def test_a_body_that_curl_calls_a_form_is_a_photo(gateway, gateway_queue, new_id):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{gateway.url}/jobs", data=png(200), headers=headers, timeout=60)
    assert answer.status_code == 202, answer.text
    forget_all(gateway_queue)


def test_an_idempotency_key_is_an_id(gateway, gateway_queue, new_id):
    key = new_id()
    for _ in range(2):
        answer = requests.post(
            f"{gateway.url}/jobs", data=png(), headers={"Idempotency-Key": f'"{key}"'}, timeout=60
        )
        assert answer.json()["id"] == key
    assert connection(gateway_queue.url).xlen(gateway_queue.stream) == 1
    forget_all(gateway_queue)


@pytest.mark.parametrize(
    "job_id",
    ["a:b", "2024/07/cat.jpg", "100%", "a%2Fb", "x/events", "50% & more?#", "Katze ü 猫", "a b", "..x", "+"],
)
def test_an_id_may_hold_any_printable_character(gateway, gateway_queue, job_id):
    answer = submit(gateway, png(), id=job_id)
    assert answer.status_code == 202, answer.text
    place = answer.headers["Location"]
    assert place == "/jobs/" + quote(job_id, safe="")
    assert look(gateway, place).json()["id"] == job_id
    with working(gateway_queue, Measure()):
        assert look(gateway, place, "?wait=30").json()["state"] == "done"
        assert "event: done" in look(gateway, f"{place}/events").text
    assert requests.delete(gateway.url + place, timeout=60).status_code == 204
    assert look(gateway, place).status_code == 404


@pytest.mark.parametrize("job_id", ["..", ".", "two\nlines", "x" * 201])
def test_an_id_that_can_not_be_used_is_refused(gateway, gateway_queue, job_id):
    answer = submit(gateway, png(), id=job_id)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_id")
    assert not connection(gateway_queue.url).xlen(gateway_queue.stream)


def test_several_photos_in_a_form_are_a_job_each_with_an_outcome_of_its_own(gateway, gateway_queue, new_id):
    files = [("file", ("a.png", png())), ("file", ("b.txt", b"no image")), ("file", ("c.png", png(9)))]
    ids = [new_id() for _ in files]
    answer = requests.post(f"{gateway.url}/jobs", files=files, data={"id": ids}, timeout=60)
    assert answer.status_code == 207
    outcomes = answer.json()["jobs"]
    assert [outcome["status"] for outcome in outcomes] == [202, 415, 202]
    assert [outcomes[0]["job"]["id"], outcomes[2]["job"]["id"]] == [ids[0], ids[2]]
    assert "b.txt is not a photo" in outcomes[1]["problem"]["detail"]
    answer = requests.post(f"{gateway.url}/jobs", files=[files[0], files[2]], timeout=60)
    assert answer.status_code == 202
    assert len({outcome["job"]["id"] for outcome in answer.json()["jobs"]}) == 2
    forget_all(gateway_queue)


def test_photos_of_one_idempotency_key_get_ids_that_repeat(gateway, gateway_queue, new_id):
    key, files = new_id(), [("file", ("a.png", png())), ("file", ("b.png", png(9)))]
    answers = [
        requests.post(f"{gateway.url}/jobs", files=files, headers={"Idempotency-Key": key}, timeout=60).json()
        for _ in range(2)
    ]
    assert [outcome["status"] for outcome in answers[0]["jobs"]] == [202, 202]
    assert [outcome["status"] for outcome in answers[1]["jobs"]] == [200, 200]
    assert [outcome["job"]["id"] for outcome in answers[1]["jobs"]] == [f"{key}:0", f"{key}:1"]
    forget_all(gateway_queue)


REFUSED = {
    "no body": ({"data": b""}, 400, "no_file", "curl --data-binary"),
    "no image": ({"data": b"hello"}, 415, "not_an_image", "Use JPEG, PNG"),
    "damaged image": ({"data": png()[:20]}, 422, "truncated", ""),
    "no file in the form": ({"files": {"photo": ("a.png", png())}}, 400, "no_file", "in a field `file`"),
    "text in the field": (
        {"data": {"file": "cat.jpg"}, "files": {"x": ("", b"")}},
        400,
        "no_file",
        "Write an @",
    ),
    "unknown option": ({"data": png(), "params": {"prio": "1"}}, 422, "bad_query", "deadline_s, id"),
    "empty id": ({"data": png(), "params": {"id": " "}}, 422, "bad_query", "id is empty"),
    "no deadline": ({"data": png(), "params": {"deadline_s": "soon"}}, 422, "bad_query", "number of seconds"),
    "deadline of 0": ({"data": png(), "params": {"deadline_s": "0"}}, 422, "bad_query", "above 0"),
    "deadline that is no number": ({"data": png(), "params": {"deadline_s": "nan"}}, 422, "bad_query", ""),
    "two ids": ({"data": png(), "params": {"id": ["a", "b"]}}, 422, "bad_id", "1 photos and 2 ids"),
    "id and key": (
        {"data": png(), "params": {"id": "a"}, "headers": {"Idempotency-Key": "b"}},
        422,
        "bad_id",
        "not both",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_job_is_refused_with_a_sentence(gateway, gateway_queue, name):
    asked, status, code, words = REFUSED[name]
    answer = requests.post(f"{gateway.url}/jobs", timeout=60, **asked)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert words in problem["detail"]
    assert problem["title"] != problem["code"]
    assert not connection(gateway_queue.url).xlen(gateway_queue.stream)


@pytest.fixture(scope="module")
def small_queue(redis_url: str) -> QueueSettings:
    return replace(new_queue(redis_url), most_jobs=2)


@pytest.fixture(scope="module")
def small(tmp_path_factory, small_queue) -> Iterator[GatewayProcess]:
    """A gateway with small limits."""
    limits = ("--max_bytes", "100000", "--max_waiting", "2")
    with running_gateway(tmp_path_factory.mktemp("small"), small_queue, *limits) as started:
        yield started


def test_a_photo_above_the_limit_is_refused_before_and_after_it_has_arrived(small, small_queue):
    large = png() + bytes(101_000)
    assert submit(small, large).status_code == 413  # within the slack for forms, so it is read
    assert submit(small, bytes(10_000_000)).status_code == 413
    files = [("file", ("a.png", large)), ("file", ("b.png", png()))]
    answer = requests.post(f"{small.url}/jobs", files=files, timeout=60)
    assert [outcome["status"] for outcome in answer.json()["jobs"]] == [413, 202]
    forget_all(small_queue)


def test_a_full_queue_says_when_to_come_back(small, small_queue):
    answers = [submit(small, png(colour=colour)) for colour in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].json()["code"] == "queue_full"
    assert int(answers[2].headers["Retry-After"]) >= 1
    many = [("file", (f"{n}.png", png(9, n))) for n in range(2)]
    outcomes = requests.post(f"{small.url}/jobs", files=many, timeout=60).json()["jobs"]
    assert [outcome["status"] for outcome in outcomes] == [429, 429]
    assert outcomes[0]["retry_after_s"] >= 1
    depth = requests.get(f"{small.url}/queue", timeout=60).json()
    assert (depth["jobs"], depth["most_jobs"], depth["running"]) == (2, 2, 0)
    forget_all(small_queue)


def test_a_job_whose_deadline_passed_fails_and_says_so(gateway, gateway_queue, new_id):
    place = submit(gateway, png(), id=new_id(), deadline_s="0.001").headers["Location"]
    time.sleep(0.05)
    with working(gateway_queue, Measure()):
        job = look(gateway, place, "?wait=30").json()
    assert (job["state"], job["code"]) == ("failed", "too_late")


def test_a_job_that_nobody_knows_is_a_404_that_says_why(gateway):
    for path in ("/jobs/nobody", "/jobs/nobody?wait=5", "/jobs/nobody/events"):
        answer = look(gateway, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_job")
        assert "never submitted" in answer.json()["detail"] and "expired" in answer.json()["detail"]
    assert requests.delete(f"{gateway.url}/jobs/nobody", timeout=60).status_code == 404


def test_a_job_that_waits_can_not_be_deleted(gateway, gateway_queue, new_id):
    place = submit(gateway, png(), id=new_id()).headers["Location"]
    answer = requests.delete(gateway.url + place, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (409, "job_is_open")
    assert look(gateway, place).json()["state"] == "queued"
    forget_all(gateway_queue)


def test_a_wait_ends_with_the_job_as_it_is(gateway, gateway_queue, new_id):
    place = submit(gateway, png(), id=new_id()).headers["Location"]
    assert look(gateway, place, "?wait=0.2").json()["state"] == "queued"
    for wait in ("-1", "nan", "long"):
        assert look(gateway, place, f"?wait={wait}").json()["code"] == "bad_query"
    forget_all(gateway_queue)


def events_of(answer: requests.Response) -> list[tuple[int, str, dict]]:
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


def test_events_follow_a_job_to_its_end_and_can_be_resumed(gateway, gateway_queue, new_id):
    answerer = Holding(Measure())
    place = submit(gateway, png(), id=new_id()).headers["Location"]
    with requests.get(f"{gateway.url}{place}/events", stream=True, timeout=60) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines(chunk_size=1)
        until(lines, "event: queued")
        with working(gateway_queue, answerer):
            until(lines, "event: running")
            answerer.may.set()
            until(lines, "event: done")
    whole = look(gateway, f"{place}/events")
    assert [name for _, name, _ in events_of(whole)] == ["queued", "running", "done"]
    numbers = [number for number, _, _ in events_of(whole)]
    assert numbers == sorted(set(numbers))
    assert events_of(whole)[-1][2]["result"] == {"size_bytes": len(png())}
    headers = {"Last-Event-ID": str(numbers[0])}
    rest = requests.get(f"{gateway.url}{place}/events", headers=headers, timeout=60)
    assert [name for _, name, _ in events_of(rest)] == ["running", "done"]
    last = look(gateway, f"{place}/events", f"?last_event_id={numbers[-1]}")
    assert last.status_code == 204, "so that a browser does not come back"


def until(lines, wanted: str) -> None:
    for line in lines:
        if line.decode() == wanted:
            return
    raise AssertionError(f"the stream ended without {wanted}")


def test_64_clients_wait_while_others_submit_within_150_mb(gateway, gateway_queue, new_id):
    answerer = Holding(Measure())
    places = [submit(gateway, png(), id=new_id()).headers["Location"] for _ in range(64)]
    began = threading.Barrier(65)

    def wait(place: str) -> str:
        began.wait(60)
        return look(gateway, place, "?wait=60").json()["state"]

    with ThreadPoolExecutor(64) as pool, working(gateway_queue, answerer):
        states = pool.map(wait, places)
        began.wait(60)
        await_waiting(gateway, 64)
        later = [submit(gateway, png(), id=new_id()) for _ in range(20)]
        assert {answer.status_code for answer in later} == {202}
        memory_mb = gateway.memory_mb()
        answerer.may.set()
        assert set(states) == {"done"}
        for answer in later:
            assert look(gateway, answer.headers["Location"], "?wait=60").json()["state"] == "done"
    assert memory_mb < 150


def test_more_slow_clients_than_threads_keep_nobody_waiting(gateway):
    with ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            client.sendall(b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n")
        assert requests.get(f"{gateway.url}/readyz", timeout=60).status_code == 200


def test_an_answer_without_a_body_gives_its_place_back(gateway, gateway_queue, new_id):
    place = submit(gateway, png(), id=new_id()).headers["Location"]
    assert requests.head(f"{gateway.url}{place}/events", timeout=60).status_code == 200
    await_waiting(gateway, 0)
    forget_all(gateway_queue)


def await_waiting(gateway: GatewayProcess, count: int) -> None:
    for _ in range(600):
        text = requests.get(f"{gateway.url}/metrics", timeout=60).text
        if f"pixelcost_gateway_waiting_requests {float(count)}" in text:
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{count} requests never waited")


def test_more_than_may_wait_are_refused_and_looking_without_waiting_is_not(small, small_queue):
    with ThreadPoolExecutor(2) as pool:
        place = submit(small, png()).headers["Location"]
        waits = [pool.submit(look, small, place, "?wait=60") for _ in range(2)]
        await_waiting(small, 2)
        refused = look(small, place, "?wait=1")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_waiting")
        assert int(refused.headers["Retry-After"]) >= 1
        assert look(small, f"{place}/events").status_code == 429
        assert look(small, place).status_code == 200
        with working(small_queue, Measure()):
            assert {wait.result().json()["state"] for wait in waits} == {"done"}
        assert look(small, place, "?wait=1").status_code == 200, "the places are free again"


def test_a_client_that_hangs_up_gives_its_place_back(small, small_queue):
    place = submit(small, png()).headers["Location"]
    with requests.get(f"{small.url}{place}/events", stream=True, timeout=60) as stream:
        lines = stream.iter_lines(chunk_size=1)
        until(lines, "event: queued")
        await_waiting(small, 1)
    await_waiting(small, 0)
    with pytest.raises(requests.Timeout):
        requests.get(f"{small.url}{place}?wait=60", timeout=0.5)
    await_waiting(small, 0)
    forget_all(small_queue)


def test_without_redis_it_says_so_and_it_goes_on_when_redis_is_back(tmp_path):
    process = start_redis(tmp_path)
    queue = QueueSettings(f"unix://{tmp_path}/redis.sock")
    try:
        with running_gateway(tmp_path, queue) as gateway, ThreadPoolExecutor(1) as pool:
            assert requests.get(f"{gateway.url}/readyz", timeout=60).status_code == 200
            process.kill()
            process.wait()
            asked = pool.submit(submit, gateway, png())  # tries again for a while
            ready = requests.get(f"{gateway.url}/readyz", timeout=60)
            assert ready.status_code == 503 and "can't be reached" in ready.json()["reason"]
            assert requests.get(f"{gateway.url}/healthz", timeout=60).status_code == 200
            assert "pixelcost_gateway_redis_up 0" in requests.get(f"{gateway.url}/metrics", timeout=60).text
            assert requests.get(f"{gateway.url}/queue", timeout=60).status_code == 503
            answer = asked.result(60)
            assert (answer.status_code, answer.json()["code"]) == (503, "queue_unavailable")
            assert answer.headers["Retry-After"]
            process = start_redis(tmp_path)
            assert requests.get(f"{gateway.url}/readyz", timeout=60).status_code == 200
            place = submit(gateway, png()).headers["Location"]
            wait = pool.submit(look, gateway, place, "?wait=60")
            await_waiting(gateway, 1)
            gateway.process.terminate()
            assert wait.result(60).json()["state"] == "queued", "a stop ends a wait with the job as it is"
    finally:
        process.kill()
        process.wait()
