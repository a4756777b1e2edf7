"""CLOSED_LOOPS: load generators that keep one request in flight: how each is run, and how its output is read.

A request that is late delays all that follow it, and is one slow request in the figures: what
stall.py shows. Without a stall they measure what ours measures with one request in flight.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

from experiment.protocol import predict_pb2
from loadtest.cross_check.comparison import Figures, figures_of
from loadtest.cross_check.tools import AB, GHZ, HEY, LOCUST, WRK, Tool
from loadtest.errors import LoadRefused

ROOT = Path(__file__).resolve().parents[2]
GRACE_S = 60
SERVICE, METHOD = "tensorflow.serving.PredictionService", "Predict"
LOCUST_USERS = 10  # that together send at the rate that was asked for
# Prints what wrk measured in whole microseconds; its own text has three digits.
WRK_SCRIPT = """
local file = io.open(%s, "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
file:close()
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local line = '\\n{"failed": %%d, "requests": %%d, "us": %%d, "p50": %%d, "p90": %%d, "p99": %%d}\\n'
  io.write(string.format(line, failed, summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """The same load for all of them: those that can't count requests run for so many seconds."""

    address: str  # "host:port"
    path: str  # of the URL; gRPC needs none
    body: Path  # JSON, or a serialised PredictRequest
    folder: Path  # for files of the tool; exists
    requests: int
    seconds: int
    rate_per_s: float | None = None  # for tools that have users who wait; None: as fast as answers come

    @property
    def url(self) -> str:
        """For HTTP."""
        return f"http://{self.address}{self.path}"


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """A tool, its command line, and its figures from its standard output and its files."""

    tool: Tool
    protocol: str  # "rest" or "grpc"
    command: Callable[[Asked], Sequence[str]]
    read: Callable[[str, Path], Figures]  # raises LoadRefused, LookupError or ValueError


def figures_from(loop: ClosedLoop, asked: Asked) -> Figures:
    """Run the tool and read it. Raises LoadRefused."""
    process = started(loop, asked)
    try:
        return figures_at_end(loop, asked, process)
    finally:
        process.kill()
        process.wait()


def started(loop: ClosedLoop, asked: Asked) -> subprocess.Popen[str]:
    """The tool as a process; its output goes to files in its folder."""
    command = loop.command(asked)
    with (asked.folder / "stdout.txt").open("w") as out, (asked.folder / "stderr.txt").open("w") as errors:
        return subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=errors, text=True)


def figures_at_end(loop: ClosedLoop, asked: Asked, process: subprocess.Popen[str]) -> Figures:
    """Wait for it. Raises LoadRefused."""
    name = loop.tool.name
    try:
        status = process.wait(timeout=asked.seconds * 3 + GRACE_S)
    except subprocess.TimeoutExpired:
        raise LoadRefused(f"{name} did not end within {asked.seconds * 3 + GRACE_S} s.") from None
    said = (asked.folder / "stdout.txt").read_text("utf-8", "replace")
    if status:
        last = (asked.folder / "stderr.txt").read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise LoadRefused(f"{name} ended with {status}: {' '.join(last) or 'it said nothing'}")
    try:
        return loop.read(said, asked.folder)
    except (LookupError, ValueError) as error:
        raise LoadRefused(f"The output of {name} is not what it was when this was written: {error}") from None


def _ab(asked: Asked) -> list[str]:
    post = ["-p", str(asked.body), "-T", "application/json"]
    percentiles = ["-e", str(asked.folder / "percentiles.csv")]  # what it prints is whole milliseconds
    return [AB.program, "-q", "-k", "-c", "1", "-n", str(asked.requests), *post, *percentiles, asked.url]


def _read_ab(said: str, folder: Path) -> Figures:
    _refuse_failures(AB, _number(r"Failed requests:\s+(\d+)", said))
    if "Non-2xx responses" in said:
        raise LoadRefused(f"Some answers to {AB.name} were errors.")
    with (folder / "percentiles.csv").open() as file:
        served = {row["Percentage served"]: float(row["Time in ms"]) for row in csv.DictReader(file)}
    rate_per_s = _number(r"Requests per second:\s+([\d.]+)", said)
    # Below 100 requests ab's last rows are whatever lies behind its table in memory.
    has_p99 = _number(r"Complete requests:\s+(\d+)", said) >= 100
    return Figures(served["50"], served["90"], served["99"] if has_p99 else None, rate_per_s)


def _wrk(asked: Asked) -> list[str]:
    script = asked.folder / "post.lua"
    script.write_text(WRK_SCRIPT % json.dumps(str(asked.body)), "utf-8")
    return [WRK.program, "-t", "1", "-c", "1", "-d", f"{asked.seconds}s", "-s", str(script), asked.url]


def _read_wrk(said: str, folder: Path) -> Figures:
    told = json.loads(said[said.index('{"failed"') :])
    _refuse_failures(WRK, told["failed"])
    p50_ms, p90_ms, p99_ms = (told[name] / 1e3 for name in ("p50", "p90", "p99"))
    return Figures(p50_ms, p90_ms, p99_ms, told["requests"] / told["us"] * 1e6)


def _hey(asked: Asked) -> list[str]:
    post = ["-m", "POST", "-T", "application/json", "-D", str(asked.body)]
    return [HEY.program, "-c", "1", "-n", str(asked.requests), *post, "-o", "csv", asked.url]


def _read_hey(said: str, folder: Path) -> Figures:
    rows = list(csv.DictReader(said.splitlines()))
    _refuse_failures(HEY, sum(row["status-code"] != "200" for row in rows))
    latencies_ms = [float(row["response-time"]) * 1e3 for row in rows]
    seconds = float(rows[-1]["offset"]) + latencies_ms[-1] / 1e3
    return figures_of(latencies_ms, seconds)


def _locust(asked: Asked) -> list[str]:
    users = LOCUST_USERS if asked.rate_per_s else 1
    per_user = asked.rate_per_s / users if asked.rate_per_s else 0
    own = ["--body", str(asked.body), "--path", asked.path, "--per-user", str(per_user)]
    size = ["--users", str(users), "--spawn-rate", str(users), "--run-time", f"{asked.seconds}s"]
    file = ["-f", str(Path(__file__).with_name("locust_user.py")), "--host", f"http://{asked.address}"]
    # Its CSV files lack what came after their last second; the JSON at the end has all.
    return [sys.executable, "-m", "locust", *file, *size, "--headless", "--json", *own]


def _read_locust(said: str, folder: Path) -> Figures:
    entry = json.loads(said)[0]
    _refuse_failures(LOCUST, entry["num_failures"])
    times = [float(ms) for ms, count in entry["response_times"].items() for _ in range(count)]
    return figures_of(times, entry["last_request_timestamp"] - entry["start_time"])


def _ghz(asked: Asked) -> list[str]:
    protocol = asked.folder / "predict.protoset"
    protocol.write_bytes(_predict_protocol())
    call = ["--protoset", str(protocol), "--call", f"{SERVICE}.{METHOD}", "--binary-file", str(asked.body)]
    return [
        GHZ.program,
        "--insecure",
        *call,
        "-c",
        "1",
        "-n",
        str(asked.requests),
        "-O",
        "json",
        asked.address,
    ]


def _read_ghz(said: str, folder: Path) -> Figures:
    told = json.loads(said)
    _refuse_failures(GHZ, told["count"] - told["statusCodeDistribution"].get("OK", 0))
    served_ms = {row["percentage"]: row["latency"] / 1e6 for row in told["latencyDistribution"]}
    return Figures(served_ms[50], served_ms[90], served_ms[99], told["rps"])


def _predict_protocol() -> bytes:
    """PredictionService.Predict with all messages it needs, as a serialised FileDescriptorSet."""
    whole = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(file: Any) -> None:
        if file.name not in seen:
            seen.add(file.name)
            for needed in file.dependencies:
                add(needed)
            file.CopyToProto(whole.file.add())

    add(predict_pb2.DESCRIPTOR)
    package, _, name = SERVICE.rpartition(".")
    own = whole.file.add(name="service.proto", package=package, syntax="proto3")
    own.dependency.append(predict_pb2.DESCRIPTOR.name)
    request, answer = (f".{package}.{message}" for message in ("PredictRequest", "PredictResponse"))
    own.service.add(name=name).method.add(name=METHOD, input_type=request, output_type=answer)
    return bytes(whole.SerializeToString())


def _number(pattern: str, said: str) -> float:
    found = re.search(pattern, said)
    if not found:
        raise ValueError(f"nothing matches {pattern}")
    return float(found[1])


def _refuse_failures(tool: Tool, failed: float) -> None:
    """A comparison of failed requests would be one of error messages."""
    if failed:
        raise LoadRefused(f"{failed:.0f} requests of {tool.name} failed.")


CLOSED_LOOPS: Mapping[str, ClosedLoop] = {
    loop.tool.name: loop
    for loop in (
        ClosedLoop(AB, "rest", _ab, _read_ab),
        ClosedLoop(WRK, "rest", _wrk, _read_wrk),
        ClosedLoop(HEY, "rest", _hey, _read_hey),
        ClosedLoop(LOCUST, "rest", _locust, _read_locust),
        ClosedLoop(GHZ, "grpc", _ghz, _read_ghz),
    )
}
