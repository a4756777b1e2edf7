"""The stub server: known service times, over both protocols."""

from __future__ import annotations

import subprocess
import sys

import pytest

from experiment.backends.probe import probe
from loadtest.arrivals.schedules import burst
from loadtest.cross_check.stub import ROOT, running_stub
from loadtest.payloads.images import image_payload
from loadtest.send.load import offer

PROTOCOLS = ("grpc", "rest")
COMMAND = (sys.executable, "-m", "loadtest.cross_check.stub_server")


def taken(info, requests, batch=1):
    payload = image_payload(info, [b"a picture"], ["a"], batch=batch, expected=["stub"])
    return offer(info, payload, burst(requests), 30, warmups=0).samples


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_is_a_backend_that_is_ready_and_labels_every_image_of_a_batch(protocol):
    with running_stub(service_ms=1) as stub:
        info = getattr(stub, protocol)
        assert probe(info).state == "ready"
        assert [(sample.ok, sample.right) for sample in taken(info, 2, batch=3)] == [(True, 3)] * 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_at_a_time_makes_a_queue_with_the_service_times_of_the_file_in_turn(protocol, tmp_path):
    (tmp_path / "times").write_text("10\n30\n")
    with running_stub(times=tmp_path / "times", one_at_a_time=True) as stub:
        latencies_ms = sorted(sample.latency_ms for sample in taken(getattr(stub, protocol), 4))
    for latency_ms, dictated_ms in zip(latencies_ms, (10, 40, 50, 80), strict=True):
        assert latency_ms >= dictated_ms


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_above_the_most_at_once_it_refuses_with_the_words_of_a_full_queue(protocol):
    with running_stub(service_ms=2_000, most=3) as stub:
        causes = [sample.cause for sample in taken(getattr(stub, protocol), 5)]
    assert sorted(causes, key=str) == [None, None, None, "overloaded", "overloaded"]


def test_it_ends_with_its_input():
    with subprocess.Popen(COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b'{"grpc": "127.0.0.1:')
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize("text", ["", "20\nsoon\n", "-1"])
def test_a_file_of_times_that_cannot_be_used_is_named_in_one_sentence(tmp_path, text):
    (tmp_path / "times").write_text(text)
    ended = subprocess.run(
        [*COMMAND, "--times", str(tmp_path / "times")],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert "times" in ended.stderr.splitlines()[-1]
    assert "It needs one service time in ms on each line." in ended.stderr
