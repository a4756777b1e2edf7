"""TF_SERVERS: what is accepted, and what the messages say when it is not."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from experiment.backends.addresses import chosen, parse_servers
from experiment.backends.queue_address import queue_settings
from experiment.codec import to_dict
from experiment.embedded.cores import share_out
from experiment.errors import ConfigRefused, PlanRefused
from experiment.records import BackendInfo
from experiment.settings import SharedSettings, read_settings


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


@pytest.mark.parametrize(
    ("text", "address", "redis_url", "stream"),
    [
        ("queue://host:6379/cats", "queue://host:6379/cats", "redis://host:6379/0", "cats"),
        ("queue://host", "queue://host:6379/serving_stream", "redis://host:6379/0", "serving_stream"),
        ("queue://host/cats?db=2", "queue://host:6379/cats?db=2", "redis://host:6379/2", "cats"),
        ("queue://[::1]:7000?stream=a:b", "queue://[::1]:7000/a%3Ab", "redis://[::1]:7000/0", "a:b"),
        ("queue+tls://host/cats", "queue+tls://host:6379/cats", "rediss://host:6379/0", "cats"),
        (
            "queue+unix:///run/r.sock?stream=cats&db=1",
            "queue+unix:///run/r.sock?stream=cats&db=1",
            "unix:///run/r.sock?db=1",
            "cats",
        ),
    ],
)
def test_a_queue_is_read(text, address, redis_url, stream):
    [info] = parse_servers(f"a queue: Redis:{text}", BackendInfo(name="", model="lite"))
    assert (info.name, info.protocol, info.address) == ("a queue: Redis", "queue", address)
    assert (info.model, info.signature) == ("", ""), "its workers say which model they serve"
    settings = queue_settings(info.url)
    assert (settings.url, settings.stream) == (redis_url, stream)
    assert queue_settings(info.address) == settings, "without a password the two are the same"


def test_a_queue_stands_between_servers_and_has_a_model_and_a_price():
    infos = parse_servers(
        "8 CPU:host:8500?rest=8501;Queued:queue://host/cats?model=lite&price_per_hour=0.2;GPU:b:1"
    )
    assert [info.name for info in infos] == ["8 CPU", "8 CPU over REST", "Queued", "GPU"]
    assert (infos[2].model, infos[2].price_per_hour) == ("lite", 0.2)
    assert [info.name for info in chosen(infos, None)] == ["8 CPU", "Queued", "GPU"]


@pytest.mark.parametrize(
    "login", [":s3cret", "user:s3cret", "us%40er:s3%2Fcret", ":s3/cret", ":s3cret@2", "s3cret:s3cret"]
)
def test_a_password_is_used_and_not_shown(login):
    [info] = parse_servers(f"Queued:queue://{login}@host:6379/cats?db=1")
    assert info.address == "queue://host:6379/cats?db=1"
    assert "cret" not in repr(info)
    assert "cret" not in str(to_dict(info))
    used = redis.Redis.from_url(queue_settings(info.url).url).connection_pool.connection_kwargs
    user, _, password = login.partition(":")
    assert (used["host"], used["db"], used["password"]) == ("host", 1, unquote(password))
    assert used.get("username", "") == unquote(user)


@pytest.mark.parametrize(
    "entry",
    [
        "Queued:queue://:s3cret@host:x/cats",
        "Queued:queue://:s3cret@ho st/cats",
        "Queued:queue://:s3;cret@host/cats",  # ";" must be written %3B
        "Queued:queue://user:s3cret",
        "Queued:queue://:s3cret",
        "Queued:queue://:s3?cret@host/cats",  # "?" must be written %3F
        "Queued:redis://:s3cret@host:6379/0",
        "Queued:rediss://:s3cret@host:6379/0",
        "Queued:http://user:s3cret@host:6379/0",
        "Queued:queue+unix://:s3cret@run/redis.sock",
        "Queued:queue://:s3cret@host/cats?colour=red",
        "queue://:s3cret@host/cats",
    ],
)
def test_no_message_shows_a_password(entry):
    with pytest.raises(ConfigRefused) as caught:
        parse_servers(entry)
    assert "cret" not in caught.value.message
    with pytest.raises(ConfigRefused) as caught:
        read_settings(SharedSettings, {"TF_SERVERS": entry}, dotenv=None)
    assert "cret" not in caught.value.message


def test_a_message_names_the_entry_without_its_login():
    with pytest.raises(ConfigRefused, match=r"entry 1 `Queued:queue://…@host:x/cats` has a port that is not"):
        parse_servers("Queued:queue://:s3cret@host:x/cats")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("queue://", "has no host; write queue://host:6379/serving_stream"),
        ("queue://ho st/cats", "has no host; write queue://host:6379/serving_stream"),
        ("queue://host:0/cats", "has a port that is not a whole number from 1 to 65535"),
        ("queue://host:6379/0", "has the stream `0`; the number of a database goes after ?, as ?db=0"),
        ("queue://host/a b", "has the stream `a b`, which is not the name of a stream: 1 to 100 characters"),
        ("queue://host/cats/dogs{", "which is not the name of a stream"),
        ("queue://host/cats?stream=dogs", "names its stream twice"),
        ("queue://host/cats?db=-1", "has the database `-1`, which is not a whole number from 0 to 99999"),
        (
            "queue://host/cats?rest=1",
            "unknown option `rest`; the options are stream, db, model, price_per_hour",
        ),
        (
            "queue+unix://redis.sock",
            "has no path of a socket; write queue+unix:///run/redis.sock?stream=NAME",
        ),
        ("queue+ssl://host/cats", "has a URL where host and port belong"),
        (
            "redis://host:6379/0",
            "has a URL of Redis; write the queue in it as queue://host:6379/serving_stream",
        ),
        ("unix:///run/redis.sock", "has a URL of Redis"),
    ],
)
def test_each_mistake_of_a_queue_has_its_sentence(text, words):
    with pytest.raises(ConfigRefused) as caught:
        parse_servers(f"Queued:{text}")
    assert words in caught.value.message


@given(st.text(max_size=40))
def test_any_text_of_a_queue_is_either_read_or_refused_in_words(text):
    try:
        parse_servers(f"Queued:queue://{text}")
    except ConfigRefused as refused:
        assert refused.problems
