"""What `python -m jobs serve` is to do, however it was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from experiment.queue.keys import DEFAULT_STREAM
from experiment.queue.records import DEFAULT_URL


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """All of a config.yaml but what only `python -m models convert` reads. None: the file does not say."""

    file: Path | None = None
    model: Path | None = None  # what `models convert` takes; None: the default model
    url: str = DEFAULT_URL
    stream: str = DEFAULT_STREAM
    workers: int | None = None
    batch_size: int | None = None
    top_n: int | None = None
    image_size_px: tuple[int, int] | None = None  # height, width: photos are resized to it before the model
    already_batched: bool = False  # arrays have their batch dimension
    cores: int | None = None  # of the model server
    max_memory_bytes: int | None = None  # of a Redis that is started
    spark: Mapping[str, str] = field(default_factory=dict)  # "spark.master" and five more
    notes: tuple[str, ...] = ()  # keys that do nothing, each with the reason
