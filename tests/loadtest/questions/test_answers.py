"""What a run of questions leaves in its folder, and on its page."""

from __future__ import annotations

import csv
import json

import pytest

from loadtest.answers.answer import answer, not_known
from loadtest.answers.folder import AnswerFolder
from loadtest.errors import LoadRefused
from loadtest.questions.ask import QUESTIONS, Asked, ask_all
from loadtest.send.recording import Watch

ROWS = [["<b>first</b>", 1.5], ["=second", None]]
BARS = [{"type": "bar", "x": ["a"], "y": [1.5]}]


def example(key: str = "example"):
    return answer(key, "Is it <fast>?", "It is </script> fast.", ["what", "ms"], ROWS, BARS, {}, ["A note."])


def test_an_answer_is_kept_as_json_table_figure_and_page(tmp_path):
    AnswerFolder(tmp_path, "questions", {"target": "8 CPU <x>"}).add(example())
    stored = json.loads((tmp_path / "answers.json").read_text())
    assert stored["target"] == "8 CPU <x>"
    assert stored["answers"][0]["sentence"] == "It is </script> fast."
    assert stored["answers"][0]["table"]["rows"] == ROWS
    with (tmp_path / "example.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["what", "ms"], ["<b>first</b>", "1.5"], ["'=second", ""]]
    figure = json.loads((tmp_path / "example.plotly.json").read_text())
    assert figure["data"] == BARS
    page = (tmp_path / "answers.html").read_text()
    assert "It is &lt;/script&gt; fast." in page
    assert "&lt;b&gt;first&lt;/b&gt;" in page
    assert "Plotly.newPlot" in page


def test_the_page_is_drawn_without_a_network(tmp_path, browser):
    folder = AnswerFolder(tmp_path, "questions", {"target": "8 CPU"})
    folder.add(example())
    folder.add(not_known("other", "And this?", "Not known: nobody says."))
    page = browser.new_page()
    page.goto((tmp_path / "answers.html").as_uri())
    page.wait_for_selector("#example .main-svg")
    assert page.locator("h2").all_inner_texts() == ["Is it <fast>?", "And this?"]
    assert page.locator("td").all_inner_texts() == ["<b>first</b>", "1.5", "=second", "–"]


def test_a_folder_that_can_not_be_written_to_is_a_sentence(tmp_path):
    folder = AnswerFolder(tmp_path / "gone", "questions", {})
    with pytest.raises(LoadRefused, match="can't be written: No such file or directory"):
        folder.add(example())


class Answered:
    """What a run of all questions gave on one server."""

    def __init__(self, target, picture_for, path, seconds=0.6):
        self.said: list = []
        self.path = path
        folder, watch = AnswerFolder(path, "questions", {}), Watch()
        found = ask_all(picture_for(target), Asked(seconds=seconds), folder, watch, self.said.append)
        self.by_key = {each.key: each for each in found}


@pytest.fixture(scope="module")
def answered(embedded, picture_for, tmp_path_factory):
    return Answered(embedded, picture_for, tmp_path_factory.mktemp("embedded"))


def test_every_question_is_answered_on_the_embedded_server(answered):
    assert [found.key for found in answered.said] == [
        "inference",
        "cpu_bound",
        "energy",
        "caching",
        "encoding",
    ]
    assert all(answered.by_key[key].rows and answered.by_key[key].figure["data"] for key in QUESTIONS)
    for key in QUESTIONS:
        assert (answered.path / f"{key}.csv").read_text().count("\n") > 1


def test_the_embedded_server_says_how_much_is_inference_by_its_stages(answered):
    found = answered.by_key["inference"]
    rows = {row[0]: row for row in found.rows}
    assert found.sentence.startswith("Inference is ")
    assert "one request at a time" in found.sentence
    assert 0 < found.facts["low"] <= found.facts["share"] <= found.facts["high"] < 1
    assert found.columns[1:-2] == [
        *("waiting in the queue, ms", "decoding, ms", "inference, ms"),
        "the rest (network, protocol, client), ms",
    ]
    assert set(rows) == {"1", "8"}
    assert len(found.figure["data"]) == 4
    for split in found.measured:
        assert sum(split["parts_ms"].values()) == pytest.approx(split["latency_ms"])


def test_the_embedded_servers_cpu_time_is_known(answered):
    found = answered.by_key["cpu_bound"]
    assert found.facts["cpu_ms"] > 0
    assert found.facts["answer_bytes"] > 100
    assert "of CPU time" in found.sentence
    assert "over loopback: there is no link that could be the limit here." in found.sentence
    assert [row[0] for row in found.rows] == [1, 2, 4, 8, 16, 32]


def test_the_embedded_server_is_asked_with_the_same_and_with_distinct_pictures(answered):
    found = answered.by_key["caching"]
    assert "distinct/same" in found.sentence
    assert found.columns == ["Pair", "the same again, ms", "never sent before, ms"]


def test_a_model_of_pictures_is_asked_with_pictures_and_with_their_pixels(answered):
    found = answered.by_key["encoding"]
    rows = {(row["Schema"], row["batch"]): row for row in named(found)}
    names = [
        *("string tensor", "base64 in JSON"),
        *("pixels in tensor_content", "pixels in float_val", "pixels in JSON"),
    ]
    assert list(dict.fromkeys(schema for schema, _ in rows)) == names
    assert all(rows[name, 1]["measured"] for name in names)
    assert rows["base64 in JSON", 1]["bytes sent"] > rows["string tensor", 1]["bytes sent"]
    assert rows["pixels in tensor_content", 1]["bytes sent"] > 4 * 224 * 224 * 3
    assert rows["pixels in JSON", 4096]["left out because"].startswith("its message would be over")
    assert found.sentence.startswith("Fastest for one example is ")


def named(found) -> list[dict]:
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_every_question_gets_a_sentence_on_a_plain_server(plain, picture_for, tmp_path):
    found = Answered(plain, picture_for, tmp_path, seconds=0.2).by_key
    assert set(QUESTIONS) <= set(found)
    assert found["inference"].sentence.startswith("Not known: plain sends no stage times")
    assert "--monitoring_config_file" in found["inference"].sentence
    assert "distinct/same" in found["caching"].sentence
    assert "Not measured: JSON (name the REST port with --rest HOST:PORT)." in found["encoding"].notes
    one = next(row for row in named(found["encoding"]) if row["Schema"] == "string tensor")
    assert one["measured"] > 0
    assert one["of it at the server, ms"] is None


def test_a_cancelled_run_keeps_what_it_has(embedded, picture_for, tmp_path):
    watch = Watch()
    folder = AnswerFolder(tmp_path, "questions", {})

    def stop(found) -> None:
        watch.cancel.set()

    answers = ask_all(picture_for(embedded), Asked(seconds=0.5), folder, watch, stop)
    assert [each.key for each in answers] == ["inference"]
    assert (tmp_path / "inference.csv").exists()
