"""Which servers a command asks: those configured, else those already running, else its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from experiment.data_dir import claimed
from experiment.embedded import EmbeddedServers, running_servers
from experiment.embedded_plan import Profile, parse_embedded
from experiment.probe import probe
from experiment.records import BackendInfo
from experiment.servable import ModelChoice, prepare_model
from experiment.servers import chosen, parse_servers


@dataclass(frozen=True, slots=True)
class Asked:
    """The backends, and the card of the model that the embedded ones hold."""

    infos: list[BackendInfo]
    model: Mapping[str, Any] = field(default_factory=dict)  # empty: servers that are not ours


def data_dir() -> Path:
    """The data folder, by the environment."""
    return Path(os.environ.get("PIXELCOST_DATA_DIR", "var"))


@contextmanager
def asked_backends(
    servers: str | None, names: Sequence[str] | None, console: Console, cancel: threading.Event
) -> Iterator[Asked]:
    """The servers to ask; `names` are those that the plan wants, None: all of them."""
    servers = servers or os.environ.get("TF_SERVERS")
    wanted = os.environ.get("PIXELCOST_EMBEDDED", "").strip()
    profiles = parse_embedded(wanted)
    if servers:
        defaults = BackendInfo(
            name="",
            model=os.environ.get("MODEL_NAME", "inception"),
            signature=os.environ.get("MODEL_SIGNATURE_NAME", "predict_images"),
            input_key=os.environ.get("MODEL_INPUT_KEY", "images"),
        )
        yield Asked([probe(info) for info in chosen(parse_servers(servers, defaults), names)])
    elif running := running_servers(data_dir(), profiles if wanted else None):
        yield Asked(chosen(running[1], names), running[0])
    else:
        with claimed(data_dir()), _own_servers(data_dir(), profiles, console, cancel) as embedded:
            yield Asked(chosen(embedded.infos(), names), embedded.model)


@contextmanager
def _own_servers(
    folder: Path, profiles: Sequence[Profile], console: Console, cancel: threading.Event
) -> Iterator[EmbeddedServers]:
    keys = ("MODEL_BASE_PATH", "MODEL", "PIXELCOST_WEIGHTS_URL")
    choice = ModelChoice(*(os.environ.get(key, "").strip() for key in keys))
    model = prepare_model(folder, choice, cancel)
    if "notice" in model:
        console.print(model["notice"], markup=False, soft_wrap=True)
    with console.status("Starting the embedded model servers"):
        embedded = EmbeddedServers(folder, model, profiles)
    with embedded:
        with console.status("Loading the model"):
            embedded.wait_ready()
        yield embedded
