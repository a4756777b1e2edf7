"""What the front and its replicas say to each other: over real sockets, with a stand-in for what computes."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import grpc
import pytest

from serving import frames
from serving.errors import Cancelled
from serving.frame_server import FrameServer
from serving.front import GrpcFront, RestFront
from serving.limits import MESSAGE_LIMIT_BYTES
from serving.link import Gone, Link

PATIENCE_S = 30
DEADLINE_EXCEEDED = grpc.StatusCode.DEADLINE_EXCEEDED


class Brain:
    """Answers both protocols; some requests it holds until their client has gone."""

    def __init__(self) -> None:
        self.methods = {"/echo": lambda message, call: message, "/refuse": self.refuse, "/hold": self.hold}
        self.holds = threading.Semaphore(0)
        self.saw_end = threading.Event()

    def check(self, message: bytes, call: object) -> bytes:
        return b"healthy"

    def refuse(self, message, call):
        call.set_trailing_metadata((("grpc-retry-pushback-ms", "7"),))
        call.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"with {call.time_remaining():.0f} s left")

    def hold(self, message, call):
        self.wait_for_end(call.is_active)
        return b""

    def rest(self, environ, start_response):
        if environ["PATH_INFO"] == "/hold":
            self.wait_for_end(lambda: not environ["waitress.client_disconnected"]())
        start_response("418 I'm a teapot", [("X-Path", environ["PATH_INFO"])])
        return [environ["wsgi.input"].read(), b"!"]

    def wait_for_end(self, is_wanted) -> None:
        self.holds.release()
        deadline = time.monotonic() + PATIENCE_S
        while is_wanted() and time.monotonic() < deadline:
            time.sleep(0.01)
        if not is_wanted():
            self.saw_end.set()


@contextmanager
def linked(connections: int = 4) -> Iterator[tuple[Link, Brain, FrameServer]]:
    ours, theirs = frames.pair()
    brain = Brain()
    server = FrameServer(theirs, brain, brain.rest)
    server.start()
    link = Link(ours, connections)
    yield link, brain, server
    link.close()


def ask(link: Link, method: str, message: bytes = b"", left_s: float = 30.0) -> tuple[dict, bytes]:
    with link.exchange() as exchange:
        return exchange.ask({"method": method, "left_s": left_s}, message)


@pytest.mark.parametrize("size_bytes", [0, 1, 110_000, MESSAGE_LIMIT_BYTES])
def test_a_message_of_any_size_comes_back_as_it_went(size_bytes):
    message = bytes(range(256)) * (size_bytes // 256) + bytes(size_bytes % 256)
    with linked() as (link, _, _):
        head, answer = ask(link, "/echo", message)
        assert head == {"code": "OK", "details": "", "metadata": []}
        assert answer == message


def test_a_frame_that_comes_byte_by_byte_is_read_whole():
    ours, theirs = frames.pair()
    frames.send(ours, {"a": "é"}, b"body")
    ours.close()
    whole = theirs.recv(1000)
    slow, reader = frames.pair()
    with ThreadPoolExecutor() as pool:
        found = pool.submit(frames.receive, reader)
        for at in range(len(whole)):
            slow.send(whole[at : at + 1])
        assert found.result(PATIENCE_S) == ({"a": "é"}, b"body")


def test_a_frame_that_breaks_off_is_an_error():
    ours, theirs = frames.pair()
    ours.send(frames.LENGTHS.pack(2, 100) + b"{}" + b"too little")
    ours.close()
    with pytest.raises(EOFError):
        frames.receive(theirs)


def test_code_details_metadata_and_deadline_come_through():
    with linked() as (link, _, _):
        head, answer = ask(link, "/refuse", left_s=12.3)
        assert (head["code"], head["details"], answer) == ("RESOURCE_EXHAUSTED", "with 12 s left", b"")
        assert head["metadata"] == [["grpc-retry-pushback-ms", "7"]]
        assert ask(link, "/nothing")[0]["code"] == "UNIMPLEMENTED"


def test_requests_one_after_another_share_a_connection():
    with linked() as (link, _, _):
        used = set()
        for _ in range(3):
            with link.exchange() as exchange:
                exchange.ask({"method": "/echo", "left_s": 1.0}, b"")
                used.add(exchange.connection.fileno())
        assert len(used) == 1


def test_a_cancelled_request_is_noticed_on_both_sides_and_its_connection_not_used_again():
    with linked() as (link, brain, _), ThreadPoolExecutor() as pool:
        with link.exchange() as exchange:
            answer = pool.submit(exchange.ask, {"method": "/hold", "left_s": 30.0}, b"")
            assert brain.holds.acquire(timeout=PATIENCE_S)
            exchange.cancel()
            with pytest.raises(Cancelled):
                answer.result(PATIENCE_S)
        assert brain.saw_end.wait(PATIENCE_S)
        assert ask(link, "/echo", b"next")[1] == b"next"


def test_cancelling_what_is_answered_already_does_not_touch_the_next_request():
    """gRPC calls back at the end of every call, also of a good one."""
    with linked() as (link, _, _):
        with link.exchange() as exchange:
            exchange.ask({"method": "/echo", "left_s": 1.0}, b"")
        exchange.cancel()
        assert ask(link, "/echo", b"next")[1] == b"next"


def test_more_requests_than_connections_wait_but_a_look_at_the_health_does_not():
    hold = {"method": "/hold", "left_s": 30.0}
    with linked(connections=1) as (link, brain, _), ThreadPoolExecutor() as pool:

        def second() -> None:
            with link.exchange() as exchange:
                exchange.send(hold, b"")
                assert brain.holds.acquire(timeout=PATIENCE_S)

        with link.exchange() as exchange:
            exchange.send(hold, b"")
            assert brain.holds.acquire(timeout=PATIENCE_S)
            waiting = pool.submit(second)
            with link.extra_exchange() as extra:
                head = {"method": "/grpc.health.v1.Health/Check", "left_s": 1.0}
                assert extra.ask(head, b"")[1] == b"healthy"
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
        waiting.result(PATIENCE_S)


def test_after_the_end_of_the_other_process_requests_fail_and_none_is_sent_twice():
    ours, theirs = frames.pair()
    link = Link(ours, 4)
    with link.exchange() as exchange:
        exchange.send({"method": "/echo", "left_s": 1.0}, b"")
        frames.take_over(theirs).close()
        theirs.close()
        with pytest.raises(Gone):
            exchange.receive()
    with pytest.raises(Gone):
        ask(link, "/echo")


def one_replica(link: Link) -> SimpleNamespace:
    """As a front sees it."""

    @contextmanager
    def least_busy():
        yield link

    return SimpleNamespace(least_busy=least_busy, all=[link])


@contextmanager
def grpc_front_of(link: Link) -> Iterator[grpc.Channel]:
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((GrpcFront(one_replica(link), cores=[0]),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(0)


def test_a_grpc_client_that_cancels_or_is_out_of_time_is_noticed_by_the_replica():
    with linked() as (link, brain, _), grpc_front_of(link) as channel:
        call = channel.unary_unary("/hold").future(b"", timeout=PATIENCE_S)
        assert brain.holds.acquire(timeout=PATIENCE_S)
        call.cancel()
        assert brain.saw_end.wait(PATIENCE_S)
        brain.saw_end.clear()
        assert channel.unary_unary("/hold").future(b"", timeout=0.3).code() == DEADLINE_EXCEEDED
        assert brain.saw_end.wait(PATIENCE_S)
        assert channel.unary_unary("/echo")(b"next", timeout=PATIENCE_S) == b"next"


def test_a_hint_when_to_come_again_reaches_the_grpc_client():
    with linked() as (link, _, _), grpc_front_of(link) as channel:
        call = channel.unary_unary("/refuse").future(b"", timeout=PATIENCE_S)
        assert call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert dict(call.trailing_metadata())["grpc-retry-pushback-ms"] == "7"


def get(front: RestFront, path: str, has_gone: bool = False) -> tuple[str, list, bytes]:
    """As waitress calls it."""
    environ = {"PATH_INFO": path, "CONTENT_LENGTH": "4", "wsgi.input": io.BytesIO(b"body")}
    told: list = []
    data = front(
        environ | {"waitress.client_disconnected": lambda: has_gone}, lambda *answer: told.extend(answer)
    )
    return told[0], told[1], b"".join(data)


def test_rest_comes_through_with_status_headers_and_body():
    with linked() as (link, _, _):
        assert get(RestFront(one_replica(link)), "/tea") == (
            "418 I'm a teapot",
            [("X-Path", "/tea")],
            b"body!",
        )


def test_a_rest_client_that_goes_away_is_noticed_by_the_replica():
    with linked() as (link, brain, _):
        status, _, _ = get(RestFront(one_replica(link)), "/hold", has_gone=True)
        assert int(status.split()[0]) == Cancelled.http_status
        assert brain.saw_end.wait(PATIENCE_S)


def test_at_the_end_the_server_waits_for_what_is_in_flight():
    with linked() as (link, brain, server):
        with link.exchange() as exchange:
            exchange.send({"method": "/hold", "left_s": 30.0}, b"")
            assert brain.holds.acquire(timeout=PATIENCE_S)
            assert not server.wait_idle(deadline=time.monotonic())
            exchange.cancel()
        assert server.wait_idle(deadline=time.monotonic() + PATIENCE_S)
