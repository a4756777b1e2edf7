"""The flags: TensorFlow Serving's own with its names, defaults and spellings, and ours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from serving.config.local_path import local_path
from serving.limits import WAITING_LIMIT
from serving.runtimes import AUTO, RUNTIMES
from serving.runtimes.base import BF16, F32

NO_PATH = Path()


def count(text: str) -> int:
    return _whole_number(text, 0, 1024)


def positive(text: str) -> int:
    return _whole_number(text, 1, 1024)


def port(text: str) -> int:
    return _whole_number(text, 0, 65535)


def milliseconds(text: str) -> int:
    return _whole_number(text, 1, 2**31 - 1)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return value


def fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def _whole_number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def path(text: str) -> Path:
    try:
        return local_path(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def cores(text: str) -> tuple[int, ...]:
    """ "0,2-3" is (0, 2, 3)."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of cores like 0,1 or 0-3")
        found.update(range(int(first), int(last or first) + 1))
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names no core")
    return tuple(sorted(found))


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def channel_arguments(text: str) -> tuple[tuple[str, Any], ...]:
    """ "grpc.max_connection_age_ms=2000,grpc.x=y": whole numbers as numbers, the rest as text."""
    pairs = []
    for part in names(text):
        key, equals, value = part.partition("=")
        if not key or not equals:
            raise argparse.ArgumentTypeError(f"{part!r} is not key=value")
        pairs.append((key, int(value) if value.lstrip("-").isdigit() else value))
    return tuple(pairs)


def boolean(text: str) -> bool:
    """TensorFlow Serving's spellings: --flag, --flag=true, --flag=1 and their opposites."""
    if text.lower() in {"true", "1"}:
        return True
    if text.lower() in {"false", "0"}:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is not true or false")


def _switch(text: str, default: bool = False) -> dict[str, Any]:
    return {"type": boolean, "nargs": "?", "const": True, "default": default, "help": text}


def _option(kind: Any, default: Any, text: str) -> dict[str, Any]:
    return {"type": kind, "default": default, "help": text}


THEIRS: dict[str, dict[str, Any]] = {
    "--port": _option(port, 8500, "gRPC port, 0: off (8500)"),
    "--grpc_socket_path": _option(str, "", "also answer gRPC on this Unix socket"),
    "--rest_api_port": _option(port, 0, "REST port, 0: off (0)"),
    "--rest_api_num_threads": _option(count, 0, "REST requests at once, 0: 4 for each core (0)"),
    "--rest_api_timeout_in_ms": _option(milliseconds, 30_000, "longest time for a REST answer (30000)"),
    "--model_name": _option(str, "default", "the name clients ask for (default)"),
    "--model_base_path": _option(path, NO_PATH, "directory with one numbered directory per version"),
    "--model_config_file": _option(path, NO_PATH, "several models: a ModelServerConfig as text"),
    "--model_config_file_poll_wait_seconds": _option(seconds, 0, "look at it again that often, 0: never (0)"),
    "--file_system_poll_wait_seconds": _option(seconds, 1, "look for new versions that often, 0: once (1)"),
    "--allow_version_labels_for_unavailable_models": _switch("labels may point at versions not loaded"),
    "--enable_batching": _switch("compute several waiting requests at once"),
    "--batching_parameters_file": _option(path, NO_PATH, "BatchingParameters as text"),
    "--monitoring_config_file": _option(path, NO_PATH, "MonitoringConfig as text: Prometheus on or off"),
    "--ssl_config_file": _option(path, NO_PATH, "SSLConfig as text: gRPC over TLS"),
    "--grpc_max_threads": _option(count, 0, "gRPC requests at once, 0: as the queue needs (0)"),
    "--grpc_channel_arguments": _option(channel_arguments, (), "key=value,... for gRPC"),
    "--saved_model_tags": _option(names, ("serve",), "tags of the SavedModel's graph (serve)"),
    "--enable_model_warmup": _switch("ask each version before clients may (true)", default=True),
    "--num_request_iterations_for_warmup": _option(positive, 1, "how often each recorded one is sent (1)"),
    "--tensorflow_session_parallelism": _option(count, 0, "both of the next two"),
    "--tensorflow_intra_op_parallelism": _option(count, 0, "threads in an operation, 0: one per core (0)"),
    "--tensorflow_inter_op_parallelism": _option(count, 0, "operations at once, 0: one per core (0)"),
    "--per_process_gpu_memory_fraction": _option(fraction, 0.0, "of the GPU's memory, 0: as needed (0)"),
    "--prefer_tflite_model": _switch("serve model.tflite where a version holds both"),
    "--version": _switch("print the version, then end"),
}

OURS: dict[str, dict[str, Any]] = {
    "--host": _option(str, "0.0.0.0", "address to listen on (0.0.0.0)"),
    "--cpus": _option(positive, None, "pin to this many cores, or to as many as there are"),
    "--cores": _option(cores, None, "pin to these cores: 0,1 or 0-3"),
    "--device": {
        "choices": ("auto", "cpu", "gpu"),
        "default": "auto",
        "help": "auto: a GPU if there is one (auto)",
    },
    "--runtime": {
        "choices": (AUTO, *RUNTIMES),
        "default": AUTO,
        "help": "what computes; auto: by the kind of file (auto)",
    },
    "--precision": {"choices": (F32, BF16), "default": F32, "help": "of the arithmetic (f32)"},
    "--concurrency": _option(count, 0, "requests computed at once, 0: one per core (0)"),
    "--queue_limit": _option(positive, WAITING_LIMIT, "requests that may wait for one signature (64)"),
    "--isa": _option(str, "", "hold the runtime to this instruction set: sse41, avx2, ... (all there are)"),
    "--accept_changed_outputs": _switch("also serve a new version whose outputs have another shape"),
    "--exit_with_parent": _switch("stop when the process that started this one has gone"),
    "--list_devices": _switch("print the devices of this machine as JSON, then end"),
}

# Taken, so that a command line for TensorFlow Serving works here, and without effect for the reason given.
WITHOUT_EFFECT = {
    "--use_saved_model": "SavedModels are always taken",
    "--use_tflite_model": "old name of --prefer_tflite_model; TFLite files are found by themselves",
    "--flush_filesystem_caches": "files are mapped, not cached",
    "--num_load_threads": "versions load one at a time, at low priority",
    "--num_unload_threads": "each version is unloaded in a thread of its own",
    "--max_num_load_retries": "a version that failed is tried again when its files change",
    "--load_retry_interval_micros": "as above",
    "--remove_unused_fields_from_bundle_metagraph": "only the signatures are kept",
    "--enable_signature_method_name_check": "the tensors of a signature decide what it can be asked",
    "--enforce_session_run_timeout": "a request is dropped when its deadline passes in the queue",
    "--enable_per_model_metrics": "always",
    "--skip_initialize_tpu": "there is no TPU support",
    "--enable_grpc_healthcheck_service": "always",
    "--enable_profiler": "there is no profiler service; stage times come with every answer",
    "--num_tflite_pools": "as many interpreters as requests at once",
    "--num_tflite_interpreters_per_pool": "as above",
}

FLAGS = {**THEIRS, **OURS}
