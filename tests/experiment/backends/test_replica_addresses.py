"""A name with several addresses, or a list of them: requests go round, each answer says who gave it.

The replicas are servers on 127.0.0.2, .3 and .4, all of them this machine; the name server is played.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest

from experiment.backends.base import Backend, RequestFailed
from experiment.backends.grpc import GrpcBackend
from experiment.backends.probe import probe
from experiment.backends.replicas import Replicas, addresses_of, as_one, look_up
from experiment.backends.rest import RestBackend
from experiment.records import BackendInfo
from experiment.report.contention import host_of
from tests.support.processes.app_process import free_port
from tests.support.processes.webapp_parts import NOWHERE, eventually
from tests.support.records import variant
from tests.support.scripted_server import aborting, always, good_answer, grpc_server, hanging, rest_server

HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
VARIANT = variant(512, "png", data=b"picture")
REST_ANSWER = json.dumps({"predictions": [{"classes": ["tabby"], "scores": [0.7]}]}).encode()


class Names:
    """A name server whose answer the test changes."""

    def __init__(self, *hosts: str):
        self.hosts = hosts
        self.asked = 0

    def __call__(self, host: str, port: int) -> tuple[str, ...]:
        assert host == "tf-serving-8cpu"
        self.asked += 1
        return self.hosts


def info(port: int, protocol: str = "grpc") -> BackendInfo:
    return BackendInfo(name="8 CPU", protocol=protocol, address=f"tf-serving-8cpu:{port}")  # type: ignore[arg-type]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def servers(port: int) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        for host in HOSTS:
            stack.enter_context(grpc_server(always(good_answer()), port, host=host))
        yield stack


def peers(backend: Backend, times: int) -> list[str | None]:
    return [backend.predict(VARIANT, 5.0).peer for _ in range(times)]


def test_over_grpc_the_replicas_take_turns_and_each_answer_names_its_own(
    port: int, servers: ExitStack
) -> None:
    backend = GrpcBackend(info(port), Names(*HOSTS))
    answered = peers(backend, 9)
    backend.close()
    assert Counter(answered) == {f"{host}:{port}": 3 for host in HOSTS}
    assert set(answered[:3]) == set(answered)


def test_over_rest_too(port: int) -> None:
    with ExitStack() as stack:
        received = [
            stack.enter_context(rest_server(200, REST_ANSWER, host=each, port=port))[1] for each in HOSTS
        ]
        backend = RestBackend(info(port, "rest"), Names(*HOSTS))
        answered = peers(backend, 6)
        backend.close()
    assert Counter(answered) == {f"{host}:{port}": 2 for host in HOSTS}
    assert [len(each) for each in received] == [2, 2, 2]


def test_a_name_with_one_address_is_left_to_grpc_and_names_no_replica(port: int, servers: ExitStack) -> None:
    backend = GrpcBackend(BackendInfo(name="1 CPU", address=f"127.0.0.2:{port}"))
    assert peers(backend, 2) == [None, None]
    backend.close()
    opened: list[str] = []
    Replicas(f"tf-serving-8cpu:{port}", lambda address: opened.append(address) or _Nothing(), Names(HOSTS[0]))
    assert opened == [f"tf-serving-8cpu:{port}"]


class _Nothing:
    def close(self) -> None:
        pass


def test_a_replica_that_goes_costs_one_request_and_the_others_carry_on(port: int) -> None:
    names = Names(*HOSTS)
    with ExitStack() as stack:
        gone = stack.enter_context(ExitStack())
        gone.enter_context(grpc_server(always(good_answer()), port, host=HOSTS[0]))
        for host in HOSTS[1:]:
            stack.enter_context(grpc_server(always(good_answer()), port, host=host))
        backend = GrpcBackend(info(port), names)
        peers(backend, 3)
        gone.close()
        names.hosts = HOSTS[1:]
        failures, answered = outcomes(backend, 9)
        backend.close()
    assert [each.failure.code for each in failures] == ["unreachable"]
    assert f"No answer from 8 CPU at 127.0.0.2:{port}" in failures[0].failure.message
    assert answered == {f"{host}:{port}" for host in HOSTS[1:]}


def test_a_replica_that_comes_back_is_asked_again(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiment.backends.replicas.PAUSE_S", 0.0)
    monkeypatch.setattr("experiment.backends.replicas.LOOK_AGAIN_S", 0.01)
    with grpc_server(always(good_answer()), port, host=HOSTS[1]):
        backend = GrpcBackend(info(port), Names(*HOSTS[:2]))
        failures, answered = outcomes(backend, 6)
        assert (len(failures), answered) == (1, {f"{HOSTS[1]}:{port}"})
        with grpc_server(always(good_answer()), port, host=HOSTS[0]):
            eventually(lambda: f"{HOSTS[0]}:{port}" in outcomes(backend, 2)[1])
        backend.close()


def test_a_replica_that_hangs_is_set_aside_too_and_longer_each_time(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiment.backends.replicas.PAUSE_S", 1000.0)
    with ExitStack() as stack:
        stack.enter_context(grpc_server(hanging(30), port, host=HOSTS[0]))
        stack.enter_context(grpc_server(always(good_answer()), port, host=HOSTS[1]))
        backend = GrpcBackend(info(port), Names(*HOSTS[:2]))
        failures, answered = outcomes(backend, 6, timeout_s=0.5)
        backend.close()
    assert [each.failure.code for each in failures] == ["deadline"]
    assert answered == {f"{HOSTS[1]}:{port}"}


def test_who_gives_no_answer_again_and_again_is_left_out_twice_as_long_until_it_does() -> None:
    first, second = f"{HOSTS[0]}:8500", f"{HOSTS[1]}:8500"
    replicas = Replicas("tf-serving-8cpu:8500", lambda address: _Nothing(), Names(*HOSTS[:2]))
    for expected_s in (2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        replicas.lost(first)
        assert replicas._pauses_s[first] == expected_s
        assert {replicas.next()[0] for _ in range(4)} == {second}
        replicas._out.clear()  # its time is over
    replicas.answered(first)
    assert {replicas.next()[0] for _ in range(4)} == {first, second}
    replicas.lost(first)
    assert replicas._pauses_s[first] == 2.0
    replicas.close()


def test_a_new_replica_joins_when_another_is_lost(port: int, servers: ExitStack) -> None:
    names = Names("127.0.0.5", HOSTS[0])  # nobody listens on .5
    backend = GrpcBackend(info(port), names)
    names.hosts = HOSTS
    failures, _ = outcomes(backend, 2)
    assert len(failures) == 1
    eventually(lambda: outcomes(backend, 3)[1] == {f"{host}:{port}" for host in HOSTS})
    backend.close()


def test_a_refusal_is_no_loss(port: int) -> None:
    names = Names(*HOSTS[:2])
    with ExitStack() as stack:
        for host in HOSTS[:2]:
            refusing = aborting(grpc.StatusCode.INVALID_ARGUMENT, "not an image")
            stack.enter_context(grpc_server(refusing, port, host=host))
        backend = GrpcBackend(info(port), names)
        failures, _ = outcomes(backend, 4)
        backend.close()
    assert {each.failure.code for each in failures} == {"bad_request"}
    assert names.asked == 1


def test_the_probe_counts_the_addresses_of_the_name(port: int, servers: ExitStack) -> None:
    found = probe(BackendInfo(name="8 CPU", address=f"localhost:{port}"), resolve=lambda *_: HOSTS)
    assert (found.state, found.replicas) == ("down", None)
    with grpc_server(always(good_answer())) as address:
        local = address.replace("127.0.0.1", "localhost")
        found = probe(BackendInfo(name="8 CPU", address=local), resolve=lambda *_: HOSTS)
    assert (found.state, found.replicas) == ("ready", 3)


def test_of_listed_replicas_those_are_asked_that_answer_and_the_others_are_told_of() -> None:
    with grpc_server(always(good_answer())) as here, grpc_server(always(good_answer())) as there:
        both = probe(BackendInfo(name="2 x 1", address=f"{here},{there}"))
        assert (both.state, both.address, both.replicas) == ("ready", f"{here},{there}", 2)
        assert re.fullmatch(r"Ready\. Round trip [0-9.]+ ms\.", both.detail)
        one = probe(BackendInfo(name="2 x 1", address=f"{NOWHERE},{there}"))
        assert (one.state, one.address, one.replicas) == ("ready", there, 1)
        assert f" ms. 1 of 2 replicas answers. No answer at {NOWHERE} " in one.detail
    none = probe(BackendInfo(name="2 x 1", address=f"{here},{there}"))
    assert (none.state, none.address, none.replicas) == ("down", f"{here},{there}", 2)
    assert none.detail.startswith(f"0 of 2 replicas answer. No answer at {here} ")


def test_listed_replicas_are_loading_as_long_as_one_of_them_is() -> None:
    down = BackendInfo("2 x 1", address="127.0.0.1:1", state="down", detail="It ended.")
    loading = BackendInfo("2 x 1", address="127.0.0.1:2", state="loading", detail="It loads.")
    assert as_one([down, loading]).state == as_one([loading, down]).state == "loading"
    assert as_one([down]) == down
    assert host_of(as_one([down, loading])) == "localhost"


def test_over_rest_each_listed_replica_is_called_by_its_own_address() -> None:
    hosts = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hosts.append(self.headers["Host"])
            self.send_error(500)

    with HTTPServer(("127.0.0.1", 0), Handler) as here, HTTPServer(("127.0.0.1", 0), Handler) as there:
        for server in (here, there):
            threading.Thread(target=server.handle_request).start()
        addresses = [f"127.0.0.1:{server.server_port}" for server in (here, there)]
        backend = RestBackend(BackendInfo(name="2 x 1", protocol="rest", address=",".join(addresses)))
        failures, _ = outcomes(backend, 2)
        backend.close()
    assert [each.failure.code for each in failures] == ["server_error"] * 2
    assert sorted(hosts) == sorted(addresses)


def test_a_host_with_ipv4_and_ipv6_is_one_host() -> None:
    assert look_up("localhost", 80) in (["127.0.0.1"], ["::1"])


def test_ipv6_addresses_stand_in_brackets() -> None:
    assert addresses_of("name:8500", lambda *_: ["fd00::1"]) == ("[fd00::1]:8500",)
    assert addresses_of("[::1]:8500", lambda *_: pytest.fail("asked for a number")) == ("[::1]:8500",)


def test_a_name_that_nobody_knows_or_answers_for_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    assert addresses_of("nowhere:8500", unknown) == ()
    monkeypatch.setattr("experiment.backends.replicas.RESOLVE_TIMEOUT_S", 0.01)
    release = threading.Event()
    assert addresses_of("slow:8500", lambda *_: [str(release.wait(60))]) == ()
    release.set()


def outcomes(
    backend: Backend, times: int, timeout_s: float = 5.0
) -> tuple[list[RequestFailed], set[str | None]]:
    """The failures, and who answered."""
    failures: list[RequestFailed] = []
    answered: set[str | None] = set()
    for _ in range(times):
        try:
            answered.add(backend.predict(VARIANT, timeout_s).peer)
        except RequestFailed as error:
            failures.append(error)
    return failures, answered
