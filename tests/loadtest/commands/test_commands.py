"""`python -m loadtest rate, burst, ladder, replay`: a real server, real files, and sentences for wrong input.

The machine that runs the tests may be busy, so that a load comes out INVALID: no test asks for a verdict.
"""

from __future__ import annotations

import csv
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from common.addresses import free_port
from experiment.export.schema_check import problems
from experiment.protocol import predict_pb2, types_pb2
from loadtest.commands import COMMANDS
from loadtest.commands.main import main
from loadtest.cross_check.stub import ROOT, running_stub
from loadtest.results.load_json import SCHEMA, load_of, read_load
from loadtest.results.steps import loads_of
from loadtest.results.summary import summarise
from tests.support.scripted_server import good_answer, grpc_server

FILES = {"samples.csv", "load.json", "latency.hlog", "latency.hgrm"}
CSV = {"stats.csv", "stats_history.csv", "failures.csv", "exceptions.csv"}


@pytest.fixture(scope="module")
def stub():
    with running_stub(5.0) as running:
        yield running


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "noise.jpg"
    Image.effect_noise((64, 48), 90).convert("RGB").save(path)
    return path


def measured(out, code):
    """load.json of a run, after a look at what belongs to every run."""
    found = read_load(out)
    failed = found["summary"]["failures"] or found["validity"] == "INVALID"
    assert code == (1 if failed else 0), found["reasons"]
    assert list(problems(found, SCHEMA)) == []
    names = {path.name for path in out.iterdir() if path.is_file()}
    assert names >= FILES and {name.split("_", 2)[-1] for name in names - FILES} == CSV
    with (out / "samples.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == found["summary"]["count"]
    assert any("ran on the machine that generated the load" in reason for reason in found["reasons"])
    return found


@pytest.mark.parametrize(("protocol", "prefix"), [("grpc", "grpc_single"), ("rest", "rest_single")])
def test_rate_sends_the_schedule_and_writes_every_file(stub, image, tmp_path, protocol, prefix, capsys):
    target, out = getattr(stub, protocol).address, tmp_path / "out"
    asked = ["--target", target, "--protocol", protocol, "--image", str(image), "--label", "stub"]
    code = main(["rate", *asked, "--rate", "100", "--seconds", "0.5", "--out", str(out)])
    found = measured(out, code)
    assert (found["kind"], found["arrivals"], found["offered_per_s"]) == ("rate", "even", 100)
    assert [request["due_s"] for request in found["requests"]] == [number / 100 for number in range(50)]
    assert min(request["latency_ms"] for request in found["requests"]) >= 5
    assert {request["right"] for request in found["requests"]} == {1}
    assert (out / f"{prefix}_stats.csv").exists()
    printed = capsys.readouterr()
    assert "100/s" in printed.out and found["validity"] in printed.out
    assert f"Results are in {out}" in printed.err.replace("\n", "")


def test_every_request_has_a_body_of_its_own_unless_the_same_one_is_asked_for(image, tmp_path):
    seen = []

    def answer(request, context):
        (data,) = predict_pb2.PredictRequest.FromString(request).inputs["images"].string_val
        seen.append(data)
        return good_answer()

    with grpc_server(answer) as address:
        asked = ["burst", "--target", address, "--image", str(image), "--requests", "8"]
        main([*asked, "--out", str(tmp_path / "distinct")])
        distinct = seen[3:]  # after the warm-ups
        assert len(set(distinct)) == 8 and image.read_bytes() not in distinct
        assert all(Image.open(io.BytesIO(data)).size == (64, 48) for data in distinct)
        seen.clear()
        main([*asked, "--out", str(tmp_path / "same"), "--same"])
        assert set(seen) == {image.read_bytes()}
    assert read_load(tmp_path / "distinct")["payload"]["distinct"] == 8
    assert read_load(tmp_path / "same")["payload"]["distinct"] == 1


def test_bursts_of_several_sizes_are_one_load_test_with_a_step_for_each(stub, image, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["--target", stub.grpc.address, "--image", str(image), "--batch", "3", "--requests", "4,8"]
    found = measured(out, main(["burst", *asked, "--out", str(out)]))
    assert [step["summary"]["count"] for step in found["steps"]] == [4, 8]
    assert {sample.due_s for load in loads_of(found) for sample in load.taken.samples} == {0}
    assert (found["kind"], found["payload"]["batch"], found["summary"]["p50_ms"]) == ("burst", 3, None)
    assert (out / "grpc_batch_stats.csv").exists()
    assert "8 at once: 8 answered within" in capsys.readouterr().out


def test_a_ladder_has_as_many_requests_in_flight_as_each_rung_says(stub, image, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["--target", stub.grpc.address, "--image", str(image), "--in-flight", "3,1,3", "--seconds", "0.3"]
    found = measured(out, main(["ladder", *asked, "--out", str(out)]))
    assert [load.in_flight for load in loads_of(found)] == [1, 3]
    assert [load.taken.generator.in_flight_max for load in loads_of(found)] == [1, 3]
    assert found["arrivals"] == "closed" and "3 in flight" in capsys.readouterr().out


def test_a_recorded_load_and_intervals_are_replayed(stub, image, tmp_path):
    profile = {"experiments": [{"requests": [{"timestamp": at} for at in (5_000_000, 1_000_000, 1_000_000)]}]}
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    (tmp_path / "intervals").write_text("2000\n4000\n")
    asked = ["--target", stub.grpc.address, "--image", str(image)]
    found = measured(tmp_path / "p", main(["replay", "profile.json", *asked, "--out", str(tmp_path / "p")]))
    assert [request["due_s"] for request in found["requests"]] == [0, 0, 0.004]
    again = measured(
        tmp_path / "a", main(["replay", "p", "--speed", "0.5", *asked, "--out", str(tmp_path / "a")])
    )
    assert [request["due_s"] for request in again["requests"]] == [0, 0, 0.008]
    found = measured(tmp_path / "i", main(["replay", "intervals", *asked, "--out", str(tmp_path / "i")]))
    assert [request["due_s"] for request in found["requests"]] == [0, 0.002, 0.006]
    code = main(
        ["rate", "--arrivals", "intervals", "--seconds", "0.01", *asked, "--out", str(tmp_path / "r")]
    )
    found = measured(tmp_path / "r", code)
    assert [request["due_s"] for request in found["requests"]] == [0, 0.002, 0.006, 0.008]


def test_steps_have_their_rates_and_poisson_arrivals_their_seed(stub, image, tmp_path):
    asked = ["rate", "--target", stub.grpc.address, "--image", str(image)]
    found = measured(
        tmp_path / "s", main([*asked, "--steps", "20:0.3,200:0.1", "--out", str(tmp_path / "s")])
    )
    assert (found["arrivals"], found["summary"]["count"], found["planned_s"]) == ("steps", 26, 0.4)
    poisson = ["--arrivals", "poisson", "--rate", "100", "--seconds", "0.3", "--seed", "7"]
    due_s = []
    for name in ("one", "two"):
        found = measured(tmp_path / name, main([*asked, *poisson, "--out", str(tmp_path / name)]))
        due_s.append([request["due_s"] for request in found["requests"]])
    assert due_s[0] == due_s[1] and found["arrivals"] == "poisson"


def test_results_without_a_name_go_to_a_new_folder_each(stub, image, tmp_path):
    asked = ["burst", "--target", stub.grpc.address, "--image", str(image), "--requests", "2"]
    main(asked)
    main(asked)
    folders = list((tmp_path / "loads").iterdir())
    assert len(folders) == 2 and all(read_load(folder)["summary"]["count"] == 2 for folder in folders)


def test_a_folder_in_use_is_left_alone_and_the_new_one_is_named(stub, image, tmp_path, capsys):
    (tmp_path / "mine").write_text("mine")
    main(
        [
            "burst",
            "--target",
            stub.grpc.address,
            "--image",
            str(image),
            "--requests",
            "2",
            "--out",
            str(tmp_path),
        ]
    )
    assert read_load(tmp_path / "2")["summary"]["count"] == 2
    assert f"the results go to {tmp_path / '2'}." in capsys.readouterr().err.replace("\n", "")


def test_failures_end_with_1_and_stay_in_the_file(image, tmp_path, capsys):
    with running_stub(100.0, most=2) as narrow:
        asked = ["burst", "--target", narrow.grpc.address, "--image", str(image), "--requests", "6"]
        code = main([*asked, "--out", str(tmp_path / "out")])
    found = read_load(tmp_path / "out")
    assert code == 1 and found["summary"]["causes"] == {"overloaded": found["summary"]["failures"]}
    said = capsys.readouterr().out.replace("\n", "")
    assert f" {narrow.grpc.address} is overloaded and refused the request: the queue is full." in said
    assert f"{narrow.grpc.address} at" not in said  # it has no other name


def test_a_load_is_given_up_after_so_many_failures(image, tmp_path):
    with running_stub(60_000.0, most=1) as narrow:
        asked = ["rate", "--target", narrow.grpc.address, "--image", str(image), "--rate", "50"]
        limits = ["--seconds", "600", "--abort-after", "5", "--timeout", "0.2"]
        code = main([*asked, *limits, "--out", str(tmp_path / "out")])
    found = read_load(tmp_path / "out")
    assert code == 1 and "as --abort-after asks" in found["stopped"]
    assert 5 <= found["summary"]["failures"] < 1000


def test_ctrl_c_ends_the_load_and_writes_what_was_measured(stub, image, tmp_path):
    out = tmp_path / "out"
    asked = ["rate", "--target", stub.grpc.address, "--image", image, "--rate", "50", "--seconds", "600"]
    command = [sys.executable, "-m", "loadtest", *asked, "--out", out]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not (out / "samples.csv").exists() or len((out / "samples.csv").read_text().splitlines()) < 11:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    found = read_load(out)
    assert found["stopped"] == "The load was stopped by hand." and found["summary"]["count"] >= 10
    assert summarise(load_of(found)).count == found["summary"]["count"]
    assert b"The load was stopped by hand." in printed


RATE = ["--rate", "10", "--seconds", "1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "0"], "A rate of 0/s can't be sent"),
        (["--rate", "1e9"], "A rate of 1,000,000,000/s can't be sent"),
        (["--rate", "1000", "--seconds", "7200"], "would be 7,200,000 requests; at most 1,000,000 are kept"),
        (["--rate", "0.001", "--seconds", "1"], "would not be a single request"),
        ([], "Name the load: --rate 100 --seconds 60"),
        ([*RATE, "--steps", "10:5"], "leave out --rate and --seconds"),
        (["--arrivals", "poissson", "--rate", "5"], "poissson is neither even nor poisson, nor a file."),
        (["--arrivals", "/dev/null", "--rate", "5"], "/dev/null sets the rate: leave out --rate"),
        ([*RATE, "--distinct", "100000", "--batch", "100"], "in memory; at most 2,147 MB are made. Choose"),
        (["--numbers", *RATE], "Name what to send: --image FILE, or --numbers"),
        ([*RATE, "--same", "--distinct", "5"], "leave one of them out"),
        ([*RATE, "--shape", "28,28"], "--shape is that of numbers: leave it out"),
        ([*RATE, "--variant", "512-png"], "There is no image called 512-png in"),
        ([*RATE, "--image", "none.jpg"], "none.jpg can't be read: No such file or directory."),
        ([*RATE, "--batch", "60000"], "Choose a smaller --batch or a smaller image."),
        ([*RATE, "--out", "/proc/nowhere"], "No results can be written to /proc/nowhere"),
    ],
)
def test_a_load_that_can_not_be_sent_is_refused_with_a_sentence(stub, image, arguments, words, capsys):
    code = main(["rate", "--target", stub.grpc.address, "--image", str(image), *arguments])
    printed = capsys.readouterr().err
    assert code == 2 and words in printed.replace("\n", " ")
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (["127.0.0.1:{free}"], "(connection refused). Is the server running?"),
        (["127.0.0.1:99999"], "has a port that is not from 1 to 65,535"),
        (["nobody"], "There is no backend named nobody. Name one of A, B, B over REST and Q, or a server as"),
        (["Q"], "Q is a queue. A queue takes what its workers can't answer yet, so an offered rate"),
        (["http://127.0.0.1:8501"], "Leave out http://, and choose --protocol rest."),
        (["A", "--protocol", "rest"], "The REST port of A is not known. Add ?rest=8501"),
        (["{rest}"], "If this port is for the other protocol, add --protocol rest."),
        (["{grpc}", "--numbers"], "takes no numbers but strings: choose --image FILE."),
        (["{grpc}", "--numbers", "--label", "cat"], "are about images: leave them out with --numbers."),
        (["{grpc},{grpc}"], "names a server twice: each replica has an address of its own."),
    ],
)
def test_a_target_that_can_not_be_loaded_is_refused_with_a_sentence(stub, image, target, words, capsys):
    places = {"free": free_port(), "grpc": stub.grpc.address, "rest": stub.rest.address}
    target = [each.format(**places) for each in target]
    payload = [] if "--numbers" in target else ["--image", str(image)]
    servers = ["--servers", f"A:{stub.grpc.address};B:{stub.grpc.address}?rest=1;Q:queue://r:6379/s"]
    code = main(["rate", "--target", *target, *payload, *servers, *RATE])
    assert code == 2 and words.format(**places) in capsys.readouterr().err.replace("\n", " ")


def test_a_configured_backend_is_loaded_by_its_name(stub, image, tmp_path, monkeypatch, capsys):
    rest_port = stub.rest.address.rpartition(":")[2]
    monkeypatch.setenv("TF_SERVERS", f"A:{stub.grpc.address}?rest={rest_port}")
    for number, protocol in enumerate(("grpc", "rest")):
        out = tmp_path / protocol
        asked = ["--target", "A", "--protocol", protocol, "--image", str(image), "--requests", "2"]
        found = measured(out, main(["burst", *asked, "--out", str(out)]))
        assert found["target"]["name"] == ["A", "A over REST"][number]
        assert capsys.readouterr().out.startswith(["A over gRPC, 1 image", "A over REST, 1 image"][number])


@pytest.mark.parametrize(
    "arguments", [["--requests", "0"], ["--requests", "20,x"], ["--batch", "0"], ["--timeout", "0"]]
)
def test_a_number_that_is_none_ends_with_2_as_of_any_command(stub, image, arguments):
    with pytest.raises(SystemExit) as ended:
        main(["burst", "--target", stub.grpc.address, "--image", str(image), *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_describes_its_options(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "--out DIR" in capsys.readouterr().out


def test_a_model_of_numbers_gets_numbers_of_the_type_that_its_metadata_names(tmp_path):
    seen = []

    def answer(request, context):
        seen.append(predict_pb2.PredictRequest.FromString(request).inputs["images"])
        response = predict_pb2.PredictResponse()
        response.outputs["scores"].float_val.append(0.5)
        return response.SerializeToString()

    with grpc_server(answer, input_dtype=types_pb2.DT_UINT8) as address:
        asked = ["--target", address, "--numbers", "--shape", "7", "--batch", "2", "--requests", "3"]
        found = measured(tmp_path / "out", main(["burst", *asked, "--out", str(tmp_path / "out")]))
    assert {tensor.dtype for tensor in seen} == {types_pb2.DT_UINT8}
    assert {tuple(dim.size for dim in tensor.tensor_shape.dim) for tensor in seen} == {(2, 7)}
    assert len({tensor.tensor_content for tensor in seen}) == 3
    assert (found["payload"]["kind"], found["payload"]["batch"]) == ("numbers", 2)
    assert (tmp_path / "out" / "grpc_batch_stats.csv").exists()


def test_a_model_of_numbers_is_not_sent_pictures(image, capsys):
    with grpc_server(lambda request, context: b"", input_dtype=types_pb2.DT_FLOAT) as address:
        assert main(["burst", "--target", address, "--image", str(image)]) == 2
    printed = capsys.readouterr().err.lower()
    assert "can't be loaded" in printed and "float" in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0 and "usage: python -m loadtest" in capsys.readouterr().out


def test_ctrl_c_while_the_program_starts_is_no_traceback(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("loadtest.commands.main.main", interrupted)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("loadtest", run_name="__main__")
    assert ended.value.code == 130


def test_a_schedule_counts_as_long_as_it_was_planned(stub, image, tmp_path):
    asked = ["--target", stub.grpc.address, "--image", str(image), "--rate", "4", "--seconds", "1"]
    found = measured(tmp_path / "out", main(["rate", *asked, "--out", str(tmp_path / "out")]))
    assert found["seconds"] >= 1  # the last request is due after 0.75 s
    assert found["summary"]["achieved_per_s"] <= found["offered_per_s"] == 4


STUCK = """
import sys, time
from loadtest.commands import main, rate

def stuck(options, session):
    print("stuck", flush=True)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted", flush=True)

main.LEAVE_S, rate.run = 0.1, stuck
main.main(["rate", "--target", "127.0.0.1:1", "--image", sys.argv[1], "--rate", "1"])
"""


def test_a_second_ctrl_c_ends_the_program_whatever_keeps_it(image):
    command = [sys.executable, "-c", STUCK, image]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "stuck\n"
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)  # two signals at once may be one
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
            assert process.stdout.read() == "interrupted\n"  # by the second, not by the first
        finally:
            process.kill()


def test_classes_that_are_numbers_are_an_answer_over_rest_too(tmp_path, digits):
    asked = ["--model", "digits", "--numbers", "--requests", "3", "--batch", "4", "--protocol", "rest"]
    found = measured(
        tmp_path / "out",
        main(["burst", "--target", digits.rest_url[7:], *asked, "--out", str(tmp_path / "out")]),
    )
    assert (found["summary"]["failures"], found["summary"]["goodput_per_s"]) == (0, None)
