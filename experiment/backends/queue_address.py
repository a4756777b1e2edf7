"""The address of a queue in TF_SERVERS: which Redis, which stream.

    queue://host:6379/serving_stream            queue+tls://user:password@host:6379/serving_stream?db=1
    queue+unix:///run/redis.sock?stream=serving_stream

The password stays in BackendInfo.url, which is never written; everything that is shown is made of
BackendInfo.address, which has none.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from common.checks import Expected, whole_text
from experiment.queue.keys import DEFAULT_STREAM, stream_name
from experiment.queue.records import QueueSettings

SCHEMES: Final = {"queue": "redis", "queue+tls": "rediss", "queue+unix": "unix"}  # ours -> redis-py's
REDIS_PORT: Final = 6379

_port = whole_text(1, 65535)
_database = whole_text(0, 99_999)
_PLACE = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>.*))?")
_PLAIN = re.compile(rf"({_PLACE.pattern.replace('.*', '[0-9]*')})?(/.*)?")


def without_login(entry: str) -> str:
    """An entry of TF_SERVERS for a message. Of one that can't be read nobody knows where its password ends,
    so rather too much is left out.

    >>> without_login("Queued:queue://:secret@host:x/stream")
    'Queued:queue://…@host:x/stream'
    """
    name, mark, rest = entry.partition("://")
    if "@" in entry:
        return f"{name}://…@{rest.rpartition('@')[2]}" if mark else f"…@{entry.rpartition('@')[2]}"
    return entry if not mark or _PLAIN.fullmatch(rest.partition("?")[0]) else f"{name}://…"


def queue_url(scheme: str, rest: str, options: dict[str, str]) -> str:
    """The whole address of a queue, from what follows `scheme://`, and from the options `db` and `stream`,
    which are taken out of `options`. Raises ValueError with what goes on after "entry 2"; it names no part of
    `rest` that could be of a password.

    >>> queue_url("queue", "host/serving_stream", {})
    'queue://host:6379/serving_stream'
    """
    login, at, after = rest.rpartition("@")
    user, colon, password = login.partition(":")
    login = quote(unquote(user), safe="") + colon + quote(unquote(password), safe="") + at
    database = _database_number(options.pop("db", "0"))
    query = {"db": str(database)} if database else {}
    if scheme == "queue+unix":
        if not after.startswith("/") or not after.isprintable():
            raise ValueError("has no path of a socket; write queue+unix:///run/redis.sock?stream=NAME")
        stream = _stream(options.pop("stream", DEFAULT_STREAM))
        return f"{scheme}://{login}{after}?{_query({'stream': stream, **query})}"
    place, _, path = after.partition("/")
    found = _PLACE.fullmatch(place)
    if found is None:
        raise ValueError(f"has no host; write {scheme}://host:{REDIS_PORT}/{DEFAULT_STREAM}")
    try:
        port = _port(found["port"] or str(REDIS_PORT))
    except Expected as expected:
        raise ValueError(f"has a port that is not {expected}") from None
    if "stream" in options and path:
        raise ValueError("names its stream twice, in the path and as stream=")
    stream = _stream(options.pop("stream", unquote(path) or DEFAULT_STREAM))
    address = f"{scheme}://{login}{found['host']}:{port}/{quote(stream, safe='')}"
    return f"{address}?{_query(query)}" if query else address


def queue_settings(url: str) -> QueueSettings:
    """The queue at an address that queue_url() made."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    scheme, database = SCHEMES[parts.scheme], options.get("db", "0")
    if scheme == "unix":
        return QueueSettings(f"unix://{parts.netloc}{parts.path}?db={database}", options["stream"])
    return QueueSettings(f"{scheme}://{parts.netloc}/{database}", unquote(parts.path[1:]))


def _query(options: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())


def _database_number(text: str) -> int:
    try:
        return _database(text)
    except Expected as expected:
        raise ValueError(f"has the database `{text}`, which is not {expected}") from None


def _stream(text: str) -> str:
    if text.isdecimal():
        raise ValueError(f"has the stream `{text}`; the number of a database goes after ?, as ?db={text}")
    try:
        return stream_name(text)
    except Expected as expected:
        raise ValueError(f"has the stream `{text[:100]}`, which is not {expected}") from None
