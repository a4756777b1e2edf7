"""Clients that say nothing, too little or take nothing keep nobody else away from the REST port."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection

import pytest
import requests
from waitress import wasyncore

from serving.api import rest_server
from serving.api.rest_server import RestServer
from tests.support.models.servables import servable
from tests.support.processes.model_server import model_server
from tests.support.processes.serving_process import start_server

M = "m"
HEAD = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\n"
BODY = b"Content-Length: 1000000\r\n\r\n{"
OPENINGS = {"silent": b"", "half a head": HEAD, "half a body": HEAD + BODY}
WAIT_S = 30


def eventually(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came so"
        time.sleep(0.02)


# 1,000 connections, against a real server


@pytest.fixture(scope="module", autouse=True)
def many_descriptors():
    """This process opens more connections than many systems allow unasked."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, most))


@pytest.fixture(scope="module")
def server():
    with model_server(f"--model_name={M}", f"--model_base_path={servable('rank_1')}") as server:
        yield server


def open_connections(stack: ExitStack, url: str, count: int, opening: bytes) -> list[socket.socket]:
    host, _, port = url.removeprefix("http://").partition("/")[0].rpartition(":")
    connections = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=WAIT_S))
        with suppress(OSError):  # it was closed to make room
            connection.sendall(opening)
        connections.append(connection)
    return connections


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_honest_requests_are_answered_beside_1100_connections_that_ask_nothing(server, opening):
    with ExitStack() as stack:
        open_connections(stack, server.rest_url, 1100, opening)
        for _ in range(5):
            assert server.post(f"{M}:predict", {"instances": [2.0]}).json() == {"predictions": [3.0]}
    assert server.post(f"{M}:predict", {"instances": [2.0]}).json() == {"predictions": [3.0]}


def test_a_kept_connection_stays_while_others_come_and_ask_nothing(server):
    """It has more time than they, so it is not the first to make room."""
    url = f"{server.rest_url}/v1/models/{M}"
    with ExitStack() as stack, requests.Session() as session:
        assert session.get(url, timeout=WAIT_S).status_code == 200
        for _ in range(3):
            open_connections(stack, server.rest_url, 500, HEAD)
            assert session.get(url, timeout=WAIT_S).status_code == 200


def test_rest_answers_when_grpc_has_taken_the_first_1024_descriptors(server):
    """Where select() ends."""
    with ExitStack() as stack:
        open_connections(stack, f"http://{server.address}", 1050, b"P")
        for _ in range(3):
            assert server.post(f"{M}:predict", {"instances": [2.0]}).json() == {"predictions": [3.0]}


def test_where_a_process_may_open_few_files_rest_takes_no_more_than_half_of_them(tmp_path):
    few = ("prlimit", "--nofile=256:256")
    with start_server(launcher=few) as server, ExitStack() as stack:
        open_connections(stack, server.rest_url, 300, HEAD)
        for _ in range(3):
            assert requests.get(server.rest_url, timeout=WAIT_S).status_code == 200
        assert "Too many open files" not in server.log()


# Shorter limits, within this process


@contextmanager
def answering(app: Callable | None = None):
    """A server in a thread, which ends with the block."""
    server = RestServer(app or hello, socket.create_server(("127.0.0.1", 0)), threads=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server
    server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))  # within its thread
    thread.join(WAIT_S)
    server.task_dispatcher.shutdown()


def hello(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(5 + len(body)))])
    return [b"hello" + body]


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(rest_server, "HEAD_S", 0.5)
    monkeypatch.setattr(rest_server, "BODY_S", 0.5)
    monkeypatch.setattr(rest_server, "IDLE_S", 3)
    monkeypatch.setattr(rest_server, "BODY_RATE_BYTES_S", 100)
    monkeypatch.setattr(rest_server, "CONNECTIONS", 4)


def connect(server: RestServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.effective_port)), timeout=WAIT_S)


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def received(connection: socket.socket, end: bytes) -> bytes:
    """All up to this end: head and body may come apart."""
    connection.settimeout(WAIT_S)
    data = b""
    while not data.endswith(end):
        piece = connection.recv(1000)
        assert piece, f"it ended with {data!r}"
        data += piece
    return data


def drip_until_closed(connection: socket.socket, pieces: bytes) -> None:
    """A byte now and then. Fails if the server puts up with it to the end."""
    for byte in pieces:
        if is_closed(connection):
            return
        with suppress(OSError):
            connection.sendall(bytes([byte]))
        time.sleep(0.05)
    pytest.fail("it is still open")


@pytest.mark.parametrize(
    "opening", [b"", b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_client_that_drips_is_given_up(short, opening):
    pieces = b"\r\n" * 200 if not opening else b"a" * 400
    with answering() as server, connect(server) as dripping:
        dripping.sendall(opening)
        # 20 bytes a second are no 100; what is left of the first half second lasts no longer.
        drip_until_closed(dripping, pieces)


def test_a_body_that_comes_slowly_but_steadily_is_waited_for(short):
    body = b"a" * 400
    with answering() as server, connect(server) as steady:
        steady.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 20):
            steady.sendall(body[start : start + 20])
            time.sleep(0.1)
        assert steady.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_connection_that_has_asked_may_be_idle_for_longer(short):
    with answering() as server:
        connection = HTTPConnection("127.0.0.1", int(server.effective_port), timeout=WAIT_S)
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"hello"
            own = connection.sock
            time.sleep(2)
            assert connection.sock is own
            assert not is_closed(own)
            own.settimeout(WAIT_S)
        eventually(lambda: is_closed(own))


def test_a_client_is_waited_for_while_its_request_is_computed(short):
    def slow(environ, start_response):
        time.sleep(2)
        return hello(environ, start_response)

    with answering(slow) as server, connect(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_client_that_takes_nothing_of_a_large_answer_frees_its_thread(short):
    def large(environ, start_response):
        size = 1 if environ["PATH_INFO"] == "/small" else 60_000_000  # more than waitress holds
        start_response("200 OK", [("Content-Length", str(size))])
        return [b"a" * 1_000_000] * (size // 1_000_000) or [b"a"]

    with answering(large) as server, ExitStack() as stack:
        for _ in range(2):  # as many as there are threads
            connection = stack.enter_context(connect(server))
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            eventually(lambda connection=connection: connection.recv(1, socket.MSG_PEEK))
        answer = requests.get(f"http://127.0.0.1:{server.effective_port}/small", timeout=WAIT_S)
        assert answer.content == b"a"


def test_who_has_used_up_most_of_its_time_makes_room_and_a_body_that_comes_stays(short, monkeypatch):
    monkeypatch.setattr(rest_server, "HEAD_S", WAIT_S)
    monkeypatch.setattr(rest_server, "BODY_S", 2 * WAIT_S)
    with answering() as server, ExitStack() as stack:
        began = time.monotonic()
        sending = stack.enter_context(connect(server))
        sending.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na")
        idle = [stack.enter_context(connect(server)) for _ in range(3)]
        eventually(lambda: len(server.active_channels) == 4)
        time.sleep(
            0.5 + time.monotonic() - began
        )  # the idle ones have half of the time of the other, so they have used more of it
        assert requests.get(f"http://127.0.0.1:{server.effective_port}/", timeout=WAIT_S).text == "hello"
        eventually(lambda: is_closed(idle[0]))
        assert not is_closed(idle[1])
        sending.sendall(b"bc")
        assert received(sending, b"helloabc")


def test_told_to_leave_it_takes_nobody_in_and_the_next_answer_to_those_there_is_the_last(monkeypatch):
    """One is sending its body, one has asked before, one asks nothing: only it is not waited for."""
    monkeypatch.setattr(rest_server, "LAST_REQUEST_S", 0.5)
    with answering() as server, ExitStack() as stack:
        sending, kept, silent = (stack.enter_context(connect(server)) for _ in range(3))
        sending.sendall(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na")
        eventually(lambda: any(channel.request for channel in list(server.active_channels.values())))
        leaving = threading.Thread(target=server.leave, args=(time.monotonic() + WAIT_S,))
        leaving.start()
        eventually(lambda: not server.accepting)
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        kept.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"Connection: close" in received(kept, b"hello")
        eventually(lambda: is_closed(kept))
        assert leaving.is_alive()
        sending.sendall(b"bc")
        assert b"Connection: close" in received(sending, b"helloabc")
        leaving.join(WAIT_S)
        assert not leaving.is_alive()
        assert not is_closed(silent)  # the end of the process will do that
