"""read_config(): a config.yaml of Cluster Serving, in its first, middle and last form."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import yaml

from common.checks import Expected
from common.cluster_serving import MODEL_KEYS, Unusable, first_of, keys_of, model_path, shown
from experiment.errors import ConfigRefused, PixelcostError
from experiment.queue.keys import DEFAULT_STREAM
from experiment.queue.records import DEFAULT_URL
from experiment.wording import one_line
from jobs.config.keys import NOTHING, READ, SPARK, line
from jobs.config.serve_config import ServeConfig

JAVA_STORES: Final = (".jks", ".p12", ".pfx", ".keystore", ".truststore")


def read_config(file: Path) -> ServeConfig:
    """The settings in a file. Raises PixelcostError with all that is wrong with it at once."""
    try:
        given = keys_of(file, yaml.safe_load)
    except Unusable as problem:
        raise PixelcostError(f"{file}: {problem}", "config_refused") from None
    problems: list[str] = []
    values = dict(_values(given, problems))
    model = _model(file, given, problems)
    spark = _spark(given, problems)
    problems += [*_refused(values), *_said_twice(given)]
    url = _url(values, problems)
    if problems:
        raise ConfigRefused(str(file), problems)
    return ServeConfig(
        file=file,
        model=model,
        url=url,
        stream=values.get("stream") or DEFAULT_STREAM,
        workers=values.get("workers"),
        batch_size=values.get("batch_size"),
        top_n=values.get("top_n"),
        image_size_px=values.get("image_size_px"),
        already_batched=values.get("already_batched", False),
        cores=_cores(values),
        max_memory_bytes=values.get("max_memory_bytes"),
        spark=spark,
        notes=tuple(_notes(given)),
    )


def _values(given: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, Any]]:
    for meaning, (names, parse) in READ.items():
        name = next((name for name in names if name in given), None)
        if name is None:
            continue
        try:
            yield meaning, parse(given[name])
        except Expected as expected:
            problems.append(f"{name} {shown(given[name])} is not {expected}")
        except Unusable as problem:
            problems.append(f"{name}: {str(problem).rstrip('.')}")


def _model(file: Path, given: Mapping[str, Any], problems: list[str]) -> Path | None:
    try:
        model = model_path(file, first_of(given, MODEL_KEYS["model"]))
    except Unusable as problem:
        problems.append(str(problem).rstrip("."))
        return None
    if not _is_there(model):
        problems.append(f"there is no model at {one_line(str(model))}")
    return model


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that may not be read
        return False


def _spark(given: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
    found = {}
    for name in SPARK:
        try:
            if name in given:
                found[name] = line(given[name])
        except Expected as expected:
            problems.append(f"{name} {shown(given[name])} is not {expected}")
    return found


def _refused(values: Mapping[str, Any]) -> Iterator[str]:
    """What would give wrong answers, or none, if it were passed over."""
    if values.get("encrypted"):
        yield "the model is encrypted (modelEncrypted); decrypt it first"
    if values.get("record_encrypted"):
        yield "recordEncrypted: encrypted entries can't be read; use TLS to Redis (redisSecureEnabled)"
    if str(values.get("queue_used", "redis")).lower() != "redis":
        yield f"queueUsed: {values['queue_used']} can't be used; the queue is Redis or Valkey"


def _said_twice(given: Mapping[str, Any]) -> Iterator[str]:
    """Keys of two forms that mean the same and say something else."""
    names = {"model": MODEL_KEYS["model"]} | {meaning: names for meaning, (names, _) in READ.items()}
    for each in names.values():
        present = [name for name in each if name in given]
        if len({str(given[name]) for name in present}) > 1:
            yield f"{' and '.join(present)} mean the same and have different values"


def _url(values: Mapping[str, Any], problems: list[str]) -> str:
    """The address with TLS and time limit in it."""
    url, store = values.get("url", DEFAULT_URL), values.get("trust_store")
    options = []
    if values.get("tls"):
        url = url.replace("redis://", "rediss://", 1)
    if urlsplit(url).scheme == "rediss" and store:
        if store.lower().endswith(JAVA_STORES):
            problems.append(
                f"{store} is a store of Java, which only Java reads; write its certificate as text "
                "(keytool -exportcert -rfc -keystore STORE -file ca.pem), and name that file"
            )
        elif not _is_there(Path(store)) or Path(store).is_dir():
            problems.append(f"there is no certificate at {one_line(store)}")
        options.append(f"ssl_ca_certs={quote(store)}")
    if "timeout_ms" in values:
        options.append(f"socket_connect_timeout={values['timeout_ms'] / 1000:g}")
    if not options:
        return str(url)
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(options)}"


def _cores(values: Mapping[str, Any]) -> int | None:
    """Of the one model server, where Cluster Serving had a copy of the model for each worker."""
    if "threads" in values:
        return int(values["threads"] * values.get("workers", 1))
    return values.get("cores")


def _notes(given: Mapping[str, Any]) -> Iterator[str]:
    known = {name for names, _ in READ.values() for name in names} | {*SPARK, *MODEL_KEYS["model"]}
    for name in given:
        if name in NOTHING:
            yield f"{name} does nothing here: {NOTHING[name]}."
        elif name not in known:
            near = difflib.get_close_matches(name, [*known, *NOTHING], n=1, cutoff=0.7)
            hint = f" Did you mean {near[0]}?" if near else ""
            yield f"{shown(name)} is not a key of Cluster Serving, so it does nothing.{hint}"
