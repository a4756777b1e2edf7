"""config.json in the form of the earlier inference APIs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.models.answers import Image, found
from gateway.models.old_config import ConfigUnusable, OldConfig, read_config
from gateway.models.predict import Scored

OLD = {
    "inference_engine_name": "tensorflow_classification",
    "confidence": 60,
    "predictions": 15,
    "number_of_classes": 2,
    "framework": "tensorflow",
    "type": "classification",
    "network": "inception",
}


def test_the_earlier_files_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(OLD))
    read = read_config(tmp_path)
    assert (read.confidence, read.predictions, read.options) == (60.0, 15, ())
    assert read.written == OLD


def test_without_a_file_the_best_five_are_given_whatever_their_confidence(tmp_path: Path) -> None:
    assert read_config(tmp_path) == OldConfig(0.0, 5, (), None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON: "),
        ("[" * 100_000, "is not JSON: "),
        ("[60]", "must hold an object"),
        ("\xff", "is not JSON: "),
        ('{"confidence": "60"}', 'confidence is "60", but must be a percentage from 0 to 100'),
        ('{"confidence": 101}', "confidence is 101, but must be"),
        ('{"confidence": NaN}', "confidence is NaN, but must be"),
        ('{"confidence": true}', "confidence is true, but must be"),
        ('{"predictions": 0}', "predictions is 0, but must be a whole number from 1"),
        ('{"predictions": 1.5}', "predictions is 1.5, but must be"),
        ('{"number_of_classes": "two"}', 'number_of_classes is "two", but must be'),
        ('{"type": 3}', "type is 3, but must be a text"),
        ('{"convert": ["--preprocess"]}', "convert must hold an object"),
        ('{"convert": {"out": "/"}}', 'out "/" can\'t be used. Known are channels, fit'),
        ('{"convert": {"labels": "../names.txt"}}', 'labels "../names.txt" can\'t be used'),
        ('{"convert": {"softmax": "no"}}', 'softmax "no" can\'t be used'),
    ],
)
def test_what_can_not_be_used_is_named_with_its_value(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigUnusable) as caught:
        read_config(tmp_path)
    assert str(caught.value).startswith("config.json")
    assert said in str(caught.value)


SCORED = Scored([2, 0, 1], ["owl", "cat", "dog"], [0.5, 0.3, 0.2])


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (OldConfig(predictions=1_000), ["owl", "cat", "dog"]),
        (OldConfig(predictions=2), ["owl", "cat"]),
        (OldConfig(confidence=30, predictions=1_000), ["owl", "cat"]),
        (OldConfig(confidence=100), []),
    ],
)
def test_confidence_and_predictions_limit_the_classes_and_more_than_there_are_is_no_error(config, names):
    boxes = found(SCORED, Image("p.png", b"", 64, 48), config)
    assert [box["ObjectClassName"] for box in boxes] == names
    assert all(box["coordinates"] == {"left": 0, "top": 0, "right": 64, "bottom": 48} for box in boxes)


def test_ids_of_classes_are_their_places_in_the_labels() -> None:
    boxes = found(SCORED, Image("p.png", b"", 1, 1), OldConfig())
    assert [(box["ObjectClassId"], box["confidence"]) for box in boxes] == [(2, 50.0), (0, 30.0), (1, 20.0)]
