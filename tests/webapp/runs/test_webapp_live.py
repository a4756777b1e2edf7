"""The web process under gunicorn: broken connections, huge and slow bodies, stops and crashes."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.processes.app_process import is_alive
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.processes.webapp_parts import eventually, photo_bytes

LONG = json.dumps({"sizes_px": [32], "repeats": 1000})
SMALL = json.dumps({"sizes_px": [32], "repeats": 5})


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    environ = {"PIXELCOST_MAX_BYTES": "1000000", "PIXELCOST_MAX_STREAMS": "8", "PIXELCOST_THREADS": "16"}
    with web_process(tmp_path_factory.mktemp("web"), **environ) as web:
        yield web


def everything(connection: socket.socket) -> bytes:
    """All that the server sends until it closes."""
    parts: list[bytes] = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def has_answer(connection: socket.socket) -> bool:
    """Whether something has come."""
    return bool(select.select([connection], [], [], 0)[0])


def read_some(web: WebProcess, run_id: str, after: int, most: int) -> list[int]:
    """Ids of up to `most` events above `after`; then the connection is torn."""
    ids: list[int] = []
    headers = {"Last-Event-ID": str(after)} if after else {}
    url = f"{web.url}/api/runs/{run_id}/events"
    with requests.get(url, headers=headers, stream=True, timeout=30) as stream:
        for line in stream.iter_lines(chunk_size=1):
            if line.startswith(b"id: "):
                ids.append(int(line[4:]))
            if len(ids) == most and not line:
                break
    return ids


def test_a_hundred_torn_streams_lose_and_repeat_no_event(web: WebProcess) -> None:
    run_id = web.post("slow-cat.png", json.dumps({"sizes_px": [32], "repeats": 200, "warmups": 0})).json()[
        "id"
    ]
    seen: list[int] = []
    for _ in range(100):
        seen += read_some(web, run_id, seen[-1] if seen else 0, most=3)
    requests.delete(f"{web.url}/api/runs/{run_id}", timeout=30)
    web.finished(run_id)
    seen += read_some(web, run_id, seen[-1], most=100_000)
    assert seen == list(range(1, len(seen) + 1))
    assert web.get(f"/api/runs/{run_id}/events", headers={"Last-Event-ID": str(seen[-1])}).status_code == 204


def test_streams_that_nobody_reads_any_more_are_given_up(web: WebProcess) -> None:
    run_id = web.post("slow-cat.png", LONG).json()["id"]
    waiting = web.post("cat.png", SMALL).json()["id"]  # silent for as long as it waits
    for _ in range(20):
        read_some(web, waiting, 0, most=1)
    eventually(lambda: "pixelcost_streams 0.0" in web.get("/metrics").text)
    requests.delete(f"{web.url}/api/runs/{run_id}", timeout=30)
    web.finished(waiting)


def test_idle_streams_never_take_every_thread(web: WebProcess) -> None:
    run_id = web.post("slow-cat.png", LONG).json()["id"]
    streams = [
        requests.get(f"{web.url}/api/runs/{run_id}/events", stream=True, timeout=30) for _ in range(40)
    ]
    assert web.get("/api/config").status_code == 200
    for stream in streams:
        stream.close()
    requests.delete(f"{web.url}/api/runs/{run_id}", timeout=30)
    web.finished(run_id)


def test_a_body_over_the_limit_is_answered_before_it_is_read(web: WebProcess) -> None:
    with web.connect() as connection:
        connection.sendall(
            b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"The limit for a photo is 1 MB" in answer


def test_a_body_of_unknown_length_is_read_to_little_more_than_the_limit(web: WebProcess) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="cat.png"\r\n\r\n' + photo_bytes()
    sent = 0
    with web.connect() as connection:
        connection.sendall(
            b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        connection.sendall(b"%x\r\n%s\r\n" % (len(head), head))
        with pytest.raises(OSError, match=r"(?i)broken pipe|reset"):
            while sent < 40_000_000:
                connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
                sent += 65536
    assert sent < 12_000_000  # the limit and what the kernel holds on the way


def test_a_client_that_goes_away_in_mid_upload_harms_nothing(web: WebProcess) -> None:
    for _ in range(5):
        with web.connect() as connection:
            connection.sendall(
                b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition"
            )
    assert web.get("/healthz").status_code == 200
    assert '"status": 500' not in web.log()


def test_slow_uploads_do_not_keep_others_from_the_page(web: WebProcess) -> None:
    drips = [web.connect() for _ in range(30)]
    for connection in drips:
        connection.sendall(
            b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
    assert web.get("/api/config").status_code == 200
    answers = [everything(connection)[:12] for connection in drips if has_answer(connection)]
    assert set(answers) == {b"HTTP/1.1 429"}
    for connection in drips:
        connection.close()
    eventually(lambda: web.post("refuse-cat.png").status_code == 422)


def test_an_upload_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with web_process(tmp_path, PIXELCOST_UPLOAD_TIMEOUT="1") as web, web.connect() as connection:
        connection.sendall(
            b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        )
        assert everything(connection).startswith(b"HTTP/1.1 408")


def test_a_stop_ends_streams_and_children_and_keeps_what_was_measured(tmp_path: Path) -> None:
    with web_process(tmp_path) as web:
        run_id = web.post("slow-cat.png", LONG).json()["id"]
        eventually(lambda: web.get(f"/api/runs/{run_id}").json()["requests"]["done"] > 5)
        children = web.descendants()
        stream = requests.get(f"{web.url}/api/runs/{run_id}/events", stream=True, timeout=30)
        assert web.stop() == 0
        assert stream.raw.read().startswith(b"retry: 1000")  # it ended by itself
        assert not [pid for pid in children if is_alive(pid)]
    with web_process(tmp_path) as web:
        report = web.get(f"/api/runs/{run_id}").json()
        assert (report["state"], report["failure"]["code"]) == ("failed", "app_stopped")
        assert report["requests"]["done"] > 5


def test_a_crash_of_the_web_process_leaves_no_child_and_its_run_is_closed(tmp_path: Path) -> None:
    with web_process(tmp_path) as web:
        run_id = web.post("slow-cat.png", LONG).json()["id"]
        eventually(lambda: web.get(f"/api/runs/{run_id}").json()["requests"]["done"] > 5)
        worker = web.worker_pid
        children = [pid for pid in web.descendants() if pid != worker]
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: not [pid for pid in children if is_alive(pid)])
        eventually(lambda: web.worker_pid not in {0, worker})
        web.wait_ready()
        report = web.finished(run_id)
        assert (report["state"], report["failure"]["code"]) == ("failed", "app_restarted")
        assert web.finished(web.post("cat.png", SMALL).json()["id"])["state"] == "done"


def test_it_loads_no_tensorflow_and_little_memory(web: WebProcess) -> None:
    web.finished(web.post("cat.png", SMALL).json()["id"])
    mapped = Path(f"/proc/{web.worker_pid}/maps").read_text()
    assert "tensorflow" not in mapped
    assert web.memory_mb() < 150


def test_many_uploads_at_once_are_run_queued_or_told_to_come_back(web: WebProcess) -> None:
    answers: list[requests.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(web.post("cat.png", SMALL))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {202, 429}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code != 202)
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert accepted
    assert {web.finished(run_id)["state"] for run_id in accepted} == {"done"}


def test_a_connection_serves_one_request_after_another(web: WebProcess) -> None:
    with web.connect() as connection:
        for _ in range(3):
            connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_clients_that_never_close_hold_up_nobody(web: WebProcess) -> None:
    ask = b"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n"
    connections = [web.connect() for _ in range(40)]
    for connection in connections:
        connection.sendall(ask)
    assert web.get("/healthz").elapsed.total_seconds() < 10  # one after the other they took 2 s each
    assert all(everything(connection).startswith(b"HTTP/1.1 415") for connection in connections)


def test_half_a_request_is_not_waited_for_for_ever(web: WebProcess) -> None:
    connections = [web.connect() for _ in range(16)]  # as many as there are threads
    for connection in connections:
        connection.sendall(b"GET /api/runs HTTP/1.1\r\n")
    assert web.get("/healthz").status_code == 200
    assert [connection.recv(1) for connection in connections] == [b""] * 16


def test_who_hangs_up_while_waiting_for_the_turn_of_a_large_photo_starts_no_run(web: WebProcess) -> None:
    wall = web.post("large-slow-wall.png").json()["id"]
    form = {"files": {"file": ("large-left.png", photo_bytes())}, "data": {"plan": "{}"}}
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{web.url}/api/runs", **form, timeout=1.5)
    requests.delete(f"{web.url}/api/runs/{wall}", timeout=10)
    assert web.finished(wall)["state"] == "cancelled"
    following = web.post("large-next.png")
    assert (following.status_code, web.finished(following.json()["id"])["state"]) == (202, "done")
    assert "large-left.png" not in web.get("/api/runs").text
