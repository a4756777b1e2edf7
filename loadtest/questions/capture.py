"""tcpdump beside a load: packets and bytes on the wire for each request."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from experiment.figures.frame import axis
from experiment.figures.palette import LIGHT
from experiment.wording import number, one_line, size
from loadtest.answers.answer import Answer, answer, not_known
from loadtest.errors import LoadRefused
from loadtest.questions.target import TIMEOUT_S, Target, addresses
from loadtest.records import Payload
from loadtest.send.load import keep_in_flight
from loadtest.send.recording import Watch

KEY, QUESTION = "capture", "What goes over the network?"
PROGRAM = "tcpdump"
HEADERS_BYTES = 128  # of each packet that are kept: no picture is in the file
REQUESTS = 50
STOP_S = 10.0
QUIET_S = 0.3
LISTENING = "listening on"
_LENGTH = re.compile(r", length (\d+): ")  # of the whole frame, as -e prints it
_RIGHT = "sudo setcap cap_net_raw,cap_net_admin+eip $(readlink -f $(command -v tcpdump))"


@dataclass(frozen=True, slots=True)
class Packets:
    """What a capture holds, in one direction."""

    packets: int
    frame_bytes: int  # with the headers of all layers


def what_is_on_the_wire(target: Target, payload: Payload, interface: str, pcap: Path, watch: Watch) -> Answer:
    """REQUESTS requests, one at a time, over one connection, with tcpdump beside them. Raises LoadRefused."""
    places = addresses(target.info)
    with capturing(interface, places, pcap):
        taken = keep_in_flight(
            *(target.info, payload, 1, 4 * TIMEOUT_S, TIMEOUT_S, watch), requests=REQUESTS, warmups=0
        )
    answered = sum(sample.ok for sample in taken.samples)
    there, back = packets_in(pcap, "dst", places), packets_in(pcap, "src", places)
    if not there.packets or not answered:
        return not_known(
            *(KEY, QUESTION),
            f"Not known: tcpdump saw no packet to {target.info.address} on {interface}. Name the interface "
            f"that the requests leave by: {', '.join(_interfaces())}.",
        )
    if there.frame_bytes < answered * payload.median_bytes:
        return not_known(
            *(KEY, QUESTION),
            f"Not known: tcpdump lost packets. It saw {size(there.frame_bytes / answered)} go with each "
            f"request, which has {size(payload.median_bytes)}. Repeat it while the machine does less.",
        )
    return _answer(target, payload, (interface, pcap), answered, (there, back))


@contextmanager
def capturing(interface: str, places: Sequence[str], pcap: Path) -> Iterator[None]:
    """tcpdump writes what goes to and comes from "host:port" into `pcap`. Raises LoadRefused."""
    check_capture(interface)
    command = [
        *(
            PROGRAM,
            "-i",
            interface,
            "-w",
            str(pcap),
            "-U",
            "-n",
            "--immediate-mode",
            "-s",
            str(HEADERS_BYTES),
        ),
        *("-B", "16384", _filter("", places)),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _wait_until_it_listens(process, interface)
            yield
            _wait_until_all_is_written(pcap)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
    with suppress(OSError):  # tcpdump gives up its rights as root, and the file with them
        os.chown(pcap, os.getuid(), os.getgid())


def check_capture(interface: str) -> None:
    """Raises LoadRefused if there is no tcpdump or no such interface, before anything is sent."""
    if shutil.which(PROGRAM) is None:
        raise LoadRefused(f"{PROGRAM} is not installed. Type: sudo apt-get install tcpdump")
    if interface not in {*_interfaces(), "any"}:
        raise LoadRefused(
            f"There is no network interface {interface}. There are: {', '.join(_interfaces())}, any."
        )


def packets_in(pcap: Path, direction: str, places: Sequence[str]) -> Packets:
    """Packets of a capture that go to ("dst") or come from ("src") "host:port", read by tcpdump itself."""
    command = [PROGRAM, "-r", str(pcap), "-n", "-e", "-q", _filter(direction, places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadRefused(f"tcpdump can't read {pcap}: {one_line(done.stderr)}")
    lengths = [int(found[1]) for line in done.stdout.splitlines() if (found := _LENGTH.search(line))]
    return Packets(len(lengths), sum(lengths))


def _filter(direction: str, places: Sequence[str]) -> str:
    """A pcap-filter(7) for the ports, in one direction or both: "tcp and (dst port 8500)"."""
    ports = sorted({place.rpartition(":")[2] for place in places})
    return f"tcp and ({' or '.join(f'{direction} port {port}'.strip() for port in ports)})"


def _wait_until_it_listens(process: subprocess.Popen[str], interface: str) -> None:
    assert process.stderr is not None  # noqa: S101  it is a pipe
    said = []
    for line in process.stderr:  # it ends when tcpdump does
        if LISTENING in line:
            return
        said.append(line.strip())
    words = one_line(" ".join(said))
    if "permission" in words.lower() or "not permitted" in words.lower():
        raise LoadRefused(f"You may not capture on {interface}. Type: {_RIGHT}   or run this with sudo.")
    raise LoadRefused(f"tcpdump can't capture on {interface}: {words or 'it said nothing.'}")


def _wait_until_all_is_written(pcap: Path) -> None:
    """Until the file has not grown for QUIET_S: on a busy machine tcpdump lags behind."""
    deadline, before, after = time.monotonic() + STOP_S, -1, pcap.stat().st_size
    while before != after and time.monotonic() < deadline:
        time.sleep(QUIET_S)
        before, after = after, pcap.stat().st_size


def _interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def _answer(
    target: Target,
    payload: Payload,
    place: tuple[str, Path],
    answered: int,
    both: tuple[Packets, Packets],
) -> Answer:
    interface, pcap = place
    rows, packets, total_bytes = [], 0.0, 0.0
    for name, found in zip(("to the server", "from the server"), both, strict=True):
        each = found.packets / answered, found.frame_bytes / answered
        packets, total_bytes = packets + each[0], total_bytes + each[1]
        rows.append([name, round(each[0], 2), round(each[1], 1)])
    over = total_bytes - payload.median_bytes
    sentence = (
        f"{number(packets)} packets and {size(total_bytes)} for each request on {interface}, both ways; the "
        f"request message itself has {size(payload.median_bytes)}, so {size(max(over, 0))} are the answer, "
        "headers and acknowledgements."
    )
    notes = [
        f"{answered} requests, one at a time over one connection; opening it is in the figures. "
        f"Packets as tcpdump saw them (headers only, {pcap.name}): a network card may cut them further."
    ]
    bars = {
        "type": "bar",
        "x": [row[0] for row in rows],
        "y": [row[2] for row in rows],
        "marker": {"color": LIGHT.sending},
        "showlegend": False,
    }
    layout = {"xaxis": axis(LIGHT, "", type="category"), "yaxis": axis(LIGHT, "Bytes for each request")}
    columns = ("Direction", "packets per request", "bytes per request")
    facts = {"packets": packets, "bytes": total_bytes, "requests": answered, "server": target.info.address}
    return answer(KEY, QUESTION, sentence, columns, rows, [bars], layout, notes, facts)
