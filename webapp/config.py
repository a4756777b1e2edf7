"""Every setting of the web app, in one table: the fields of `Settings`.

A row holds the name in the environment, the default, the unit, one sentence of help
and the parser. All problems are reported at once, each with its key and value.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from dotenv import dotenv_values
from sqlalchemy import URL

from experiment.embedded_plan import parse_embedded
from experiment.errors import ConfigRefused
from experiment.records import BackendInfo
from experiment.servers import parse_servers

PREFIX = "PIXELCOST_"
TEST_PREFIX = "PIXELCOST_TEST_"  # settings of the tests, not of the app
SECRETS = {"DATABASE_URL", "PIXELCOST_TOKEN"}  # never shown


class Row(NamedTuple):
    """One setting, as the README's table shows it."""

    key: str
    default: Any
    unit: str
    help: str


def _text(text: str) -> str:
    return text.strip()


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if text.strip().lstrip("+-").isdigit() else None
        if number is None or not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise ValueError(f"a number of seconds from {low:g} to {high:g}")
        return number

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.strip().lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text.strip().lower()

    return parse


def _database_url(text: str) -> str:
    """PostgreSQL in any of its spellings, by psycopg 3; SQLite as it is."""
    scheme, separator, rest = text.strip().partition("://")
    if scheme in {"postgres", "postgresql", "postgresql+psycopg"} and rest:
        return f"postgresql+psycopg://{rest}"
    if text.strip() and (scheme != "sqlite" or not separator):
        raise ValueError("postgresql://user:password@host/name or sqlite:///file")
    return text.strip()


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,}", text.strip()):
        raise ValueError("16 or more characters without spaces, as `openssl rand -hex 24` makes them")
    return text.strip()


def _token_in_file(text: str) -> str:
    try:
        return _token(Path(text.strip()).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"a file that can be read ({error.__class__.__name__})") from error


def _row(key: str, default: Any, unit: str, help_: str, parse: Callable[[str], Any]) -> Any:
    return field(default=default, metadata={"key": key, "unit": unit, "help": help_, "parse": parse})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, parsed. `Settings()` holds the defaults."""

    tf_servers: str = _row(
        "TF_SERVERS",
        "",
        "",
        "Model servers as `name:host:port;name:host:port`, with options after `?`: `rest=8501`, `model=`, "
        "`price_per_hour=`. Empty: the embedded backends are started.",
        _text,
    )
    embedded: str = _row(
        "PIXELCOST_EMBEDDED",
        "",
        "",
        "Which embedded backends, as `1 CPU:cpus=1;bf16:cpus=1,runtime=openvino,precision=bf16`; also "
        "`device=`, `isa=`, `replicas=`, `model=`, `price_per_hour=`. Empty: a GPU if there, 1 CPU, 8 CPU.",
        _text,
    )
    model_name: str = _row("MODEL_NAME", "inception", "", "Name of the model on the servers.", _text)
    model_signature_name: str = _row(
        "MODEL_SIGNATURE_NAME", "predict_images", "", "Signature that takes encoded images.", _text
    )
    model_input_key: str = _row("MODEL_INPUT_KEY", "images", "", "Input of that signature.", _text)
    model_base_path: str = _row(
        "MODEL_BASE_PATH",
        "",
        "",
        "Folder of a SavedModel (`<folder>/<version>/`) for the embedded backends. Empty: see `MODEL`.",
        _text,
    )
    model: str = _row(
        "MODEL",
        "",
        "",
        "Model for the embedded backends, a name of `python -m models list`, as `demo`. Empty: "
        "`inception-v3`, or the demo model where it can't be downloaded.",
        _text,
    )
    weights_url: str = _row(
        "PIXELCOST_WEIGHTS_URL",
        "",
        "",
        "Mirror to download models' weights from, in place of where Keras publishes them.",
        _text,
    )
    tf_request_timeout_s: float = _row(
        "TF_REQUEST_TIMEOUT",
        60.0,
        "s",
        "Longest wait for one answer, unless the plan says otherwise.",
        _seconds(0.1, 600),
    )
    database_url: str = _row(
        "DATABASE_URL",
        "",
        "",
        "Where runs are kept: `postgresql://…` or `sqlite:///…`. Empty: SQLite in the data folder.",
        _database_url,
    )
    host: str = _row(
        "PIXELCOST_HOST",
        "127.0.0.1",
        "",
        "Address to listen on; `0.0.0.0` for every interface, as in a container.",
        _text,
    )
    port: int = _row("PORT", 30501, "", "Port of the page.", _whole(0, 65535))
    data_dir: str = _row("PIXELCOST_DATA_DIR", "var", "", "Folder for the database and models.", _text)
    embedded_state: str = _row(
        "PIXELCOST_EMBEDDED_STATE",
        "",
        "",
        "File in which the supervisor keeps the state of the embedded backends; set by `python -m webapp`.",
        _text,
    )
    max_bytes: int = _row(
        "PIXELCOST_MAX_BYTES", 20_000_000, "bytes", "Largest photo accepted.", _whole(1_000, 1_000_000_000)
    )
    max_pixels: int = _row(
        "PIXELCOST_MAX_PIXELS",
        50_000_000,
        "pixels",
        "Most pixels a photo may have.",
        _whole(1_000, 500_000_000),
    )
    max_photos: int = _row(
        "PIXELCOST_MAX_PHOTOS", 1_000, "photos", "Most photos in one set.", _whole(2, 100_000)
    )
    max_set_bytes: int = _row(
        "PIXELCOST_MAX_SET_BYTES",
        500_000_000,
        "bytes",
        "Largest set of photos accepted, all of them together.",
        _whole(1_000, 100_000_000_000),
    )
    max_requests: int = _row(
        "PIXELCOST_MAX_REQUESTS", 20_000, "requests", "Most requests one run may plan.", _whole(1, 1_000_000)
    )
    max_run_s: float = _row(
        "PIXELCOST_MAX_RUN",
        1800.0,
        "s",
        "A run that takes longer is stopped; its results stay.",
        _seconds(1, 1e6),
    )
    read_timeout_s: float = _row(
        "PIXELCOST_READ_TIMEOUT", 20.0, "s", "Longest time to decode a photo.", _seconds(0.1, 600)
    )
    upload_timeout_s: float = _row(
        "PIXELCOST_UPLOAD_TIMEOUT", 120.0, "s", "Longest time to receive a photo.", _seconds(1, 3600)
    )
    runs_at_once: int = _row(
        "PIXELCOST_RUNS_AT_ONCE",
        1,
        "runs",
        "Runs that measure at the same time. Above 1 they slow each other.",
        _whole(1, 64),
    )
    queue_length: int = _row(
        "PIXELCOST_QUEUE_LENGTH",
        4,
        "runs",
        "Runs that may wait; further ones are answered 429.",
        _whole(0, 1000),
    )
    keep_runs: int = _row(
        "PIXELCOST_KEEP_RUNS", 200, "runs", "Finished runs that are kept.", _whole(1, 1_000_000)
    )
    keep_bytes: int = _row(
        "PIXELCOST_KEEP_BYTES",
        2_000_000_000,
        "bytes",
        "Size of all runs that are kept; the oldest go first.",
        _whole(1_000_000, 10**15),
    )
    threads: int = _row(
        "PIXELCOST_THREADS", 32, "threads", "Requests that the web process serves at once.", _whole(4, 1000)
    )
    max_streams: int = _row(
        "PIXELCOST_MAX_STREAMS",
        16,
        "streams",
        "Event streams held open; further ones get what there is and come again.",
        _whole(0, 1000),
    )
    probe_every_s: float = _row(
        "PIXELCOST_PROBE_EVERY",
        5.0,
        "s",
        "How often the backends are asked how they are, while nothing is measured.",
        _seconds(0.1, 3600),
    )
    token: str = _row(
        "PIXELCOST_TOKEN",
        "",
        "",
        "Shared token that the page and the API then ask for: `Authorization: Bearer TOKEN`. Empty: anybody "
        "who reaches the port may use the app.",
        _token,
    )
    token_in_file: str = _row(
        "PIXELCOST_TOKEN_FILE",
        "",
        "",
        "File that holds the token instead, as Docker and Kubernetes give secrets.",
        _token_in_file,
    )
    trust_proxy: int = _row(
        "PIXELCOST_TRUST_PROXY",
        0,
        "proxies",
        "Proxies in front whose X-Forwarded-For, -Proto, -Host and -Prefix are believed.",
        _whole(0, 10),
    )
    log_format: str = _row("PIXELCOST_LOG_FORMAT", "json", "", "`json` or `text`.", _one_of("json", "text"))
    log_level: str = _row(
        "PIXELCOST_LOG_LEVEL",
        "info",
        "",
        "`debug`, `info`, `warning` or `error`.",
        _one_of("debug", "info", "warning", "error"),
    )

    @property
    def uploads_dir(self) -> Path:
        """Where the photos of a set lie while it is measured."""
        return Path(self.data_dir) / "uploads"

    @property
    def shared_token(self) -> str:
        """What a caller must know; empty: nothing."""
        return self.token or self.token_in_file

    @property
    def store_url(self) -> str:
        """Where runs are kept, as SQLAlchemy wants it."""
        if self.database_url:
            return self.database_url
        path = str(Path(self.data_dir).absolute() / "pixelcost.db")  # may hold what means something in a URL
        return URL.create("sqlite", database=path).render_as_string()

    @property
    def backend_defaults(self) -> BackendInfo:
        """What every server of TF_SERVERS has unless its entry says otherwise."""
        return BackendInfo("", "grpc", "", self.model_name, self.model_signature_name, self.model_input_key)


def rows() -> list[Row]:
    """The settings in the order of the table."""
    return [
        Row(each.metadata["key"], each.default, each.metadata["unit"], each.metadata["help"])
        for each in fields(Settings)
    ]


def read_settings(environ: Mapping[str, str] | None = None, dotenv: str | Path | None = ".env") -> Settings:
    """Settings from the environment, above those in the file `dotenv`, above the defaults.

    Raises ConfigRefused with every bad key and value at once.
    """
    environ = {**_from_file(dotenv), **(os.environ if environ is None else environ)}
    problems = list(_unknown(environ))
    values: dict[str, Any] = {}
    for each in fields(Settings):
        key, text = each.metadata["key"], environ.get(each.metadata["key"], "")
        if not text.strip() and not (text and key == "PIXELCOST_TOKEN"):  # a blank one must not open it
            continue
        try:
            values[each.name] = each.metadata["parse"](text)
        except ValueError as expected:
            problems.append(f"{key}={_shown(key, text)} is not {expected}")
    settings = Settings(**values)
    problems += _server_problems(settings)
    if settings.token and settings.token_in_file and settings.token != settings.token_in_file:
        problems.append("PIXELCOST_TOKEN and the file of PIXELCOST_TOKEN_FILE differ: leave one out")
    if problems:
        raise ConfigRefused("The configuration", problems)
    return settings


def _from_file(dotenv: str | Path | None) -> dict[str, str]:
    found = dotenv_values(dotenv) if dotenv is not None else {}
    return {key: value for key, value in found.items() if value is not None}


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    known = [row.key for row in rows()]
    for key in environ:
        if key.startswith(PREFIX) and not key.startswith(TEST_PREFIX) and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            yield f"{key} is no setting" + (f" (do you mean {near[0]}?)" if near else "")


def _shown(key: str, text: str) -> str:
    """The value as messages may show it: a database URL can hold a password."""
    return "(hidden)" if key in SECRETS else repr(text)


def _server_problems(settings: Settings) -> Iterator[str]:
    """What is wrong within the two settings that list backends."""
    if settings.tf_servers:
        yield from _refused(
            "TF_SERVERS", lambda: parse_servers(settings.tf_servers, settings.backend_defaults)
        )
    yield from _refused("PIXELCOST_EMBEDDED", lambda: parse_embedded(settings.embedded))


def _refused(key: str, parse: Callable[[], object]) -> list[str]:
    try:
        parse()
    except ConfigRefused as error:
        return [f"{key} {problem}" for problem in error.problems]
    return []
