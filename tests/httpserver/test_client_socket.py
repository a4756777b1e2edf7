"""What a connection does for a thread: it waits for nobody but an upload, and cuts who does not read."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from httpserver import client_socket
from httpserver import slots as upload_slots
from httpserver.client_socket import MOST_UNSENT_BYTES, ClientSocket, Outbox
from httpserver.gunicorn_worker import Worker
from httpserver.problems import Refused
from httpserver.slots import LOOK_AGAIN_S, MOST_SLOW, UploadPace, UploadSlots
from tests.support.processes.webapp_parts import eventually

HERE, THERE = "192.0.2.1", "192.0.2.2"
ANSWER = bytes(MOST_UNSENT_BYTES - 1_000)


class Clients:
    """Connections whose other ends read nothing, and the outbox that they share."""

    def __init__(self, stack: ExitStack):
        self._stack = stack
        self.left: list[ClientSocket] = []  # those with something to send later
        self.outbox = Outbox(1, self.left.append)

    def connected(self) -> tuple[ClientSocket, socket.socket]:
        ours, theirs = (self._stack.enter_context(each) for each in socket.socketpair())
        return self._stack.enter_context(ClientSocket(ours, self.outbox)), theirs


@pytest.fixture
def clients() -> Iterator[Clients]:
    with ExitStack() as stack:
        yield Clients(stack)


def test_an_answer_is_taken_at_once_and_sent_as_the_client_reads(clients: Clients) -> None:
    client, theirs = clients.connected()
    client.sendall(ANSWER)
    assert clients.left == [client]
    received = bytearray()
    while clients.outbox.flush(client):
        received += theirs.recv(1_000_000)
    client.close()
    while part := theirs.recv(1_000_000):
        received += part
    assert received == ANSWER


def test_what_a_thread_has_sent_itself_may_be_left_again() -> None:
    worker = Worker(0, 0, [], None, 0, Config(), None)
    worker.method_queue.init()
    with ExitStack() as stack:
        worker.poller = stack.enter_context(selectors.DefaultSelector())
        ours, theirs = (stack.enter_context(each) for each in socket.socketpair())
        client = stack.enter_context(ClientSocket(ours, worker._outbox))
        client.sendall(ANSWER)
        worker.method_queue.run_callbacks(None)  # the main loop waits until there is room
        while client.unsent:
            theirs.recv(len(ANSWER))
            client.send_some()  # as sendall does: there is room before the main loop has looked
        client.sendall(ANSWER)
        worker.method_queue.run_callbacks(None)
        assert worker._outbox.has(client)
    worker.method_queue.close()


def test_who_takes_nothing_for_long_is_cut(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _theirs = clients.connected()
    client.sendall(ANSWER)
    clients.outbox.cut_stalled()
    assert not client.is_cut
    monkeypatch.setattr(client_socket, "SEND_TIMEOUT_S", 0.0)
    clients.outbox.cut_stalled()
    assert client.is_cut
    with pytest.raises(BrokenPipeError):
        client.sendall(b"more")


def test_more_memory_than_there_is_for_all_is_taken_from_who_waits_longest(clients: Clients) -> None:
    several = [clients.connected()[0] for _ in range(30)]
    for client in several:
        client.sendall(ANSWER)
    cut = [client.is_cut for client in several]
    assert cut == sorted(cut, reverse=True)  # the first ones
    assert 0 < cut.count(True) < 15


def test_threads_wait_for_few_readers_of_long_answers(clients: Clients) -> None:
    several = [clients.connected()[0] for _ in range(4)]
    ended: list[ClientSocket] = []

    def send(client: ClientSocket) -> None:
        with pytest.raises(BrokenPipeError):
            client.sendall(2 * ANSWER)
        ended.append(client)

    threads = [threading.Thread(target=send, args=(client,)) for client in several]
    for thread in threads:
        thread.start()
    eventually(lambda: len(ended) == 3)  # one may be waited for
    for client in several:
        client.abandon()
    for thread in threads:
        thread.join()


def test_a_body_that_has_not_come_is_not_waited_for(clients: Clients) -> None:
    client, theirs = clients.connected()
    theirs.sendall(b"ab")
    assert client.recv(100) == b"ab"
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_an_upload_is_waited_for_as_long_as_its_pace_allows(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_slots, "PATIENCE_S", 0.2)
    client, theirs = clients.connected()
    client.pace = pace = UploadPace(UploadSlots(4), HERE, 60)
    timer = threading.Timer(0.1, theirs.sendall, (b"late",))
    timer.start()
    assert client.recv(100) == b"late"
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    assert pace.is_late
    timer.join()


def test_two_uploads_of_an_address_may_take_their_time_and_more_while_most_places_are_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload_slots, "PATIENCE_S", 0.0)
    slots = UploadSlots(2 * MOST_SLOW + 3)
    with ExitStack() as stack:
        paces = []
        for _ in range(MOST_SLOW + 1):
            paces.append(UploadPace(slots, stack.enter_context(slots.taken(HERE)), 60))
            paces[-1].got(1_000_000)
        assert [pace.left_s() > 40 for pace in paces] == [True] * MOST_SLOW + [False]
        assert 0 < paces[-1].left_s() <= LOOK_AGAIN_S
        stack.enter_context(slots.taken(THERE))
        assert paces[-1].left_s() <= 0
        assert (paces[-1].is_late, paces[-1].is_one_too_many) == (True, True)
        paces[0].end()
        assert paces[-1].left_s() > 40
        assert not paces[-1].is_one_too_many


def test_an_upload_that_is_too_slow_is_told_so_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload_slots, "PATIENCE_S", 0.0)
    pace = UploadPace(UploadSlots(9), HERE, 60)
    assert pace.left_s() <= 0
    assert (pace.is_late, pace.is_one_too_many) == (True, False)


def test_the_last_place_is_for_an_address_that_has_none() -> None:
    slots = UploadSlots(3)
    with slots.taken(HERE), slots.taken(HERE):
        with pytest.raises(Refused, match="Other uploads"), slots.taken(HERE):
            pass
        with slots.taken(THERE), pytest.raises(Refused, match="Other uploads"), slots.taken("192.0.2.3"):
            pass
    with slots.taken(HERE), slots.taken(HERE):
        pass


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        (None, "", True),
    ],
)
def test_an_ipv6_network_counts_as_one_address(first: str | None, second: str, is_same: bool) -> None:
    slots = UploadSlots(2)
    with slots.taken(first) as one:
        if is_same:
            with pytest.raises(Refused), slots.taken(second):
                pass
        else:
            with slots.taken(second) as other:
                assert one != other
