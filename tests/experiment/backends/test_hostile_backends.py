"""Whatever a model server sends costs its own cells at most: the others' are complete, the app goes on."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import jsonschema
import pytest

from experiment.backends.answers import LONGEST_LABEL, MOST_STAGES
from experiment.backends.base import LONGEST_MESSAGE, RequestFailed
from experiment.backends.connect import connect
from experiment.backends.model_input import seen
from experiment.backends.probe import probe
from experiment.errors import FAILURE_CODES
from experiment.export.report_json import SCHEMA, report_dict, report_json
from experiment.measure.run import measure
from experiment.protocol import predict_pb2, types_pb2
from experiment.records import BackendInfo, Measurement, Plan
from tests.support.hostile_server import (
    FINE,
    GRPC_ANSWERS,
    GRPC_METADATA,
    GRPC_STATUSES,
    REST_ANSWERS,
    REST_METADATA,
    REST_STATUSES,
    Way,
    hostile_grpc_server,
    hostile_rest_server,
)
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.records import original, report
from tests.support.scripted_server import always, grpc_server
from webapp.worker.process import WORKER_COMMAND

Servers = dict[str, tuple[str, Counter[str]]]

ANSWERS = {("grpc", name): way for name, way in GRPC_ANSWERS.items()}
ANSWERS |= {("rest", name): way for name, way in REST_ANSWERS.items()}
STATES = {("grpc", name): way for name, way in (GRPC_STATUSES | GRPC_METADATA).items()}
STATES |= {("rest", name): way for name, way in (REST_STATUSES | REST_METADATA).items()}
REPEATS = 2
BUG = "could not be read"  # how the log begins when only the net under everything has caught an answer
MOST_NAMES = 64  # of backends that a plan takes


def ids(ways: dict[tuple[str, str], Way]) -> list[str]:
    return [f"{protocol}-{name}" for protocol, name in ways]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Protocol -> address, and how often each way was asked."""
    with hostile_grpc_server() as over_grpc, hostile_rest_server() as over_rest:
        yield {"grpc": over_grpc, "rest": over_rest}


def info(servers: Servers, protocol: Any, way: str) -> BackendInfo:
    return BackendInfo(name="Evil", protocol=protocol, address=servers[protocol][0], model=way, state="ready")


def run_beside_a_good_one(
    bad: BackendInfo, good: BackendInfo, plan: Plan
) -> tuple[list[Measurement], list[Measurement]]:
    with closing(connect(bad)) as one, closing(connect(good)) as other:
        taken = list(measure(plan, [original(data=b"picture")], [one, other]))
    return (
        [each for each in taken if each.backend_name == bad.name],
        [each for each in taken if each.backend_name == good.name],
    )


@pytest.mark.parametrize(("protocol", "name"), ANSWERS, ids=ids(ANSWERS))
def test_a_bad_answer_costs_only_the_cells_of_its_backend(
    servers: Servers, protocol: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    cause = ANSWERS[protocol, name].cause
    is_slow = cause == "deadline"
    plan = Plan(warmups=0, repeats=1 if is_slow else REPEATS, timeout_s=2.0 if is_slow else 20.0)
    bad, good = info(servers, protocol, name), BackendInfo("Good", address=servers["grpc"][0], model="good")
    asked_before = servers[protocol][1][name]
    of_bad, of_good = run_beside_a_good_one(bad, good, plan)

    assert BUG not in caplog.text
    assert [each.failure for each in of_good] == [None] * plan.repeats
    assert all(each.prediction and each.prediction.top[0].label == "tabby" for each in of_good)
    assert len(of_bad) == plan.repeats
    assert {each.failure.code if each.failure else FINE for each in of_bad} == {cause}
    assert cause == FINE or cause in FAILURE_CODES
    check_texts(of_bad)
    assert servers[protocol][1][name] - asked_before == plan.repeats, "what was told is not what was sent"

    made = report_dict(
        report(backends=(bad, good), measurements=[*of_bad, *of_good], requests_planned=2 * plan.repeats)
    )
    jsonschema.validate(made, SCHEMA)
    json.dumps(json.loads(report_json(made)), ensure_ascii=False, allow_nan=False).encode("utf-8")
    cells = {each["backend_name"]: each for each in made["cells"]}
    assert (cells["Good"]["count"], cells["Good"]["failures"]) == (plan.repeats, 0)
    failures = 0 if cause == FINE else plan.repeats
    assert (cells["Evil"]["count"], cells["Evil"]["failures"]) == (plan.repeats - failures, failures)
    assert len(cells["Evil"]["samples_ms"]) == plan.repeats - failures


def check_texts(measurements: Sequence[Measurement]) -> None:
    """Short, printable texts and finite numbers: fit for a page, a file and a database."""
    for each in measurements:
        if each.failure:
            assert each.prediction is None
            assert each.failure.message.isprintable() and len(each.failure.message) <= LONGEST_MESSAGE
            continue
        assert each.prediction and each.latency_ms
        for label in each.prediction.top:
            assert label.label.isprintable() and len(label.label) <= LONGEST_LABEL
            assert 0 <= label.score <= 1
        assert len(each.prediction.server_ms) <= MOST_STAGES
        assert all(0 <= time_ms <= each.latency_ms for time_ms in each.prediction.server_ms.values())
        assert each.prediction.model_version is None or each.prediction.model_version > 0
        scores = each.prediction.distribution or ()
        assert all(math.isfinite(score) for score in scores)


@pytest.mark.parametrize(("protocol", "name"), STATES, ids=ids(STATES))
def test_a_bad_status_is_a_state_with_a_sentence(
    servers: Servers, protocol: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = probe(info(servers, protocol, name), timeout_s=1.0)
    assert BUG not in caplog.text
    assert found.state == STATES[protocol, name].cause, found.detail
    assert found.detail.isprintable() and 10 < len(found.detail) <= LONGEST_MESSAGE
    assert found.version is None or 0 <= found.version < 2**63
    assert found.device in {"CPU", "GPU", "unknown"}


@pytest.mark.parametrize(
    "pixels",
    [
        {"shape": (1, 2, 2, 3), "tensor_content": b"12345"},
        {"shape": (1, 2, 2, 3), "float_val": [0.5] * 11},
        {"shape": (1, 2**40, 2**40, 3), "float_val": [0.5] * 12},
        {"shape": (1, 2, 2, 3), "float_val": [float("nan")] * 12},
        {"shape": (2, 2, 1, 3), "float_val": [0.5] * 12},
        {"shape": (1, 2, 2, 3), "float_val": [0.5] * 12, "dtype": 9999},
    ],
)
def test_odd_pixels_are_a_sentence_and_not_a_crash(pixels: dict[str, Any]) -> None:
    answer = predict_pb2.PredictResponse()
    found = answer.outputs["pixels"]
    found.dtype = pixels.pop("dtype", types_pb2.DT_FLOAT)
    for size in pixels.pop("shape"):
        found.tensor_shape.dim.add().size = size
    found.tensor_content = pixels.get("tensor_content", b"")
    found.float_val.extend(pixels.get("float_val", ()))
    with grpc_server(always(answer.SerializeToString())) as address:
        asked = BackendInfo("Evil", address=address, decode_signature="decode_images")
        with pytest.raises(RequestFailed) as refused:
            seen(asked, b"picture", 10)
    assert refused.value.failure.code == "bad_answer"


@pytest.fixture(scope="module")
def web(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """The app with one good backend, and each bad answer and status as a backend of its own."""
    listed = [f"Good:{servers['grpc'][0]}?model=good"]
    # Those that a run takes come first: answers that were fatal once are among those that are fine now.
    for protocol, name in (*sorted(ANSWERS, key=lambda each: ANSWERS[each].cause != FINE), *STATES):
        if ANSWERS.get((protocol, name), Way("", None)).cause == "deadline":
            continue  # three times the time limit each; tried above
        host, _, port = servers[protocol][0].rpartition(":")
        # Over REST a server is a backend beside the one over gRPC, which is tried with the good one's words.
        listed.append(
            f"{protocol} {name}:{host}:{port}?model={name}"
            if protocol == "grpc"
            else f"{name}:{servers['grpc'][0]}?model={name}&rest={port}"
        )
    with web_process(
        tmp_path_factory.mktemp("web"), worker_command=WORKER_COMMAND, TF_SERVERS=";".join(listed)
    ) as web:
        yield web


@pytest.fixture(scope="module")
def states(web: WebProcess) -> dict[str, dict[str, Any]]:
    answer = web.get("/api/backends")
    assert answer.status_code == 200
    return {each["name"]: each for each in answer.json()["backends"]}


def test_the_page_and_its_api_answer_beside_every_bad_status(
    web: WebProcess, states: dict[str, dict[str, Any]]
) -> None:
    assert states["Good"]["state"] == "ready"
    for (protocol, name), way in STATES.items():
        shown = states[f"grpc {name}" if protocol == "grpc" else f"{name} over REST"]
        assert shown["state"] == way.cause, shown
    for path in ("/", "/readyz", "/api/backends?refresh=1"):
        assert web.get(path).status_code == 200, path


def test_a_run_on_every_backend_at_once_ends_and_its_report_can_be_read(
    web: WebProcess, states: dict[str, dict[str, Any]]
) -> None:
    names = [name for name, each in states.items() if each["state"] == "ready"][:MOST_NAMES]
    plan = {"sizes_px": [32], "formats": ["jpeg"], "repeats": 2, "warmups": 0, "backend_names": names}
    started = web.post(plan=json.dumps(plan | {"timeout_s": 20}))
    assert started.status_code == 202, started.text
    made = web.finished(started.json()["id"], timeout_s=180)
    assert made["state"] == "done", made["failure"]
    jsonschema.validate(made, SCHEMA)
    cells = [each for each in made["cells"] if each["backend_name"] == "Good"]
    assert cells and all((each["count"], each["failures"]) == (2, 0) for each in cells)
    for each in made["cells"]:
        assert {reason["code"] for reason in each["failure_reasons"]} <= set(FAILURE_CODES)
        assert len(each["samples_ms"]) == each["count"]
    for ending in ("", ".csv", ".html"):
        assert web.get(f"/api/runs/{made['run_id']}{ending}").status_code == 200, ending
    assert BUG not in web.log()
