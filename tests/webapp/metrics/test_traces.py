"""Traces of a real run on a real model server, as a collector gets them by OTLP."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests

from common import traces
from tests.support.processes.serving_process import start_server
from tests.support.processes.web_process import web_process
from tests.support.processes.webapp_parts import eventually, photo_bytes
from tests.support.telemetry.collector import Told, grpc_collector, http_collector
from webapp.worker.process import WORKER_COMMAND

ROOT = Path(__file__).resolve().parents[3]
CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PLAN = {"sizes_px": [32], "formats": ["jpeg"], "repeats": 2, "warmups": 1}
BOTH = json.dumps({**PLAN, "backend_names": ["1 CPU", "1 CPU over REST"]})
STAGES = {"queue", "decode", "inference"}


@dataclass
class Traced:
    """A run and its spans."""

    spans: list[Told]
    report: dict[str, Any]
    later: dict[str, Any]  # of a run after the collector had begun to hang
    measurements: list[dict[str, Any]]
    headers: list[dict[str, str]]
    environ_of_worker: bytes

    def named(self, name: str) -> list[Told]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """One run over gRPC and REST, asked for by a client that is in a trace itself."""
    folder = tmp_path_factory.mktemp("traces")
    with http_collector() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=a-secret",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        with mock.patch.dict(os.environ, environ), start_server() as server:
            rest_port = server.rest_url.split(":")[2].split("/")[0]
            servers = f"1 CPU:{server.grpc_address}?rest={rest_port}"
            with web_process(folder, worker_command=WORKER_COMMAND, TF_SERVERS=servers) as web:
                worker: bytes = eventually(lambda: _environ_of_timing_process(web.descendants()))
                answer = _post(web.url, CLIENT)
                report = web.finished(answer["id"])
                events = web.get(f"/api/runs/{answer['id']}/events").text
                found = re.findall(r"^event: measurement\ndata: (.*)$", events, re.MULTILINE)
                measurements = [json.loads(data) for data in found]
                sent = len(measurements)
                assert sent == 2 * 2 * 3  # backends, variants, warm-up and repeats
                collector.wait_for(lambda spans: _count(spans, "predict ") >= sent)
                spans = collector.wait_for(
                    lambda spans: (
                        {"run", "POST /api/runs"} <= {span.name for span in spans}
                        and sum(span.name == "inference" for span in spans) >= sent
                    )
                )
                collector.delay_s = 30  # it hangs from here on
                later = web.finished(_post(web.url, CLIENT)["id"])
        yield Traced(spans, report, later, measurements, collector.headers, worker)


def _environ_of_timing_process(pids: list[int]) -> bytes:
    for pid in pids:
        if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"-m\0webapp.worker\0"):
            return Path(f"/proc/{pid}/environ").read_bytes()
    return b""


def _post(url: str, header: str) -> dict[str, Any]:
    files = {"file": ("cat.png", photo_bytes(400, 300))}
    headers = {"traceparent": header}
    answer = requests.post(f"{url}/api/runs", files=files, data={"plan": BOTH}, headers=headers, timeout=60)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _count(spans: list[Told], name: str) -> int:
    return sum(span.name.startswith(name) for span in spans)


def test_one_trace_leads_from_the_client_over_page_and_run_to_the_servers_stages(
    traced: Traced,
) -> None:
    (request,), (run,) = traced.named("POST /api/runs"), traced.named("run")
    assert (request.trace_id.hex(), request.parent_id.hex()) == (CLIENT.split("-")[1], CLIENT.split("-")[2])
    assert (run.trace_id, run.parent_id) == (request.trace_id, request.span_id)
    by_id = {span.span_id: span for span in traced.spans}
    asked = [span for span in traced.spans if span.name.startswith("predict ")]
    assert {span.parent_id for span in asked} == {run.span_id}
    in_server = [span for span in traced.spans if span.service == "pixelcost-serving"]
    answers = [span for span in in_server if span.parent_id in {each.span_id for each in asked}]
    assert {span.name for span in answers} == {
        "tensorflow.serving.PredictionService/Predict",
        "POST /v1/models",
    }
    assert len(answers) == len(asked)
    for answer in answers:
        inside = [span for span in in_server if span.parent_id == answer.span_id]
        assert {span.name for span in inside} == STAGES
        caller = by_id[answer.parent_id]
        assert caller.start_s <= answer.start_s <= answer.end_s
        assert all(span.trace_id == request.trace_id for span in (answer, *inside))


def test_each_request_has_a_span_with_the_very_latency_that_the_report_has(traced: Traced) -> None:
    spans = [span for span in traced.spans if span.name.startswith("predict ")]
    told = {(span.about["pixelcost.backend"], span.start_s): span for span in spans}
    for each in traced.measurements:
        (span,) = (
            span
            for (backend, start_s), span in told.items()
            if backend == each["backend_name"] and abs(start_s - each["started_at"]) < 1e-5
        )
        assert span.about["pixelcost.latency_ms"] == each["latency_ms"]
        assert span.end_s - span.start_s == pytest.approx(each["latency_ms"] / 1e3, abs=1e-5)
        assert span.about["pixelcost.variant"] == each["variant_id"]
    assert len(spans) == len(traced.measurements)


def test_the_steps_of_a_run_follow_each_other_and_say_which_variants_were_made(traced: Traced) -> None:
    (run,) = traced.named("run")
    steps = [traced.named(name)[0] for name in ("read photo", "wait for turn", "prepare variants")]
    assert {step.parent_id for step in steps} == {run.span_id}
    for step, after in itertools.pairwise(steps):
        assert step.end_s == pytest.approx(after.start_s, abs=1e-6)
    variants = {variant["id"] for variant in traced.report["variants"]}
    assert {about["pixelcost.id"] for _, about in steps[2].events} == variants
    assert run.about["pixelcost.state"] == "done"


def test_the_collectors_secret_stays_out_of_the_process_that_decodes_photos(traced: Traced) -> None:
    assert all(headers["x-collector-key"] == "a-secret" for headers in traced.headers)
    assert b"PATH=" in traced.environ_of_worker
    assert b"a-secret" not in traced.environ_of_worker
    assert b"OTEL" not in traced.environ_of_worker


def test_what_only_looks_whether_somebody_is_there_is_not_told(traced: Traced) -> None:
    names = {span.name for span in traced.spans}
    assert not [name for name in names if "healthz" in name or "GetModel" in name]


RECORD = """
import os, sys, time
from common import traces
traces.start(os.environ, "here")
with traces.Work("work", sys.argv[1] if len(sys.argv) > 1 else None) as work:
    work.attributes["n"] = 1
for _ in range(1000):
    with traces.Work("more", None):
        pass
began = time.monotonic()
traces.stop(1.0)
print(traces.is_on(), time.monotonic() - began, "opentelemetry" in sys.modules)
"""


def record(*arguments: str, **environ: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    clean = {key: text for key, text in os.environ.items() if not key.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", RECORD, *arguments],
        cwd=ROOT,
        env=clean | environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done, done.stdout.split()


def test_spans_go_by_grpc_too_under_the_name_and_with_the_facts_that_the_variables_give() -> None:
    with grpc_collector() as collector:
        record(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
            OTEL_SERVICE_NAME="ours",
        )
        spans = collector.wait_for(lambda spans: _count(spans, "work") == 1)
    assert {span.service for span in spans} == {"ours"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_a_collector_opentelemetry_is_not_even_imported(environ: dict[str, str]) -> None:
    _, (_, _, is_imported) = record(**environ)
    assert is_imported == "False"


@pytest.mark.parametrize(
    "header", ["", "00-zz-1-01", CLIENT.replace("0af", "0AF"), "00-" + "0" * 32 + "-1-01"]
)
def test_a_bad_header_of_a_client_begins_a_trace_of_its_own(header: str) -> None:
    assert traces.parsed(header) == (None, False)


def test_a_caller_that_does_not_want_its_trace_told_is_obeyed() -> None:
    with http_collector() as collector:
        record(CLIENT[:-1] + "0", OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        spans = collector.wait_for(lambda spans: spans)
    assert _count(spans, "work") == 0


def test_the_sampler_of_the_variables_decides_over_traces_that_begin_here() -> None:
    with http_collector() as collector:
        record(
            CLIENT,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_TRACES_SAMPLER="parentbased_always_off",
        )
        spans = collector.wait_for(lambda spans: spans)
    assert [span.name for span in spans] == ["work"]


def test_a_collector_that_hangs_costs_spans_and_nothing_else(traced: Traced) -> None:
    assert traced.later["state"] == "done"
    failures = [[cell["failures"] for cell in run["cells"]] for run in (traced.report, traced.later)]
    assert failures[0] == failures[1]


def test_a_process_ends_in_time_though_its_collector_hangs() -> None:
    with http_collector() as collector:
        collector.delay_s = 30
        done, (_, waited_s, _) = record(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    assert done.returncode == 0
    assert float(waited_s) < collector.delay_s / 2


def test_a_protocol_that_nobody_has_turns_traces_off_with_a_sentence() -> None:
    done, _ = record(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL="http/json"
    )
    assert "http/json is not a protocol of OTLP that Pixelcost has: http/protobuf or grpc" in done.stderr


def test_without_the_packages_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError\n")
    done, _ = record(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", PYTHONPATH=str(tmp_path))
    assert traces.NOT_INSTALLED in done.stderr


def test_a_request_of_a_lane_has_an_id_of_its_own_that_both_processes_know() -> None:
    run = traces.SpanContext(7, 8)
    ids = {run.request(backend, at).span_id for backend in ("a", "b") for at in (1.5, 1.5000001)}
    assert len(ids) == 4
    assert run.request("a", 1.5) == traces.parsed(run.request("a", 1.5).traceparent)[0]
