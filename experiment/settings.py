"""The settings that the page and the command line share, and how every setting is read.

A setting is a field of a dataclass: its key in the environment, default, unit, a sentence of help and a
parser. A blank value counts as unset, because compose files pass unset variables that way. All problems are
reported at once, each with its key and value.
"""

from __future__ import annotations

import difflib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values

from common.checks import Expected, number, number_text
from common.installed import data_folder
from common.words import decoded
from experiment.backends.addresses import parse_servers
from experiment.embedded.profiles import parse_embedded
from experiment.errors import ConfigRefused
from experiment.queue.records import shown_address
from experiment.records import BackendInfo

SECRETS = {"DATABASE_URL", "PIXELCOST_TOKEN"}  # never shown
MAY_NOT_BE_BLANK = {"PIXELCOST_TOKEN"}  # a value of spaces must not open the app
# What Kubernetes sets for a Service named pixelcost, and Docker for a linked container of that name.
_SERVICE_LINK = re.compile(
    r"(_\w+?)??_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?)"
)
_LINK_ADDRESS = re.compile(r"(tcp|udp|sctp)://.+", re.IGNORECASE)

Read = TypeVar("Read", bound="BackendSettings")


def setting(
    key: str, default: Any, help_: str, parse: Callable[[str], Any] = str.strip, unit: str = ""
) -> Any:
    """One row of the table: a field of a settings class."""
    return field(default=default, metadata={"key": key, "unit": unit, "help": help_, "parse": parse})


def seconds(low: float, high: float) -> Callable[[str], float]:
    """A parser of seconds from `low` to `high`: seconds(1, 600)("2.5") is 2.5."""
    return number_text(number(low, high, "a number of seconds"))


def line(text: str) -> str:
    """Parses a name that is sent to a model server: one line of text."""
    if not text.strip().isprintable():
        raise Expected("a line of text in UTF-8")
    return text.strip()


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Which servers are asked, and for which model."""

    tf_servers: str = setting(
        "TF_SERVERS",
        "",
        "Model servers, as `name:host:port;name:host:port`, and queues (below). Empty: embedded ones start.",
    )
    model_name: str = setting("MODEL_NAME", "inception", "Name of the model on the servers.", line)
    model_signature_name: str = setting(
        "MODEL_SIGNATURE_NAME", "predict_images", "Signature that takes encoded images.", line
    )
    model_input_key: str = setting("MODEL_INPUT_KEY", "images", "Input of that signature.", line)
    tf_request_timeout_s: float = setting(
        "TF_REQUEST_TIMEOUT",
        60.0,
        "Longest wait for one answer, unless the plan says otherwise.",
        seconds(0.1, 600),
        "s",
    )

    @property
    def backend_defaults(self) -> BackendInfo:
        """Model, signature and input of every server of TF_SERVERS whose entry does not name others."""
        return BackendInfo("", "grpc", "", self.model_name, self.model_signature_name, self.model_input_key)


@dataclass(frozen=True, slots=True)
class SharedSettings(BackendSettings):
    """Also which servers are started here, and where results are kept."""

    embedded: str = setting(
        "PIXELCOST_EMBEDDED",
        "",
        "Embedded backends, as `1 CPU:cpus=1;4 CPU:cpus=4` (below). Empty: a GPU if present, 1 CPU, 8 CPU.",
    )
    model_base_path: str = setting(
        "MODEL_BASE_PATH",
        "",
        "Folder of a SavedModel (`<folder>/<version>/`) for the embedded backends. Empty: see `MODEL`.",
    )
    model: str = setting(
        "MODEL",
        "",
        "Model of the embedded backends, a name from `python -m models list`. Empty: `efficientnet-lite0`.",
    )
    weights_url: str = setting(
        "PIXELCOST_WEIGHTS_URL", "", "Mirror for models' weights, instead of Keras' own server."
    )
    data_dir: str = setting("PIXELCOST_DATA_DIR", data_folder(), "Folder for the database and models.")


def read_settings(
    kind: type[Read],
    environ: Mapping[str, str] | None = None,
    dotenv: str | Path | None = ".env",
    problems_of: Callable[[Mapping[str, str], Read], Sequence[str]] = lambda environ, settings: (),
) -> Read:
    """The settings of `kind` from the environment, above the file `dotenv`, above the defaults.

    `problems_of` finds problems between settings, given the environment and the settings. Raises
    ConfigRefused with every bad key and value at once.

    >>> read_settings(SharedSettings, {"TF_REQUEST_TIMEOUT": "5"}, dotenv=None).tf_request_timeout_s
    5.0
    """
    environ = {**from_file(dotenv), **(os.environ if environ is None else environ)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for row in fields(kind):
        key, text = row.metadata["key"], environ.get(row.metadata["key"], "")
        if not text.strip() and not (text and key in MAY_NOT_BE_BLANK):
            continue
        try:
            values[row.name] = row.metadata["parse"](text)
            if key != "TF_SERVERS":  # printable() repairs the names in it
                text.encode()  # bytes that are not UTF-8 come as lone surrogates, which nothing can store
        except ValueError as error:
            expected = "UTF-8 text" if isinstance(error, UnicodeEncodeError) else error
            shown = "(hidden)" if key in SECRETS else repr(shown_address(text))
            problems.append(f"{key}={shown} is not {expected}")
    settings = kind(**values)
    problems += [*_server_problems(settings), *problems_of(environ, settings)]
    if problems:
        raise ConfigRefused("The configuration", problems)
    return settings


def from_file(dotenv: str | Path | None) -> dict[str, str]:
    """What a file `.env` sets; nothing if there is none. Raises ConfigRefused if it can't be read."""
    if dotenv is None or not Path(dotenv).is_file():
        return {}
    try:
        text = decoded(Path(dotenv).read_bytes())
    except (OSError, UnicodeError):
        problem = f"{dotenv} can't be read as text; save it as UTF-8, one NAME=value in each line"
        raise ConfigRefused("The configuration", [problem]) from None
    found = dotenv_values(stream=io.StringIO(text))
    return {key: value for key, value in found.items() if value is not None}


def unknown(environ: Mapping[str, str], known: Sequence[str], prefix: str) -> Iterator[str]:
    """A problem for each setting that begins with `prefix` and is not one of `known`."""
    for key in environ:
        if key.startswith(prefix) and key not in known and not _is_service_link(key, environ[key]):
            near = difflib.get_close_matches(key, known, n=1)
            yield f"{key} is not a known setting" + (f" (did you mean {near[0]}?)" if near else "")


def _is_service_link(key: str, text: str) -> bool:
    """Whether Kubernetes or Docker set this, as in PIXELCOST_PORT=tcp://10.0.0.1:80, and not a person."""
    match = _SERVICE_LINK.fullmatch(key.removeprefix("PIXELCOST"))
    return match is not None and (match[2] != "PORT" or _LINK_ADDRESS.fullmatch(text) is not None)


def _server_problems(settings: BackendSettings) -> Iterator[str]:
    """Problems within the two settings that list backends."""
    parsers: dict[str, Callable[[], object]] = {}
    if settings.tf_servers:
        parsers["TF_SERVERS"] = lambda: parse_servers(settings.tf_servers, settings.backend_defaults)
    if isinstance(settings, SharedSettings):
        parsers["PIXELCOST_EMBEDDED"] = partial(parse_embedded, settings.embedded)
    for key, parse in parsers.items():
        try:
            parse()
        except ConfigRefused as error:
            yield from (f"{key} {problem}" for problem in error.problems)
