"""TF_SERVERS: what is accepted, and what the messages say when it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.backends.addresses import chosen, parse_servers
from experiment.embedded.cores import share_out
from experiment.errors import ConfigRefused, PlanRefused
from experiment.records import BackendInfo


def test_the_three_servers_of_the_2018_demo_are_read():
    infos = parse_servers("GPU:tf-gpu:8500;1 CPU:tf-1cpu:8500;8 CPU:tf-8cpu:8500")
    assert [(each.name, each.address) for each in infos] == [
        ("GPU", "tf-gpu:8500"),
        ("1 CPU", "tf-1cpu:8500"),
        ("8 CPU", "tf-8cpu:8500"),
    ]


def test_ipv6_hosts_names_with_colons_and_options_are_read():
    [info, rest] = parse_servers("rack 1: GPU:[::1]:8500?rest=8501&model=resnet&price_per_hour=0.35")
    assert (info.name, info.address, info.model, info.price_per_hour) == (
        "rack 1: GPU",
        "[::1]:8500",
        "resnet",
        0.35,
    )
    assert (rest.name, rest.protocol, rest.address) == ("rack 1: GPU over REST", "rest", "[::1]:8501")


def test_defaults_give_model_and_signature():
    defaults = BackendInfo(name="", model="lite", signature="serving_default", input_key="bytes")
    [info] = parse_servers("a:b:1", defaults)
    assert (info.model, info.signature, info.input_key) == ("lite", "serving_default", "bytes")


def test_three_different_mistakes_are_named_at_once():
    with pytest.raises(ConfigRefused) as caught:
        parse_servers("GPU:tf-gpu;8 CPU:tf-8cpu:8500;8 CPU:other:8500;x:host:99999")
    assert caught.value.message == (
        "TF_SERVERS has 3 problems: entry 1 `GPU:tf-gpu` has no port; write name:host:port; "
        "entry 3 `8 CPU:other:8500` repeats the name `8 CPU`; "
        "entry 4 `x:host:99999` has the port `99999`, which is not a whole number from 1 to 65535."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no server"),
        (";;", "has no server"),
        ("GPU", "has no host and port"),
        ("GPU:host:http", "port `http`, which is not a whole number from 1 to 65535"),
        ("a:unix:/tmp/socket:1", "host `/tmp/socket`, which is not a host name"),
        ("a:xds:///x:1", "has a URL where host and port belong"),
        ("GPU:http://tf-gpu:8501", "has a URL where host and port belong"),
        ("http://tf-gpu:8501", "has a URL where host and port belong"),
        ("GPU:tf gpu:8500", "host `tf gpu`, which is not a host name"),
        ("GPU:tf-gpu:²", "port `²`, which is not a whole number from 1 to 65535"),
        ("GPU:tf-gpu:" + "1" * 5000, "which is not a whole number from 1 to 65535"),
        ("a:b:1?rest=²", "REST port `²`, which is not a whole number from 1 to 65535"),
        ("a:b:1?rest=0", "REST port `0`, which is not a whole number from 1 to 65535"),
        ("a:::1:8500", "an IPv6 host stands in brackets"),
        ("a:b:1?colour=red", "unknown option `colour`"),
        ("a:b:1?rest=x", "REST port `x`"),
        ("a:b:1?price_per_hour=nan", "which is not a price"),
    ],
)
def test_each_mistake_has_its_sentence(text, words):
    with pytest.raises(ConfigRefused) as caught:
        parse_servers(text)
    assert words in caught.value.message


@given(st.text(max_size=60))
def test_any_text_is_either_read_or_refused_in_words(text):
    try:
        assert parse_servers(text)
    except ConfigRefused as refusal:
        assert refusal.problems


def test_without_names_every_server_is_meant_once_over_grpc():
    infos = parse_servers("a:h:1?rest=2;b:h:3")
    assert [each.name for each in chosen(infos, None)] == ["a", "b"]
    assert [each.name for each in chosen(infos, ["a over REST"])] == ["a over REST"]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(PlanRefused, match=r"no backend named TPU\. The backends are: a, b"):
        chosen(parse_servers("a:h:1;b:h:3"), ["TPU"])


@pytest.mark.parametrize(
    ("wanted", "available", "shares"),
    [
        ([1, 8], [0, 1], [(1,), (0, 1)]),
        ([1], [0], [(0,)]),
        ([1, 2], [0, 1, 2, 3], [(3,), (1, 2)]),
        ([1, 8], range(16), [(15,), (7, 8, 9, 10, 11, 12, 13, 14)]),
    ],
)
def test_cores_are_shared_only_where_there_are_too_few(wanted, available, shares):
    assert share_out(wanted, available) == shares


def test_names_are_shown_as_files_are_without_what_is_no_text_or_turns_the_rest_round():
    infos = parse_servers("caf\udce9:h:1;8\tCPU\u202e:h:2;new\u00a0GPU:h:3;猫:h:4;👩\u200d🔬:h:5")
    assert [each.name for each in infos] == ["caf\ufffd", "8CPU", "new GPU", "猫", "👩\u200d🔬"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * 101 + ":h:1", "has a name of 101 characters; the limit is 100"),
        ("A over REST:h:3;A:h:1?rest=2", "has a name that ends with `over REST`"),
        ("caf\udce9:h:1;caf\udce8:h:2", "repeats the name `caf\ufffd`"),
        ("\u202e:h:1", "has a name without a visible character"),
        ("A:h:1?model=caf\udce9", "has the option `model` with characters that are not text"),
    ],
)
def test_names_that_cannot_be_shown_or_told_apart_are_refused(text, words):
    with pytest.raises(ConfigRefused) as caught:
        parse_servers(text)
    assert words in caught.value.message
