"""Counters of energy where a machine has them, and packets where they may be captured."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from loadtest.answers.folder import AnswerFolder
from loadtest.cross_check.stub import running_stub
from loadtest.errors import LoadRefused
from loadtest.questions.ask import Asked, ask_all
from loadtest.questions.capture import REQUESTS, check_capture, packets_in, what_is_on_the_wire
from loadtest.questions.energy import Energy, EnergyMeter, energy_answer
from loadtest.questions.material import material_of
from loadtest.questions.target import Target
from loadtest.send.recording import Watch
from tests.support.processes.serving_process import picture

NEEDS_TCPDUMP = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
RANGE_UJ = 262_143_328_850


def program(folder: Path, name: str, text: str) -> None:
    """A program of that name, in shell."""
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def package(powercap: Path, name: str, energy_uj: int) -> None:
    place = powercap / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "energy_uj").write_text(f"{energy_uj}\n")
    (place / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")


def stub_material(stub):
    return material_of(Target(stub.grpc), picture("JPEG"))


def test_the_energy_of_all_processors_is_added_up_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for name, energy_uj in (("intel-rapl:0", 5_000_000), ("intel-rapl:1", RANGE_UJ - 1_000_000)):
        package(tmp_path, name, energy_uj)
    package(tmp_path, "intel-rapl:0:0", 1)  # the cores of package 0
    with EnergyMeter(tmp_path) as meter:
        meter.start()
        package(tmp_path, "intel-rapl:0", 8_000_000)
        package(tmp_path, "intel-rapl:1", 2_000_000)  # it started again behind its range
        package(tmp_path, "intel-rapl:0:0", 10**9)
        used = meter.stop()
    assert used == Energy(6.0, None)
    found = energy_answer(used, 3)
    assert found.sentence == (
        "2.0 J by the processors (RAPL) for each request at the knee; "
        "all of the machine, idle power included."
    )
    assert found.rows == [["processors (RAPL)", 2.0]]


def test_a_machine_without_a_counter_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with EnergyMeter(tmp_path) as meter:
        meter.start()
        used = meter.stop()
    assert used is None
    assert energy_answer(used, 3).sentence == "Unknown: no counter on this machine."


def test_the_power_of_all_gpus_is_read_from_nvidia_smi(tmp_path, monkeypatch):
    program(tmp_path, "nvidia-smi", "echo 100.5; echo 20.5")
    monkeypatch.setenv("PATH", str(tmp_path))
    with EnergyMeter(tmp_path) as meter:
        meter.start()
        while not meter._powers_w:
            pass
        used = meter.stop()
    assert used.processors_j is None
    assert used.gpus_j > 0
    assert "10 J by the GPUs (nvidia-smi)" in energy_answer(Energy(None, 30.0), 3).sentence


def test_a_program_that_is_missing_is_named_with_what_to_type(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LoadRefused, match=r"^tcpdump is not installed\. Type: sudo apt-get install tcpdump$"):
        check_capture("lo")


def test_an_interface_that_does_not_exist_is_refused_before_anything_is_sent(tmp_path, monkeypatch):
    program(tmp_path, "tcpdump", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    names = ", ".join(name for _, name in socket.if_nameindex())
    with running_stub(service_ms=1) as stub:
        folder = AnswerFolder(tmp_path, "questions", {})
        with pytest.raises(LoadRefused, match=f"There is no network interface eth99. There are: {names}"):
            ask_all(stub_material(stub), Asked(capture="eth99"), folder, Watch(), print)


def test_without_the_right_to_capture_it_says_what_to_type(tmp_path, monkeypatch):
    said = "tcpdump: lo: You don't have permission to perform this capture on that device"
    program(tmp_path, "tcpdump", f'echo "{said}" >&2; exit 1')
    with running_stub(service_ms=1) as stub:
        material = stub_material(stub)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(LoadRefused, match=r"You may not capture on lo\. Type: sudo setcap cap_net_raw"):
            what_is_on_the_wire(material.target, material.payload(), "lo", tmp_path / "a.pcap", Watch())


def test_what_else_tcpdump_says_is_passed_on(tmp_path, monkeypatch):
    program(tmp_path, "tcpdump", 'echo "tcpdump: something odd" >&2; exit 1')
    with running_stub(service_ms=1) as stub:
        material = stub_material(stub)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(LoadRefused, match="can't capture on lo: tcpdump: something odd"):
            what_is_on_the_wire(material.target, material.payload(), "lo", tmp_path / "a.pcap", Watch())


@NEEDS_TCPDUMP
def test_packets_and_bytes_for_each_request_are_read_from_the_capture(tmp_path):
    pcap = tmp_path / "a.pcap"
    with running_stub(service_ms=1) as stub:
        material = stub_material(stub)
        payload = material.payload()
        try:
            answer = what_is_on_the_wire(material.target, payload, "lo", pcap, Watch())
        except LoadRefused as refused:
            pytest.skip(refused.message)
        there = packets_in(pcap, "dst", [stub.grpc.address])
    assert pcap.stat().st_size > 0
    if answer.sentence.startswith("Not known: tcpdump lost packets"):
        pytest.skip(answer.sentence)  # the machine is too busy; a wrong figure would not be shown
    assert there.packets >= REQUESTS
    assert there.frame_bytes >= REQUESTS * payload.median_bytes
    assert [row[0] for row in answer.rows] == ["to the server", "from the server"]
    assert answer.rows[0][2] * REQUESTS == pytest.approx(there.frame_bytes, rel=0.01)
    assert answer.facts["requests"] == REQUESTS


@NEEDS_TCPDUMP
def test_a_capture_that_lost_packets_gives_no_figure(tmp_path, monkeypatch):
    monkeypatch.setattr("loadtest.questions.capture.packets_in", lambda *asked: _few())
    with running_stub(service_ms=1) as stub:
        material = stub_material(stub)
        try:
            answer = what_is_on_the_wire(material.target, material.payload(), "lo", tmp_path / "a", Watch())
        except LoadRefused as refused:
            pytest.skip(refused.message)
    assert answer.sentence.startswith("Not known: tcpdump lost packets. It saw 10 B go with each request")


def _few():
    from loadtest.questions.capture import Packets

    return Packets(10, 10 * REQUESTS)
