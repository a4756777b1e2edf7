"""CPU- or I/O-bound: the verdict from known figures, and whose CPU time is read."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from experiment.records import BackendInfo
from loadtest.cross_check.stub import running_stub
from loadtest.questions import link, server_cpu
from loadtest.questions.cpu_bound import Step, is_it_cpu_bound, knee_of, link_words, verdict
from loadtest.questions.link import Link, link_to
from loadtest.questions.server_cpu import CpuMeter, cpu_seconds, meter_of
from loadtest.questions.target import Target
from loadtest.send.recording import Watch

TARGET = Target(BackendInfo("tf", address="127.0.0.1:8500"))
ELSEWHERE = Target(BackendInfo("tf", address="192.0.2.1:8500"))
METER = CpuMeter(TARGET, pids=(1,), cores=4)


def step(in_flight: int, rate_per_s: float, **more) -> Step:
    """Ten seconds in which each request took 10 ms of CPU time."""
    answered = round(10 * rate_per_s)
    fields = {
        **{"answered": answered, "failures": 0, "p50_ms": 1e3 * in_flight / rate_per_s},
        **{"cpu_s": answered / 100, "all_programs_s": None, "seconds": 10.0, "generator_percent": 5.0},
        **{"energy": None, "answer_bytes": 4000},
    }
    return Step(in_flight, rate_per_s=rate_per_s, **fields | more)


def test_the_knee_is_the_fewest_requests_in_flight_that_reach_nearly_the_highest_rate():
    steps = [step(1, 90), step(2, 180), step(4, 351), step(8, 360), step(16, 340)]
    assert knee_of(steps).in_flight == 4


@pytest.mark.parametrize(
    ("one", "knee", "begins"),
    [
        (step(1, 90), step(8, 390), "CPU-bound: 98 % of its 4 cores in use at the knee (8 at once, 390"),
        (step(1, 90), step(8, 390, cpu_s=99.0), "CPU-bound: 100 % of its 4 cores"),
        (step(1, 20), step(8, 100), "Not CPU-bound: only 25 % of its 4 cores in use at the knee"),
        (step(1, 20), step(8, 250), "Partly CPU-bound: 62 % of its 4 cores"),
        (step(1, 94), step(2, 100), "CPU-bound in one thread: 25 % of its 4 cores"),
        (step(1, 20), step(8, 100, generator_percent=97.0), "Not known: this program was at its limit (97 %"),
        (step(1, 20), step(8, 100, all_programs_s=39.5), "CPU-bound, by all programs together: 25 % of its"),
    ],
)
def test_the_use_of_the_cores_at_the_knee_decides(one, knee, begins):
    assert verdict([one, knee], METER).startswith(begins)


def test_a_ladder_whose_rate_still_grows_at_its_end_shows_no_limit():
    steps = [step(1, 20), step(16, 100, all_programs_s=39.5), step(32, 150, all_programs_s=39.5)]
    begins = (
        "Not known: no limit was reached, the rate still grew with 32 requests at once. 38 % of its 4 cores"
    )
    assert verdict(steps, METER).startswith(begins)
    assert verdict([*steps[:2], step(32, 390)], METER).startswith("CPU-bound: 98 % of its 4 cores")


def test_a_verdict_names_the_cpu_time_of_a_request():
    assert "A request takes 10 ms of CPU time, of 11 ms for one" in verdict(
        [step(1, 90), step(8, 390)], METER
    )


def test_without_the_servers_cpu_time_nothing_is_concluded():
    unknown = CpuMeter(TARGET, reason="it does not run on this machine")
    sentence = verdict([step(1, 90, cpu_s=None), step(8, 390, cpu_s=None)], unknown)
    assert sentence.startswith("Not known: the server's CPU time can't be read (it does not run on this")
    without_cores = verdict([step(1, 90), step(8, 390)], CpuMeter(TARGET, has_page=True))
    assert without_cores.startswith("A request takes 10 ms of CPU time. How many cores")


def test_a_server_on_this_machine_is_found_by_the_port_that_it_listens_on():
    with running_stub(service_ms=1) as stub:
        meter = meter_of(Target(stub.grpc))
        assert meter.pids == (stub.pid,)
        assert meter.cores == len(os.sched_getaffinity(stub.pid))
        assert meter.cpu_s() == pytest.approx(cpu_seconds(stub.pid), abs=1)
        assert meter.all_programs_s() >= meter.cpu_s()
    assert meter.cpu_s() is None


def test_the_cpu_time_of_a_process_is_that_of_all_its_threads():
    before, started = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() - started < 0.2:
        pass
    assert cpu_seconds(os.getpid()) - before >= 0.15


def test_a_proxy_that_listens_for_a_server_elsewhere_is_not_taken_for_it(monkeypatch):
    with running_stub(service_ms=1) as stub:
        name = (server_cpu.PROC / str(stub.pid) / "comm").read_text().strip()
        monkeypatch.setattr(server_cpu, "PROXIES", {name})
        meter = meter_of(Target(stub.grpc))
        assert not meter.is_known
        assert meter.reason.startswith(f"{name} listens on its port for a server in a container or elsewhere")


def test_a_server_elsewhere_is_asked_for_its_own_counter(counting, monkeypatch):
    monkeypatch.setattr(server_cpu, "is_on_this_machine", lambda address: False)
    meter = meter_of(counting)
    assert (meter.pids, meter.has_page) == ((), True)
    assert meter.cpu_s() > 0
    unknown = meter_of(Target(counting.info))
    assert unknown.reason == (
        "it does not run on this machine, and no page for Prometheus says process_cpu_seconds_total"
    )


def test_bytes_against_a_link_of_known_speed(monkeypatch):
    monkeypatch.setattr("loadtest.questions.cpu_bound.link_to", lambda address: Link("eth0", 1000.0))
    words = link_words(TARGET, 1_000_000, 0, 100)
    assert words == (
        "1.0 MB go and unknown bytes come back with each request; "
        "800 Mbit/s at the knee, 80 % of eth0's 1,000 Mbit/s: the link is not the limit."
    )
    assert link_words(TARGET, 1_200_000, 0, 100).endswith("the link is the limit.")
    monkeypatch.setattr("loadtest.questions.cpu_bound.link_to", lambda address: Link("eth0", None))
    assert link_words(TARGET, 1000, 0, 1).endswith("The speed of the link eth0 is not known.")


def test_the_link_to_this_machine_is_loopback_and_an_unknown_name_has_none(monkeypatch, tmp_path):
    assert link_to("127.0.0.1:8500") == link_to("[::1]:8500") == Link("lo", None)
    assert link_to("no-such-host.invalid:8500") == Link(None, None)
    (tmp_path / "eth7").mkdir()
    (tmp_path / "eth7" / "speed").write_text("10000\n")
    monkeypatch.setattr(link, "SYS_NET", tmp_path)
    assert (link._speed("eth7"), link._speed("eth8")) == (10000.0, None)


def test_a_server_that_answers_nothing_is_said_to():
    gone = replace(TARGET.info, protocol="rest", address="127.0.0.1:9")
    payload_of_nothing = is_it_cpu_bound(Target(gone), _payload(), 0.1, Watch())
    assert payload_of_nothing[0].sentence == "Not known: tf answered no request."


def _payload():
    from loadtest.records import Payload

    return Payload("image", (b"x",), ("x",))
