"""The model server that workers ask: one that is configured, else one that is started here."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from experiment.backends.addresses import parse_servers
from experiment.backends.probe import probe
from experiment.embedded.model import ModelChoice, prepare_model
from experiment.embedded.models_cli import run_models
from experiment.embedded.profiles import Profile, alike, parse_embedded
from experiment.embedded.supervisor import EmbeddedServers
from experiment.errors import PixelcostError
from experiment.records import BackendInfo
from experiment.settings import SharedSettings
from experiment.wording import listed
from jobs.config import ServeConfig

OWN_NAME: Final = "model"
Say = Callable[[str], None]


@contextmanager
def model_server(
    config: ServeConfig,
    settings: SharedSettings,
    backend: str | None,
    folder: Path,
    say: Say,
    stop: threading.Event,
) -> Iterator[BackendInfo]:
    """A model server, running during the block; one of TF_SERVERS may still be on its way up.

    `backend` chooses one of several by name. Raises PixelcostError.
    """
    if settings.tf_servers:
        infos = grpc_servers(settings)
        if not infos:
            raise PixelcostError(
                "TF_SERVERS names no model server over gRPC, which is what workers ask. Write one as "
                "name:host:port."
            )
        yield _configured(_named(infos, backend, [info.name for info in infos]), say)
        return
    profiles = parse_embedded(settings.embedded) if settings.embedded else (_own_profile(config),)
    profile = _named(profiles, backend, [profile.name for profile in profiles])
    data_dir = Path(settings.data_dir)
    base_path = settings.model_base_path
    if config.file and config.model:
        base_path = str(_converted(config.file, config.model, data_dir, say, stop))
    model = prepare_model(data_dir, ModelChoice(base_path, settings.model, settings.weights_url), stop)
    say(f"Starting the model server with {model['title']}.")
    with EmbeddedServers(folder, model, [profile]) as servers:
        servers.wait_ready(say=say, stop=stop)
        yield servers.infos()[0]


def grpc_servers(settings: SharedSettings) -> list[BackendInfo]:
    """Those of TF_SERVERS that workers can ask: neither REST nor queues."""
    if not settings.tf_servers:
        return []
    found = parse_servers(settings.tf_servers, settings.backend_defaults)
    return [info for info in found if info.protocol == "grpc"]


def _own_profile(config: ServeConfig) -> Profile:
    return Profile(OWN_NAME, config.cores or len(os.sched_getaffinity(0)))


def _named(choices: Any, backend: str | None, names: list[str]) -> Any:
    """The one that is asked for, else the first."""
    if backend is None:
        return choices[0]
    if backend not in names:
        raise PixelcostError(f"There is no backend named {backend}. Name one of {listed(names)}.")
    return choices[names.index(backend)]


def _configured(info: BackendInfo, say: Say) -> BackendInfo:
    """It may be down: workers wait for it. Raises PixelcostError if waiting would not help."""
    seen = probe(info)
    if seen.state == "wrong_model":
        raise PixelcostError(f"{info.name} can't be used: {seen.detail}")
    if seen.state in {"down", "loading"}:
        say(f"{info.name} is not ready: {seen.detail} Workers wait for it, and jobs in the queue.")
    return seen


def _converted(file: Path, model: Path, data_dir: Path, say: Say, stop: threading.Event) -> Path:
    """The folder with the model that the file names, converted unless it was before.

    Raises ModelUnavailable with what `models convert` says.
    """
    name = f"{alike(model.stem)}-{_fingerprint(file, model)}"
    place = (data_dir / "models" / name).resolve()
    if not (place / "1").is_dir():
        say(f"Converting the model in {model} (the first time takes a while).")
        run_models(["convert", str(file.resolve()), "--out", str(place)], stop)
    return place


def _fingerprint(file: Path, model: Path) -> str:
    """Of the file and of the model's files, so that a changed one is converted again."""
    whole = hashlib.sha256(file.read_bytes())
    for part in sorted(model.rglob("*")) if model.is_dir() else [model]:
        facts = part.stat()
        whole.update(f"{part}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
    return whole.hexdigest()[:12]
