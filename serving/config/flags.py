"""The command line, read and checked: `tensorflow_model_server`'s flags, and those of this server."""

# ruff: noqa: RUF009  # _flag and _switch return fields of the dataclass
from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from common.installed import as_typed
from serving.config import flag_values as read
from serving.config.flag_values import NO_PATH
from serving.errors import StartRefused
from serving.limits import WAITING_LIMIT
from serving.runtimes import AUTO, RUNTIMES
from serving.runtimes.base import BF16, F32


def _flag(kind: Any, default: Any, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"type": kind, "help": text, **more})


def _switch(default: bool, text: str) -> Any:
    return _flag(read.boolean, default, text, nargs="?", const=True)


@dataclass(frozen=True)
class TensorFlowServingFlags:
    """The flags that TensorFlow Serving has, too, with its names, defaults and units."""

    port: int = _flag(read.port, 8500, "gRPC port, 0: off (8500)")
    grpc_socket_path: str = _flag(str, "", "also answer gRPC on this Unix socket")
    rest_api_port: int = _flag(read.port, 0, "REST port, 0: off (0)")
    rest_api_num_threads: int = _flag(read.count, 0, "REST requests at once, 0: 4 per core (0)")
    rest_api_timeout_in_ms: int = _flag(read.milliseconds, 30_000, "longest time for a REST answer (30000)")
    model_name: str = _flag(str, "default", "name of the model (default)")
    model_base_path: Path = _flag(read.path, NO_PATH, "directory with one numbered directory per version")
    model_config_file: Path = _flag(read.path, NO_PATH, "several models: a ModelServerConfig as text")
    model_config_file_poll_wait_seconds: float = _flag(
        read.seconds, 0, "seconds between looks at it, 0: never (0)"
    )
    file_system_poll_wait_seconds: float = _flag(
        read.seconds, 1, "seconds between looks at the disk, 0: once (1)"
    )
    allow_version_labels_for_unavailable_models: bool = _switch(
        False, "labels may point at unloaded versions"
    )
    enable_batching: bool = _switch(False, "compute waiting requests in batches")
    batching_parameters_file: Path = _flag(read.path, NO_PATH, "BatchingParameters as text")
    monitoring_config_file: Path = _flag(read.path, NO_PATH, "MonitoringConfig as text: Prometheus on or off")
    ssl_config_file: Path = _flag(read.path, NO_PATH, "SSLConfig as text: gRPC over TLS")
    grpc_max_threads: int = _flag(read.count, 0, "gRPC requests at once, 0: as the queue needs (0)")
    grpc_channel_arguments: tuple[tuple[str, Any], ...] = _flag(
        read.channel_arguments, (), "key=value,... for gRPC"
    )
    saved_model_tags: tuple[str, ...] = _flag(
        read.names, ("serve",), "tags of the SavedModel's graph (serve)"
    )
    enable_model_warmup: bool = _switch(True, "warm up a version before it gets requests (true)")
    num_request_iterations_for_warmup: int = _flag(
        read.positive, 1, "times that a recorded request is sent (1)"
    )
    tensorflow_session_parallelism: int = _flag(read.count, 0, "sets both of the next two")
    tensorflow_intra_op_parallelism: int = _flag(
        read.count, 0, "threads in an operation, 0: one per core (0)"
    )
    tensorflow_inter_op_parallelism: int = _flag(read.count, 0, "operations at once, 0: one per core (0)")
    per_process_gpu_memory_fraction: float = _flag(
        read.fraction, 0.0, "share of the GPU's memory, 0: as needed (0)"
    )
    prefer_tflite_model: bool = _switch(False, "serve model.tflite if a version has both")
    version: bool = _switch(False, "print the version, then end")


@dataclass(frozen=True)
class Flags(TensorFlowServingFlags):
    """All flags with their values."""

    host: str = _flag(str, "0.0.0.0", "address to listen on (0.0.0.0)")
    cpus: int | None = _flag(read.positive, None, "pin to this many cores, or to all if fewer")
    cores: tuple[int, ...] | None = _flag(read.cores, None, "pin to these cores: 0,1 or 0-3")
    device: str = _flag(str, "auto", "auto: a GPU if it has one (auto)", choices=("auto", "cpu", "gpu"))
    runtime: str = _flag(str, AUTO, "runtime; auto: by the kind of file (auto)", choices=(AUTO, *RUNTIMES))
    precision: str = _flag(str, F32, "precision of the arithmetic (f32)", choices=(F32, BF16))
    concurrency: int = _flag(read.count, 0, "requests computed at once, 0: one per core (0)")
    queue_limit: int = _flag(read.positive, WAITING_LIMIT, "requests that may wait for one signature (64)")
    isa: str = _flag(str, "", "hold the runtime to this instruction set: sse41, avx2, ... (all)")
    accept_changed_outputs: bool = _switch(False, "also serve a new version whose outputs have another shape")
    exit_with_parent: bool = _switch(False, "stop when the process that started this one has gone")
    list_devices: bool = _switch(False, "print the devices of this machine as JSON, then end")

    @property
    def is_pinned(self) -> bool:
        """Whether the server gets one thread for every core that it is pinned to."""
        return self.cpus is not None or self.cores is not None


# Help texts by flag.
THEIRS = {f"--{flag.name}": str(flag.metadata["help"]) for flag in fields(TensorFlowServingFlags)}
FLAGS = {f"--{flag.name}": str(flag.metadata["help"]) for flag in fields(Flags)}

# Accepted, so that command lines for TensorFlow Serving work here; without effect, for the reason given.
WITHOUT_EFFECT = {
    "--use_saved_model": "SavedModels are always taken",
    "--use_tflite_model": "old name of --prefer_tflite_model; TFLite files are found by themselves",
    "--flush_filesystem_caches": "files are mapped, not cached",
    "--num_load_threads": "versions load one at a time, at low priority",
    "--num_unload_threads": "every version is unloaded in its own thread",
    "--max_num_load_retries": "a version that failed is tried again when its files change",
    "--load_retry_interval_micros": "as above",
    "--remove_unused_fields_from_bundle_metagraph": "only the signatures are kept",
    "--enable_signature_method_name_check": "the tensors of a signature decide how it can be used",
    "--enforce_session_run_timeout": "a request is dropped when its deadline passes in the queue",
    "--enable_per_model_metrics": "metrics are always by model",
    "--skip_initialize_tpu": "TPUs are not supported",
    "--enable_grpc_healthcheck_service": "it is always enabled",
    "--enable_profiler": "the profiler service is not supported; stage times come with every answer",
    "--num_tflite_pools": "one interpreter for each model",
    "--num_tflite_interpreters_per_pool": "as above",
}


def parse(arguments: Sequence[str]) -> Flags:
    """Raises StartRefused, naming the flag, for anything unknown or impossible."""
    parser = _Parser(prog=as_typed("python -m serving"), description=__doc__, allow_abbrev=False)
    for flag in fields(Flags):
        parser.add_argument(f"--{flag.name}", default=flag.default, **flag.metadata)
    known, unknown = parser.parse_known_args(arguments)
    for argument in unknown:
        if argument.partition("=")[0] not in WITHOUT_EFFECT:
            raise StartRefused(_unknown(argument))
    flags = Flags(**vars(known))
    if not flags.list_devices and not flags.version:
        _check(flags)
    return flags


def _check(flags: Flags) -> None:
    if flags.model_base_path == NO_PATH and flags.model_config_file == NO_PATH:
        raise StartRefused(
            "--model_base_path is missing: the directory that holds 1/saved_model.pb. "
            "For several models give --model_config_file."
        )
    if not (flags.port or flags.rest_api_port or flags.grpc_socket_path):
        raise StartRefused(
            "--port and --rest_api_port are both 0, so the server could not be reached. Set one."
        )
    if flags.port == flags.rest_api_port != 0:
        raise StartRefused(f"--port and --rest_api_port are both {flags.port}. They must differ.")
    if flags.batching_parameters_file != NO_PATH and not flags.enable_batching:
        raise StartRefused("--batching_parameters_file works only with --enable_batching. Add that.")


class _Parser(argparse.ArgumentParser):
    """Raises an error of one line instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise StartRefused(f"{message}. `python -m serving --help` lists the flags.")


def _unknown(argument: str) -> str:
    flag = argument.partition("=")[0]
    if flag == "--replicas":
        return (
            "--replicas is no longer a flag. Start one server for each port, and let a load balancer "
            "(Kubernetes, Envoy) or the client (gRPC's round_robin policy) spread the requests."
        )
    if not flag.startswith("-"):
        return f"{argument!r} is not a flag. This command takes flags only."
    return f"Unknown flag {flag}. `python -m serving --help` lists the known ones."
