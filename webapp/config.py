"""Every setting of the web app: the fields of `Settings`, including those of `experiment/settings.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import URL

import experiment.settings
from common.addresses import is_loopback
from common.checks import Expected, one_of_texts, whole_text
from experiment.settings import SharedSettings, seconds, setting, unknown
from httpserver import parsers
from webapp.allowed_addresses import EXAMPLE, allowed_text

PREFIX = "PIXELCOST_"
OTHERS = ("PIXELCOST_TEST_", "PIXELCOST_GATEWAY_")  # settings of the tests and of the gateway
PHOTOS_WORTH = 5  # the original, and four times as much for its copies: PNG and RGBA are large


class Row(NamedTuple):
    """One setting, as docs/settings.md shows it."""

    key: str
    default: Any
    unit: str
    help: str


def _database_url(text: str) -> str:
    """A PostgreSQL URL with psycopg 3 as its driver, or an SQLite URL unchanged."""
    scheme, _, rest = text.strip().partition("://")
    if scheme in {"postgres", "postgresql", "postgresql+psycopg"} and rest:
        return f"postgresql+psycopg://{rest}"
    if text.strip() and (scheme != "sqlite" or rest in {"", "/", "/:memory:"}):  # the last three are no file
        raise Expected("postgresql://user:password@host/name or sqlite:///file")
    return text.strip()


@dataclass(frozen=True, slots=True)
class Settings(SharedSettings):
    """The settings, parsed. `Settings()` holds the defaults."""

    database_url: str = setting(
        "DATABASE_URL",
        "",
        "Where runs are kept: `postgresql://…` or `sqlite:///…`. Empty: SQLite in the data folder.",
        _database_url,
    )
    host: str = setting(
        "PIXELCOST_HOST",
        "127.0.0.1",
        "Address to listen on; `0.0.0.0` for every interface, as in a container, or `::` with IPv6 too.",
    )
    port: int = setting("PORT", 30501, "Port of the page.", whole_text(1, 65535))
    embedded_state: str = setting(
        "PIXELCOST_EMBEDDED_STATE",
        "",
        "File in which the supervisor keeps the state of the embedded backends; set by `python -m webapp`.",
    )
    max_bytes: int = setting(
        "PIXELCOST_MAX_BYTES", 20_000_000, "Largest photo accepted.", whole_text(1_000, 10**9), "bytes"
    )
    max_pixels: int = setting(
        "PIXELCOST_MAX_PIXELS", 50_000_000, "Most pixels in a photo.", whole_text(1_000, 5 * 10**8), "pixels"
    )
    max_photos: int = setting(
        "PIXELCOST_MAX_PHOTOS", 1_000, "Most photos in one set.", whole_text(2, 100_000), "photos"
    )
    max_set_bytes: int = setting(
        "PIXELCOST_MAX_SET_BYTES",
        500_000_000,
        "Largest photo set, in total.",
        whole_text(1_000, 10**11),
        "bytes",
    )
    max_requests: int = setting(
        "PIXELCOST_MAX_REQUESTS", 20_000, "Most requests of one run.", whole_text(1, 1_000_000), "requests"
    )
    max_run_s: float = setting(
        "PIXELCOST_MAX_RUN", 1800.0, "Longest run; its results so far are kept.", seconds(1, 1e6), "s"
    )
    read_timeout_s: float = setting(
        "PIXELCOST_READ_TIMEOUT", 20.0, "Longest time to decode a photo.", seconds(0.1, 600), "s"
    )
    upload_timeout_s: float = setting(
        "PIXELCOST_UPLOAD_TIMEOUT",
        120.0,
        "Longest time to receive a photo; slower than 20 kB/s it is given up after 5 s.",
        seconds(1, 3600),
        "s",
    )
    runs_at_once: int = setting(
        "PIXELCOST_RUNS_AT_ONCE",
        1,
        "Runs that measure at the same time. Above 1 they slow each other.",
        whole_text(1, 64),
        "runs",
    )
    queue_length: int = setting(
        "PIXELCOST_QUEUE_LENGTH", 4, "Runs that may wait; more get 429.", whole_text(0, 1000), "runs"
    )
    keep_runs: int = setting(
        "PIXELCOST_KEEP_RUNS", 200, "Finished runs that are kept.", whole_text(1, 1_000_000), "runs"
    )
    keep_bytes: int = setting(
        "PIXELCOST_KEEP_BYTES",
        2_000_000_000,
        "Size of all runs that are kept; the oldest go first.",
        whole_text(1_000_000, 10**15),
        "bytes",
    )
    threads: int = setting(
        "PIXELCOST_THREADS", 32, "Requests served in parallel.", whole_text(4, 1000), "threads"
    )
    max_streams: int = setting(
        "PIXELCOST_MAX_STREAMS",
        16,
        "Most open event streams, at most half of the threads; others get the events so far and reconnect.",
        whole_text(0, 1000),
        "streams",
    )
    probe_every_s: float = setting(
        "PIXELCOST_PROBE_EVERY",
        5.0,
        "Interval between health checks of the backends, while nothing is measured.",
        seconds(0.1, 3600),
        "s",
    )
    token: str = setting(
        "PIXELCOST_TOKEN",
        "",
        "Shared token for the page and the API (SECURITY.md). Empty: no token is needed.",
        parsers.token,
    )
    token_in_file: str = setting(
        "PIXELCOST_TOKEN_FILE",
        "",
        "File that holds the token instead, as Docker and Kubernetes give secrets.",
        parsers.token_in_file,
    )
    trust_proxy: int = setting(
        "PIXELCOST_TRUST_PROXY",
        0,
        "Proxies in front whose X-Forwarded-For, -Proto, -Host and -Prefix are believed.",
        whole_text(0, 10),
        "proxies",
    )
    allowed_hosts: str = setting(
        "PIXELCOST_ALLOWED_HOSTS",
        "",
        "Host names that the app answers to, besides addresses and `localhost`; see below.",
        parsers.host_names,
    )
    add_servers: str = setting(
        "PIXELCOST_ADD_SERVERS",
        "auto",
        "Whether servers and models can be added on the page: `on`, `off`, or `auto`: on if only this "
        "machine can reach the app.",
        one_of_texts("auto", "on", "off"),
    )
    add_servers_allowed: str = setting(
        "PIXELCOST_ADD_SERVERS_ALLOWED",
        "",
        "Where servers added on the page may be, as `10.1.0.0/16:8500,tf-*.example.org` (SECURITY.md). "
        "Empty: anywhere that this machine reaches.",
        allowed_text,
    )
    log_format: str = setting(
        "PIXELCOST_LOG_FORMAT", "json", "`json` or `text`.", one_of_texts("json", "text")
    )
    log_level: str = setting(
        "PIXELCOST_LOG_LEVEL",
        "info",
        "`debug`, `info`, `warning` or `error`.",
        one_of_texts("debug", "info", "warning", "error"),
    )

    @property
    def max_with_variants_bytes(self) -> int:
        """The limit of a photo and all variants that a browser made of it, together."""
        return PHOTOS_WORTH * self.max_bytes

    @property
    def is_for_this_machine(self) -> bool:
        """Whether only this machine can reach the app: it listens here only, and no proxy is in front."""
        return is_loopback(self.host) and not self.trust_proxy

    @property
    def can_add_servers(self) -> bool:
        """Whether somebody may add servers and models on the page."""
        return self.add_servers == "on" or (self.add_servers == "auto" and self.is_for_this_machine)

    @property
    def uploads_at_once(self) -> int:
        """Uploads that may arrive at the same time."""
        return max(2, self.threads // 4 + 1)

    @property
    def most_data_bytes(self) -> int:
        """The most that runs and uploads take in the data folder.

        Each run that measures or waits may be a set, and so may each upload under way.
        """
        sets = self.runs_at_once + self.queue_length + self.uploads_at_once
        return self.keep_bytes + sets * self.max_set_bytes

    @property
    def uploads_dir(self) -> Path:
        """The folder for files of uploads; those of a photo set stay until it is measured."""
        return Path(self.data_dir) / "uploads"

    @property
    def shared_token(self) -> str:
        """The token that a client must send; empty: none."""
        return self.token or self.token_in_file

    @property
    def store_url(self) -> str:
        """The URL of the database, for SQLAlchemy."""
        if self.database_url:
            return self.database_url
        return sqlite_url(Path(self.data_dir) / "pixelcost.db")


def sqlite_url(path: Path) -> str:
    """The URL of a database in this file, whose name may hold what means something in a URL."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string()


def rows() -> list[Row]:
    """The settings in the order of the table."""
    return [
        Row(field.metadata["key"], field.default, field.metadata["unit"], field.metadata["help"])
        for field in fields(Settings)
    ]


def read_settings(environ: Mapping[str, str] | None = None, dotenv: str | Path | None = ".env") -> Settings:
    """Settings from the environment, above those in the file `dotenv`, above the defaults.

    Raises ConfigRefused with every bad key and value at once.
    """
    return experiment.settings.read_settings(Settings, environ, dotenv, _problems)


def _problems(environ: Mapping[str, str], settings: Settings) -> list[str]:
    own = {key: text for key, text in environ.items() if not key.startswith(OTHERS)}
    problems = list(unknown(own, [row.key for row in rows()], PREFIX))
    if settings.token and settings.token_in_file and settings.token != settings.token_in_file:
        problems.append("PIXELCOST_TOKEN and the file of PIXELCOST_TOKEN_FILE differ: leave one out")
    if settings.can_add_servers and not settings.is_for_this_machine and not settings.add_servers_allowed:
        problems.append(
            "PIXELCOST_ADD_SERVERS=on lets everybody who reaches this app send requests into its network: "
            f"name the addresses in PIXELCOST_ADD_SERVERS_ALLOWED, for example {EXAMPLE}"
        )
    return problems
