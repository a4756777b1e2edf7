"""The keys of all forms of config.yaml: what each means here, and why some mean nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from common import cluster_serving
from common.checks import Expected
from common.cluster_serving import MODEL_KEYS, REDIS_KEYS
from experiment.queue.connection import redis_url
from experiment.queue.keys import stream_name

MOST_WORKERS: Final = 256
MOST_CORES: Final = 1024
MOST_BATCH: Final = 4096
UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
LEAST_REDIS_BYTES: Final = 16 << 20

Parse = Callable[[Any], Any]  # raises Expected or Unusable


def number(low: int, high: int) -> Parse:
    """A whole number, also as text."""

    def parse(value: Any) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,9}", text) or not low <= int(text) <= high:
            raise Expected(f"a whole number from {low:,} to {high:,}")
        return int(text)

    return parse


def switch(value: Any) -> bool:
    """true or false, also as YAML 1.1 and people write them."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in {"true", "false", "on", "off", "yes", "no"}:
        raise Expected("true or false")
    return text in {"true", "on", "yes"}


def memory_bytes(value: Any) -> int:
    """ "8g", "512MB" or a number of bytes."""
    found = re.fullmatch(r"(\d{1,15})\s*([kmgt]?)b?", str(value).strip().lower())
    if not found or isinstance(value, bool):
        raise Expected("a size such as 8g or 512m")
    size_bytes = int(found[1]) * UNITS[found[2]]
    if not LEAST_REDIS_BYTES <= size_bytes <= 1 << 50:
        raise Expected("a size from 16m to 1024t")
    return size_bytes


def line(value: Any) -> str:
    """A line of text."""
    if isinstance(value, list | dict) or not str(value).isprintable():
        raise Expected("a line of text")
    return str(value).strip()


def address(value: Any) -> str:
    """Of Redis: host:port, or a URL."""
    return redis_url(line(value))


def size_px(value: Any) -> tuple[int, int] | None:
    """Height and width of "224,448"."""
    return cluster_serving.image_shape(value)[1]


# Meaning -> its names in all forms, and how a value is read.
READ: Final[Mapping[str, tuple[tuple[str, ...], Parse]]] = {
    "url": (REDIS_KEYS, address),
    "stream": (("jobName", "model.name"), lambda value: stream_name(line(value))),
    "workers": (("modelParallelism",), number(1, MOST_WORKERS)),
    "threads": (("threadPerModel",), number(1, MOST_CORES)),
    "cores": (("coreNumberPerMachine", "params.core_number"), number(1, MOST_CORES)),
    "batch_size": (MODEL_KEYS["batch_size"], number(1, MOST_BATCH)),
    "top_n": (MODEL_KEYS["top_n"], cluster_serving.top_n),
    "image_size_px": (MODEL_KEYS["sides"], size_px),
    "shape": (MODEL_KEYS["shape"], size_px),
    "already_batched": (("inputAlreadyBatched",), switch),
    "max_memory_bytes": (("redisMaxmemory", "redis.maxmem", "redis.maxmemory"), memory_bytes),
    "timeout_ms": (("redisTimeout", "redis.timeout"), number(1, 600_000)),
    "tls": (
        ("redisSecureEnabled", "secureEnabled", "redis.secure_enabled", "secure.secure_enabled"),
        switch,
    ),
    "trust_store": (
        (
            *("redisSecureTrustStorePath", "secureTrustStorePath"),
            *("redis.secure_trust_store_path", "secure.trust_store_path"),
        ),
        line,
    ),
    "queue_used": (("queueUsed",), line),
    "encrypted": (MODEL_KEYS["encrypted"], switch),
    "record_encrypted": (("recordEncrypted",), switch),
}

SPARK: Final = tuple(
    f"spark.{name}"
    for name in (
        *("master", "driver_memory", "executor_memory"),
        *("num_executors", "executor_cores", "total_executor_cores"),
    )
)

_PINNED = "the model server is pinned to its cores anyway"
_NO_FLINK = "there is no Flink; --engine places workers"
_NO_KAFKA = "the queue is Redis or Valkey"
_NO_STORE = "a certificate needs no password"
# Keys without a meaning here -> the reason, said once.
NOTHING: Final[Mapping[str, str]] = {
    "flinkRestUrl": _NO_FLINK,
    "flink.rest": _NO_FLINK,
    "kafkaUrl": _NO_KAFKA,
    "params.engine_type": "the model's file decides which runtime computes it",
    "performance_mode": _PINNED,
    "params.performance_mode": _PINNED,
    "redisSecureTrustStorePassword": _NO_STORE,
    "secureTrustStorePassword": _NO_STORE,
    "secureStructStorePassword": _NO_STORE,
    "redis.secure_struct_store_password": _NO_STORE,
    "secure.struct_store_password": _NO_STORE,
}
