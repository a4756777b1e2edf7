"""Schema and data type: each way carries the same values, and batches end where messages do."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from experiment.backends.model_spec import InputSpec
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo
from loadtest.questions import encoding
from loadtest.questions.encoding import how_does_encoding_matter, read_answer, ways_of
from loadtest.questions.material import Material, material_of
from loadtest.questions.target import Target
from loadtest.send.recording import Watch

PACKED, LISTED, TEXT = "numbers in tensor_content", "numbers in float_val", "numbers in JSON"


@pytest.fixture
def numbers(digits):
    """A model of numbers, [n, 784], over gRPC and REST."""
    rest = BackendInfo("digits", "rest", digits.rest_url.removeprefix("http://"), "digits")
    return Target(BackendInfo("digits", address=digits.address, model="digits"), rest)


def rows_of(answer) -> dict[tuple[str, int], dict]:
    """(schema, batch) -> the row by column."""
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return {(row["Schema"], row["batch"]): row for row in rows}


def by_name(material: Material) -> dict:
    return {way.name: way for way in ways_of(material)}


def test_every_way_carries_the_same_numbers(numbers):
    ways = by_name(material_of(numbers, None))
    packed = predict_pb2.PredictRequest.FromString(ways[PACKED].build(2)).inputs["images"]
    listed = predict_pb2.PredictRequest.FromString(ways[LISTED].build(2)).inputs["images"]
    text = json.loads(ways[TEXT].build(2))
    values = np.frombuffer(packed.tensor_content, "<f4").reshape(2, 784)
    assert packed.tensor_shape == listed.tensor_shape
    np.testing.assert_array_equal(np.asarray(listed.float_val, "<f4").reshape(2, 784), values)
    np.testing.assert_array_equal(np.asarray(text["instances"], "<f4"), values)
    assert not listed.tensor_content


def test_a_model_of_numbers_is_asked_in_three_ways_up_to_4096_rows(numbers):
    rows = rows_of(how_does_encoding_matter(material_of(numbers, None), 1.5, 0, Watch()))
    assert {schema for schema, _ in rows} == {
        PACKED,
        LISTED,
        TEXT,
    }
    assert {batch for _, batch in rows} == {1, 4, 16, 64, 256, 1024, 4096}
    content, text = rows[PACKED, 16], rows[TEXT, 16]
    assert content["bytes sent"] == pytest.approx(16 * 784 * 4, abs=100)
    assert text["bytes sent"] > 3 * content["bytes sent"]
    assert content["total, ms"] > content["request, ms"] > 0
    assert content["of it at the server, ms"] > 0
    assert content["measured"] >= 1
    assert content["left out because"] == ""


def test_a_batch_that_would_take_longer_than_is_left_is_left_out_and_says_so(
    monkeypatch, embedded, picture_for
):
    slow = picture_for(Target(embedded.info))
    monkeypatch.setattr(encoding, "ways_of", lambda material: [_slow(way) for way in ways_of(material)[:1]])
    rows = rows_of(how_does_encoding_matter(slow, 0.3, 0, Watch()))
    assert rows["string tensor", 1]["measured"] >= 1
    assert rows["string tensor", 4096]["measured"] == 0
    assert "were left (--seconds)" in rows["string tensor", 4096]["left out because"]


def _slow(way: encoding.Way) -> encoding.Way:
    def build(batch: int) -> bytes:
        time.sleep(0.1)
        return way.build(batch)

    return encoding.Way(way.name, way.info, build)


def test_a_model_with_a_fixed_batch_is_asked_one_at_a_time(numbers):
    spec = InputSpec("predict_images", "images", "DT_FLOAT", (1, 784))
    rows = rows_of(how_does_encoding_matter(Material(numbers, None, None, spec), 1.0, 0, Watch()))
    assert rows[PACKED, 1]["measured"] >= 1
    assert rows[PACKED, 4]["left out because"] == "the model takes one example at a time."


def test_a_refusal_of_the_server_is_the_reason_for_a_missing_row(numbers):
    spec = InputSpec("predict_images", "images", "DT_INT32", (None, 784))
    answer = how_does_encoding_matter(Material(Target(numbers.info), None, None, spec), 1.0, 0, Watch())
    assert answer.sentence.startswith("Not known: digits at ")
    assert "DT_INT32" in answer.sentence


def test_an_answer_is_read_to_its_last_value():
    response = predict_pb2.PredictResponse()
    response.outputs["scores"].float_val.extend([0.1, 0.2])
    response.outputs["classes"].dtype = 7
    response.outputs["classes"].string_val.extend([b"a"])
    assert read_answer("grpc", response.SerializeToString()) == 3
    assert read_answer("rest", b'{"predictions": [[1], [2]]}') == 2
