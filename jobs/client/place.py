"""Where a client's queue is, from the arguments that Cluster Serving's clients take."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from common.checks import Expected
from experiment.errors import PixelcostError
from experiment.queue.connection import redis_url
from experiment.queue.keys import stream_name
from experiment.queue.records import QueueSettings, shown_address

HOST, PORT = "localhost", 6379


def is_http(host: str | None) -> bool:
    """Whether the first argument is a front end's URL: in some versions it was."""
    return bool(host) and str(host).startswith(("http://", "https://"))


def queue_at(
    host: str | None,
    port: int | str | None,
    name: str,
    ssl: bool | str = False,
    ssl_certfile: str | None = None,
    ssl_keyfile: str | None = None,
    ssl_ca_certs: str | None = None,
    password: str | None = None,
) -> QueueSettings:
    """The queue's settings. `host` may be a whole URL: "redis://:PASSWORD@host:6379/0".

    Raises PixelcostError.
    """
    url = host or HOST
    if "://" not in url:
        login = f":{quote(password, safe='')}@" if password else ""
        is_tls = str(ssl).lower() == "true"
        host_part = f"[{url}]" if ":" in url and not url.startswith("[") else url
        url = f"{'rediss' if is_tls else 'redis'}://{login}{host_part}:{port or PORT}/0"
        files = {"ssl_certfile": ssl_certfile, "ssl_keyfile": ssl_keyfile, "ssl_ca_certs": ssl_ca_certs}
        given = {key: value for key, value in files.items() if value}
        if is_tls and given:
            url += "?" + urlencode(given)
    try:
        address = redis_url(url)
    except Expected:
        raise PixelcostError(
            f"There can't be a Redis at {shown_address(url)}. "
            "Give a host and a port, or a whole URL as host: redis://host:6379/0.",
            "bad_input",
        ) from None
    try:
        return QueueSettings(address, stream_name(name))
    except Expected as problem:
        words = f"The name of the queue is {name!r}; expected is {problem}."
        raise PixelcostError(words, "bad_input") from None
