"""`python -m loadtest questions` as a user types it, and what it says to wrong input."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from loadtest.answers.folder import AnswerFolder
from loadtest.commands.main import main
from loadtest.cross_check.stub import running_stub
from loadtest.errors import LoadRefused


@pytest.fixture(scope="module")
def stub():
    with running_stub(2.0) as running:
        yield running


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "noise.jpg"
    Image.effect_noise((64, 48), 90).convert("RGB").save(path)
    return str(path)


def test_all_questions_are_asked_of_a_server_at_an_address(stub, image, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["--target", stub.grpc.address, "--rest", stub.rest.address, "--seconds", "0.3"]
    assert main(["questions", *asked, "--image", image, "--out", str(out)]) == 0
    stored = json.loads((out / "answers.json").read_text())
    keys = [row["key"] for row in stored["answers"]]
    assert keys == ["inference", "cpu_bound", "energy", "caching", "encoding"]
    assert stored["target"] == stub.grpc.address
    assert stored["cpu_count"] >= 1
    printed = capsys.readouterr().out
    for row in stored["answers"]:
        assert " ".join(row["sentence"].split()) in " ".join(printed.split())
    schemas = {row[0] for row in stored["answers"][-1]["table"]["rows"]}
    assert schemas == {"string tensor", "base64 in JSON"}
    assert (out / "samples.csv").read_text().count("\n") > 10


def test_one_question_can_be_asked_alone_and_a_second_run_overwrites_nothing(stub, image, tmp_path):
    out = tmp_path / "out"
    asked = ["--target", stub.grpc.address, "--image", image, "--out", str(out), "--seconds", "0.2"]
    assert main(["questions", *asked, "--only", "caching"]) == 0
    first = (out / "answers.json").read_bytes()
    assert main(["questions", *asked, "--only", "caching"]) == 0
    assert (out / "answers.json").read_bytes() == first
    assert [row["key"] for row in json.loads((out / "2" / "answers.json").read_text())["answers"]] == [
        "caching"
    ]


def test_a_model_of_numbers_is_asked_with_numbers(tmp_path, digits):
    out = tmp_path / "out"
    asked = ["--target", digits.address, "--model", "digits", "--numbers", "--seconds", "0.3"]
    assert main(["questions", *asked, "--out", str(out), "--only", "encoding"]) == 0
    (found,) = json.loads((out / "answers.json").read_text())["answers"]
    assert {row[0] for row in found["table"]["rows"]} == {"numbers in tensor_content", "numbers in float_val"}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--numbers", "--image", "x.jpg"], "Name what to send: --image FILE, or --numbers"),
        ([], "Name what to send: --image FILE, or --numbers"),
        (["--image", "gone.jpg"], "gone.jpg can't be read: No such file or directory."),
        (["--image", "{text}"], "text.jpg is not a photo we can read."),
        (["--image", "{image}", "--rest", "http://x:1"], "--rest http://x:1 is not HOST:PORT"),
        (["--image", "{image}", "--metrics", "x:1"], "--metrics x:1 is not the address of a page"),
        (["--image", "{image}", "--capture", "eth99"], "There is no network interface eth99."),
        (["--numbers"], "takes no numbers but strings: choose --image FILE."),
    ],
)
def test_wrong_input_is_a_sentence_before_anything_is_sent(
    asked, sentence, stub, image, tmp_path, capsys, monkeypatch
):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "tcpdump").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "tcpdump").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    filled = [part.format(image=image, text=tmp_path / "text.jpg") for part in asked]
    assert main(["questions", "--target", stub.grpc.address, *filled]) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "loads").exists()


def test_an_answer_is_shown_also_if_it_can_not_be_written(stub, image, tmp_path, monkeypatch, capsys):
    def full(folder, answer):
        raise LoadRefused("No space left on device.")

    monkeypatch.setattr(AnswerFolder, "add", full)
    asked = ["--target", stub.grpc.address, "--image", image, "--seconds", "0.1", "--only", "caching"]
    assert main(["questions", *asked, "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert "Does the server cache answers?" in printed.out and "No space left" in printed.err
