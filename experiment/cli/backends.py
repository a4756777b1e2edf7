"""The servers that a command measures: those configured, else those of a running `make run`, else its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from experiment.backends.addresses import chosen, parse_servers
from experiment.backends.probe import probe
from experiment.embedded.data_dir import claimed
from experiment.embedded.model import ModelChoice, prepare_model
from experiment.embedded.profiles import Profile, parse_embedded
from experiment.embedded.supervisor import EmbeddedServers, running_servers
from experiment.records import BackendInfo
from experiment.settings import SharedSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """The backends, and the card of the embedded servers' model."""

    infos: list[BackendInfo]
    model: Mapping[str, Any] = field(default_factory=dict)  # empty: not embedded servers


@contextmanager
def asked_backends(
    settings: SharedSettings, names: Sequence[str] | None, console: Console, cancel: threading.Event
) -> Iterator[Asked]:
    """The backends, running during the `with` block. `names` are the plan's, None: all of them."""
    folder, profiles = Path(settings.data_dir), parse_embedded(settings.embedded)
    if settings.tf_servers:
        infos = parse_servers(settings.tf_servers, settings.backend_defaults)
        yield Asked([probe(info) for info in chosen(infos, names)])
    elif running := running_servers(folder, profiles if settings.embedded else None):
        yield Asked(chosen(running[1], names), running[0])
    else:
        with claimed(folder), _own_servers(settings, profiles, console, cancel) as embedded:
            yield Asked(chosen(embedded.infos(), names), embedded.model)


@contextmanager
def _own_servers(
    settings: SharedSettings, profiles: Sequence[Profile], console: Console, cancel: threading.Event
) -> Iterator[EmbeddedServers]:
    folder = Path(settings.data_dir)
    choice = ModelChoice(settings.model_base_path, settings.model, settings.weights_url)
    model = prepare_model(folder, choice, cancel)
    with console.status("Starting the embedded model servers"):
        embedded = EmbeddedServers(folder, model, profiles)
    with embedded:
        with console.status("Loading the model"):
            embedded.wait_ready()
        yield embedded
