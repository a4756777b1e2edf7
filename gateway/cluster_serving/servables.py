"""The models that the front end offers, a queue each: one, or those of a servables-conf.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from common.checks import Expected
from experiment.errors import ConfigRefused
from experiment.queue.connection import redis_url
from experiment.queue.keys import stream_name
from experiment.queue.records import QueueSettings

LIST: Final = "modelMetaDataList"
OUTPUT: Final = "cluster-serving_{}:"
KNOWN_TAGS: Final = {"ClusterServingMetaData", "InferenceModelMetaData", "InflerenceModelMetaData"}


@dataclass(frozen=True, slots=True)
class Servable:
    """One model in one version."""

    name: str
    version: str
    queue: QueueSettings

    @property
    def meta_data(self) -> dict[str, Any]:
        """As GET /models shows it. A password of Redis is not part of it."""
        parts = urlsplit(self.queue.url)
        return {
            "modelName": self.name,
            "modelVersion": self.version,
            "redisHost": parts.hostname or parts.path,
            "redisPort": str(parts.port or 6379),
            "redisInputQueue": self.queue.stream,
            "redisOutputQueue": OUTPUT.format(self.queue.stream),
        }


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """SafeLoader that knows the tags of such a file, and keeps them beside the values."""


def _tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    if tag not in KNOWN_TAGS or not isinstance(node, yaml.MappingNode):
        raise yaml.YAMLError(f"unknown kind of model !<{tag}>")
    return {"kind": tag, **loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("", _tagged)


def servables(path: str, default: QueueSettings) -> list[Servable]:
    """Those of a file; without one, a single one for the gateway's own queue. Raises ConfigRefused."""
    if not path:
        return [Servable(default.stream, "1.0", default)]
    try:
        document = yaml.load(Path(path).read_text("utf-8"), _Loader)  # noqa: S506  a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise _refused([f"it can't be read: {getattr(error, 'strerror', None) or error}"], path) from None
    except yaml.YAMLError as error:
        raise _refused([f"it is not YAML: {' '.join(str(error).split())}"], path) from None
    rows = document.get(LIST) if isinstance(document, Mapping) else None
    if not isinstance(rows, list) or not rows:
        raise _refused([f"it has no list `{LIST}` with models"], path)
    found, problems = [], []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_servable(row, default))
        except Expected as expected:
            problems.append(f"model {number} {expected}")
    problems += _twice(found)
    if problems:
        raise _refused(problems, path)
    return found


def _servable(row: Any, default: QueueSettings) -> Servable:
    """Raises Expected, which goes on from "model 1"."""
    if not isinstance(row, Mapping):
        raise Expected("is not a list of names and values")
    name, version = row.get("modelName"), row.get("modelVersion")
    if name in {None, ""} or version in {None, ""}:
        raise Expected("needs modelName and modelVersion")
    if row.get("kind") != "ClusterServingMetaData":
        raise Expected(
            f"({name}) must be a ClusterServingMetaData: models run in workers here. Start "
            "`python -m jobs serve` for it, and write the name of its queue"
        )
    host, port = row.get("redisHost"), row.get("redisPort", 6379)
    scheme = "rediss" if row.get("redisSecureEnabled") in {True, "true"} else "redis"
    try:
        url = redis_url(f"{scheme}://{host}:{port}") if host else default.url
        stream = stream_name(str(row.get("redisInputQueue") or default.stream))
    except Expected as expected:
        raise Expected(f"({name}) needs {expected}") from None
    return Servable(str(name), str(version), replace(default, url=url, stream=stream))


def _twice(found: list[Servable]) -> Iterator[str]:
    pairs = [(each.name, each.version) for each in found]
    for name, version in dict.fromkeys(pair for pair in pairs if pairs.count(pair) > 1):
        yield f"{name} has version {version} more than once"


def _refused(problems: list[str], path: str) -> ConfigRefused:
    return ConfigRefused(path, problems)
