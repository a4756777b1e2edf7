"""The configuration files: protocol messages in text format, read and checked.

Formats: tensorflow/serving, config/{model_server_config,monitoring_config,ssl_config}.proto and
servables/tensorflow/session_bundle_config.proto. The pip package has only the first of them, so the
others are declared here.
"""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format, wrappers_pb2
from google.protobuf.message import Message
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.declared_messages import Fields, declared
from serving.errors import StartRefused

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"

MESSAGES: dict[str, Fields] = {
    "BatchingParameters": (
        ("max_batch_size", 1, "google.protobuf.Int64Value"),
        ("batch_timeout_micros", 2, "google.protobuf.Int64Value"),
        ("max_enqueued_batches", 3, "google.protobuf.Int64Value"),
        ("num_batch_threads", 4, "google.protobuf.Int64Value"),
        ("thread_pool_name", 5, "google.protobuf.StringValue"),
        ("allowed_batch_sizes", 6, "repeated int64"),
        ("pad_variable_length_inputs", 7, "bool"),
    ),
    "PrometheusConfig": (("enable", 1, "bool"), ("path", 2, "string")),
    "MonitoringConfig": (("prometheus_config", 1, "tensorflow.serving.PrometheusConfig"),),
    "SSLConfig": (
        ("server_key", 1, "string"),
        ("server_cert", 2, "string"),
        ("custom_ca", 3, "string"),
        ("client_verify", 4, "bool"),
    ),
}
CLASSES = declared("tensorflow.serving", MESSAGES, wrappers_pb2.DESCRIPTOR)

# UTF-32 first: its byte order mark begins with that of UTF-16.
ENCODINGS = {
    **dict.fromkeys((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-32"),
    **dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16"),
    codecs.BOM_UTF8: "utf-8-sig",
}

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Batching:
    """How requests are batched. The defaults are TensorFlow Serving's (basic_batch_scheduler.h)."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0  # how long an incomplete batch may wait for more
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()  # empty: every size
    pad_variable_length_inputs: bool = False


@dataclass(frozen=True)
class Monitoring:
    """Whether there is a page for Prometheus, and its path."""

    is_enabled: bool = False
    path: str = PROMETHEUS_PATH


@dataclass(frozen=True)
class Ssl:
    """Certificates for gRPC, as PEM text."""

    server_key: str
    server_cert: str
    custom_ca: str = ""  # of the clients' certificates; empty: those that the system trusts
    client_verify: bool = False  # whether a client must show a certificate


def read(path: Path, message: M) -> M:
    """Parse a file into `message`. Raises StartRefused, naming the file, line and column."""
    try:
        return text_format.Parse(_text(path.read_bytes()), message)
    except OSError as problem:
        raise StartRefused(f"{path} can't be read: {problem.strerror}. Give the path of a file.") from problem
    except (_NotText, text_format.ParseError) as problem:
        # The first words are TensorFlow Serving's: scripts look for them.
        where_and_why = str(problem).replace(" : ", ": ", 1).rstrip(".")
        raise StartRefused(
            f"Error parsing text-format {message.DESCRIPTOR.full_name}: {where_and_why}. "
            f"Correct the file {path}."
        ) from problem


def read_models(path: Path) -> ModelServerConfig:
    """--model_config_file. Raises StartRefused."""
    return read(path, ModelServerConfig())


def read_batching(path: Path) -> Batching:
    """--batching_parameters_file. Raises StartRefused, also when the values do not fit together."""
    message = read(path, CLASSES["BatchingParameters"]())
    wrapped = [name for name, _, kind in MESSAGES["BatchingParameters"] if kind.endswith("Int64Value")]
    given = {name: getattr(message, name).value for name in wrapped if message.HasField(name)}
    batching = Batching(
        **given,
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
    )
    _check(path, batching)
    return batching


def read_monitoring(path: Path) -> Monitoring:
    """--monitoring_config_file. Raises StartRefused."""
    config = read(path, CLASSES["MonitoringConfig"]()).prometheus_config
    if config.path and not config.path.startswith("/"):
        raise StartRefused(f"{path}: the path {config.path!r} must start with a slash.")
    return Monitoring(config.enable, config.path or PROMETHEUS_PATH)


def read_ssl(path: Path) -> Ssl:
    """--ssl_config_file. Raises StartRefused."""
    message = read(path, CLASSES["SSLConfig"]())
    ssl = Ssl(**{name: getattr(message, name) for name, _, _ in MESSAGES["SSLConfig"]})
    for name in ("server_key", "server_cert"):
        if not getattr(ssl, name):
            raise StartRefused(f"{path} has no {name}. It must hold the text of a PEM file.")
    return ssl


def _check(path: Path, batching: Batching) -> None:
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
        if getattr(batching, name) < 1:
            raise StartRefused(f"{path}: {name} must be 1 or more, not {getattr(batching, name)}.")
    if batching.batch_timeout_micros < 0:
        raise StartRefused(f"{path}: batch_timeout_micros must be 0 or more.")
    sizes = batching.allowed_batch_sizes
    if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1):
        raise StartRefused(f"{path}: allowed_batch_sizes entries must be positive and in increasing order.")
    if sizes and sizes[-1] != batching.max_batch_size:
        raise StartRefused(
            f"{path}: the last of allowed_batch_sizes is {sizes[-1]}, "
            f"but it must equal max_batch_size, which is {batching.max_batch_size}."
        )


class _NotText(Exception):
    """The bytes of a file are not text."""


def _text(data: bytes) -> str:
    """The text of a file: UTF-8, or as its byte order mark says, which Windows' editors and shells write."""
    encoding = next((name for mark, name in ENCODINGS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise _NotText(
            f"it is not {encoding.upper()} text from line {line} on. Save it as UTF-8."
        ) from problem
    if "\0" in text:
        raise _NotText("it holds NUL characters, as UTF-16 does. Save it as UTF-8.")
    return text
