"""Every setting of the gateway: the fields of `Settings`.

Each is an option of the command line too, by its field's name: `--redis_url`. An option counts above the
environment, that above the file .env, that above the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import experiment.settings
from common.checks import number, number_text, one_of_texts, whole_text
from experiment.queue.connection import redis_url
from experiment.queue.keys import DEFAULT_STREAM, stream_name
from experiment.queue.records import DEFAULT_URL, QueueSettings
from experiment.settings import BackendSettings, seconds, setting, unknown
from httpserver import parsers

PREFIX: Final = "PIXELCOST_GATEWAY_"
SPARE_THREADS: Final = 8  # that never wait for a job, so that others are answered


@dataclass(frozen=True, slots=True)
class Settings(BackendSettings):
    """The settings, parsed. `Settings()` holds the defaults."""

    tf_servers: str = setting(
        "TF_SERVERS", "", "Model servers for `/classify`, as `name:host:port;name:host:port`. Empty: none."
    )
    host: str = setting("PIXELCOST_HOST", "127.0.0.1", "Address to listen on; `0.0.0.0` for every interface.")
    port: int = setting("PORT", 4343, "Port of the gateway.", whole_text(1, 65535))
    frontend_port: int = setting(
        f"{PREFIX}FRONTEND_PORT",
        0,
        "Port of Cluster Serving's HTTP front end, there 10020. 0: none.",
        whole_text(0, 65535),
    )
    models_dir: str = setting(
        f"{PREFIX}MODELS_DIR", "", "Folder with a sub-folder for each model, which are served. Empty: none."
    )
    models_cache: str = setting(
        f"{PREFIX}MODELS_CACHE",
        "",
        "Folder for the converted models. Empty: `var/models-of-PORT`.",
    )
    redis_url: str = setting(
        f"{PREFIX}REDIS_URL", DEFAULT_URL, "Redis or Valkey with the queue: host:port or a URL.", redis_url
    )
    stream: str = setting(f"{PREFIX}STREAM", DEFAULT_STREAM, "Stream of the queue.", stream_name)
    most_jobs: int = setting(
        f"{PREFIX}MOST_JOBS",
        10_000,
        "Jobs that may wait or run; more get 429.",
        whole_text(1, 10_000_000),
        "jobs",
    )
    servables: str = setting(
        f"{PREFIX}SERVABLES",
        "",
        "Cluster Serving's servables-conf.yaml: models of its front end, a queue each.",
    )
    max_bytes: int = setting(
        "PIXELCOST_MAX_BYTES", 20_000_000, "Largest photo accepted.", whole_text(1_000, 10**9), "bytes"
    )
    max_pixels: int = setting(
        "PIXELCOST_MAX_PIXELS", 50_000_000, "Most pixels in a photo.", whole_text(1_000, 5 * 10**8), "pixels"
    )
    max_photos: int = setting(
        f"{PREFIX}MAX_PHOTOS", 32, "Most photos in one request.", whole_text(1, 1_000), "photos"
    )
    max_wait_s: float = setting(
        f"{PREFIX}MAX_WAIT", 60.0, "Longest wait for a job's end in one request.", seconds(0.1, 600), "s"
    )
    max_waiting: int = setting(
        f"{PREFIX}MAX_WAITING",
        96,
        "Requests that may wait for a job's end at a time; more get 429.",
        whole_text(1, 10_000),
        "requests",
    )
    threads: int = setting(
        f"{PREFIX}THREADS", 128, "Requests served in parallel.", whole_text(16, 10_000), "threads"
    )
    tokens_per_second: float = setting(
        f"{PREFIX}TOKENS_PER_SECOND",
        0.0,
        "Requests with work a second that are accepted, by each process; more get 429. 0: no limit.",
        number_text(number(0, 1e6, "a number")),
        "requests/s",
    )
    token_wait_s: float = setting(
        f"{PREFIX}TOKEN_WAIT",
        0.1,
        "Longest wait for a token before a request is refused.",
        seconds(0, 60),
        "s",
    )
    upload_timeout_s: float = setting(
        "PIXELCOST_UPLOAD_TIMEOUT",
        120.0,
        "Longest time to receive a request; slower than 20 kB/s it is given up after 5 s.",
        seconds(1, 3600),
        "s",
    )
    token: str = setting(
        "PIXELCOST_TOKEN", "", "Shared token that a client must send. Empty: none.", parsers.token
    )
    token_in_file: str = setting(
        "PIXELCOST_TOKEN_FILE", "", "File that holds the token instead.", parsers.token_in_file
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
        "Host names that it answers to, besides addresses and `localhost`.",
        parsers.host_names,
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
    def shared_token(self) -> str:
        """The token that a client must send; empty: none."""
        return self.token or self.token_in_file

    @property
    def cache(self) -> Path:
        """The folder for converted models."""
        return Path(self.models_cache or f"var/models-of-{self.port}")

    @property
    def queue(self) -> QueueSettings:
        """The queue that jobs go to."""
        return QueueSettings(self.redis_url, self.stream, most_jobs=self.most_jobs)


def keys() -> dict[str, str]:
    """Field, which is also the option's name -> key in the environment."""
    return {field.name: field.metadata["key"] for field in fields(Settings)}


def read_settings(environ: Mapping[str, str] | None = None, dotenv: str | Path | None = ".env") -> Settings:
    """Settings from the environment, above those in the file `dotenv`, above the defaults.

    Raises ConfigRefused with every bad key and value at once.
    """
    return experiment.settings.read_settings(
        Settings, environ, dotenv, lambda environ, settings: list(_problems(environ, settings))
    )


def _problems(environ: Mapping[str, str], settings: Settings) -> Iterator[str]:
    yield from unknown(environ, list(keys().values()), PREFIX)
    if settings.token and settings.token_in_file and settings.token != settings.token_in_file:
        yield "PIXELCOST_TOKEN and the file of PIXELCOST_TOKEN_FILE differ: leave one out"
    if settings.frontend_port == settings.port:
        yield f"the front end and the gateway can't both listen on port {settings.port}"
    if settings.max_waiting > settings.threads - SPARE_THREADS:
        yield (
            f"{settings.max_waiting} requests may wait, but there are {settings.threads} threads, of which "
            f"{SPARE_THREADS} must stay free: raise {PREFIX}THREADS or lower {PREFIX}MAX_WAITING"
        )
