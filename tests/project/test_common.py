"""What all folders share: checks that say what is allowed, other programs' words, addresses."""

from __future__ import annotations

import argparse
import json
import math
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.addresses import free_port, is_ip_address
from common.arguments import argument
from common.checks import (
    Expected,
    list_of,
    number,
    number_above,
    number_text,
    one_of,
    one_of_texts,
    price,
    whole,
    whole_text,
    yes_or_no,
)
from common.json_values import quoted, strict_json
from common.words import first_line


@pytest.mark.parametrize(
    ("check", "value", "used"),
    [
        (whole(1, 100), 100, 100),
        (whole(1, 100), 85.0, 85),
        (number(0, 1), 0, 0),
        (number_above(0, 600), 600.0, 600.0),
        (one_of(["png", "jpeg"]), "png", "png"),
        (yes_or_no, False, False),
        (list_of(whole(1, 9), "numbers", 3), [3, 1, 3], (3, 1)),
        (whole_text(1, 65535), " 8080 ", 8080),
        (number_text(number(0.1, 600)), "1e2", 100.0),
        (one_of_texts("json", "text"), " JSON", "json"),
        (price, "0.35", 0.35),
        (price, "0", 0.0),
    ],
)
def test_a_value_that_is_allowed_comes_back_as_it_is_used(check, value, used):
    assert check(value) == used
    assert type(check(value)) is type(used)


@pytest.mark.parametrize(
    ("check", "values", "words"),
    [
        (whole(1, 100), [0, 101, 1.5, True, "5", None, math.inf], "a whole number from 1 to 100"),
        (number(0, 1e6), [-0.1, math.nan, True, "1", None], "a number from 0 to 1,000,000"),
        (number_above(0, 600), [0, 601, math.nan, False], "a number above 0 and at most 600"),
        (one_of(["png", "jpeg"]), ["PNG", 1, ["png"]], "one of png, jpeg"),
        (yes_or_no, [0, 1, "true", None], "true or false"),
        (list_of(whole(1, 9), "sizes", 2), [[], [1, 2, 3], 5, "12"], "a list of 1 to 2 sizes"),
        (list_of(whole(1, 9), "sizes", 2), [[0], ["1"]], "a list of sizes, each a whole number from 1 to 9"),
        (whole_text(1, 99), ["", "1.0", "1e1", "0x1", "²", "9" * 5000, "100"], "a whole number from 1 to 99"),
        (number_text(number(0, 5)), ["", "nan", "inf", "6", "five"], "a number from 0 to 5"),
        (one_of_texts("json", "text"), ["xml", ""], "one of json, text"),
        (price, ["-1", "free", "nan", "1e6", ""], "a price, like 0.35"),
    ],
)
def test_a_value_that_is_not_allowed_is_told_what_is(check, values, words):
    for value in values:
        with pytest.raises(Expected) as refused:
            check(value)
        assert str(refused.value) == words


def test_an_option_of_a_command_is_refused_in_the_same_words(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicas", type=argument(whole_text(1, 64)))
    assert parser.parse_args(["--replicas", "2"]).replicas == 2
    with pytest.raises(SystemExit):
        parser.parse_args(["--replicas", "two"])
    assert "argument --replicas: 'two' is not a whole number from 1 to 64" in capsys.readouterr().err


@pytest.mark.parametrize("text", ['{"a": NaN}', "[Infinity]", '{"a": 1, "a": 2}', "{", ""])
def test_json_that_not_every_reader_takes_alike_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        strict_json(text)


@given(st.recursive(st.none() | st.booleans() | st.text(st.characters()), st.lists))
def test_any_value_can_be_quoted_in_a_short_message(value):
    text = quoted(value)
    assert len(text) <= 60
    text.encode()
    assert quoted("é") == '"é"' and quoted("\udcff") == '"\\udcff"'
    assert json.loads(quoted([1, "a"])) == [1, "a"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("\n  Expected shape [1, 3].\nat line 5", "Expected shape [1, 3]."),
        ("no such file", "no such file."),
        ("really?", "really?"),
        ("  \n", "It gave no reason."),
        ("a\x00b", "a?b."),
        ("x" * 500, "x" * 300 + " ..."),
    ],
)
def test_another_programs_message_becomes_one_sentence(said, sentence):
    assert first_line(said, "It gave no reason") == sentence


def test_a_free_port_can_be_listened_on():
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("host", "is_one"), [("::1", True), ("10.0.0.1", True), ("tf-gpu", False), ("", False)]
)
def test_addresses_in_numbers_are_told_from_names(host, is_one):
    assert is_ip_address(host) is is_one
