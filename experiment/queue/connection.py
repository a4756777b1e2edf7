"""Connections to Redis or Valkey, and what goes wrong with them in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    InvalidResponse,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)
from redis.retry import Retry

from common.checks import Expected
from experiment.errors import PixelcostError
from experiment.queue.records import DEFAULT_URL
from experiment.wording import one_line

ADDRESS: Final = "an address of Redis: host:port, redis://host:port/0, rediss://host:port or unix:///path"
CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0  # for one command; those that wait by themselves name a shorter time
MOST_CONNECTIONS: Final = 10_000  # as many as threads use the client at once; redis-py stops at 100
RETRIES: Final = 3  # after 0.1, 0.2 and 0.4 s: commands may be sent twice, so they are written to bear it


class QueueUnavailable(PixelcostError):
    """Redis can't be reached or can't be used as it is set. The message says what to do."""

    code = "queue_unavailable"
    http_status = 503


def redis_url(text: str) -> str:
    """A URL of what a person wrote: `localhost:6379` and `[::1]:6379` too. Raises Expected.

    >>> redis_url("localhost:6379")
    'redis://localhost:6379'
    """
    url = text.strip() or DEFAULT_URL
    if "://" not in url:
        url = f"redis://{url}"
    try:
        parts = urlsplit(url)
        is_tcp = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # odd brackets, or a port that is no number
        raise Expected(ADDRESS) from None
    if not is_tcp and not (parts.scheme == "unix" and parts.path):
        raise Expected(ADDRESS)
    return url


def place_of(url: str) -> str:
    """The address as people read it, without a password: "localhost:6379", "/run/redis.sock"."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or 6379}"


def connection(url: str, retries: int = RETRIES, answer_s: float = ANSWER_S) -> redis.Redis:
    """A client with a pool of connections, which connects at the first command. Answers are bytes."""
    return redis.Redis.from_url(
        url,
        retry=Retry(ExponentialBackoff(cap=2, base=0.1), retries),
        retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        socket_connect_timeout=CONNECT_S,
        socket_timeout=answer_s,
        health_check_interval=30,
        max_connections=MOST_CONNECTIONS,
        protocol=2,
    )


@contextmanager
def in_words(url: str) -> Iterator[None]:
    """Turn errors of Redis into QueueUnavailable with a sentence."""
    try:
        yield
    except RedisError as error:
        raise QueueUnavailable(sentence(error, url)) from error


def sentence(error: RedisError, url: str) -> str:
    """What an error of Redis means here, and what to do."""
    place, details = place_of(url), one_line(str(error), 200)
    if isinstance(error, InvalidResponse) and "unauthenticated" not in details:
        return f"What answers at {place} is not Redis."
    for kinds, beginning, words in _WORDS:
        if isinstance(error, kinds) and details.lower().startswith(beginning):
            return f"Redis at {place} {words}" + (f" ({details})" if words.endswith("?") else "")
    return f"Redis at {place} answered: {details}"


_SPACE = "Raise maxmemory, or wait until results expire."
_LOGIN = "refuses the password, or wants one. Write it into the URL: redis://:PASSWORD@host:port/0."
# Kind of error, how its text begins in lower case, what to say. The first row that fits counts.
_WORDS: tuple[tuple[type[RedisError], str, str], ...] = (
    (AuthenticationError, "", _LOGIN),
    (RedisError, "noauth", _LOGIN),
    (RedisError, "wrongpass", _LOGIN),
    (RedisError, "protocol error: unauthenticated", _LOGIN),  # instead of noauth, for a long command
    (RedisError, "noperm", "does not let this user do that. Ask for the command's permission."),
    (BusyLoadingError, "", "is loading its data. Try again in a few seconds."),
    (TimeoutError, "", "did not answer in time."),
    (ConnectionError, "", "can't be reached. Is it running there?"),
    (OutOfMemoryError, "", f"has no memory left (maxmemory). {_SPACE}"),
    (RedisError, "oom", f"has no memory left (maxmemory). {_SPACE}"),
    (ReadOnlyError, "", "is a read-only replica. Use the address of its primary."),
    (RedisError, "misconf", "can't write to its disk and refuses changes. Free disk space there."),
    (RedisError, "unknown command", "is too old: 6.2 or newer is needed."),
)
