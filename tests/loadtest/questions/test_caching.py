"""Does it cache: a server that keeps answers by their bytes, and one that does not."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from experiment.backends.model_spec import InputSpec
from experiment.protocol import predict_pb2
from experiment.records import BackendInfo
from experiment.report.statistics import Ratio
from loadtest.questions.caching import does_it_cache, sentence_of
from loadtest.questions.material import Material, material_of
from loadtest.questions.pairs import ratio_of_pairs
from loadtest.questions.target import Target
from loadtest.send.recording import Watch
from tests.support.processes.serving_process import picture
from tests.support.scripted_server import good_answer, grpc_server

WORK_S = 0.005
SECONDS = 0.4


def answer_of(seen: Counter, caches: bool):
    """The answer about a server that works for WORK_S, unless it caches and has seen the request."""

    def predict(request: bytes, context) -> bytes:
        if not (caches and request in seen):
            time.sleep(WORK_S)
        seen[request] += 1
        return good_answer()

    with grpc_server(predict) as address:
        material = material_of(Target(BackendInfo("stub", address=address)), picture("JPEG"))
        return does_it_cache(material, SECONDS, 0, Watch())


def test_a_server_that_keeps_answers_is_found_out():
    answer = answer_of(Counter(), caches=True)
    assert answer.sentence.startswith("Yes, it looks as if answers are kept: distinct/same ")
    assert answer.facts["low"] > 1.05
    assert len(answer.rows) >= 6


def test_a_server_that_does_not_cache_is_not_accused_of_it():
    seen: Counter = Counter()
    answer = answer_of(seen, caches=False)
    assert not answer.sentence.startswith("Yes")
    assert answer.facts["low"] < 1.05
    times = Counter(seen.values())
    pairs = len(answer.rows)
    assert times.pop(3) >= 1  # the warm-ups; blocks of the same may have as many
    # In each pair one picture was sent again and again, and as often a new one.
    again = sum(count * number for number, count in times.items() if number > 1)
    assert times[1] % pairs == 0
    assert again in {times[1], 0}


def test_a_ratio_of_pairs_does_not_mind_that_the_machine_becomes_slower():
    same = [10.0, 12.0, 15.0, 20.0, 30.0, 50.0]
    assert ratio_of_pairs([2 * each for each in same], same) == Ratio(2.0, 2.0, 2.0)
    assert ratio_of_pairs(same[:5], same[:5]) is None


@pytest.mark.parametrize(
    ("ratio", "begins"),
    [
        (Ratio(1.01, 0.98, 1.03), "No sign of caching: distinct/same 1.01 (95 %: 0.98 to 1.03)."),
        (Ratio(1.02, 1.01, 1.04), "No sign of caching"),
        (Ratio(1.2, 0.9, 1.6), "Not clear: distinct/same 1.20 (95 %: 0.90 to 1.60). Give it longer"),
        (Ratio(9.8, 8.0, 11.0), "Yes, it looks as if answers are kept"),
    ],
)
def test_a_sentence_says_no_more_than_the_interval(ratio, begins):
    assert sentence_of(ratio).startswith(begins)


def test_distinct_pictures_differ_in_bytes_even_if_they_are_of_one_colour(embedded, picture_for):
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.new("RGB", (64, 48), "grey").save(file, "PNG")
    material = Material(embedded, file.getvalue(), picture_for(embedded).picture_spec, None)
    assert len(set(material.distinct_bodies(20, 0))) == 20


def test_distinct_numbers_differ_and_have_one_size():
    spec = InputSpec("predict_images", "x", "DT_FLOAT", (None, 784))
    material = Material(Target(BackendInfo("tf", address="127.0.0.1:1")), None, None, spec)
    bodies = list(material.distinct_bodies(20, 3))
    assert len(set(bodies)) == 20
    assert len(set(map(len, bodies))) == 1
    shape = predict_pb2.PredictRequest.FromString(bodies[0]).inputs["x"].tensor_shape
    assert [side.size for side in shape.dim] == [1, 784]
