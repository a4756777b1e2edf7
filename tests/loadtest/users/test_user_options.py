"""What `python -m loadtest users` is asked for: servers, durations, kinds, and what it refuses to send."""

from __future__ import annotations

import argparse
import base64
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiment.backends.addresses import parse_servers
from experiment.backends.model_spec import InputSpec
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo, Failure
from loadtest.errors import LoadRefused
from loadtest.users.asked import Asked
from loadtest.users.crowd import Crowd, run_time
from loadtest.users.inputs import Inputs, image_inputs, number_inputs
from loadtest.users.kinds import KINDS
from loadtest.users.options import Wanted, add_user_arguments, wanted
from loadtest.users.samples import SampleReader, SampleWriter
from loadtest.users.server import Addresses, addresses_of
from tests.support.processes.app_process import CAT, ROOT

BOTH = ("rest", "grpc")


def asked_for(*arguments: str, configured: str = "") -> Wanted:
    parser = argparse.ArgumentParser()
    add_user_arguments(parser)
    return wanted(parser.parse_args(arguments), parse_servers(configured) if configured else [])


@pytest.mark.parametrize(
    ("server", "protocols", "found"),
    [
        ("127.0.0.1", BOTH, ("127.0.0.1:8500", "127.0.0.1:8501")),
        ("http://tf-cpu", BOTH, ("tf-cpu:8500", "tf-cpu:8501")),
        ("http://tf-cpu/", BOTH, ("tf-cpu:8500", "tf-cpu:8501")),
        ("http://tf-cpu:80", BOTH, ("tf-cpu:8500", "tf-cpu:80")),
        ("http://tf-cpu:80", ["rest"], ("tf-cpu:8500", "tf-cpu:80")),
        ("tf-cpu:9000", BOTH, ("tf-cpu:9000", "tf-cpu:8501")),
        ("tf-cpu:9000", ["grpc"], ("tf-cpu:9000", "tf-cpu:8501")),
        ("tf-cpu:9000", ["rest"], ("tf-cpu:8500", "tf-cpu:9000")),
        ("tf-cpu:9000?rest=9001", BOTH, ("tf-cpu:9000", "tf-cpu:9001")),
        ("tf-cpu:9000?rest=9001", ["rest"], ("tf-cpu:9000", "tf-cpu:9001")),
        ("[::1]:9000", BOTH, ("[::1]:9000", "[::1]:8501")),
    ],
)
def test_one_name_for_a_server_gives_the_addresses_of_both_protocols(server, protocols, found):
    assert addresses_of(server, protocols) == Addresses(*found)
    assert addresses_of(Addresses(*found).text, ["rest"]) == Addresses(*found)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("https://tf-cpu", "encrypted connections are not supported"),
        ("::1:8500", "an IPv6 host stands in brackets"),
        ("tf-cpu:0", "ports go from 1 to 65535"),
        ("tf-cpu:99999", "ports go from 1 to 65535"),
        ("http://tf-cpu:8501/v1/models/mnist", "not a host with a port"),
        ("1 CPU", "not a host with a port"),
        ("unix:/tmp/socket", "not a host with a port"),
    ],
)
def test_a_server_that_can_not_be_meant_is_refused_with_what_to_write(server, words):
    with pytest.raises(LoadRefused) as refused:
        addresses_of(server, BOTH)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("90s", 90), ("90", 90), ("1h30m", 5400), ("2h", 7200), (" 1m5s ", 65)]
)
def test_a_run_time_is_written_as_for_locust(text, seconds):
    assert run_time(text) == seconds


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--users", "0"), "--users must be a whole number from 1 to 20000, not 0."),
        (("--users", "many"), "--users must be a whole number from 1 to 20000, not many."),
        (("--spawn-rate", "0"), "--spawn-rate must be a number above 0"),
        (("--spawn-rate", "nan"), "--spawn-rate must be a number above 0"),
        (("--run-time", "five"), "--run-time must be a duration like 5m"),
        (("--run-time", "5m 3x"), "--run-time must be a duration like 5m"),
        (("--run-time", "0"), "--run-time must be a duration like 5m"),
        (("--run-time", "-5m"), "--run-time must be a duration like 5m"),
        (("--run-time", ""), "--run-time must be a duration like 5m"),
        (("--run-time", "25h"), "up to 24h, not 25h."),
        (("--batch", "0"), "BATCHSIZE must be a whole number from 1 to 4096, not 0."),
        (("--timeout", "0"), "TF_REQUEST_TIMEOUT must be a number of seconds"),
        (("--kinds", "rest_single,http"), "--kinds must be of rest_single, grpc_single"),
        (("--kinds", "rest_single", "--tags", "batchinference"), "None of the kinds rest_single has the tag"),
        (("--target", "https://x"), "encrypted connections"),
    ],
)
def test_what_can_not_be_done_is_refused_with_one_sentence(arguments, words, monkeypatch):
    monkeypatch.delenv("SERVER", raising=False)
    if arguments[:2] == ("--run-time", "-5m"):
        arguments = ("--run-time=-5m",)
    with pytest.raises(LoadRefused) as refused:
        asked_for(*arguments)
    assert words in refused.value.message


@pytest.mark.parametrize("text", ["two", "0", "5000"])
def test_a_batchsize_in_the_environment_that_is_no_number_of_inputs_is_refused(text):
    with pytest.raises(LoadRefused) as refused:
        Asked.from_environment({"BATCHSIZE": text})
    assert refused.value.message == f"BATCHSIZE must be a whole number from 1 to 4096, not {text}."


def test_both_protocols_have_the_same_defaults_and_a_blank_value_is_unset():
    asked = Asked.from_environment({"SERVER": " ", "BATCHSIZE": ""})
    assert (asked.server, asked.batch_size, asked.model) == ("127.0.0.1", 4, "inception")
    assert [asked.batch_of(kind) for kind in KINDS.values()] == [1, 1, 4, 4]
    assert Asked.from_environment(asked.environment()) == asked


def test_options_come_before_the_environment(monkeypatch):
    monkeypatch.setenv("SERVER", "tf-old")
    monkeypatch.setenv("BATCHSIZE", "2")
    assert asked_for().asked.server == "tf-old:8500?rest=8501"
    found = asked_for("--target", "tf-new", "--batch", "8", "--model", "mnist").asked
    assert (found.server, found.batch_size, found.model) == ("tf-new:8500?rest=8501", 8, "mnist")


def test_a_tag_chooses_the_kinds():
    kinds = asked_for("--tags", "singleinference").kinds
    assert [kind.name for kind in kinds] == ["rest_single", "grpc_single"]


def test_the_target_may_be_a_configured_backend():
    servers = "GPU:tf-gpu:9000;CPU:tf-cpu:9100?rest=9101"
    assert asked_for("--target", "CPU", configured=servers).asked.server == "tf-cpu:9100?rest=9101"
    grpc_only = ("--target", "GPU", "--kinds", "grpc_single")
    assert asked_for(*grpc_only, configured=servers).asked.server.startswith("tf-gpu:9000?")
    with pytest.raises(LoadRefused, match="TF_SERVERS names no REST port for GPU"):
        asked_for("--target", "GPU", configured=servers)


def test_copies_of_several_kinds_have_names_of_their_own(tmp_path):
    made = asked_for("--csv", f"{tmp_path}/", "--html", str(tmp_path / "page.html"), "--out", str(tmp_path))
    paths = [path for kind in made.kinds for _, path in made.copies_of(kind)]
    assert len(set(paths)) == len(paths) == 4 * 5
    assert tmp_path / "rest_batch_stats_history.csv" in paths
    assert made.out_of(KINDS["rest_batch"]) == tmp_path / "rest_batch"
    alone = asked_for("--kinds", "rest_batch", "--html", "page.html", "--out", str(tmp_path))
    assert [path for _, path in alone.copies_of(KINDS["rest_batch"])] == [Path("page.html")]
    assert alone.out_of(KINDS["rest_batch"]) == tmp_path


def test_more_users_than_open_files_are_refused_with_what_to_type(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    Crowd(900, 10, 60).check_open_files()
    with pytest.raises(LoadRefused) as refused:
        Crowd(4000, 10, 60).check_open_files()
    assert "`ulimit -n 4100`" in refused.value.message
    assert "--ulimit nofile=4100:4100" in refused.value.message


# What is sent


def decoded(inputs: Inputs, number: int, batch: int) -> list[object]:
    """The inputs of a request, over either protocol."""
    body = inputs.body(number, batch)
    if inputs.info.protocol == "rest":
        rows = json.loads(body)["instances"]
        return [base64.b64decode(row["b64"]) if isinstance(row, dict) else row for row in rows]
    (tensor,) = predict_pb2.PredictRequest.FromString(body).inputs.values()
    assert tensor.tensor_shape.dim[0].size == batch
    if tensor.string_val:
        return list(tensor.string_val)
    values: list[object] = np.frombuffer(tensor.tensor_content, np.float32).reshape(batch, -1).tolist()
    return values


@pytest.mark.parametrize("batch", [1, 3])
def test_both_protocols_send_the_same_images_which_differ(batch):
    made = [image_inputs(BackendInfo("a", protocol), [CAT]) for protocol in ("grpc", "rest")]
    sent = [decoded(inputs, 63, batch) for inputs in made]
    assert sent[0] == sent[1]
    assert len(set(made[0].items)) == 64
    assert made[0].payload(batch).batch == batch


@pytest.mark.parametrize("batch", [1, 3])
def test_both_protocols_send_the_same_numbers_which_differ(batch):
    spec = InputSpec("predict_images", "images", "DT_FLOAT", (None, 784))
    made = [number_inputs(BackendInfo("a", protocol), spec, batch) for protocol in ("grpc", "rest")]
    sent = [np.array(decoded(inputs, 62, batch)) for inputs in made]
    assert sent[0].shape == (batch, 784)
    assert np.allclose(sent[0], sent[1])
    assert len({row.tobytes() for row in made[0].items}) == 64
    assert made[0].payload(batch).kind == "numbers"


def test_without_an_image_generated_ones_are_sent_that_differ():
    assert len(set(image_inputs(BackendInfo("a"), []).items)) == 64


def test_numbers_of_an_unknown_shape_are_refused():
    with pytest.raises(LoadRefused, match="rows of n x n x 3"):
        number_inputs(BackendInfo("a"), InputSpec("s", "x", "DT_UINT8", (None, None, None, 3)), 1)


# Raw samples


def test_samples_are_read_while_they_are_written_and_a_torn_line_waits(tmp_path):
    path = tmp_path / "samples"
    reader = SampleReader(path)
    assert reader.new() == []
    writer = SampleWriter(path)
    first, second = writer.begin(), writer.begin()
    writer.end(first, 12.5, 0, 100)
    writer.end(second, 7.25, 1, Failure("deadline", "no answer within 1 s"))
    writer.flush()
    assert [(each.latency_ms, each.cause, each.in_flight) for each in reader.new()] == [
        (12.5, None, 1),
        (7.25, "deadline", 2),
    ]
    with path.open("a") as file:
        file.write("[0.5, 3.")
    assert reader.new() == []
    with path.open("a") as file:
        file.write("0, 2, null, 90, 1, 0.1]\n")
    (last,) = reader.new()
    assert (last.latency_ms, last.ok, last.answer_bytes) == (3.0, True, 90)
    taken = reader.taken()
    assert len(taken.samples) == 3
    assert taken.messages == {"deadline": "no answer within 1 s"}


def test_the_generators_cpu_time_is_that_between_the_first_and_the_last_answer(tmp_path):
    path = tmp_path / "samples"
    path.write_text(
        '{"started_at": 1.0}\n[1.0, 1000.0, 0, null, 5, 1, 7.0]\n[2.0, 2000.0, 1, null, 5, 1, 8.5]\n'
    )
    reader = SampleReader(path)
    reader.new()
    generator = reader.taken().generator
    assert generator.cpu_percent == pytest.approx(75)  # 1.5 s of CPU in the 2 s from 2.0 to 4.0
    assert generator.late_p99_ms is None


def test_neither_locust_nor_gevent_reaches_the_process_of_the_command():
    code = "import sys, loadtest.commands.main; print(sorted({'gevent', 'locust'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
