"""Clients that send or read a byte now and then, beside honest ones: all of the honest are answered."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from httpserver.slots import MOST_SLOW
from tests.support.processes.web_process import WebProcess, web_process

GENEROUS_S = 8  # what is answered at once takes far less; what waits for attackers, far more
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
ELSEWHERE = "127.0.0.2"  # an address of this machine that no honest client has


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    with web_process(tmp_path_factory.mktemp("web")) as web:
        yield web


def connected(web: WebProcess, source: str = "127.0.0.1", receive_bytes: int = 0) -> socket.socket:
    """A connection from `source`; with a small buffer where it is not to read."""
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.bind((source, 0))
    connection.settimeout(30)
    connection.connect(("127.0.0.1", web.port))
    return connection


@contextmanager
def dripping(web: WebProcess, count: int, head: str, source: str = "127.0.0.1") -> Iterator[None]:
    """`count` clients that send `head` and then a byte now and then, and come back when they are cut."""
    stop = threading.Event()

    def drip() -> None:
        connections = [begun() for _ in range(count)]
        while not stop.wait(0.2):
            for place, connection in enumerate(connections):
                try:
                    connection.send(b"a", socket.MSG_DONTWAIT)
                except OSError:
                    connection.close()
                    connections[place] = begun()
        for connection in connections:
            connection.close()

    def begun() -> socket.socket:
        connection = connected(web, source)
        with suppress(OSError):
            connection.sendall(head.encode())
        return connection

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        time.sleep(1)  # all of them have begun
        yield
    finally:
        stop.set()
        thread.join()


def assert_honest_clients_are_served(web: WebProcess, rounds: int = 5) -> None:
    """Pages, small files and uploads, one after the other."""
    for _ in range(rounds):
        assert requests.get(f"{web.url}/healthz", timeout=GENEROUS_S).status_code == 200
        page = requests.get(f"{web.url}/static/vendor/plotly-basic.min.js", timeout=GENEROUS_S)
        assert len(page.content) > 1_000_000
        photo = {"file": ("refuse-cat.png", bytes(30_000))}
        answer = requests.post(f"{web.url}/api/runs", files=photo, timeout=GENEROUS_S)
        assert answer.status_code == 415, answer.text  # looked at: no image


def test_half_heads_keep_nobody_waiting(web: WebProcess) -> None:
    with dripping(web, 64, "GET / HTTP/1.1\r\nX-A: a"):
        assert_honest_clients_are_served(web)


def test_slow_login_forms_keep_nobody_waiting(web: WebProcess) -> None:
    with dripping(web, 40, f"POST /login HTTP/1.1\r\nHost: localhost\r\n{FORM}Content-Length: 5000\r\n\r\n"):
        assert_honest_clients_are_served(web)


def test_slow_json_bodies_keep_nobody_waiting(web: WebProcess) -> None:
    run_id = web.post("cat.png", json.dumps({"sizes_px": [32], "repeats": 1})).json()["id"]
    web.finished(run_id)
    head = f"POST /api/runs/{run_id}/repeats HTTP/1.1\r\nHost: localhost\r\n"
    with dripping(web, 40, f"{head}Content-Length: 9999\r\n\r\n"):
        assert_honest_clients_are_served(web)


def test_slow_chunks_keep_nobody_waiting(web: WebProcess) -> None:
    head = "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    with dripping(web, 40, f"{head}{FORM}\r\n1000\r\n"):
        assert_honest_clients_are_served(web)


def test_readers_that_do_not_read_keep_nobody_waiting(web: WebProcess) -> None:
    ask = b"GET /static/vendor/plotly-basic.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(connected(web, receive_bytes=4096))
            connection.sendall(20 * ask)
        time.sleep(1)
        assert_honest_clients_are_served(web)
        assert web.memory_mb() < 250


def test_readers_on_every_connection_there_is_room_for_keep_nobody_waiting(web: WebProcess) -> None:
    ask = b"GET /static/js/setup/plan.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(540):
            stack.enter_context(connected(web, receive_bytes=4096)).sendall(400 * ask)
        time.sleep(1)
        assert_honest_clients_are_served(web, rounds=2)
        assert kernel_memory_mb(web) < 200


def kernel_memory_mb(web: WebProcess) -> float:
    """What the system holds for the app's connections: answers that were written, but not taken."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    mine = [row for row in rows if int(row[1].partition(":")[2], 16) == web.port]
    return sum(int(row[4].partition(":")[0], 16) for row in mine) / 1e6


def test_a_slow_reader_gets_the_whole_answer(web: WebProcess) -> None:
    path = "/static/vendor/plotly-basic.min.js"
    expected = requests.get(web.url + path, headers={"Accept-Encoding": "identity"}, timeout=30).content
    received = bytearray()
    with connected(web, receive_bytes=4096) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        time.sleep(2)
        while part := connection.recv(65536):
            received += part
    assert received.partition(b"\r\n\r\n")[2] == expected


def test_readers_at_their_own_pace_end_no_process(web: WebProcess) -> None:
    path, worker_pid = "/static/vendor/plotly-basic.min.js", web.worker_pid
    expected = requests.get(web.url + path, headers={"Accept-Encoding": "identity"}, timeout=30).content
    with ThreadPoolExecutor(6) as pool:
        counts = set(pool.map(lambda _: answers(web, path, 20).count(expected), range(36)))
    assert (counts, web.worker_pid) == ({20}, worker_pid)


def answers(web: WebProcess, path: str, count: int) -> bytes:
    """As many as a client that reads well gets; its buffer is so small that the app must wait for it."""
    received = bytearray()
    ask = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
    with connected(web, receive_bytes=65536) as connection:
        connection.sendall(f"{ask}\r\n".encode() * (count - 1) + f"{ask}Connection: close\r\n\r\n".encode())
        while part := connection.recv(65536):
            received += part
    return bytes(received)


def test_slow_uploads_from_one_address_leave_places_for_others(web: WebProcess) -> None:
    long = json.dumps({"sizes_px": [32], "repeats": 1000})
    run_id = web.post("slow-cat.png", long).json()["id"]
    head = "POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    with ExitStack() as stack:
        for _ in range(50):
            stream = stack.enter_context(connected(web))
            stream.sendall(f"GET /api/runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        stack.enter_context(dripping(web, 200, head, ELSEWHERE))
        assert_honest_clients_are_served(web)
    requests.delete(f"{web.url}/api/runs/{run_id}", timeout=30)
    web.finished(run_id)


def test_several_phones_behind_one_address_all_get_their_photo_in(web: WebProcess) -> None:
    size_bytes = 60_000 * 7  # a second's worth at a time, for longer than PATIENCE_S
    head = f"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size_bytes}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = start.ljust(size_bytes - 9, b"0") + b"\r\n--x--\r\n"
    with ExitStack() as stack:
        phones = [stack.enter_context(connected(web, ELSEWHERE)) for _ in range(MOST_SLOW + 2)]
        for phone in phones:
            phone.sendall(head.encode())
        for sent_bytes in range(0, size_bytes, 60_000):
            for phone in phones:
                phone.sendall(body[sent_bytes : sent_bytes + 60_000])
            time.sleep(1)
        assert [phone.recv(12) for phone in phones] == [b"HTTP/1.1 415"] * len(phones)  # arrived: no image


def test_a_small_body_is_waited_for_a_few_seconds_only(web: WebProcess) -> None:
    with connected(web) as connection:
        connection.sendall(
            f"POST /login HTTP/1.1\r\nHost: localhost\r\n{FORM}Content-Length: 9\r\n\r\n".encode()
        )
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\n")


def test_more_connections_than_there_is_room_for_cut_those_that_wait_longest(web: WebProcess) -> None:
    with ExitStack() as stack:
        for _ in range(700):
            stack.enter_context(connected(web)).sendall(b"GET / HTTP/1.1\r\n")
        assert_honest_clients_are_served(web, rounds=1)


def test_a_stop_does_not_wait_for_requests_that_never_come(tmp_path: Path) -> None:
    with web_process(tmp_path) as web, connected(web), connected(web):
        started = time.monotonic()
        assert web.stop() == 0
        assert time.monotonic() - started < GENEROUS_S


def test_event_streams_leave_threads_for_others_however_few_there_are(tmp_path: Path) -> None:
    with web_process(tmp_path, PIXELCOST_THREADS="4") as web, ExitStack() as stack:
        run_id = web.post("slow-cat.png", json.dumps({"sizes_px": [32], "repeats": 1000})).json()["id"]
        for _ in range(8):
            stream = stack.enter_context(connected(web))
            stream.sendall(f"GET /api/runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert stream.recv(12) == b"HTTP/1.1 200"
        assert_honest_clients_are_served(web, rounds=1)
