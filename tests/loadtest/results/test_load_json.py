"""load.json: its schema, and that a stored load says the same again."""

from __future__ import annotations

import json

import jsonschema
import pytest

from experiment.export.schema_check import ANNOTATIONS, APPLICATORS, RULES, problems
from experiment.records import BackendInfo
from loadtest.errors import LoadRefused
from loadtest.results.load_json import SCHEMA, load_dict, load_json, load_of, read_load
from loadtest.results.summary import summarise
from tests.support.load.records import load, sample, samples


def stored(asked):
    return json.loads(load_json(load_dict(asked, summarise(asked))))


FULL = load(
    [
        *samples(700, right=2, stages_ms={"inference": 3.25}, in_flight=4, peer="10.0.0.1:8500"),
        sample(7.123456789, 60_000.12345, late_ms=0.2, cause="deadline"),
    ],
    target=BackendInfo("1 CPU", address="127.0.0.1:8500", embedded=True, cores=(0,)),
    messages={"deadline": "1 CPU did not answer in time."},
    late_p99_ms=0.1234567,
)
EMPTY = load([], kind="burst", arrivals="burst", offered_per_s=None, planned_s=None, stopped="By hand.")
CLOSED = load(samples(5), kind="ladder", arrivals="closed", offered_per_s=None, in_flight=4)


@pytest.mark.parametrize("asked", [FULL, EMPTY, CLOSED])
def test_a_load_is_valid_by_the_schema_to_us_and_to_jsonschema(asked):
    found = stored(asked)
    assert list(problems(found, SCHEMA)) == []
    jsonschema.Draft202012Validator(SCHEMA).validate(found)


def keywords(schema):
    """All keywords of a schema, without the names of properties and definitions."""
    for key, value in schema.items():
        yield key
        named = (
            value.values() if key in {"properties", "$defs"} else [value] if isinstance(value, dict) else []
        )
        for inner in named:
            yield from keywords(inner)


def test_the_schema_uses_only_keywords_that_our_check_knows():
    assert set(keywords(SCHEMA)) <= {*RULES, *APPLICATORS, *ANNOTATIONS}


@pytest.mark.parametrize("asked", [FULL, EMPTY, CLOSED])
def test_a_stored_load_gives_the_same_figures_and_the_same_json_again(asked):
    found = stored(asked)
    again = load_of(found)
    assert summarise(again) == summarise(asked)
    assert load_dict(again, summarise(again)) == load_dict(asked, summarise(asked))


def test_unknown_figures_are_null_and_failed_requests_keep_their_cause():
    found = stored(FULL)
    assert found["requests"][-1] == {
        **{"due_s": 7.123457, "sent_s": 7.123657, "latency_ms": 60000.123, "ok": False},
        **{"cause": "deadline", "body": 0, "in_flight": 1},
    }
    assert found["payload"]["bytes"] == 300 and found["payload"]["sizes_bytes"] == [100, 300]
    assert stored(EMPTY)["summary"]["p50_ms"] is None
    assert stored(CLOSED)["summary"]["p99_ms"] is None


def test_further_keys_are_added_but_never_over_one_that_is_there():
    asked = load(samples(3))
    assert load_dict(asked, summarise(asked), trials=[1])["trials"] == [1]
    with pytest.raises(TypeError, match="validity"):
        load_dict(asked, summarise(asked), validity="VALID")


def test_the_file_has_one_line_for_each_request():
    asked = load(samples(3))
    lines = load_json(load_dict(asked, summarise(asked))).splitlines()
    assert sum(line.startswith('{"due_s"') for line in lines) == 3


def test_a_file_is_read_by_its_own_name_and_by_that_of_its_folder(tmp_path):
    (tmp_path / "load.json").write_text(json.dumps(stored(FULL)))
    assert read_load(tmp_path) == read_load(tmp_path / "load.json") == stored(FULL)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "ends too early"),
        ('{"schema_version": "1.0", "requests": [', "ends too early"),
        ("[" * 100_000, "ends too early"),
        ("[]", "not that of a load test"),
        ('{"schema_version": "1.0", "cells": []}', "not that of a load test"),
        (json.dumps(stored(CLOSED) | {"seconds": "long"}), "seconds must be a number"),
        (json.dumps(stored(CLOSED) | {"requests": [{"due_s": 1}]}), "requests[0].sent_s is missing"),
    ],
)
def test_another_file_is_refused_with_a_sentence(tmp_path, content, words):
    (tmp_path / "load.json").write_text(content)
    with pytest.raises(LoadRefused) as refused:
        read_load(tmp_path)
    assert words in refused.value.message


def test_a_file_that_is_not_there_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(LoadRefused, match="can't be read: No such file"):
        read_load(tmp_path)
