"""Open and closed loops against a real server with known service times, over both protocols."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
import pytest

from common.addresses import free_port
from experiment.records import BackendInfo
from loadtest.arrivals.schedules import burst, even, poisson
from loadtest.cross_check.stub import running_stub
from loadtest.payloads.images import image_payload
from loadtest.send import open_loop
from loadtest.send.load import keep_in_flight, offer
from loadtest.send.recording import CANCELLED, Watch
from tests.support.scripted_server import good_answer, grpc_server

SERVICE_MS = 20.0
TIMEOUT_S = 20.0
PROTOCOLS = ("grpc", "rest")


@pytest.fixture(scope="module")
def stub():
    """Works on every request at once, and calls every image "stub"."""
    with running_stub(SERVICE_MS) as running:
        yield running


@pytest.fixture(params=PROTOCOLS)
def info(request, stub) -> BackendInfo:
    return getattr(stub, request.param)


def payload(info: BackendInfo, **changes):
    return image_payload(info, [b"one", b"two", b"three"], ["one", "two", "three"], **changes)


def test_every_request_of_the_schedule_is_sent_when_it_is_due_and_never_before(info):
    due_s = poisson(100, 1.0, seed=7)
    taken = offer(info, payload(info), due_s, TIMEOUT_S)
    assert [sample.due_s for sample in taken.samples] == due_s
    assert all(sample.ok and sample.sent_s >= sample.due_s for sample in taken.samples)
    assert min(sample.latency_ms for sample in taken.samples) >= SERVICE_MS
    assert [sample.body for sample in taken.samples] == [number % 3 for number in range(len(due_s))]
    assert taken.stopped is None and taken.messages == {}


def test_requests_do_not_wait_for_each_other(info):
    with running_stub(1000.0) as slow:
        target = replace(info, address=getattr(slow, info.protocol).address)
        taken = offer(target, payload(target), burst(30), TIMEOUT_S, warmups=0)
    assert len(taken.samples) == taken.generator.in_flight_max == 30


def test_a_closed_loop_never_has_more_in_flight_than_it_was_asked_for(info):
    with running_stub(200.0, most=4) as narrow:
        target = replace(info, address=getattr(narrow, info.protocol).address)
        taken = keep_in_flight(target, payload(target), 4, 60.0, TIMEOUT_S, requests=12, warmups=0)
        assert [sample.ok for sample in taken.samples] == [True] * 12
        wider = keep_in_flight(target, payload(target), 8, 60.0, TIMEOUT_S, requests=12, warmups=0)
    assert "overloaded" in {sample.cause for sample in wider.samples}


def test_what_a_server_refuses_is_kept_as_a_failure_with_its_cause_and_its_words(info):
    with running_stub(500.0, most=2) as narrow:
        target = replace(info, address=getattr(narrow, info.protocol).address)
        taken = offer(target, payload(target), burst(12), TIMEOUT_S, warmups=0)
    causes = Counter(sample.cause for sample in taken.samples)
    assert sum(causes.values()) == 12
    assert causes["overloaded"] > 0 and causes.keys() <= {None, "overloaded"}
    assert "the queue is full" in taken.messages["overloaded"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_is_not_there_fails_every_request_and_the_load_ends(protocol):
    nobody = BackendInfo("nobody", protocol=protocol, address=f"127.0.0.1:{free_port()}")
    taken = offer(nobody, payload(nobody), even(50, 0.2), TIMEOUT_S, warmups=0)
    assert [sample.cause for sample in taken.samples] == ["unreachable"] * 10
    assert "No answer from nobody" in taken.messages["unreachable"]


def test_a_server_that_is_too_slow_fails_at_the_deadline(info):
    with running_stub(60_000.0) as slow:
        target = replace(info, address=getattr(slow, info.protocol).address)
        taken = offer(target, payload(target), burst(5), 0.3, warmups=0)
    assert [sample.cause for sample in taken.samples] == ["deadline"] * 5
    assert min(sample.latency_ms for sample in taken.samples) >= 290


def test_a_load_that_is_stopped_keeps_what_was_measured(info):
    cancel, seen = threading.Event(), []

    def on_sample(sample):
        seen.append(sample)
        if len(seen) == 10:
            cancel.set()

    taken = offer(info, payload(info), even(100, 600), TIMEOUT_S, Watch(cancel, on_sample))
    assert taken.stopped == CANCELLED
    assert 10 <= len(taken.samples) == len(seen) < 60_000


def test_who_watches_can_end_a_load_with_a_reason(info):
    watch = Watch(why_stop=lambda sample: "Enough." if sample.due_s >= 0.1 else None)
    taken = keep_in_flight(info, payload(info), 2, 600, TIMEOUT_S, watch)
    assert taken.stopped == "Enough."
    assert taken.samples[-1].due_s >= 0.1


def test_a_server_that_stopped_answering_can_not_fill_the_memory(info, monkeypatch):
    monkeypatch.setattr(open_loop, "MOST_IN_FLIGHT", 10)
    with running_stub(60_000.0) as slow:
        target = replace(info, address=getattr(slow, info.protocol).address)
        taken = offer(target, payload(target), burst(500), 0.5, warmups=0)
    assert len(taken.samples) == 10
    assert taken.stopped == open_loop.FULL.format(10)


@pytest.mark.parametrize(("expected", "right"), [("stub", 2), ("cat", 0), (None, None)])
def test_right_answers_are_counted_where_it_is_known_what_is_right(info, expected, right):
    sent = payload(info, batch=2, expected=[expected] * 3)
    taken = offer(info, sent, burst(6), TIMEOUT_S)
    assert [sample.right for sample in taken.samples] == [right] * 6


def test_replicas_get_requests_in_turn(stub):
    with running_stub(SERVICE_MS) as other:
        addresses = [stub.grpc.address, other.grpc.address]
        pair = replace(stub.grpc, address=",".join(addresses))
        taken = offer(pair, payload(pair), burst(20), TIMEOUT_S, warmups=0)
    assert Counter(sample.peer for sample in taken.samples) == dict.fromkeys(addresses, 10)


def test_how_late_requests_were_is_known_only_of_a_schedule(stub):
    scheduled = offer(stub.grpc, payload(stub.grpc), even(1000, 0.7), TIMEOUT_S)
    late_ms = [(sample.sent_s - sample.due_s) * 1e3 for sample in scheduled.samples]
    assert scheduled.generator.late_max_ms == max(late_ms)
    assert 0 < scheduled.generator.late_p99_ms <= scheduled.generator.late_max_ms
    closed = keep_in_flight(stub.grpc, payload(stub.grpc), 4, 60, TIMEOUT_S, requests=20)
    assert (closed.generator.late_p99_ms, closed.generator.late_max_ms) == (None, 0.0)


def test_a_load_can_be_offered_from_within_an_event_loop_as_a_notebook_has_one(stub):
    async def cell() -> int:
        return len(offer(stub.grpc, payload(stub.grpc), [0.0, 0.0], TIMEOUT_S).samples)

    with ThreadPoolExecutor(1) as pool:  # this thread may have a loop already, of a browser
        assert pool.submit(lambda: asyncio.run(cell())).result() == 2


def test_no_further_warm_up_is_sent_after_one_that_failed():
    sent = []

    def answer(request, context):
        sent.append(request)
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    with grpc_server(answer) as address:
        target = BackendInfo("full", address=address)
        offer(target, payload(target), burst(2), TIMEOUT_S, warmups=5)
    assert len(sent) == 3


def test_a_load_that_waits_for_its_next_request_can_be_stopped(stub):
    cancel = threading.Event()
    watch = Watch(cancel, lambda sample: cancel.set())
    taken = offer(stub.grpc, payload(stub.grpc), [0.0, 30.0], TIMEOUT_S, watch)
    assert (taken.stopped, len(taken.samples)) == (CANCELLED, 1)
    assert taken.seconds < 30  # it did not wait for the one that was not sent


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_target_that_is_named_by_its_address_is_named_once(protocol):
    address = f"127.0.0.1:{free_port()}"
    nobody = BackendInfo(address, protocol=protocol, address=address)
    taken = offer(nobody, payload(nobody), burst(1), TIMEOUT_S, warmups=0)
    assert taken.messages["unreachable"].count(address) == 1


def test_answers_with_fewer_labels_than_images_do_not_say_how_many_were_right():
    def answer(request, context):
        return good_answer()

    with grpc_server(answer) as place:
        info = BackendInfo("GPU", address=place)
        taken = offer(info, payload(info, batch=2, expected=["cat"] * 3), burst(2), TIMEOUT_S)
    assert [(sample.ok, sample.right) for sample in taken.samples] == [(True, None)] * 2
