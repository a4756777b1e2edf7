"""Where an added server may be: spellings that hide an address, names that change what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

import pytest

from common.checks import Expected
from tests.support.added.names import Names
from webapp.allowed_addresses import ANYWHERE, NotAllowed, checked, parse_allowed

EVERYTHING = parse_allowed(ANYWHERE + ",*:*")


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
        *("255.255.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("[::]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[fd00:ec2::254]"),
        *("[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::ffff:0.0.0.0]"),
        *("[::169.254.169.254]", "[::a9fe:a9fe]", "[::ffff:0:a9fe:a9fe]"),
        *("[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[2001:0:a9fe:a9fe::1]", "[64:ff9b:1::7f00:1]"),
        *("[::127.0.0.1]", "[64:ff9b::7f00:1]"),
    ],
)
def test_metadata_multicast_and_disguised_addresses_are_refused_whatever_the_list_allows(address):
    with pytest.raises(NotAllowed):
        checked(f"{address}:8500", EVERYTHING)
    with pytest.raises(NotAllowed):  # also where a name leads to them
        checked("innocent.example:8500", EVERYTHING, Names([address.strip("[]")]))


@pytest.mark.parametrize(
    "address",
    [
        *(
            "2130706433:8500",
            "0x7f000001:8500",
            "0x7f.1:8500",
            "0177.0.0.1:8500",
            "127.1:8500",
            "127.0.1:8500",
        ),
        *(
            "127.0.0.1.:8500",
            "0:8500",
            "0x0:8500",
            "010.0.0.1:8500",
            "169.254.169.0xfe:8500",
            "1.2.3.4.5:8500",
        ),
        *("１２７.0.0.1:8500", "127。0。0。1:8500", "ⓛocalhost:8500"),
        *("[fe80::1%eth0]:8500", "[::1]", "::1:8500", "[::1:8500", "[127.0.0.1]:8500", "[gpu-box]:8500"),
        *(
            "http://gpu-box:8500",
            "dns:///gpu-box:8500",
            "unix:/run/docker.sock",
            "gpu-box:8500/v1",
            "a@b:8500",
        ),
        *("gpu-box:8500#x", "gpu-box:8500?x", "gpu box:8500", "gpu-box:8500\r\nHost: x", "gpu-box\x00:8500"),
        *("gpu-box", "gpu-box:", ":8500", "gpu-box:0", "gpu-box:65536", "gpu-box:-1", "gpu-box:8500,x:1", ""),
        "a" * 300 + ":8500",
    ],
)
def test_what_is_not_plainly_host_and_port_is_refused_before_any_look_up(address):
    names = Names(["127.0.0.1"])
    with pytest.raises(ValueError, match="must"):
        checked(address, EVERYTHING, names)
    assert names.asked == []


@pytest.mark.parametrize(
    ("allowed", "address", "means"),
    [
        ("10.0.0.0/8:8500", "10.1.2.3:8500", "10.1.2.3:8500"),
        ("10.0.0.0/8:8500", "[::ffff:10.1.2.3]:8500", "10.1.2.3:8500"),
        ("10.0.0.0/8", "10.1.2.3:8501", "10.1.2.3:8501"),
        ("[fd00:1::/32]:9000-9010", "[fd00:1::7]:9005", "[fd00:1::7]:9005"),
        ("127.0.0.1:*", "127.0.0.1:40001", "127.0.0.1:40001"),
        ("[::1]:*", "[0:0:0:0:0:0:0:1]:40001", "[::1]:40001"),
        ("*.example.org:8500", "TF-1.Example.org.:8500", "10.1.2.3:8500,10.1.2.4:8500"),
        ("10.1.0.0/16:8500; other", "tf.example.org:8500", "10.1.2.3:8500,10.1.2.4:8500"),
    ],
)
def test_an_allowed_address_becomes_those_to_connect_to(allowed, address, means):
    names = Names(["10.1.2.4", "10.1.2.3", "10.1.2.4"])
    assert checked(address, parse_allowed(allowed), names) == means


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("10.0.0.0/8:8500", "11.0.0.1:8500"),
        ("10.0.0.0/8:8500", "10.1.2.3:8501"),
        ("10.0.0.0/8", "10.1.2.3:6379"),
        ("10.0.0.0/8", "[::ffff:11.0.0.1]:8500"),
        ("*.example.org", "10.1.2.3:8500"),
        ("*.example.org", "example.org.evil.example:8500"),
        ("*.example.org:8500", "tf.example.org:22"),
        ("*", "10.1.2.3:8500"),
    ],
)
def test_what_the_list_can_not_allow_is_refused_without_a_look_up(allowed, address):
    names = Names(["10.1.2.3"])
    with pytest.raises(NotAllowed):
        checked(address, parse_allowed(allowed), names)
    assert names.asked == []


@pytest.mark.parametrize(
    ("allowed", "answer"),
    [
        ("10.0.0.0/8", ["10.1.2.3", "192.168.0.1"]),  # one of them is elsewhere
        ("10.0.0.0/8,[fd00::/8]", ["10.1.2.3", "2001:db8::1"]),  # also if the other family would be used
        ("*.example.org", ["127.0.0.1"]),  # a name never means this machine,
        ("*", ["::1"]),
        ("*.example.org", ["169.254.169.254"]),
        ("10.0.0.0/8", [f"10.0.0.{last}" for last in range(1, 40)]),  # a list to scan with
        ("10.0.0.0/8", []),
    ],
)
def test_every_address_of_a_name_must_be_allowed(allowed, answer):
    with pytest.raises(NotAllowed):
        checked("tf.example.org:8500", parse_allowed(allowed), Names(answer))


def test_this_machine_is_allowed_by_name_only_as_localhost():
    assert (
        checked("localhost:8500", parse_allowed("localhost"), Names(["::1", "127.0.0.1"])) == "127.0.0.1:8500"
    )


def test_a_look_up_that_takes_too_long_is_refused():
    never = Event()

    def hangs(host: str, port: int) -> Sequence[str]:
        never.wait(30)
        return ["10.1.2.3"]

    try:
        with pytest.raises(NotAllowed):
            checked("tf.example.org:8500", EVERYTHING, hangs, timeout_s=0.05)
    finally:
        never.set()


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/33",
        "10.0.0.1/8",
        "10.1:8500",
        "[fd00::/200]",
        "[tf]:8500",
        "tf:0",
        "tf:9-8",
        "tf:70000",
        "t_f/x",
        "a:b:c",
    ],
)
def test_a_list_with_a_mistake_is_refused_with_an_example(text):
    with pytest.raises(Expected, match=r"a list like `10\.1"):
        parse_allowed(text)
