"""Builds the server from its flags: the one place where all parts meet."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from common import traces
from serving.api.grpc import GrpcApi
from serving.api.rest import RestApi
from serving.api.traced import traced_app
from serving.config import text_messages
from serving.config.flag_values import NO_PATH
from serving.config.flags import Flags
from serving.config.text_messages import Batching, Monitoring, Ssl
from serving.errors import InvalidArgument, LoadFailed, ServingError, StartRefused
from serving.machine import isa
from serving.machine.process import Pinning
from serving.metrics import Metrics
from serving.models import model_dir
from serving.models.config import ModelConfig, from_proto
from serving.models.loading import Loader
from serving.models.manager import Load, Manager
from serving.models.servable import Servable
from serving.models.served_model import ModelSpec
from serving.models.warmup import Shapes
from serving.ports import Ports
from serving.runtimes.base import Setting
from serving.server import Server
from serving.service import Service

REST_THREADS_PER_CORE = 4  # TensorFlow Serving's default
REST_THREADS_LEAST = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """The contents of the configuration files that the flags name."""

    batch: Batching | None
    monitoring: Monitoring
    ssl: Ssl | None


def read_files(asked: Flags) -> Settings:
    """Read the configuration files. Raises StartRefused, naming the file."""
    batch = Batching() if asked.enable_batching else None
    if asked.batching_parameters_file != NO_PATH:
        batch = text_messages.read_batching(asked.batching_parameters_file)
    monitoring = Monitoring()
    if asked.monitoring_config_file != NO_PATH:
        monitoring = text_messages.read_monitoring(asked.monitoring_config_file)
    ssl = text_messages.read_ssl(asked.ssl_config_file) if asked.ssl_config_file != NO_PATH else None
    return Settings(batch, monitoring, ssl)


def model_configs(asked: Flags) -> list[ModelConfig]:
    """The models of --model_config_file, or the one of the flags. Raises StartRefused."""
    configs = [ModelConfig(asked.model_name, asked.model_base_path)]
    if asked.model_config_file != NO_PATH:
        configs = _configs_in_file(asked)
    for config in configs:
        model_dir.require_versions(config.base_path, config.policy.specific or ())
    return configs


def build(asked: Flags, settings: Settings, pinning: Pinning, taken: Ports) -> tuple[Server, Manager]:
    """The server and its models, before it answers and loads them."""
    threads = len(pinning.cores) if asked.is_pinned else 0
    parallelism = asked.tensorflow_session_parallelism
    setting = Setting(
        threads=asked.tensorflow_intra_op_parallelism or parallelism or threads,
        inter_op_threads=asked.tensorflow_inter_op_parallelism or parallelism or threads,
        precision=asked.precision,
        use_gpu=asked.device != "cpu",
        gpu_memory_fraction=asked.per_process_gpu_memory_fraction,
        saved_model_tags=asked.saved_model_tags,
    )
    loader = Loader(
        asked.runtime,
        setting,
        prefers_tflite=asked.prefer_tflite_model,
        needs_gpu=asked.device == "gpu",
        warms=asked.enable_model_warmup,
        warm_repeats=asked.num_request_iterations_for_warmup,
    )
    metrics = Metrics()
    manager = Manager(
        _timed(loader, metrics),
        asked.allow_version_labels_for_unavailable_models,
        asked.accept_changed_outputs,
    )
    workers = asked.concurrency or len(pinning.cores)
    if settings.batch:
        workers = min(workers, settings.batch.num_batch_threads)
    service = Service(manager, workers, settings.batch, metrics, asked.queue_limit)
    metrics.watch("pixelcost_waiting", "Requests in the queue.", "", lambda: {"": service.queue.waiting})
    rest_threads = asked.rest_api_num_threads or max(
        REST_THREADS_LEAST, REST_THREADS_PER_CORE * len(pinning.cores)
    )
    rest_api = RestApi(service, asked.rest_api_timeout_in_ms / 1e3, settings.monitoring)
    grpc_api = GrpcApi(service, _about(service, pinning))
    app = traced_app(rest_api) if traces.is_on() else rest_api
    return Server(service, grpc_api, app, taken, rest_threads), manager


def _timed(load: Load, metrics: Metrics) -> Load:
    """`load`, with the metrics of every attempt."""

    def timed(directory: Path) -> tuple[Servable, Shapes]:
        started = time.perf_counter()
        try:
            loaded = load(directory)
        except Exception:
            metrics.load_failed(str(directory))
            raise
        metrics.loaded(str(directory), time.perf_counter() - started)
        return loaded

    return timed


def watching(asked: Flags, manager: Manager) -> tuple[float, Callable[[], None]]:
    """How often to look for new versions, in seconds, and what else to do then: reread the models' file."""
    every_s = asked.file_system_poll_wait_seconds
    config_every_s = asked.model_config_file_poll_wait_seconds
    if asked.model_config_file == NO_PATH or not config_every_s:
        return every_s, lambda: None
    before: list[ModelConfig] | None = None

    def reread() -> None:
        """A file with an error changes nothing."""
        nonlocal before
        try:
            configs = _configs_in_file(asked)
            if configs != before:
                before = configs
                manager.reload(configs)
        except (StartRefused, LoadFailed, ServingError) as problem:
            log.error("%s", problem)

    return min(every_s or config_every_s, config_every_s), reread


def _configs_in_file(asked: Flags) -> list[ModelConfig]:
    try:
        return from_proto(text_messages.read_models(asked.model_config_file))
    except InvalidArgument as problem:
        raise StartRefused(f"{asked.model_config_file}: {problem.message}") from problem


def _about(service: Service, pinning: Pinning) -> Callable[[ModelSpec], str]:
    """A function that describes what computes a model, as JSON."""

    def about(spec: ModelSpec) -> str:
        found = service.about(spec)
        facts = asdict(found) if found else {}
        place = {"isa": isa.held_to(), "cores": pinning.cores, "replicas": 1}
        return json.dumps({**facts, **place}, separators=(",", ":"))

    return about
