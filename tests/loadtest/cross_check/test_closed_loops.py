"""ab, wrk, hey, locust and ghz, the real ones where they are installed."""

from __future__ import annotations

import dataclasses

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from loadtest.cross_check.closed_loops import CLOSED_LOOPS, METHOD, SERVICE, Asked, figures_from
from loadtest.cross_check.stub import running_stub
from loadtest.cross_check.target import closed_loop_of, target_of
from loadtest.cross_check.tools import AB, LOCUST, TOOLS, WRK, missing
from loadtest.errors import LoadRefused

SERVICE_MS = 5.0


@pytest.fixture(scope="module")
def stub():
    with running_stub(SERVICE_MS) as running:
        yield running


@pytest.fixture(params=CLOSED_LOOPS)
def loop(request):
    loop = CLOSED_LOOPS[request.param]
    if not loop.tool.is_installed:
        pytest.skip(f"{loop.tool.name} is not installed")
    return loop


def asked(stub, loop, folder, **changes):
    target = target_of(getattr(stub, loop.protocol), folder)
    return dataclasses.replace(closed_loop_of(target, folder, requests=120, seconds=1), **changes)


def test_what_the_tool_really_prints_is_read(stub, loop, tmp_path):
    figures = figures_from(loop, asked(stub, loop, tmp_path))
    assert SERVICE_MS <= figures.p50_ms <= figures.p90_ms <= figures.p99_ms
    assert 0 < figures.rate_per_s <= 1e3 / SERVICE_MS


def test_error_answers_are_no_latencies(stub, loop, tmp_path):
    if loop.protocol == "grpc":
        pytest.skip("gRPC has no path")
    with pytest.raises(LoadRefused, match=loop.tool.name):
        figures_from(loop, asked(stub, loop, tmp_path, path="/nothing/here"))


def test_a_tool_that_reaches_nobody_says_so(stub, loop, tmp_path):
    if loop.tool is LOCUST:
        pytest.skip("for locust that is one more failed request, and its start takes a second")
    with pytest.raises(LoadRefused, match=loop.tool.name):
        figures_from(loop, asked(stub, loop, tmp_path, address="127.0.0.1:1"))


@pytest.mark.skipif(not AB.is_installed, reason="ab is not installed")
def test_the_last_percentiles_of_ab_are_not_used_below_100_requests(stub, tmp_path):
    # ab -n 50 -e FILE reads behind its own table and prints 3.4e15 ms.
    loop = CLOSED_LOOPS[AB.name]
    assert figures_from(loop, asked(stub, loop, tmp_path, requests=50)).p99_ms is None


def test_output_of_another_kind_is_refused_with_a_sentence(tmp_path):
    loop = dataclasses.replace(CLOSED_LOOPS[WRK.name], command=lambda asked: ["echo", "another version"])
    asked = Asked("127.0.0.1:1", "/", tmp_path / "body", tmp_path, 1, 1)
    with pytest.raises(LoadRefused, match="The output of wrk is not what it was"):
        figures_from(loop, asked)


def test_the_protocol_for_ghz_describes_predict_and_every_message_it_needs(tmp_path):
    command = CLOSED_LOOPS["ghz"].command(Asked("127.0.0.1:1", "", tmp_path / "body", tmp_path, 1, 1))
    assert command[command.index("--protoset") + 1] == str(tmp_path / "predict.protoset")
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(
        (tmp_path / "predict.protoset").read_bytes()
    ).file:
        pool.Add(file)
    method = pool.FindServiceByName(SERVICE).FindMethodByName(METHOD)
    request = message_factory.GetMessageClass(method.input_type)()
    request.inputs["images"].string_val.append(b"a picture")


def test_a_missing_tool_is_named_with_what_to_type(monkeypatch):
    monkeypatch.setenv("PATH", "")
    (sentence,) = missing([TOOLS["wrk"]])
    assert sentence == "wrk is not installed here and was left out. To get it: apt-get install wrk"


@pytest.mark.parametrize("tool", TOOLS.values(), ids=list(TOOLS))
def test_an_installed_tool_tells_its_version_if_it_can(tool):
    if not tool.is_installed:
        pytest.skip(f"{tool.name} is not installed")
    has_one = bool(tool.distribution or tool.version_option)
    assert (tool.version or "no")[0].isdigit() == has_one
