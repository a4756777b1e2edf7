"""TF_SERVERS: the model servers, and which of them a plan names.

    name:host:port;name:host:port?rest=8501&model=resnet&price_per_hour=0.35;name:queue://host:6379/stream

IPv6 hosts are in brackets. A server with `rest=` is a second backend over REST. queue_address.py has the
queues. Addresses come from the configuration only, never from a request, and those of servers are a host and
a port: gRPC's own target schemes (unix:, xds:, dns:) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import parse_qsl

from common.checks import Expected, price, whole_text
from experiment.backends.queue_address import queue_url, without_login
from experiment.errors import ConfigRefused, PlanRefused
from experiment.file_names import printable
from experiment.queue.records import shown_address
from experiment.records import BackendInfo

OPTIONS = ("rest", "model", "signature", "input", "price_per_hour")
QUEUE_OPTIONS = ("stream", "db", "model", "price_per_hour")
REST_SUFFIX = " over REST"
LONGEST_NAME = 100  # characters; tables and plots show names

Value = TypeVar("Value")

_PORT = whole_text(1, 65535)
_ENTRY = re.compile(r"(?P<name>.*?[^:]):(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]+)")
_QUEUE = re.compile(r"(?P<name>.*?[^:]):(?P<scheme>queue(?:\+tls|\+unix)?)://(?P<rest>.*)", re.DOTALL)
_EXAMPLE = "GPU:tf-gpu:8500;8 CPU:tf-8cpu:8500"


def parse_servers(text: str, defaults: BackendInfo | None = None) -> list[BackendInfo]:
    """The backends in `text`, in its order; `defaults` has model, signature and input.

    Raises ConfigRefused with the problems of all entries at once.

    >>> [backend.address for backend in parse_servers("GPU:tf-gpu:8500?rest=8501")]
    ['tf-gpu:8500', 'tf-gpu:8501']
    """
    infos: list[BackendInfo] = []
    problems: list[str] = []
    entries = [entry.strip() for entry in text.split(";")]
    shown = without_login if "://" in text else str  # the name of a server may hold "@" too
    for number, entry in enumerate(entries, start=1):
        if not entry:
            continue
        try:
            infos += _parse_entry(entry, {info.name for info in infos}, defaults or BackendInfo(name=""))
        except ValueError as error:
            problems.append(f"entry {number} `{shown(entry)}` {error}")
    if not infos and not problems:
        problems.append(f"it has no server; write for example `{_EXAMPLE}`")
    if problems:
        raise ConfigRefused("TF_SERVERS", problems)
    return infos


def chosen(infos: Sequence[BackendInfo], names: Iterable[str] | None) -> list[BackendInfo]:
    """The backends that a plan names; if `names` is None, all but those over REST.

    Raises PlanRefused for an unknown name.
    """
    if names is None:
        return [info for info in infos if not info.name.endswith(REST_SUFFIX)]
    by_name = {info.name: info for info in infos}
    names = list(dict.fromkeys(names))
    unknown = [name for name in names if name not in by_name]
    if unknown:
        known = ", ".join(by_name) or "none"
        raise PlanRefused([f"There is no backend named {', '.join(unknown)}. The backends are: {known}."])
    return [by_name[name] for name in names]


def that_take_photos(infos: Sequence[BackendInfo]) -> list[BackendInfo]:
    """Those to measure; the report has the others with the reason. Raises PlanRefused if none is left."""
    taking = [info for info in infos if info.takes_photos]
    if infos and not taking:
        raise PlanRefused([f"{info.name} can't be measured: {info.detail}" for info in infos])
    return taking


def over_rest(info: BackendInfo, rest_address: str) -> BackendInfo:
    """The same server as a backend over REST."""
    return replace(
        info,
        name=info.name + REST_SUFFIX,
        protocol="rest",
        address=rest_address,
        decode_signature=None,  # over REST the pixels would come back as text
        detail="The same server over REST." if info.detail else "",
    )


def _parse_entry(entry: str, taken: set[str], defaults: BackendInfo) -> list[BackendInfo]:
    place, _, query = entry.partition("?")
    if queue := _QUEUE.fullmatch(place.strip()):
        return [_queue(queue, query, taken, defaults)]
    match = _ENTRY.fullmatch(place.strip())
    if match is None:
        raise ValueError(_what_is_missing(place))
    name, host = printable(match["name"]).strip(), match["host"]
    check_name(name, taken)
    options = _options(query, OPTIONS)
    info = replace(
        defaults,
        name=name,
        address=f"{host}:{_checked('port', match['port'], _PORT)}",
        model=options.get("model", defaults.model),
        signature=options.get("signature", defaults.signature),
        input_key=options.get("input", defaults.input_key),
        price_per_hour=_price(options),
    )
    if "rest" not in options:
        return [info]
    return [info, over_rest(info, f"{host}:{_checked('REST port', options['rest'], _PORT)}")]


def _queue(found: re.Match[str], query: str, taken: Collection[str], defaults: BackendInfo) -> BackendInfo:
    """A queue. Which model answers is what its workers say; `model=` is what they must say."""
    name = printable(found["name"]).strip()
    check_name(name, taken)
    if "@" in query:  # it may be the end of a password, so it is not named
        raise ValueError("has an @ after its ?; in a password write ? as %3F and ; as %3B")
    options = _options(query, QUEUE_OPTIONS)
    url = queue_url(found["scheme"], found["rest"], options)
    return replace(
        defaults,
        name=name,
        protocol="queue",
        address=shown_address(url),
        url=url,
        model=options.get("model", ""),
        signature="",
        input_key="",
        price_per_hour=_price(options),
    )


def _price(options: Mapping[str, str]) -> float | None:
    cost = options.get("price_per_hour")
    return None if cost is None else _checked("price_per_hour", cost, price)


def check_name(name: str, taken: Collection[str]) -> None:
    """Raises ValueError for a name that tables can't show or that is taken."""
    if not name:
        raise ValueError("has a name without a visible character")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"has a name of {len(name):,} characters; the limit is {LONGEST_NAME}")
    if name.endswith(REST_SUFFIX):
        raise ValueError(
            f"has a name that ends with `{REST_SUFFIX.strip()}`; the option rest= makes such a backend"
        )
    if name in taken:
        raise ValueError(f"repeats the name `{name}`")


def _what_is_missing(place: str) -> str:
    if re.search(":rediss?://|:unix://", place):
        return (
            "has a URL of Redis; write the queue in it as queue://host:6379/serving_stream, "
            "with TLS as queue+tls://, on a socket as queue+unix:///run/redis.sock?stream=serving_stream"
        )
    if "://" in place:
        return (
            "has a URL where host and port belong: gRPC has no scheme and no path, "
            f"so write name:host:port, for example `{_EXAMPLE.partition(';')[0]}`"
        )
    parts = place.split(":")
    if len(parts) < 3:
        return f"has no {'port' if len(parts) == 2 else 'host and port'}; write name:host:port"
    if place.count(":") > 3:
        return "is not name:host:port; an IPv6 host stands in brackets, like [::1]"
    _checked("port", parts[-1], _PORT)
    return f"has the host `{parts[-2]}`, which is not a host name or an address; write name:host:port"


def _options(query: str, known: Sequence[str]) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ValueError(f"has the unknown option `{unknown[0]}`; the options are {', '.join(known)}")
    odd = [key for key, value in options.items() if not value.isprintable()]
    if odd:
        raise ValueError(f"has the option `{odd[0]}` with characters that are not text")
    return options


def _checked(what: str, text: str, check: Callable[[str], Value]) -> Value:
    try:
        return check(text)
    except Expected as expected:
        raise ValueError(f"has the {what} `{text}`, which is not {expected}") from None
